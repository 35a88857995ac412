"""Layer 3, the robot's own limits: joint position, velocity and torque, workspace, tool speed, manipulability, a jogged saw's tilt.

What the robot itself says is wrong with it stops it in every mode.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from engine.limits import Limits
from engine.safety.layer import Layer, age, clip, graded, scale_of, stopping
from engine.safety.operator import JOG_SPEED
from engine.types import Inputs, Mode, Reason

SLOWING = 0.2  #: share of a permitted speed or torque over which slowing happens
TILTING = 0.5  #: share of the permitted tilt over which slowing happens
CRAWL_SCORE = 0.55  #: outside a position limit an operator may still jog, slowly, back inside: the score that permits it

#: what jogging can undo; a speed or a torque past its limit stops in every mode
_RECOVERABLE = (Reason.JOINT_POSITION, Reason.WORKSPACE, Reason.SINGULARITY, Reason.TILT)
#: what a robot may say of itself
FAULTS = tuple(reason for reason in Reason if Reason.SERVO_FAULT <= reason <= Reason.OBSTRUCTED)
CRAWL_SHARE = 0.1  #: of ``JOG_SPEED`` that is left to a jog at a limit


class _Joints(Protocol):
    joint_limits: tuple[tuple[float, float], ...]
    joint_velocity_limits: tuple[float, ...]
    joint_torque_limits: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class RobotLimits:
    """What the robot's maker permits, a value a joint."""

    position: tuple[tuple[float, float], ...]  #: rad
    velocity: tuple[float, ...]  #: rad/s
    torque: tuple[float, ...]  #: N m

    @classmethod
    def of(cls, robot: _Joints) -> "RobotLimits":
        """The limits a robot's adapter states. Raises ValueError."""
        return cls(robot.joint_limits, robot.joint_velocity_limits, robot.joint_torque_limits)

    def __post_init__(self) -> None:
        """Raises ValueError where a range is inverted or a limit is not positive: such a limit would divide by zero or pass everything."""
        for joint, (low, high) in enumerate(self.position):
            if not low < high:
                raise ValueError(f"joint {joint + 1} may move from {low} to {high} rad; the first must be the smaller")
        for name, values in (("velocity", self.velocity), ("torque", self.torque)):
            if len(values) != len(self.position) or not all(value > 0.0 for value in values):
                raise ValueError(f"the joints' {name} limits are {values}; give {len(self.position)} positive numbers")


def layer(inputs: Inputs, limits: Limits, robot: RobotLimits) -> Layer:
    """The worst of them, with its margin in its own unit; while all is well, the joints' in rad.

    A jog is the slower the nearer a limit is, and crawls beyond one that jogging can undo.
    """
    old = age(inputs.t_ns, inputs.obs_t_ns)
    if inputs.robot_fault != Reason.OK:
        known = inputs.robot_fault in FAULTS
        return stopping(Reason(inputs.robot_fault) if known else Reason.SERVO_FAULT, float(inputs.robot_fault_part), old)
    margins = _margins(inputs, limits, robot)
    worst, reason, margin, slowest = 1.0, Reason.OK, margins[0][2], 1.0
    for kind, share, left in margins:
        value = graded(share)
        if inputs.mode != Mode.CUT and share == share:
            value = clip(value, CRAWL_SCORE, 1.0) if kind in _RECOVERABLE else value
            slowest = min(slowest, CRAWL_SHARE + (1.0 - CRAWL_SHARE) * clip(share, 0.0, 1.0))
        if not value >= worst:
            worst, reason, margin = value, kind, left
    scale = scale_of(worst)
    if slowest < 1.0:
        scale = min(scale, slowest * clip(JOG_SPEED / limits.speed_max, 0.0, 1.0))
    return Layer(score=worst, scale=scale, reason=reason, margin=margin, age=old)


def tilt(pose: Sequence[float]) -> float:
    """rad by which a pose (7,) is turned from level, as twice the sine of half of it; more than pi is none."""
    return 2.0 * math.sqrt(pose[4] * pose[4] + pose[5] * pose[5] + pose[6] * pose[6])


def _margins(inputs: Inputs, limits: Limits, robot: RobotLimits) -> tuple[tuple[Reason, float, float], ...]:
    """Each kind with its margin as a share of the slowing width, and in its own unit."""
    joint = math.nan
    if len(inputs.q) == len(robot.position):
        joint = _least(tuple(_least((q - low, high - q)) for q, (low, high) in zip(inputs.q, robot.position, strict=True)))
    velocity = limits.joint_velocity_share - _most(inputs.dq, robot.velocity)
    torque = limits.joint_torque_share - _most(inputs.tau, robot.torque)
    x, y, z = inputs.twist[0], inputs.twist[1], inputs.twist[2]
    tool = limits.speed_max - math.sqrt(x * x + y * y + z * z)
    box = _least(
        tuple(_least((at - low, high - at)) for at, low, high in zip(inputs.pose, limits.workspace_min, limits.workspace_max, strict=False))
    )
    arm = inputs.manipulability - limits.manipulability_min
    level = limits.tilt_max - (tilt(inputs.pose) if inputs.mode != Mode.CUT else 0.0)  # while sawing the kerf and the partner turn it
    return (
        (Reason.JOINT_POSITION, joint / limits.joint_margin, joint),
        (Reason.JOINT_VELOCITY, velocity / (SLOWING * limits.joint_velocity_share), velocity),
        (Reason.JOINT_TORQUE, torque / (SLOWING * limits.joint_torque_share), torque),
        (Reason.WORKSPACE, box / limits.workspace_margin, box),
        (Reason.TOOL_SPEED, tool / (SLOWING * limits.speed_max), tool),
        (Reason.SINGULARITY, arm / limits.manipulability_min, arm),
        (Reason.TILT, level / (TILTING * limits.tilt_max), level),
    )


def _least(values: tuple[float, ...]) -> float:
    """The smallest; NaN if any is NaN or there is none."""
    smallest = math.inf
    for value in values:
        if not value >= smallest:
            smallest = value
        if value != value:
            return math.nan
    return smallest if values else math.nan


def _most(values: tuple[float, ...], permitted: tuple[float, ...]) -> float:
    """The largest share of what is permitted that any joint uses; NaN if any is NaN or there is none."""
    return -_least(tuple(-abs(value) / limit for value, limit in zip(values, permitted, strict=False)))
