"""Where the policy wants the tool at a given moment: the ensemble's mean chunk, followed by time."""

import math
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from engine.control.pose import Floats, floats, moved
from engine.types import F64, Inference, Vec7

MOTION = 6  #: components of a ``cartesian_delta`` action that move the tool
JOINT_POSITION = "joint_position"


class Kinematic(Protocol):
    """What following joint positions asks of a robot."""

    joint_limits: tuple[tuple[float, float], ...]

    def tool_at(self, q: Sequence[float]) -> Vec7: ...


class Aim(NamedTuple):
    """What is wanted of the robot at a moment."""

    pose: Floats | None = None  #: (7,) where the tool shall go; None to hold
    posture: Floats | None = None  #: (n,) rad, to keep where the tool leaves a choice; None = the robot's own
    grip: float = math.nan  #: 0 open .. 1 closed; NaN = as it is


def aim(inference: Inference, t_ns: int, action_space: str, robot: Kinematic) -> Aim:
    """What a chunk wants at ``t_ns``: nothing past its last action, before its exposure, or where it is not finite.

    Action i is due ``(i + 1) * step_s`` after the exposure; straight lines between. Following by time makes up for the inference's
    latency. ``cartesian_delta``: displacement (m) and rotation vector (rad) from ``base_pose`` in base axes. ``joint_position``: the
    joints' angles, rad, at which the robot's own kinematics say where the tool is. What follows the motion is the gripper's.
    """
    due = (t_ns - inference.exposed_ns) / 1e9 / inference.step_s
    horizon = inference.chunks.shape[2]
    if not 0.0 <= due <= horizon:
        return Aim()
    before = min(int(due), horizon - 1)
    pair: F64 = np.mean(inference.chunks[:, :, max(before - 1, 0) : before + 1], axis=(0, 1), dtype=np.float64)
    joints = action_space == JOINT_POSITION
    motion = len(robot.joint_limits) if joints else MOTION
    last = pair[-1, :motion]
    earlier = pair[0, :motion] if before > 0 or joints else np.zeros(motion)
    wanted: F64 = earlier + (due - before) * (last - earlier)
    if len(wanted) != motion or not all(map(math.isfinite, wanted.tolist())):
        return Aim()
    grip = float(pair[-1, motion]) if pair.shape[1] > motion else math.nan
    if joints:
        posture = floats(wanted)
        return Aim(floats(robot.tool_at(posture)), posture, grip)
    return Aim(moved(inference.base_pose, wanted), grip=grip)
