"""Jogging: from the axes that are granted now to a target just ahead of the reference.

A grant runs for ``step / speed`` seconds: the reference speeds up and brakes at the same rate, so it then moves one step.
Step and speed are those of the saw's fastest point, |v| + LEVER |w|: no point of it moves further or faster.

Along the base's axes or the saw's own the saw keeps its attitude. A joint takes the saw along and turns it by as much as it turns
itself, whichever joint it is. A partner holds the saw's far end, and holds it level: so it may tilt by ``Limits.tilt_max`` at most,
and no further than the joints bear that hold. So far goes one joint on its own; joints whose turns cancel go further, by turns.
"""

import math
from dataclasses import dataclass
from typing import Protocol

from engine.control.motion import LEVER
from engine.control.playing import PLAY
from engine.control.pose import Floats, Vector, floats, length, moved, rotation_vector, turned
from engine.limits import Limits
from engine.safety.limits import tilt
from engine.types import Mode, Vec6

LEVEL = "level"  #: the axis that turns the saw back to level
GRIP = ("-grip", "+grip")  #: the axes that open and close a gripper
LEVEL_WITHIN = 0.002  #: rad
STRAIN = 0.85  #: of the torque at which a joint's limit stops the robot, beyond which the saw is tilted no further
JOINT_END = 0.02  #: rad before a joint's limit at which it is jogged no further

_AXES = {"x": 0, "y": 1, "z": 2}


class Jointed(Protocol):
    """What jogging a joint asks of a robot."""

    joint_limits: tuple[tuple[float, float], ...]
    joint_torque_limits: tuple[float, ...]

    def joint_twist(self, joint: int) -> Vec6: ...


@dataclass(frozen=True, slots=True)
class Jog:
    """One tick of a jog."""

    target: Floats | None = None  #: (7,) where the reference shall go; None to hold
    posture: Floats | None = None  #: (n,) rad, to keep where the tool leaves a choice; None = the robot's own
    edge: str = ""  #: why not all that was asked is done


def axes_of(mode: Mode, joints: int, gripper: bool = False) -> frozenset[str]:
    """The axes that a key may hold in a mode."""
    if mode is Mode.CUT:
        return frozenset()
    if mode is Mode.MOTION:
        return frozenset({PLAY})
    grip = frozenset(GRIP if gripper else ())
    if mode is Mode.JOG_JOINT:
        return grip | {LEVEL, *(f"{sign}j{joint}" for sign in "+-" for joint in range(1, joints + 1))}
    return grip | {sign + axis for sign in "+-" for axis in _AXES}


def jogged(
    mode: Mode,
    axes: tuple[str, ...],
    speed: float,
    *,
    pose: Vector,
    q: Vector,
    tau: Vector,
    posture: Floats | None,
    robot: Jointed,
    dt: float,
    limits: Limits,
) -> Jog:
    """What the granted ``axes`` ask for at ``speed`` m/s, from the reference ``pose`` (7,), the joints ``q`` (n,), rad, and ``tau``, N m.

    ``posture`` is the one that the jog before kept. Only the newest joint moves.
    """
    if not axes or not (speed > 0.0 and math.isfinite(speed)):
        return Jog(posture=posture)
    if mode is not Mode.JOG_JOINT:
        way = direction(axes)
        return straight(pose, turned(floats(pose)[3:], way) if mode is Mode.JOG_SAW else way, speed, dt, limits)
    if axes[-1] == LEVEL:
        return levelled(pose, q, speed, dt, limits)
    return by_joint(axes[-1], speed, pose, q, tau, posture, robot, dt, limits)


def direction(axes: tuple[str, ...]) -> Floats:
    """(3,) unit vector of the granted axes ("+x", "-z", ...); zeros where they cancel or none is given."""
    summed = [0.0, 0.0, 0.0]
    for axis in axes:
        if len(axis) == 2 and axis[0] in "+-" and axis[1] in _AXES:
            summed[_AXES[axis[1]]] += 1.0 if axis[0] == "+" else -1.0
    size = length(summed)
    return tuple(value / size for value in summed) if size > 0.0 else (0.0, 0.0, 0.0)


def straight(pose: Vector, way: Floats, speed: float, dt: float, limits: Limits) -> Jog:
    """Along ``way`` (3,), a unit vector in base axes.

    What leads out of the workspace, or further out of it, is left out; what leads back in is kept.
    """
    if not any(way):
        return Jog()
    ahead = _ahead(speed, limits.acceleration_max, dt)
    here = floats(pose)
    left = _outward(here, tuple(at + ahead * part for at, part in zip(here, way, strict=False)), limits)
    there = tuple(at if axis in left else at + ahead * part for axis, at, part in zip(_AXES, here, way, strict=False))
    edge = f"The workspace ends here along {', '.join(left)}: jog another way." if left else ""
    return Jog((*there, *here[3:]) if there != here[:3] else None, edge=edge)


def by_joint(
    axis: str, speed: float, pose: Vector, q: Vector, tau: Vector, posture: Floats | None, robot: Jointed, dt: float, limits: Limits
) -> Jog:
    """One joint alone ("+j4"), the saw with it; the others keep the ``posture`` (n,) they had when jogging by joints began."""
    joint, sign = int(axis[2:]), 1.0 if axis[0] == "+" else -1.0
    measured = floats(q)
    kept = tuple(now if i == joint - 1 else held for i, (held, now) in enumerate(zip(posture or measured, measured, strict=True)))
    low, high = robot.joint_limits[joint - 1]
    at = measured[joint - 1]
    if not (at < high - JOINT_END if sign > 0.0 else at > low + JOINT_END):
        return Jog(posture=kept, edge=f"Joint {joint} ends here: jog it the other way.")
    twist = floats(robot.joint_twist(joint))
    shift, turn = length(twist[:3]), length(twist[3:])
    rate = speed / (shift + LEVER * turn)
    a = limits.acceleration_max
    along = _ahead(rate * shift, a, dt) / shift if shift > 0.0 else 0.0
    around = _ahead(rate * turn, a / LEVER, dt) / turn if turn > 0.0 else 0.0
    here = floats(pose)
    there = moved(here, tuple(sign * along * v for v in twist[:3]) + tuple(sign * around * w for w in twist[3:]))
    if left := _outward(here, there, limits):
        return Jog(posture=kept, edge=f"The workspace ends here along {', '.join(left)}: jog joint {joint} back.")
    if tilt(there) > tilt(here):
        if tilt(there) > limits.tilt_max:
            most = math.degrees(limits.tilt_max)
            return Jog(posture=kept, edge=f"A saw in a partner's hand tilts {most:.0f}° at most: jog joint {joint} back, or level it.")
        if bearing := _strained(tau, robot, limits):
            # the torque comes and goes: to wait here, on the same spring, is steadier than to change into a hold and back
            return Jog(here, kept, edge=f"Joint {bearing} bears no more of the partner's hold: jog joint {joint} back, or level it.")
    return Jog(there, kept)


def levelled(pose: Vector, q: Vector, speed: float, dt: float, limits: Limits) -> Jog:
    """Turn the saw back to level about its tool frame; the arm takes the posture that comes of it."""
    here, kept = floats(pose), floats(q)
    w, x, y, z = here[3:]
    turn = rotation_vector((w, -x, -y, -z))
    left = length(turn)
    if left <= LEVEL_WITHIN:
        return Jog(posture=kept, edge="The tool is level.")
    share = min(1.0, _ahead(speed / LEVER, limits.acceleration_max / LEVER, dt) / left)
    return Jog(moved(here, (0.0, 0.0, 0.0, *(share * part for part in turn))), kept)


def _strained(tau: Vector, robot: Jointed, limits: Limits) -> int:
    """The first joint near enough to its torque limit, 0 if none: more tilt would only end in a stop."""
    most = STRAIN * limits.joint_torque_share
    return next(
        (
            joint
            for joint, (t, strongest) in enumerate(zip(floats(tau), robot.joint_torque_limits, strict=True), 1)
            if abs(t) > most * strongest
        ),
        0,
    )


def _ahead(speed: float, acceleration: float, dt: float) -> float:
    """How far ahead a target lies towards which the reference moves at ``speed``: v (v + a dt) = 2 a d, and a tick's way at least."""
    return max(speed * (speed + acceleration * dt) / (2.0 * acceleration), speed * dt)


def _outward(here: Floats, there: Floats, limits: Limits) -> tuple[str, ...]:
    """The axes along which the way from ``here`` leads out of the workspace, or further out."""
    return tuple(
        axis
        for axis, now, next, low, high in zip(_AXES, here, there, limits.workspace_min, limits.workspace_max, strict=False)
        if (next > now and not next <= high) or (next < now and not next >= low)
    )
