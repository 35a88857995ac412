"""Trying again what is likely to fail: let go, back off a little, hand back to the policy for a new approach. Pure.

At a gripper: the fingers open, then the tool goes up and towards its base. At the saw: the press is lightened, then the blade goes back
a little in its kerf, as when it is freed. Each takes less than ``engine.safety.forecast.RETRY_TIME``.
"""

import math
from dataclasses import dataclass, replace

from engine.control.gripping import STANDS, Grip
from engine.control.pose import Floats
from engine.control.recovery import LIGHT
from engine.limits import Limits

LET_GO, BACK_OFF = "let go", "back off"

LET_GO_TIME = 0.5  #: s for fingers to open, or a press to come off
UP, BACK = 0.05, 0.03  #: m, of a gripper
SAW_BACK = 0.02  #: m
SPEED = 0.06  #: m/s
SQUEEZE = 0.03  #: share of a gripper's travel by which one that stands is kept from closing on by what it holds


@dataclass(frozen=True, slots=True)
class Retry:
    """How far it has come."""

    start: Floats  #: (7,)
    way: Floats  #: (3,) m, from there to where it ends
    opens: bool  #: it lets go of what it has
    since: float = 0.0  #: s

    @property
    def step(self) -> str:
        return LET_GO if self.since < LET_GO_TIME else BACK_OFF

    @property
    def gone(self) -> float:
        """m of the way."""
        return min(max(self.since - LET_GO_TIME, 0.0) * SPEED, math.hypot(*self.way))

    @property
    def target(self) -> Floats:
        """(7,) where the reference is to go."""
        whole = math.hypot(*self.way)
        share = self.gone / whole if whole > 0.0 else 0.0
        return tuple(at + share * part for at, part in zip(self.start, self.way, strict=False)) + self.start[3:]

    @property
    def grip(self) -> float:
        """What the gripper is told: open, or NaN to keep what it has."""
        return 0.0 if self.opens else math.nan


def at_gripper(reference: Floats, grip: Grip, measured: float, miss: bool, dt: float, limits: Limits) -> Retry:
    """From the reference pose (7,), up and towards the base, as far as the workspace reaches.

    Fingers that stand short of what they were told hold something, and keep it. Fingers under way may be about to: they open only where
    a ``miss`` is foreseen. ``grip`` is what the gripper was told and read a tick (dt, s) ago, ``measured`` what it reads now.
    """
    x, y = reference[:2]
    reach = math.hypot(x, y)
    inwards = (-x / reach, -y / reach) if reach > 0.0 else (0.0, 0.0)
    stands = abs(measured - grip.measured) <= STANDS * dt
    holds = stands and grip.told - measured > SQUEEZE
    return Retry(reference, _within(reference, (BACK * inwards[0], BACK * inwards[1], UP), limits), opens=not holds and (stands or miss))


def at_saw(measured: Floats, reference: Floats, limits: Limits) -> Retry:
    """From the measured pose (7,), lightened, along the stroke towards the robot; across and in attitude the reference's."""
    start = (measured[0], reference[1], measured[2] + LIGHT, *reference[3:])
    return Retry(start, _within(start, (-SAW_BACK, 0.0, 0.0), limits), opens=False)


def followed(retry: Retry, *, going: bool, dt: float) -> Retry | None:
    """After dt: None once it is there, or the robot may not go on."""
    if not going or (retry.since > LET_GO_TIME and retry.gone >= math.hypot(*retry.way)):
        return None
    return replace(retry, since=retry.since + dt)


def _within(pose: Floats, way: Floats, limits: Limits) -> Floats:
    """(3,) what of a way leads no nearer to the workspace's edge than ``workspace_margin``, nor further out."""
    found = []
    for at, part, low, high in zip(pose, way, limits.workspace_min, limits.workspace_max, strict=False):
        least, most = min(low + limits.workspace_margin, at), max(high - limits.workspace_margin, at)
        found.append(min(max(at + part, least), most) - at)
    return tuple(found)
