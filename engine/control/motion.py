"""How the reference moves: towards a velocity, within a speed that holds for every point of the saw, and within an acceleration."""

import math

from engine.control.pose import Floats, length

LEVER = 0.36  #: m, from the tool frame to the partner's handle: no point so near is faster than the tool may be, shift and turn together


def approaching(to_go: Floats, acceleration: float, dt: float) -> Floats:
    """(3,) the velocity from which braking still ends at the target: v (v + a dt) = 2 a d."""
    distance = length(to_go)
    if not distance > 0.0:
        return (0.0,) * 3
    speed = min(distance / dt, acceleration * (math.sqrt(dt * dt / 4.0 + 2.0 * distance / acceleration) - dt / 2.0))
    return tuple(speed * d / distance for d in to_go)


def towards(before: Floats, wanted: Floats, limit: float, change: float) -> Floats:
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
    return _velocity(before[:3], wanted[:3], max(0.0, limit - LEVER * length(angular)), change) + angular


def braked(twist: Floats, change: float) -> Floats:
    """(6,) the twist with |v| and LEVER |w| less by ``change``, m/s, or nothing."""
    return _shortened(twist[:3], 0.0, change)[0] + _shortened(twist[3:], 0.0, change / LEVER)[0]


def _furthest_speed(twist: Floats) -> float:
    """m/s, the most that any point within LEVER of the tool frame can have: |v| + LEVER |w|."""
    return length(twist[:3]) + LEVER * length(twist[3:])


def _velocity(before: Floats, wanted: Floats, limit: float, change: float) -> Floats:
    """(3,) the next velocity towards the wanted one: first down to ``limit``, the rest of ``change`` towards what is wanted within it."""
    before, spent = _shortened(before, limit, change)
    wanted, _ = _shortened(wanted, limit, math.inf)
    differs = tuple(w - v for w, v in zip(wanted, before, strict=True))
    size = length(differs)
    if size <= change - spent:
        return wanted
    return tuple(v + d * (change - spent) / size for v, d in zip(before, differs, strict=True))


def _shortened(velocity: Floats, limit: float, change: float) -> tuple[Floats, float]:
    """(velocity (3,) no longer than ``limit`` or ``change`` shorter than it was, by how much it was shortened)."""
    fast = length(velocity)
    if fast <= limit:
        return velocity, 0.0
    less = min(fast - limit, change)
    return tuple(v * (1.0 - less / fast) for v in velocity), less
