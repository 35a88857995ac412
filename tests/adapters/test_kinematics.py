"""Tool poses become joint angles and back: exactly where a pose can be reached, and bounded where it cannot."""

import math

import numpy as np
import pytest

from adapters.mujoco.tabletop.arms import arm
from adapters.mujoco.tabletop.kinematics import MARGIN, STRIDE, Kinematics
from engine.control import pose as poses
from engine.policy import mapping
from engine.types import F64

ARMS = ("franka", "so101")


@pytest.fixture(scope="module", params=ARMS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def kinematics(name: str) -> Kinematics:
    return Kinematics(arm(name))


def inside(name: str) -> tuple[F64, F64]:
    """The joints' range that solutions keep to."""
    low, high = np.array(arm(name).joint_limits).T
    return low + MARGIN, high - MARGIN


def drawn(name: str, rng: np.random.Generator, spread: float) -> F64:
    """Joints around the arm's home."""
    home = np.array(arm(name).home)
    return np.clip(home + rng.uniform(-spread, spread, len(home)), *inside(name))


def apart(found: poses.Floats, wanted: poses.Floats) -> tuple[float, float]:
    """m and rad between two poses."""
    error = poses.error(found, wanted)
    return math.hypot(*error[:3]), math.hypot(*error[3:])


def test_a_pose_that_joints_make_is_found_again(name: str, kinematics: Kinematics) -> None:
    rng = np.random.default_rng(1)
    for _ in range(30):
        wanted = kinematics.pose(drawn(name, rng, 0.4))
        distance, angle = apart(kinematics.pose(kinematics.reach(wanted, np.array(arm(name).home))), wanted)
        assert distance < 1e-3
        assert angle < 0.01


def test_a_chunk_of_tool_steps_is_followed_by_joints_and_comes_back_as_the_same_tool_path(name: str, kinematics: Kinematics) -> None:
    """A straight move of 4 cm with a turn about the tool's axis, as a policy of ``cartesian_delta`` asks for it."""
    q = np.array(arm(name).home)
    base = kinematics.pose(q)
    for share in np.linspace(0.0, 1.0, 16):
        wanted = poses.moved(base, np.array([0.02, 0.0, -0.04, 0.0, 0.0, 0.3 if name == "franka" else 0.0]) * share)
        q = kinematics.reach(wanted, q)
        distance, angle = apart(kinematics.pose(q), wanted)
        assert distance < 1e-3
        assert angle < (0.01 if name == "franka" else 0.2)  # five joints hold the place, and the attitude as well as they can


@pytest.mark.parametrize("far", [(3.0, 0.0, 0.3), (0.0, 0.0, 0.0), (-0.6, 0.0, -0.5), (0.3, 2.0, 1.5)])
def test_a_pose_out_of_reach_leaves_the_joints_in_their_range(name: str, kinematics: Kinematics, far: tuple[float, float, float]) -> None:
    low, high = inside(name)
    q = np.array(arm(name).home)
    before = apart(kinematics.pose(q), (*far, 1.0, 0.0, 0.0, 0.0))[0]
    found = kinematics.reach((*far, 1.0, 0.0, 0.0, 0.0), q)
    assert np.isfinite(found).all()
    assert (found >= low - 1e-9).all()
    assert (found <= high + 1e-9).all()
    assert apart(kinematics.pose(found), (*far, 1.0, 0.0, 0.0, 0.0))[0] <= before + 0.05


def test_at_a_singular_place_the_joints_move_little_for_a_small_step(name: str, kinematics: Kinematics) -> None:
    """Stretched towards what is out of reach, an arm is singular; a further millimetre asked of it may not fling a joint."""
    stretched = kinematics.reach((3.0, 0.0, 0.3, 1.0, 0.0, 0.0, 0.0), np.array(arm(name).home))
    here = kinematics.pose(stretched)
    for axis in range(3):
        goal = [*here]
        goal[axis] += 1e-3
        change = kinematics.step(stretched, tuple(goal))
        assert np.isfinite(change).all()
        assert np.abs(change).max() < STRIDE


def test_the_mapping_of_each_arm_names_as_many_joints_as_it_has(name: str) -> None:
    table = mapping.FRANKA if name == "franka" else mapping.SO101
    assert table.state[0] == mapping.Part("joint_position", arm(name).joints)
