"""Following a chunk by time, against a chunk written by hand."""

import math

import numpy as np
import pytest

from engine.control import chunk
from engine.types import Inference

EXPOSED = 5_000_000_000


def inference(chunks):
    chunks = np.asarray(chunks, dtype=np.float32)
    return Inference(
        id=1,
        exposed_ns=EXPOSED,
        start_ns=EXPOSED,
        end_ns=EXPOSED,
        base_pose=np.array([0.5, 0.1, 0.6, 1.0, 0.0, 0.0, 0.0]),
        chunks=chunks,
        step_s=0.05,
        signals=np.zeros(18),
        valid=np.ones(18, dtype=np.bool_),
        signal_ns=np.full(18, EXPOSED),
        ratio=np.ones(18),
        quantile=np.zeros(18),
        heads={},
        stage_ms={},
        members=chunks.shape[0],
        finite=True,
    )


class TwoJoints:
    """A hand on two rails: the joints are the tool's x and y."""

    joint_limits = ((-1.0, 1.0),) * 2

    def tool_at(self, q):
        return (q[0], q[1], 0.3, 1.0, 0.0, 0.0, 0.0)


def target(chunk_, t_ns):
    return chunk.aim(chunk_, t_ns, "cartesian_delta", TwoJoints()).pose


def rising(horizon=4, members=2):
    """Members at 0 and 2 times 10 mm along x per action: their mean moves 10 mm an action, and turns 0.1 rad about z."""
    chunks = np.zeros((members, 1, horizon, 7))
    for member in range(members):
        chunks[member, 0, :, 0] = 0.01 * np.arange(1, horizon + 1) * 2 * member / (members - 1)
    chunks[..., 5] = 0.1
    return inference(chunks)


@pytest.mark.parametrize(("after", "x"), [(0.0, 0.5), (0.025, 0.505), (0.05, 0.51), (0.075, 0.515), (0.2, 0.54)])
def test_the_mean_is_followed_by_time_with_straight_lines_between(after, x):
    pose = target(rising(), EXPOSED + round(after * 1e9))
    assert pose[0] == pytest.approx(x)
    assert pose[1:3] == pytest.approx((0.1, 0.6))


def test_rotation_is_applied_about_the_base_axes():
    pose = target(rising(), EXPOSED + 100_000_000)
    assert pose[3:] == pytest.approx((math.cos(0.05), 0.0, 0.0, math.sin(0.05)), abs=1e-6)


@pytest.mark.parametrize("after_ns", [200_000_001, 10**12, -1])
def test_there_is_no_target_past_the_end_nor_before_the_exposure(after_ns):
    assert target(rising(), EXPOSED + after_ns) is None


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_chunk_that_is_not_finite_gives_no_target(bad):
    broken = rising()
    broken.chunks[1, 0, 2, 1] = bad
    assert target(broken, EXPOSED + 140_000_000) is None


def test_joint_positions_are_followed_by_the_robot_s_own_kinematics_and_kept_as_its_posture():
    chunks = np.zeros((2, 1, 4, 3))
    chunks[0, 0, :, 0] = (0.2, 0.4, 0.6, 0.8)
    chunks[:, 0, :, 1] = -0.1
    chunks[1, 0, 2:, 2] = 1.0
    between = chunk.aim(inference(chunks), EXPOSED + 75_000_000, chunk.JOINT_POSITION, TwoJoints())
    assert between.posture == pytest.approx((0.15, -0.1))
    assert between.pose[:3] == pytest.approx((0.15, -0.1, 0.3))
    assert between.grip == 0.0
    assert chunk.aim(inference(chunks), EXPOSED + 149_000_000, chunk.JOINT_POSITION, TwoJoints()).grip == 0.5
    first = chunk.aim(inference(chunks), EXPOSED + 10_000_000, chunk.JOINT_POSITION, TwoJoints())
    assert first.posture == pytest.approx((0.1, -0.1)), "before its first action is due that is where it goes"


def test_a_chunk_without_a_gripper_s_component_leaves_the_gripper_alone():
    assert math.isnan(chunk.aim(inference(rising().chunks[..., :6]), EXPOSED + 50_000_000, "cartesian_delta", TwoJoints()).grip)


def test_joint_positions_fewer_than_the_robot_s_joints_give_no_target():
    assert chunk.aim(inference(np.zeros((1, 1, 4, 1))), EXPOSED, chunk.JOINT_POSITION, TwoJoints()) == chunk.Aim()
