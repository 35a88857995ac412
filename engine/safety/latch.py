"""Layer 1, latch and watchdog: stop requests on the stop page, threads that stall, the recorder, the operator's line."""

from dataclasses import dataclass

from engine.limits import Limits
from engine.safety.layer import Layer, age, fresh, stopping
from engine.types import Inputs, Mode, Reason, Writer

_REASONS = {
    Writer.CONSOLE: Reason.STOP_KEY,
    Writer.SIGNAL: Reason.STOP_SIGNAL,
    Writer.WATCHDOG: Reason.WATCHDOG_CONTROL,
    Writer.OBSERVER: Reason.STOP_OBSERVER,
    Writer.SHELL: Reason.STOP_SHELL,
    Writer.ENGINE: Reason.ENGINE_FAULT,
    Writer.PLANT: Reason.PLANT_TIMEOUT,
    Writer.SPARE: Reason.ENGINE_FAULT,
}
_WATCHDOG = (
    Reason.WATCHDOG_CONTROL,
    Reason.WATCHDOG_CAMERA,
    Reason.WATCHDOG_INFERENCE,
    Reason.WATCHDOG_RECORDER,
    Reason.WATCHDOG_SERVER,
    Reason.WATCHDOG_SELF,
)
_RECORDER = (Reason.RECORDER_FULL, Reason.RECORDER_FAILED)

#: threads that only the policy needs: they bind where pictures and policy do
SEEING = (Reason.WATCHDOG_CAMERA, Reason.WATCHDOG_INFERENCE)

QUIET_SCORE = 0.6  #: the operator's line is silent, not yet lost: caution
QUIET_SCALE = 0.2
QUIET_AFTER = 0.5  #: of ``Limits.console_age_max``


@dataclass(frozen=True, slots=True)
class Request:
    """A stop that somebody asked for through the stop page."""

    reason: Reason
    latched: bool


def request(page_before: tuple[int, ...], latch_before: tuple[int, ...], inputs: Inputs) -> Request | None:
    """The gravest new request, or None. A count that falls is no count: it is a request too."""
    found: Request | None = None
    for writer in Writer:
        latched = inputs.stop_latch[writer] != latch_before[writer]
        if latched or inputs.stop_page[writer] != page_before[writer]:
            if writer == Writer.WATCHDOG and inputs.watchdog in _WATCHDOG:
                reason = Reason(inputs.watchdog)
            elif writer == Writer.CONSOLE and latched:
                reason = Reason.STOP_POWER_OFF
            else:
                reason = _REASONS[writer]
            if found is None or (latched and not found.latched):
                found = Request(reason, latched)
    return found


def condition(inputs: Inputs, limits: Limits) -> Layer:
    """What is wrong now and will not mend by itself being asked: engine, threads, recorder, the operator's line."""
    if inputs.engine_fault:
        return stopping(Reason.ENGINE_FAULT)
    if inputs.watchdog != Reason.OK:
        reason = Reason(inputs.watchdog) if inputs.watchdog in _WATCHDOG else Reason.ENGINE_FAULT
        if reason not in SEEING or inputs.mode == Mode.CUT:
            return stopping(reason)
    if inputs.recorder_fault != Reason.OK:
        return stopping(Reason(inputs.recorder_fault) if inputs.recorder_fault in _RECORDER else Reason.RECORDER_FAILED)
    if not inputs.console_required:
        return Layer()
    silent = age(inputs.t_ns, inputs.console_t_ns)
    margin = limits.console_age_max - silent
    if not fresh(silent, limits.console_age_max):
        return stopping(Reason.CONSOLE_LOST, margin, silent)
    if not fresh(silent, QUIET_AFTER * limits.console_age_max):
        return Layer(score=QUIET_SCORE, scale=QUIET_SCALE, reason=Reason.CONSOLE_LOST, margin=margin, age=silent)
    return Layer(margin=margin, age=silent)
