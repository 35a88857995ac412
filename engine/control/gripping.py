"""What the gripper is told: what the policy or a jog wants while the robot may move, else to keep what it has. Pure.

Closedness throughout: 0 open .. 1 closed, NaN where there is no gripper. A gripper that stands short of what it was told squeezes
what it holds, so a stop leaves it told the same: it never drops a load. One that is under way stops where it is.
"""

import math
from dataclasses import dataclass

STANDS = 0.2  #: 1/s of its travel; a slower gripper stands
JOG_RATE = 0.5  #: 1/s of its travel, while a key is held


@dataclass(frozen=True, slots=True)
class Grip:
    """What the gripper was told last, and how it was measured then."""

    told: float = math.nan
    measured: float = math.nan


def after(before: Grip, measured: float, wanted: float, dt: float) -> Grip:
    """The grip ``dt`` s later; ``wanted`` NaN keeps what is held."""
    if not math.isfinite(measured):
        return before
    if math.isfinite(wanted):
        return Grip(min(max(wanted, 0.0), 1.0), measured)
    stands = abs(measured - before.measured) <= STANDS * dt
    return Grip(before.told if stands and before.told >= measured else min(max(measured, 0.0), 1.0), measured)


def nudged(before: Grip, measured: float, closes: bool, dt: float) -> float:
    """What a held key wants next: on from where the gripper is, or from what squeezes more."""
    if closes:
        return max(before.told, measured) + JOG_RATE * dt
    return min(before.told, measured) - JOG_RATE * dt
