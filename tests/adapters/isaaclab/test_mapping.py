"""A policy's numbers by a table: units, signs and order come out as they say, and what does not fit is told with both shapes and names."""

import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from adapters.isaaclab import known, mapping
from adapters.isaaclab.mapping import (
    COMPACT,
    LEROBOT,
    RADIANS,
    Component,
    MappingError,
    Present,
    Table,
    action_range,
    policy_action_to_env,
    state_of,
)
from adapters.mujoco.tabletop import servos
from adapters.mujoco.tabletop.so101 import SO101
from adapters.so101.motors import MOTORS
from engine.policy.checkpoint import read_manifest, shipped
from engine.policy.mapping import SO101 as ENGINE_SO101
from engine.policy.mapping import from_json

HERE = Present(np.array([[0.1, 0.2, 0.3, 0.4, 0.5], [-0.1, -0.2, -0.3, -0.4, -0.5]]), np.array([0.25, 1.0]))


def test_lerobot_s_degrees_and_percent_open_become_rad_and_closed() -> None:
    joints, gripper = policy_action_to_env([90.0, -45.0, 0.0, 30.0, 60.0, 20.0], LEROBOT)
    np.testing.assert_allclose(joints, np.radians([[90.0, -45.0, 0.0, 30.0, 60.0]]))
    np.testing.assert_allclose(gripper, [0.8])
    assert [one.name for one in LEROBOT.action] == [f"{motor}.pos" for motor in MOTORS]


def test_each_environment_s_row_is_its_own() -> None:
    joints, gripper = policy_action_to_env(np.arange(12.0).reshape(2, 6) / 12.0, RADIANS)
    np.testing.assert_allclose(joints, np.array([[0, 1, 2, 3, 4], [6, 7, 8, 9, 10]]) / 12.0)
    np.testing.assert_allclose(gripper, np.array([5, 11]) / 12.0)


def test_targets_stay_within_what_the_so101_s_joints_can() -> None:
    joints, gripper = policy_action_to_env([[1e3] * 6, [-1e3] * 6], LEROBOT)
    np.testing.assert_allclose(joints.T[:, ::-1], SO101.joint_limits)
    np.testing.assert_allclose(gripper, [0.0, 1.0])


def test_sign_scale_offset_and_another_order_are_the_table_s() -> None:
    rows = {one.part: one for one in RADIANS.action}
    turned = replace(rows["shoulder_pan"], sign=-1, scale=0.5, offset=0.1)
    own = Table("own", (*(rows[part] for part in reversed(known.JOINTS[1:])), rows["gripper"], turned), ())
    joints, gripper = policy_action_to_env([0.5, 0.4, 0.3, 0.2, 1.0, 0.6], own)
    np.testing.assert_allclose(joints, [[-0.5 * 0.6 + 0.1, 0.2, 0.3, 0.4, 0.5]])
    np.testing.assert_allclose(gripper, [1.0])


def test_deltas_count_from_the_present_in_the_component_s_unit() -> None:
    own = Table("deltas", tuple(replace(one, delta=True) for one in LEROBOT.action), LEROBOT.state)
    joints, gripper = policy_action_to_env([[10.0, 0.0, 0.0, 0.0, -10.0, 25.0]] * 2, own, present=HERE)
    np.testing.assert_allclose(joints, HERE.joints + np.radians([10.0, 0.0, 0.0, 0.0, -10.0]))
    np.testing.assert_allclose(gripper, [0.0, 0.75])
    with pytest.raises(MappingError, match=re.escape("shoulder_pan.pos counts from the present shoulder_pan: give `present`.")):
        policy_action_to_env([0.0] * 6, own)


def test_without_a_gripper_it_is_left_as_it_is() -> None:
    assert np.isnan(policy_action_to_env([0.0] * 5, Table("arm", RADIANS.action[:5], ())).gripper).all()


@pytest.mark.parametrize("shape", [(5,), (2, 7), (), (1, 2, 6), (0, 6)])
def test_another_shape_is_refused_with_both_and_the_names(shape: tuple[int, ...]) -> None:
    with pytest.raises(MappingError) as told:
        policy_action_to_env(np.zeros(shape), LEROBOT)
    assert f"shape {shape}, and (…, 6) is needed: shoulder_pan.pos" in str(told.value)
    assert "gripper.pos." in str(told.value)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["1"] * 6, "is <U1 (6,), and real numbers of shape (…, 6) are needed: shoulder_pan.pos"),
        ([[0j] * 6], "is complex128 (1, 6), and real numbers of shape (…, 6) are needed: shoulder_pan.pos"),
        ([None] * 6, "is object (6,), and real numbers of shape (…, 6) are needed: shoulder_pan.pos"),
        ("turn left", "has shape (), and (…, 6) is needed: shoulder_pan.pos"),
        ([[0.0] * 6, [0.0] * 5], "has rows of different shapes, and (…, 6) is needed: shoulder_pan.pos"),
    ],
)
def test_what_is_no_array_of_real_numbers_is_refused(given: Any, words: str) -> None:
    with pytest.raises(MappingError, match=re.escape(words)):
        policy_action_to_env(given, LEROBOT)


def test_another_number_of_environments_is_refused_with_both_shapes() -> None:
    with pytest.raises(MappingError, match=re.escape("shape (3, 6), which is 3 environments, and the arms' joints have shape (2, 5)")):
        policy_action_to_env(np.zeros((3, 6)), LEROBOT, present=HERE)


def test_other_joints_are_refused_with_both_lists() -> None:
    with pytest.raises(MappingError, match=r"moves shoulder_pan .* \(5,\), and the environment has a b \(2,\)"):
        policy_action_to_env(np.zeros(6), LEROBOT, joints=("a", "b"))
    with pytest.raises(MappingError, match="the environment has a b gripper"):
        state_of(LEROBOT, Present(np.zeros((1, 2)), np.zeros(1)), ("a", "b"))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_refused_by_its_name(bad: float) -> None:
    with pytest.raises(MappingError, match=rf"elbow_flex.pos = {bad} in environment 1"):
        policy_action_to_env([[0.0] * 6, [0.0, 0.0, bad, 0.0, 0.0, 0.0]], LEROBOT)


def test_the_state_is_what_the_action_would_be_that_stays() -> None:
    for table in (LEROBOT, RADIANS):
        joints, gripper = policy_action_to_env(state_of(table, HERE), table)
        np.testing.assert_allclose(joints, HERE.joints, atol=1e-6)
        np.testing.assert_allclose(gripper, HERE.gripper, atol=1e-6)


def test_the_compact_table_is_the_shipped_checkpoint_s() -> None:
    manifest = read_manifest(shipped("so101-sim"))
    table = ENGINE_SO101 if manifest.mapping is None else from_json(manifest.mapping, "the checkpoint")
    assert [one.name for one in COMPACT.action] == [one.name for one in table.action]
    assert all((one.scale, one.offset) == (1.0, 0.0) for one in table.action)
    part = table.state[-1]
    np.testing.assert_allclose(state_of(COMPACT, HERE), np.column_stack([HERE.joints, part.scale * HERE.gripper + part.offset]), atol=1e-6)
    np.testing.assert_allclose(state_of(COMPACT, HERE)[:, 5], [servos.jaw_at(closed) for closed in HERE.gripper], atol=1e-6)


def test_a_tool_s_displacement_goes_through_the_arm_s_kinematics() -> None:
    asked = []

    def reach(displacements: mapping.Numbers) -> mapping.Numbers:
        asked.append(displacements)
        return HERE.joints

    action = [[0.01, 0.02, 0.03, 0.1, 0.2, 0.3, 1.5], [9.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5]]
    joints, gripper = policy_action_to_env(action, COMPACT, reach=reach)
    np.testing.assert_allclose(asked[0], [[0.01, 0.02, 0.03, 0.1, 0.2, 0.3], [0.5, 0.0, 0.0, 0.0, 0.0, 0.0]])
    np.testing.assert_allclose(joints, HERE.joints)
    np.testing.assert_allclose(gripper, [1.0, 0.5])
    with pytest.raises(MappingError, match="give `reach`"):
        policy_action_to_env(action, COMPACT)


def test_the_range_is_in_the_policy_s_units() -> None:
    low, high = action_range(LEROBOT)
    np.testing.assert_allclose(np.radians([low[:5], high[:5]]).T, SO101.joint_limits, rtol=1e-6)
    assert (low[5], high[5]) == (0.0, 100.0)
    turn = Component("turn", "wrist_roll", "deg", sign=-1, clip=(-1.0, 1.0), delta=True)
    np.testing.assert_allclose(action_range(Table("one", (turn,), ())), [[-math.degrees(2.0)], [math.degrees(2.0)]], rtol=1e-6)
