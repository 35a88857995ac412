"""The arbiter: ``step(state, inputs) -> (state, Decision)``, pure and bit-exact, 100 times a second.

Every layer may only reduce; the smallest wins. No clock, no files, no randomness, and only + - x / sqrt and comparisons on
floats, so the same inputs give the same bits on any machine. A session's decisions are ``step`` folded over its recorded
inputs from ``initial``.

A stop disarms. What demands one while armed: a request on the stop page (at any time), a stalled thread, the recorder, a
lost console, an invalid reading, a robot limit passed, a grip too hard, a person too near or not sensed; while going or jogging
also a handle too fast or too close to the cradle; while going also pictures, policy, a failure foreseen that shall stop it, and
lasting doubt of uncertainty or vision.
Unarmed, the same things are shown and refuse arming, a robot that does not stand is a stop, and so is, once it was armed, a person
near a blade that gives way.
Arming, going and clearing are one act each, a tick apart at least.
"""

from engine.limits import Limits
from engine.safety import contact, forecast, latch, operator, score, stops, uncertainty, validity, vision
from engine.safety.cell import UNSENSED, Cell
from engine.safety.layer import NAN, Layer
from engine.safety.limits import RobotLimits
from engine.safety.readings import (
    CONTACT,
    FORECAST,
    LATCH,
    LIMITS,
    SEPARATION,
    UNCERTAINTY,
    VALIDITY,
    VISION,
    Readings,
    State,
    blocks,
    read,
)
from engine.safety.stops import Stop
from engine.types import Decision, Inputs, Intervention, Mode, Reason, StopCategory, StopKind

__all__ = ["RobotLimits", "State", "initial", "step"]

#: of the contact layer: what stops an armed robot though it is told to stand
_GRIPPING = (Reason.GRIP_FORCE, Reason.GRIP_NOT_FINITE)


def initial(limits: Limits, robot: RobotLimits, cell: Cell = UNSENSED) -> State:
    """The state before the first tick."""
    return State(limits=limits, robot=robot, cell=cell, bearable=contact.bearable(cell))


def step(state: State, inputs: Inputs) -> tuple[State, Decision]:
    """One tick."""
    now = read(state, inputs)
    moving_ns = _moving(state, inputs, now)
    stop, count, uncertain_ns = _stops(state, inputs, now, moving_ns)
    refused, armed, going, paused = _operate(state, inputs, now, stop)
    required = _required(state, inputs, going)
    armed_ns = inputs.t_ns if armed and not state.armed else state.armed_ns
    risen = operator.ramp(inputs.t_ns, armed_ns, state.limits) if armed else 0.0
    stiffness = risen if armed else state.stiffness
    jogging = armed and _jogs(inputs)
    layers = (
        _latch_layer(now.condition, stop),
        now.validity,
        now.limits,
        now.separation.layer,
        now.contact,
        now.uncertainty,
        now.forecast,
        now.vision,
        operator.layer(armed=armed, going=going, paused=paused, jogging=jogging, risen=risen, limits=state.limits),
    )
    total = score.least(tuple(layer.score for layer in layers))
    held = score.Held() if stop is not None else score.held(state.held, total, inputs.t_ns, state.limits)
    following = State(
        limits=state.limits,
        robot=state.robot,
        cell=state.cell,
        bearable=state.bearable,
        seen=validity.seen(inputs, state.seen),
        page=inputs.stop_page,
        latch=inputs.stop_latch,
        arm_request=inputs.arm_request,
        disarm_request=inputs.disarm_request,
        go_request=inputs.go_request,
        pause_request=inputs.pause_request,
        clear_request=inputs.clear_request,
        armed=armed,
        going=going,
        paused=paused,
        armed_ns=armed_ns,
        going_ns=inputs.t_ns if going and not state.going else state.going_ns,
        stiffness=stiffness,
        required=required,
        smooth=now.smooth,
        uncertain_ns=uncertain_ns,
        watch=forecast.settled(now.watch, armed=armed, going=going, stopped=stop is not None and FORECAST in stop.causes, t_ns=inputs.t_ns),
        sight=now.sight,
        ages=now.ages,
        fast_ns=now.separation.fast_ns,
        moving_ns=0 if stop is not None else moving_ns,
        stood=not armed and (now.resting or _late(state, now) or (state.stood and _unseen(state, now))),
        gap=now.observation.reason == Reason.CLOCK_STEPPED,
        held=held,
        stop=stop,
        last_stop=stop if stop is not None else state.last_stop,
        stop_count=count,
        refused=refused,
    )
    return following, _decision(following, layers, total, now, risen, inputs)


def _required(state: State, inputs: Inputs, going: bool) -> tuple[int, ...]:
    if not going:
        return ()
    return state.required if state.going else uncertainty.declared(inputs)


def _jogs(inputs: Inputs) -> bool:
    return inputs.jogging and inputs.mode != Mode.CUT


def _moving(state: State, inputs: Inputs, now: Readings) -> int:
    """Since when the robot has not been at rest though nothing lets it move and no stop holds; 0 = it stands, or may move.

    A gap in time begins it anew: of what the robot did meanwhile there is no evidence. A second one in a row is a slow engine. One that
    stood unarmed when it was last seen is not told to move by a reading that is late.
    """
    dragged = stops.dragged(inputs, now.observation.reason == Reason.OK)
    may = state.armed and (state.going or _jogs(inputs))
    if may or state.stop is not None or now.resting or dragged or _late(state, now) or _unseen(state, now):
        return 0
    return state.moving_ns if state.moving_ns > 0 else inputs.t_ns


def _late(state: State, now: Readings) -> bool:
    """Whether it stood unarmed when it was last seen, and the next reading has not come."""
    return state.stood and now.observation.reason == Reason.OBSERVATION_STALE


def _unseen(state: State, now: Readings) -> bool:
    """Whether a gap in time ends with this tick: what the robot did meanwhile shows in the next."""
    return now.observation.reason == Reason.CLOCK_STEPPED and not state.gap


def _stops(state: State, inputs: Inputs, now: Readings, moving_ns: int) -> tuple[Stop | None, int, int]:
    """The stop that holds after this tick, how many there have been, and since when uncertainty or vision has asked for one."""
    bounds, t_ns = state.limits, inputs.t_ns
    stop, count = state.stop, state.stop_count + 1
    request = latch.request(state.page, state.latch, inputs)
    if stop is not None:
        stop = stops.watched(stop, inputs, now.resting, now.observation.reason == Reason.OK, bounds)
        if request is None and _ends(stop, state, inputs, now):
            stop = None
    graver = stops.failing(stop, t_ns, bounds) if stop is not None and not _unseen(state, now) else StopCategory.NONE
    if request is not None and graver == StopCategory.NONE:
        verdict = Layer(reason=request.reason)
        return stops.raised(stop, count, (LATCH,), verdict, latched=request.latched, t_ns=t_ns), count, 0
    uncertain_ns = 0
    if state.going and (blocks(now.uncertainty, bounds) or blocks(now.vision, bounds)):
        uncertain_ns = state.uncertain_ns if state.uncertain_ns > 0 else t_ns
    causes = _causes(state, inputs, now, uncertain_ns) if state.armed else _reached(stop, state, now)
    if causes and graver == StopCategory.NONE:
        category = StopCategory.CAT1 if SEPARATION in causes else StopCategory.CAT2
        return stops.raised(stop, count, causes, now.of(causes[0]), latched=False, t_ns=t_ns, category=category), count, 0
    allowed = (2.0 if state.armed else 1.0) * bounds.rest_within  # an armed robot that is told to stand has to brake first
    if stop is None and moving_ns > 0 and not (t_ns - moving_ns) / 1e9 <= allowed:
        graver = StopCategory.CAT1
    if graver != StopCategory.NONE:
        unseen = stop is not None and blocks(now.observation, bounds)  # nobody knows whether it rests: what it first stopped for tells more
        verdict = Layer(reason=stop.reason if stop is not None and unseen else Reason.NOT_AT_REST)
        return stops.raised(stop, count, (LATCH,), verdict, latched=True, t_ns=t_ns, category=graver), count, 0
    return stop, state.stop_count, uncertain_ns


def _causes(state: State, inputs: Inputs, now: Readings, uncertain_ns: int) -> tuple[int, ...]:
    """The layers that demand a stop of an armed robot."""
    bounds, going = state.limits, state.going
    causes = []
    if blocks(now.condition, bounds) and (going or now.condition.reason not in latch.SEEING):
        causes.append(LATCH)
    if blocks(now.observation, bounds) or (going and blocks(now.perception, bounds)):
        causes.append(VALIDITY)
    if blocks(now.limits, bounds):
        causes.append(LIMITS)
    moving = going or _jogs(inputs)
    if blocks(now.separation.layer, bounds):
        causes.append(SEPARATION)
    if blocks(now.contact, bounds) and (moving or now.contact.reason in _GRIPPING):
        causes.append(CONTACT)
    if uncertain_ns > 0 and not (inputs.t_ns - uncertain_ns) / 1e9 <= uncertainty.PATIENCE:
        causes += [layer for layer in (UNCERTAINTY, VISION) if blocks(now.of(layer), bounds)]
    elif going and now.vision.reason in vision.BLIND:
        causes.append(VISION)
    if going and blocks(now.forecast, bounds):
        causes.append(FORECAST)
    return tuple(causes)


def _reached(stop: Stop | None, state: State, now: Readings) -> tuple[int, ...]:
    """Separation, where somebody may reach a blade that still gives way: one who is not seen may be anywhere.

    Not before it is first armed: a sensor that is only starting, like everything else then, is no stop.
    """
    yields = state.armed_ns > 0 if stop is None else stop.category == StopCategory.CAT2
    return (SEPARATION,) if yields and blocks(now.separation.layer, state.limits) else ()


def _persists(stop: Stop, state: State, now: Readings) -> bool:
    return any(blocks(now.of(layer), state.limits) for layer in stop.causes)


def _ends(stop: Stop, state: State, inputs: Inputs, now: Readings) -> bool:
    """Whether the stop is over: mended by itself, or cleared by its own number with the robot at rest and the cause gone."""
    persists = _persists(stop, state, now)
    if stops.mended(stop, now.resting, persists, inputs.t_ns, state.limits):
        return True
    named = inputs.clear_request > state.clear_request and inputs.clear_number == stop.number
    return stop.kind == StopKind.LATCHED and named and now.resting and not persists


def _operate(state: State, inputs: Inputs, now: Readings, stop: Stop | None) -> tuple[Reason, bool, bool, bool]:
    """Refusal, armed, going, paused after the operator's requests of this tick. Each request is one act on the state before it."""
    refused, armed, going, paused = state.refused, state.armed, state.going, state.paused
    disarm = inputs.disarm_request != state.disarm_request
    halt = stop is not None or disarm
    if inputs.clear_request > state.clear_request:
        refused = Reason.OK if stop is None else _why_not_cleared(stop, state, inputs, now)
    if inputs.go_request > state.go_request:
        refused = _why_not_going(state, inputs, now, stop)
        if refused == Reason.OK and not halt:
            going, paused = True, False
    asks = state.going and now.watch.intervention == Intervention.ASK
    if asks or not inputs.running or inputs.pause_request != state.pause_request:
        going, paused = False, armed
    if inputs.arm_request > state.arm_request and not state.armed:
        refused = _why_not_armed(state, now, stop)
        armed = refused == Reason.OK
    if halt:
        return refused, False, False, False
    return refused, armed, going and inputs.mode == Mode.CUT, paused


def _why_not_cleared(stop: Stop, state: State, inputs: Inputs, now: Readings) -> Reason:
    if inputs.clear_number != stop.number:
        return Reason.LATCHED
    for layer in stop.causes:
        if blocks(now.of(layer), state.limits):
            return now.of(layer).reason
    return Reason.OK if now.resting else Reason.NOT_AT_REST


def _why_not_armed(state: State, now: Readings, stop: Stop | None) -> Reason:
    if stop is not None or state.stop is not None:
        return stop.reason if stop is not None else Reason.LATCHED
    obstacle = now.obstacle(state.limits)
    if obstacle != Reason.OK:
        return obstacle
    return Reason.OK if now.resting else Reason.NOT_AT_REST


def _why_not_going(state: State, inputs: Inputs, now: Readings, stop: Stop | None) -> Reason:
    if stop is not None:
        return stop.reason
    if not state.armed:
        return Reason.NOT_ARMED
    if not inputs.running:
        return Reason.LET_GO
    return now.obstacle(state.limits) if inputs.mode == Mode.CUT else Reason.NOT_GOING


def _latch_layer(condition: Layer, stop: Stop | None) -> Layer:
    """A stop that holds lets nothing move, but leaves the score live: it says how the world is, not what was pressed."""
    if stop is None or condition.scale == 0.0:
        return condition
    return Layer(score=condition.score, scale=0.0, reason=stop.reason, margin=stop.margin, age=stop.age)


def _decision(state: State, layers: tuple[Layer, ...], total: float, now: Readings, risen: float, inputs: Inputs) -> Decision:
    bounds, stop, last = state.limits, state.stop, state.last_stop
    xy, z, force = score.impedance_xy(total), score.impedance_z(total), score.force(total)
    share = score.force_share(force)
    speed = score.speed_scale(layers, state.held.action)
    others = tuple(layer.score for index, layer in enumerate(layers) if index not in (UNCERTAINTY, VISION))
    return Decision(
        score=total,
        score_raw=score.least((*others, now.raw)),
        score_published=score.published(inputs.action_magnitude, inputs.ensemble_spread),
        action=state.held.action,
        binding=score.binding(layers),
        layer_score=tuple(layer.score for layer in layers),
        layer_scale=tuple(layer.scale for layer in layers),
        layer_force=tuple(layer.force for layer in layers),
        layer_reason=tuple(int(layer.reason) for layer in layers),
        layer_margin=tuple(layer.margin for layer in layers),
        layer_age=tuple(layer.age for layer in layers),
        impedance_xy=xy,
        impedance_z=z,
        force=force,
        stiffness=score.stiffness(xy, z, state.stiffness),
        force_limit=score.least_force(bounds.force_max * share, layers),
        torque_limit=bounds.torque_max * share,
        speed_scale=speed,
        speed_limit=bounds.speed_max * speed,
        armed=state.armed,
        going=state.going,
        ramp=risen,
        stop_category=stop.category if stop is not None else StopCategory.NONE,
        stop_kind=stop.kind if stop is not None else StopKind.NONE,
        stop_number=stop.number if stop is not None else 0,
        stop_count=state.stop_count,
        stop_reason=last.reason if last is not None else Reason.OK,
        stop_layer=last.layer if last is not None else 0,
        stop_margin=last.margin if last is not None else NAN,
        stop_age=last.age if last is not None else NAN,
        refused=state.refused,
        separation=now.separation.separation,
        separation_needed=now.separation.needed,
        separation_part=now.separation.part,
        reaction=now.separation.reaction,
        intervention=state.watch.intervention,
        foreseen=state.watch.foreseen,
        asking=state.watch.intervention == Intervention.ASK,
    )
