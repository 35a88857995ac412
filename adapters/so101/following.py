"""How goals move: towards a target within position, speed, acceleration and the most that one step may be, whatever is asked. Pure.

Axis by axis, step by step. A goal never goes faster than it can brake before its bound, so no bound is ever given up for another.
"""

import math
from dataclasses import dataclass
from typing import Final

from engine.control.pose import Floats

PERIOD: Final = 0.01  #: s, of a step


@dataclass(frozen=True, slots=True)
class Bounds:
    """What holds for each of n axes, in the axis's own unit and seconds."""

    low: Floats
    high: Floats
    speed: Floats
    acceleration: Floats
    step: Floats  #: the most that a goal may differ from the one before it


@dataclass(frozen=True, slots=True)
class Motion:
    """Goals (n,) and how fast they move, per s."""

    at: Floats
    speed: Floats

    @classmethod
    def still(cls, at: Floats) -> "Motion":
        """Goals (n,) that stand."""
        return cls(at, (0.0,) * len(at))


@dataclass(frozen=True, slots=True)
class Sample:
    """Targets (n,) that hold at a moment; NaN = as it is."""

    t_ns: int
    at: Floats


def follow(motion: Motion, target: Floats, bounds: Bounds) -> Motion:
    """One step of PERIOD towards targets (n,); an axis whose target is not finite brakes and holds.

    An axis that is beyond a bound already stays where it is, or comes back, and never goes further.
    """
    n = range(len(motion.at))
    speed = tuple(_speed(motion.at[i], motion.speed[i], target[i], bounds, i) for i in n)
    return Motion(tuple(motion.at[i] + speed[i] * PERIOD for i in n), speed)


def aligned(before: Sample, after: Sample, t_ns: int) -> Floats:
    """(n,) the targets at a moment: on the straight line between two samples, never beyond either.

    An axis that only ``after`` knows a target for takes that at once.
    """
    span = after.t_ns - before.t_ns
    share = min(1.0, max(0.0, (t_ns - before.t_ns) / span)) if span > 0 else 1.0
    return tuple(a + share * (b - a) if math.isfinite(a) else b for a, b in zip(before.at, after.at, strict=True))


def fastest(way: float, acceleration: float) -> float:
    """Per s: from this speed, steps that are each slower by ``acceleration`` * PERIOD end after just ``way``; 0 where that is negative.

    In units of u = acceleration * PERIOD, a speed of k + f (k whole, 0 <= f < 1) goes (k + f) + (k - 1 + f) + ... + f
    = (k + 1) (k / 2 + f) times u * PERIOD.
    """
    unit = acceleration * PERIOD
    ways = way / (unit * PERIOD)
    if not ways > 0.0:
        return 0.0
    whole = math.floor((math.sqrt(1.0 + 8.0 * ways) - 1.0) / 2.0)
    return unit * (ways / (whole + 1.0) + whole / 2.0)


def _speed(at: float, speed: float, target: float, bounds: Bounds, i: int) -> float:
    """Of axis i in the next step."""
    low, high, acceleration = bounds.low[i], bounds.high[i], bounds.acceleration[i]
    most = min(bounds.speed[i], bounds.step[i] / PERIOD)
    wanted = 0.0
    if math.isfinite(target):
        way = min(max(target, min(low, at)), max(high, at)) - at
        wanted = math.copysign(min(most, fastest(abs(way), acceleration)), way)
    change = acceleration * PERIOD
    wanted = min(max(wanted, speed - change), speed + change)
    return max(min(wanted, fastest(high - at, acceleration)), -fastest(at - low, acceleration))
