"""The pose reference and the command built on it: moving to a target within limits, or stopping in the way that yields to a person.

Moving: position and rotation approach the target within the permitted speed and ``acceleration_max``, and wait where the spring
already pulls with all its permitted force. Stopping: the reference brakes; the press ramps out within 100 ms; once the robot
rests, the reference slides to the pose measured there, no faster than the force on a partner's hand may change; the stroke
axis goes to its softest spring and slips beyond 30 N; across and rotation keep the spring they have. The blade is never lifted.
"""

import math
from dataclasses import dataclass, replace

from engine.control.pose import Floats, error, floats, moved
from engine.limits import Limits
from engine.safety import score, stops
from engine.types import Command, Decision, Inputs, StopCategory, StopKind, Zone

LEVER = 0.36  #: m, from the tool frame to the partner's handle: no point so near is faster than the tool may be, shift and turn together
STIFFEN = (200.0, 200.0, 200.0, 60.0, 60.0, 60.0)  #: N/m/s and N m/rad/s
FORCE_RATE = 300.0  #: N/s by which the force on a hand may change through softening: a sudden drop throws a partner who pulls
TORQUE_RATE = 40.0  #: N m/s
PRESS_OUT = 0.1  #: s
STROKE_HOLD = 30.0  #: N, beyond which a held stroke axis slips
SLIP_SPEED = stops.STROKE_YIELD  #: m/s at which it does

#: N/m along the stroke that sawing wants in each zone, under the score's cap
ZONE_STIFFNESS = {Zone.SOFT: 500.0, Zone.KNOT: 600.0, Zone.CRACKED: 600.0}

_STILL = (0.0,) * 6
_RATES = (FORCE_RATE,) * 3 + (TORQUE_RATE,) * 3


@dataclass(frozen=True, slots=True)
class Reference:
    """Where the virtual spring is fixed, how stiff it is, and how far a stop has come."""

    pose: Floats  #: (7,)
    twist: Floats = _STILL  #: (6,)
    stiffness: Floats = score.SOFTEST  #: (6,)
    force: float = 0.0  #: N, the spring's limit
    torque: float = 0.0  #: N m
    armed: bool = False
    held: float = 0.0  #: s since holding began; 0 while moving
    rest: Floats | None = None  #: (7,) the pose measured once the robot had come to rest
    brakes: bool = False  #: power off where it stands, until armed again


def step(
    reference: Reference | None,
    inputs: Inputs,
    decision: Decision,
    target: Floats | None,
    *,
    hand_force: float,
    hand_press: float,
    line_y: float,
    log_top: float,
    dt: float,
    limits: Limits,
    zone: int = Zone.AIR,
) -> tuple[Reference, Command]:
    """One control tick. ``target`` (7,) is the policy's or the jog's pose, None to hold; ``reference`` None starts at the measured pose.

    Raises ValueError where there is no reference yet and the measured pose is not finite.
    """
    measured = _trusted(inputs.pose)
    if reference is None:
        if measured is None:
            raise ValueError("The robot's first pose is not finite, so there is nothing to hold; check its connection.")
        reference = Reference(pose=measured, force=decision.force_limit, torque=decision.torque_limit)
    if decision.armed and not reference.armed and measured is not None:
        reference = replace(reference, pose=measured, twist=_STILL, held=0.0, rest=None, brakes=False)
    free = decision.armed and decision.stop_kind == StopKind.NONE and decision.speed_limit > 0.0
    if free and target is not None and measured is not None:
        following = _moving(reference, measured, decision, target, zone, dt, limits)
    else:
        following = _holding(reference, measured, inputs, decision, dt, limits)
    following = replace(following, armed=decision.armed)
    command = Command(
        command_tick=inputs.tick,
        pose_d=following.pose,
        twist_d=following.twist,
        stiffness_d=following.stiffness,
        force_max=following.force,
        torque_max=following.torque,
        hold=following.held > 0.0,
        brakes=following.brakes,
        hand_force=_within(hand_force, -limits.hand_force_max, limits.hand_force_max),
        hand_press=_within(hand_press, 0.0, limits.hand_force_max),
        line_y_d=line_y,
        log_top_d=log_top,
    )
    return following, command


def _moving(reference: Reference, measured: Floats, decision: Decision, target: Floats, zone: int, dt: float, limits: Limits) -> Reference:
    stretch = error(reference.pose, measured)
    leash = tuple(
        limit / k for limit, k in zip((decision.force_limit,) * 3 + (decision.torque_limit,) * 3, reference.stiffness, strict=True)
    )
    to_go = tuple(map(_leashed, error(target, reference.pose), stretch, leash))
    acceleration = limits.acceleration_max
    wanted = _approaching(to_go[:3], acceleration, dt) + _approaching(to_go[3:], acceleration / LEVER, dt)
    twist = _twist(reference.twist, wanted, decision.speed_limit, acceleration * dt)
    stroke = min(decision.stiffness[0], ZONE_STIFFNESS.get(Zone(zone), math.inf))
    stiffness = _eased(reference.stiffness, (stroke, *decision.stiffness[1:]), stretch, dt)
    return replace(
        reference,
        pose=moved(reference.pose, tuple(v * dt for v in twist)),
        twist=twist,
        stiffness=stiffness,
        force=_approach(reference.force, decision.force_limit, FORCE_RATE * dt),
        torque=_approach(reference.torque, decision.torque_limit, TORQUE_RATE * dt),
        held=0.0,
        rest=None,
    )


def _holding(reference: Reference, measured: Floats | None, inputs: Inputs, decision: Decision, dt: float, limits: Limits) -> Reference:
    change = limits.acceleration_max * dt
    linear = _velocity(reference.twist[:3], (0.0,) * 3, 0.0, change)
    angular = _velocity(reference.twist[3:], (0.0,) * 3, 0.0, change / LEVER)
    twist = (linear[0], linear[1], min(linear[2], 0.0), *angular)
    pose = moved(reference.pose, tuple(v * dt for v in twist))
    stiffness, rest = reference.stiffness, reference.rest
    if measured is not None:
        if rest is None and not any(twist) and stops.at_rest(inputs, True, limits):
            rest = measured
        stretch = error(pose, measured)
        softest = (min(stiffness[0], score.SOFTEST[0]), *stiffness[1:])
        softer = _eased(stiffness, softest, stretch, dt)
        spent = (stiffness[0] - softer[0]) * abs(stretch[0])
        stiffness = softer
        pose = _settled(pose, stretch, rest, stiffness, reference.held, spent, dt)
    held = reference.held + dt
    stopped = rest is not None or held > limits.rest_within
    off = decision.stop_category == StopCategory.CAT0 or (decision.stop_category == StopCategory.CAT1 and stopped)
    return replace(
        reference,
        pose=pose,
        twist=twist,
        stiffness=stiffness,
        force=_approach(reference.force, min(reference.force, decision.force_limit), FORCE_RATE * dt),
        torque=_approach(reference.torque, min(reference.torque, decision.torque_limit), TORQUE_RATE * dt),
        held=held,
        rest=rest,
        brakes=off or (reference.brakes and not decision.armed),
    )


def _settled(pose: Floats, stretch: Floats, rest: Floats | None, stiffness: Floats, held: float, spent: float, dt: float) -> Floats:
    """(7,) the held reference after the press has ramped, the slide to the rest pose and the stroke's slip.

    ``spent`` N of what the stroke's force may change in this tick have gone into softening already.
    """
    shift = [0.0] * 6
    if rest is not None:
        left = error(rest, pose)
        shift = [_within(go, -rate * dt / k, rate * dt / k) for go, rate, k in zip(left, _RATES, stiffness, strict=True)]
    if stretch[2] < 0.0 and (rest is None or held < PRESS_OUT):
        shift[2] = -stretch[2] * min(1.0, dt / max(PRESS_OUT - held, dt))
    shift[2] = min(shift[2], max(0.0, -stretch[2]))
    excess = abs(stretch[0] + shift[0]) - STROKE_HOLD / stiffness[0]
    if excess > 0.0:
        slip = min(excess, SLIP_SPEED * dt)
        shift[0] += -slip if stretch[0] > 0.0 else slip
    most = max(0.0, FORCE_RATE * dt - spent) / stiffness[0]
    shift[0] = _within(shift[0], -most, most)
    return moved(pose, shift)


def _leashed(go: float, stretch: float, most: float) -> float:
    """The way to go on one axis, or back to where the spring pulls with just its permitted force if it is stretched further."""
    if abs(stretch) >= most and stretch * go > 0.0:
        return math.copysign(abs(stretch) - most, -stretch)
    return go


def _approaching(to_go: Floats, acceleration: float, dt: float) -> Floats:
    """(3,) the velocity from which braking still ends at the target: v (v + a dt) = 2 a d."""
    distance = _size(to_go)
    if not distance > 0.0:
        return (0.0,) * 3
    speed = min(distance / dt, acceleration * (math.sqrt(dt * dt / 4.0 + 2.0 * distance / acceleration) - dt / 2.0))
    return tuple(speed * d / distance for d in to_go)


def _furthest_speed(twist: Floats) -> float:
    """m/s, the most that any point within LEVER of the tool frame can have: |v| + LEVER |w|."""
    return _size(twist[:3]) + LEVER * _size(twist[3:])


def _twist(before: Floats, wanted: Floats, limit: float, change: float) -> Floats:
    """(6,) the next twist towards the wanted one: the furthest point never above ``limit`` once below it.

    |v| and LEVER |w| change by at most ``change``, m/s. The turn goes first and the shift takes what is left of the limit: as
    the turn gains no more than the shift can give up within a tick, the sum never passes it.
    """
    fast = _furthest_speed(before)
    if fast > limit:
        share = max(limit, fast - change) / fast
        return tuple(v * share for v in before)
    asked = _furthest_speed(wanted)
    if asked > limit:
        wanted = tuple(v * limit / asked for v in wanted)
    angular = _velocity(before[3:], wanted[3:], limit / LEVER, change / LEVER)
    return _velocity(before[:3], wanted[:3], max(0.0, limit - LEVER * _size(angular)), change) + angular


def _velocity(before: Floats, wanted: Floats, limit: float, change: float) -> Floats:
    """(3,) the next velocity towards the wanted one: first down to ``limit``, the rest of ``change`` towards what is wanted within it."""
    before, spent = _shortened(before, limit, change)
    wanted, _ = _shortened(wanted, limit, math.inf)
    differs = tuple(w - v for w, v in zip(wanted, before, strict=True))
    size = _size(differs)
    if size <= change - spent:
        return wanted
    return tuple(v + d * (change - spent) / size for v, d in zip(before, differs, strict=True))


def _shortened(velocity: Floats, limit: float, change: float) -> tuple[Floats, float]:
    """(velocity (3,) no longer than ``limit`` or ``change`` shorter than it was, by how much it was shortened)."""
    fast = _size(velocity)
    if fast <= limit:
        return velocity, 0.0
    less = min(fast - limit, change)
    return tuple(v * (1.0 - less / fast) for v in velocity), less


def _size(vector: Floats) -> float:
    return math.sqrt(sum(v * v for v in vector))


def _eased(present: Floats, wanted: Floats, stretch: Floats, dt: float) -> Floats:
    """(6,) stiffness on its way: up at ``STIFFEN``, down no faster than the force on each axis may change."""
    eased = []
    for k, goal, e, rise, rate in zip(present, wanted, stretch, STIFFEN, _RATES, strict=True):
        if goal >= k:
            eased.append(min(goal, k + rise * dt))
        else:
            eased.append(max(goal, k - rate * dt / abs(e)) if abs(e) > 1e-9 else goal)
    return tuple(eased)


def _approach(present: float, goal: float, most: float) -> float:
    return present + _within(goal - present, -most, most)


def _within(value: float, low: float, high: float) -> float:
    """``value`` in [low, high]; NaN is the bound nearest to nothing."""
    if not math.isfinite(value):
        return max(low, min(0.0, high))
    return max(low, min(value, high))


def _trusted(pose: Floats) -> Floats | None:
    """The measured pose where it is finite and holds a unit quaternion."""
    values = floats(pose)
    if not all(map(math.isfinite, values)) or not 0.98 <= sum(v * v for v in values[3:]) <= 1.02:
        return None
    return values
