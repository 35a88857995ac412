"""Named poses through the arm's own steering: it comes to the folded rest pose, nearer to two stops than it goes by itself, and back."""

import math

import numpy as np
import pytest
from test_steering import Arm

from adapters.mujoco.tabletop.kinematics import Kinematics
from adapters.mujoco.tabletop.so101 import SO101
from engine.config import Settings
from engine.control import playing
from engine.control.pose import Floats
from engine.motions import motions

MODEL = Kinematics(SO101)
POSES = {motion.name: motion for motion in motions(Settings(robot="so101"))}
SPEED = 0.1  #: m/s, the most that a jog may be


def tool_at(q: Floats) -> Floats:
    return MODEL.pose(np.array(q))


def play(arm: Arm, name: str) -> int:
    """Hold the key until the pose is reached; how many periods that took."""
    motion, at, count = POSES[name], None, 0
    while at is None or not playing.done(at, motion):
        at = playing.played(at, motion, q=arm.q, gripper=arm.gripper, tool_at=tool_at, speed=SPEED, dt=0.01)
        assert at is not None
        *joints, grip = playing.target(at, motion)
        arm.run(1, lambda _, to=tuple(joints): tool_at(to), posture=tuple(joints), gripper_d=grip)
        count += 1
        assert count < 6000
    arm.run(60, lambda _: tool_at(motion.steps[-1].q), posture=motion.steps[-1].q, gripper_d=motion.steps[-1].gripper)
    return count


def test_it_comes_to_rest_and_back() -> None:
    arm = Arm()
    for name in ("rest", "home"):
        play(arm, name)
        assert arm.q == pytest.approx(POSES[name].steps[-1].q, abs=math.radians(1.0))
    swift = max(max(abs(b - a) for a, b in zip(one[:5], two[:5], strict=True)) for one, two in zip(arm.goals, arm.goals[1:], strict=False))
    assert swift < 1.5 * playing.GENTLE * 0.01
