"""The virtual spring that the controller commands, and how fast each of its parts may change."""

import math
from dataclasses import dataclass, field, replace

from engine.control.gripping import Grip
from engine.control.pose import Floats, error, floats, length
from engine.safety import score
from engine.safety.layer import unit
from engine.types import LAYERS, Decision, Reason, Spring

STIFFEN = (200.0, 200.0, 200.0, 60.0, 60.0, 60.0)  #: N/m/s and N m/rad/s
FORCE_RATE = 300.0  #: N/s by which the force on a hand may change through softening: a sudden drop throws a partner who pulls
TORQUE_RATE = 40.0  #: N m/s

STILL = (0.0,) * 6
_CONTACT = LAYERS.index("contact")


@dataclass(frozen=True, slots=True)
class Reference:
    """Where the virtual spring is fixed, how stiff it is, and how far a stop has come."""

    pose: Floats  #: (7,)
    twist: Floats = STILL  #: (6,)
    stiffness: Floats = score.SOFTEST  #: (6,)
    force: float = 0.0  #: N, the spring's limit
    torque: float = 0.0  #: N m
    heading: int = 0  #: of the stroke: +1 while the partner pulls, -1 while the robot does
    power: float = 0.0  #: W, granted to the energy tank
    armed: bool = False
    held: float = 0.0  #: s since holding began; 0 while moving
    rest: Floats | None = None  #: (7,) the pose measured once the robot had come to rest
    brakes: bool = False  #: power off where it stands, until armed again
    grip: Grip = field(default_factory=Grip)


@dataclass(frozen=True, slots=True)
class Rates:
    """How fast the force that the spring exerts may fall."""

    force: float = FORCE_RATE  #: N/s
    torque: float = TORQUE_RATE  #: N m/s

    @property
    def axes(self) -> Floats:
        """(6,)"""
        return (self.force,) * 3 + (self.torque,) * 3


GENTLE = Rates()
AT_ONCE = Rates(math.inf, math.inf)


def rates(decision: Decision) -> Rates:
    """Gently, unless a hand is already in more force than it may bear: then what softens does so at once."""
    return AT_ONCE if decision.layer_reason[_CONTACT] == Reason.GRIP_FORCE else GENTLE


def in_effect(reference: Reference, spring: Spring, dt: float) -> Reference:
    """The reference as the robot has let it come about: where the energy tank held it back, it goes on from there, not ahead of it.

    Its twist becomes the share of the way that was let through. Unchanged where the reading holds what is no spring.
    """
    pose = trusted(spring.pose_d)
    if pose is None or not all(0.0 < k < math.inf for k in spring.stiffness):
        return reference
    if not (0.0 <= spring.force_max < math.inf and 0.0 <= spring.torque_max < math.inf):
        return reference
    behind, way = length(error(reference.pose, pose)), length(reference.twist) * dt
    let = max(0.0, 1.0 - behind / way) if behind > 1e-9 and way > 0.0 else 1.0
    return replace(
        reference,
        pose=pose,
        twist=tuple(v * let for v in reference.twist),
        stiffness=spring.stiffness,
        force=spring.force_max,
        torque=spring.torque_max,
    )


def eased(present: Floats, wanted: Floats, stretch: Floats, falling: Rates, dt: float) -> Floats:
    """(6,) stiffness on its way: up at ``STIFFEN``, down no faster than the force on each axis, ``stretch`` (6,) far out, may fall."""
    following = []
    for k, goal, e, rise, rate in zip(present, wanted, stretch, STIFFEN, falling.axes, strict=True):
        if goal >= k:
            following.append(min(goal, k + rise * dt))
        else:
            following.append(max(goal, k - rate * dt / abs(e)) if abs(e) > 1e-9 else goal)
    return tuple(following)


def limits_eased(present: Reference, force: float, torque: float, falling: Rates, dt: float) -> tuple[float, float]:
    """(N, N m) the spring's limits on their way to ``force`` and ``torque``."""
    return (
        present.force + within(force - present.force, -falling.force * dt, FORCE_RATE * dt),
        present.torque + within(torque - present.torque, -falling.torque * dt, TORQUE_RATE * dt),
    )


def within(value: float, low: float, high: float) -> float:
    """``value`` in [low, high]; NaN is the bound nearest to nothing."""
    if not math.isfinite(value):
        return max(low, min(0.0, high))
    return max(low, min(value, high))


def trusted(pose: Floats) -> Floats | None:
    """A measured pose (7,) where it is finite and holds a unit quaternion."""
    values = floats(pose)
    return values if all(map(math.isfinite, values)) and unit(values) else None
