"""What a policy is shown and what its numbers mean stands in a table; what does not fit it is refused, never padded."""

from typing import Any

import msgspec
import numpy as np
import pytest

from engine.policy.errors import PolicyError
from engine.policy.mapping import COSAW, FRANKA, SO101, Mapping, Offered, from_json
from tests.policy.conftest import frames

SIZES = dict.fromkeys(("front", "side", "top"), (3, 128, 128))
FOREIGN: dict[str, Any] = {
    "cameras": {"camera1": "front", "camera2": "side"},
    "state": [["joint_position", 5, 57.29577951308232], ["gripper", 1, -100.0, 100.0]],
    "action_space": "joint_position",
    "action": [["grip", -100.0, 100.0], *([f"j{i}", 57.29577951308232] for i in (5, 4, 3, 2, 1))],
    "statistics": "so100",
    "step_s": 1 / 30,
}


def changed(**parts: Any) -> Mapping:
    return from_json({**FOREIGN, **parts}, "here")


def test_the_cosaw_state_is_position_velocity_and_force() -> None:
    seen = frames(4).observation
    np.testing.assert_allclose(COSAW.state_of(seen), np.r_[seen.pose[:3], seen.twist[:3], seen.wrench[:3]], rtol=1e-6)


def test_the_frankas_state_is_its_joints_and_its_fingers_in_metres() -> None:
    seen = msgspec.structs.replace(frames(4).observation, gripper=0.25)
    np.testing.assert_allclose(FRANKA.state_of(seen), np.r_[seen.q, 0.03, 0.03], rtol=1e-6)


def test_the_so101s_state_is_its_joints_and_its_jaw_in_radians() -> None:
    seen = msgspec.structs.replace(frames(4).observation, q=np.arange(5.0), gripper=1.0)
    np.testing.assert_allclose(SO101.state_of(seen), [0, 1, 2, 3, 4, -0.10], atol=1e-6)


def test_a_foreign_state_is_in_the_units_it_was_trained_in() -> None:
    seen = msgspec.structs.replace(frames(4).observation, q=np.radians([10.0, 20.0, 30.0, 40.0, 50.0]), gripper=0.25)
    np.testing.assert_allclose(changed().state_of(seen), [10, 20, 30, 40, 50, 75], rtol=1e-6)


def test_foreign_actions_become_radians_in_the_order_of_the_joints_and_the_grip_last() -> None:
    chunks = np.array([[[75.0, 50.0, 40.0, 30.0, 20.0, 10.0]]], dtype=np.float32)
    found = changed().actions_of(chunks)
    np.testing.assert_allclose(found, [[[*np.radians([10.0, 20.0, 30.0, 40.0, 50.0]), 0.25]]], rtol=1e-6)


def test_actions_in_si_units_are_left_as_they_are() -> None:
    chunks = np.random.default_rng(0).normal(size=(2, 3, 7)).astype(np.float32)
    np.testing.assert_array_equal(COSAW.actions_of(chunks), chunks)


@pytest.mark.parametrize("one", [COSAW, FRANKA, SO101, changed()])
def test_a_table_written_down_reads_back_the_same(one: Mapping) -> None:
    assert from_json(one.as_json(), "here") == one


@pytest.mark.parametrize(
    ("spoiled", "sentence"),
    [
        ({"action_space": "joint_velocity"}, "actions of 'joint_velocity'; expected cartesian_delta or joint_position"),
        ({"state": [["elbow_grease", 3]]}, "has 'elbow_grease' in the state; expected of joint_position, joint_velocity"),
        ({"state": "all"}, "is no mapping"),
        ({"cameras": {}}, "has 0 cameras"),
        ({"action": ["j1", "j3"]}, r"has action components j1 j3; expected j1 j2 in any order"),
        ({"action": ["x", "y", "z"], "action_space": "cartesian_delta"}, "components x y z; expected x y z rx ry rz in any order"),
        ({"action": [["j1", 0.0]]}, "has a scale that is 0"),
        ({"camera": {"a": "b"}}, "unknown field `camera`.*; expected cameras"),
        ({"cameras": 3}, r"is no mapping \(Expected `object`, got `int` - at `\$.cameras`\)"),
        ({"state": [["joint_position", "five"]]}, r"is no mapping \(Expected `int`, got `str` - at `\$.state\[0\]\[1\]`\)"),
        ({"action": 3}, r"is no mapping \(Expected `array`, got `int` - at `\$.action`\)"),
        ({"step_s": "fast"}, r"is no mapping \(Expected `float`, got `str` - at `\$.step_s`\)"),
        ({"step_s": 60.0}, "a step of 60.0 s"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused(spoiled: dict[str, Any], sentence: str) -> None:
    with pytest.raises(PolicyError, match=sentence):
        changed(**spoiled)


def test_a_policy_of_other_cameras_or_shapes_is_refused_with_both() -> None:
    with pytest.raises(PolicyError, match=r"names cameras \['front', 'side'\]; expected \['front', 'side', 'top'\]"):
        COSAW.check("config.json", {name: SIZES[name] for name in ("front", "side")}, (9,), (7,))
    with pytest.raises(PolicyError, match=r"state of shape \(6,\); expected \(9,\), its mapping's tool_position 3 \+ tool_velocity 3"):
        COSAW.check("config.json", SIZES, (6,), (7,))
    with pytest.raises(PolicyError, match=r"action of shape \(6,\); expected \(7,\), its mapping's x y z rx ry rz grip"):
        COSAW.check("config.json", SIZES, (9,), (6,))


def test_a_robot_that_lacks_what_the_policy_takes_is_refused_with_both() -> None:
    three = Offered(("front", "side", "top"), 128, 7)
    FRANKA.check_robot("it", SIZES, three)
    with pytest.raises(PolicyError, match=r"needs camera 'top'; the robot has front, side"):
        FRANKA.check_robot("it", SIZES, Offered(("front", "side"), 128, 7))
    with pytest.raises(PolicyError, match=r"takes joint_position of shape \(7,\); the robot's is \(5,\)"):
        FRANKA.check_robot("it", SIZES, Offered(three.cameras, 128, 5))
    with pytest.raises(PolicyError, match=r"moves joints j5 j4 j3 j2 j1; the robot has 7"):
        changed(state=[["tool_position", 3]]).check_robot("it", {"camera1": (3, 64, 64)}, three)


def test_pictures_fit_that_are_a_whole_number_of_times_as_large() -> None:
    for side in (128, 256):
        COSAW.check_robot("it", SIZES, Offered(("front", "side", "top"), side, 7))


@pytest.mark.parametrize("side", [64, 192])
def test_pictures_of_any_other_size_are_refused_with_the_one_that_fits(side: int) -> None:
    with pytest.raises(PolicyError, match=rf"of \(128, 128\); its pictures are \({side}, {side}\); camera.pixels = 128 would fit"):
        COSAW.check_robot("it", SIZES, Offered(("front", "side", "top"), side, 7))


def test_pictures_that_are_no_square_fit_none() -> None:
    with pytest.raises(PolicyError, match=r"of \(96, 128\); its pictures are \(128, 128\); no square picture fits"):
        COSAW.check_robot("it", {"front": (3, 96, 128)}, Offered(("front", "side", "top"), 128, 7))


def test_pictures_are_handed_over_by_the_policys_names() -> None:
    images = frames(1).images
    shown = changed().pictures_of(images, {"camera1": (3, 128, 128), "camera2": (3, 64, 64)})
    np.testing.assert_array_equal(shown["camera1"], images["front"])
    blocks = images["side"].reshape(64, 2, 64, 2, 3).mean(axis=(1, 3))
    assert np.abs(shown["camera2"] - blocks).max() <= 0.5


def test_a_camera_that_is_missing_at_work_is_named_with_both_shapes() -> None:
    images = {"front": frames(1).images["front"]}
    with pytest.raises(PolicyError, match=r"needs camera 'side' as uint8 \(64, 64, 3\); the pictures are \{'front': \(128, 128, 3\)\}"):
        changed().pictures_of(images, {"camera1": (3, 128, 128), "camera2": (3, 64, 64)})


def test_a_reading_of_another_length_is_refused_at_work_too() -> None:
    with pytest.raises(PolicyError, match=r"takes joint_position of shape \(5,\); the robot's is \(7,\)"):
        changed().state_of(frames(1).observation)
