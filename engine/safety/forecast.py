"""Layer 7, forecast: what is done about a failure that the policy's forecast says is likely.

A forecast earns no speed: the reduced speed that holds without one stays while it is in force. Alarms can only take more. One that
lasts acts by its type's remedy, the gravest of those that act: slow down, try again, ask the operator, stop. It lasts from the
threshold until it falls below ``Limits.forecast_release``; for ``forecast_persistence`` of that before it acts, since what comes
and goes within two inferences is no alarm; and once it acts, until it has been below the release for ``DWELL``. A forecast that is
missing or old while in force stops at once, and neither dwell nor cooldown holds up a stop.
"""

from dataclasses import dataclass, replace

from engine.limits import Limits, Remedy
from engine.safety import unconfigured
from engine.safety.layer import NAN, Layer, age, fresh, scale_of, stopping
from engine.types import FAILURES, Inputs, Intervention, Mode, Reason

NOT_CONFIGURED, IN_FORCE, UNPROVEN = 0, 1, 2  #: of ``Inputs.forecast_state``

CAUTION_SCORE = 0.60  #: what an alarm leaves that slows, or asks; ``Limits.stop_below`` where that is more: to slow is not to stop
DWELL = 0.5  #: s below the release until an alarm is over
RETRY_TIME = 2.5  #: s that a retry may take, from opening the fingers to the policy's new approach


@dataclass(frozen=True, slots=True)
class Alarm:
    """What is remembered of one type of failure."""

    since_ns: int = 0  #: when it passed the threshold, if it has not fallen below the release since; 0 = it has
    calm_ns: int = 0  #: since when it is below the release though it acts; 0 = it is not
    acts: bool = False


@dataclass(frozen=True, slots=True)
class Watch:
    """What is remembered of all, and what is being done."""

    alarms: tuple[Alarm, ...] = (Alarm(),) * len(FAILURES)
    intervention: Intervention = Intervention.NONE
    foreseen: int = -1  #: index into FAILURES; -1 = none acts
    retry_ns: int = 0  #: when the retry under way began
    rested_ns: int = 0  #: when the last retry ended, or the last question was answered; 0 = never


def after(before: Alarm, level: float, t_ns: int, limits: Limits) -> Alarm:
    """The alarm of a tick at which its probability is ``level`` times its threshold; what is no number is an alarm."""
    low = level < limits.forecast_release
    if low and before.acts:
        calm_ns = before.calm_ns if before.calm_ns > 0 else t_ns
        return Alarm() if (t_ns - calm_ns) / 1e9 >= DWELL else replace(before, calm_ns=calm_ns)
    if low or (level < 1.0 and not before.since_ns > 0):
        return Alarm()
    since_ns = before.since_ns if before.since_ns > 0 else t_ns
    return Alarm(since_ns, 0, before.acts or (t_ns - since_ns) / 1e9 >= limits.forecast_persistence)


def watched(before: Watch, inputs: Inputs, limits: Limits, going: bool) -> Watch:
    """What the alarms of a tick ask for. They act only on a robot that the policy moves; ``going``: it did until now."""
    if not (going and inputs.mode == Mode.CUT and _binds(inputs)):
        return before
    t_ns = inputs.t_ns
    levels = inputs.forecast_alarm if len(inputs.forecast_alarm) == len(FAILURES) else (NAN,) * len(FAILURES)
    alarms = tuple(after(alarm, level, t_ns, limits) for alarm, level in zip(before.alarms, levels, strict=True))
    wanted, foreseen = _gravest(alarms, levels, limits)
    retrying = before.retry_ns > 0 and (t_ns - before.retry_ns) / 1e9 < RETRY_TIME
    rested_ns = t_ns if before.retry_ns > 0 and not retrying else before.rested_ns
    if wanted in (Intervention.RETRY, Intervention.ASK) and not (retrying or _cooled(rested_ns, t_ns, limits)):
        wanted = Intervention.SLOW
    if retrying and not wanted > Intervention.RETRY:
        return Watch(alarms, Intervention.RETRY, before.foreseen, before.retry_ns, rested_ns)
    return Watch(alarms, wanted, foreseen, t_ns if wanted == Intervention.RETRY else 0, rested_ns)


def settled(found: Watch, *, armed: bool, going: bool, stopped: bool, t_ns: int) -> Watch:
    """After stops and operator have had their say; ``stopped``: a stop holds that this layer asked for.

    A question stays until the operator lets the robot go, or it is disarmed. What was foreseen stays for as long as its stop holds.
    """
    asked = found.intervention == Intervention.ASK
    if (going and not asked) or (asked and armed and not going):
        return found
    over = asked or found.retry_ns > 0
    rested_ns = t_ns if over else found.rested_ns
    if stopped and found.intervention == Intervention.STOP:
        return Watch(intervention=Intervention.STOP, foreseen=found.foreseen, rested_ns=rested_ns)
    return Watch(rested_ns=rested_ns)


def layer(inputs: Inputs, watch: Watch, limits: Limits, *, going: bool, judges: bool = True) -> Layer:
    """The verdict; margins are how far the greatest alarm is below its threshold. Without ``judges`` the cap of speed is all of it."""
    if inputs.forecast_state == NOT_CONFIGURED:
        return unconfigured.reduced_speed(limits)
    if inputs.forecast_state == UNPROVEN:
        return unconfigured.reduced_speed(limits, Reason.FORECAST_UNPROVEN)
    cap = unconfigured.reduced_speed(limits, Reason.OK)
    if inputs.mode != Mode.CUT or not judges:
        return replace(cap, margin=NAN)
    old = age(inputs.t_ns, inputs.forecast_ns)
    if not _told(inputs, old, limits):
        late = inputs.forecast_ns > 0 and not fresh(old, limits.inference_age_max)
        return stopping(Reason.FORECAST_STALE, limits.inference_age_max - old, old) if late else stopping(Reason.FORECAST_MISSING, NAN, old)
    margin = 1.0 - max(inputs.forecast_alarm)
    left = max(CAUTION_SCORE, limits.stop_below)
    if watch.intervention == Intervention.ASK:
        return Layer(score=left, scale=0.0, reason=Reason.ASKING, margin=margin, age=old)
    if not going or watch.intervention == Intervention.NONE:
        return replace(cap, margin=margin, age=old)
    if watch.intervention == Intervention.STOP:
        return stopping(Reason.FORECAST, margin, old)
    slow = min(cap.scale, scale_of(CAUTION_SCORE))
    return Layer(score=left, scale=slow, reason=Reason.FORECAST, margin=margin, age=old)


def _binds(inputs: Inputs) -> bool:
    return inputs.forecast_state not in (NOT_CONFIGURED, UNPROVEN)


def _told(inputs: Inputs, old: float, limits: Limits) -> bool:
    """Whether there is a believable figure for every type, of an exposure that is new enough."""
    levels = inputs.forecast_alarm
    return fresh(old, limits.inference_age_max) and len(levels) == len(FAILURES) and all(0.0 <= level < 1e6 for level in levels)


def _cooled(rested_ns: int, t_ns: int, limits: Limits) -> bool:
    return not rested_ns > 0 or (t_ns - rested_ns) / 1e9 >= limits.forecast_cooldown


def _gravest(alarms: tuple[Alarm, ...], levels: tuple[float, ...], limits: Limits) -> tuple[Intervention, int]:
    """The gravest remedy of the alarms that act, and of which type: of equals the one furthest past its threshold."""
    remedies: tuple[Remedy, ...] = (limits.on_collision, limits.on_drop, limits.on_miss, limits.on_timeout)
    gravest, foreseen = Intervention.NONE, -1
    for index, (alarm, remedy) in enumerate(zip(alarms, remedies, strict=True)):
        if not alarm.acts:
            continue
        asked = Intervention[remedy.upper()]
        if foreseen < 0 or asked > gravest or (asked == gravest and levels[index] > levels[foreseen]):
            gravest, foreseen = asked, index
    return gravest, foreseen
