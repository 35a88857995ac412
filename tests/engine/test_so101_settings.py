"""The section of the real SO-101: what it refuses, in a sentence, and what its poses and macros come to."""

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from adapters.mujoco.tabletop.so101 import SO101
from engine.config import ConfigError, Settings, load, origins
from engine.so101_settings import POSES, SWIFT, CameraSpec, So101Settings, camera_of


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("front=0", CameraSpec("front", 0, None, None, None)),
        ("front=0:320x240@30", CameraSpec("front", 0, 320, 240, 30)),
        ("side=/dev/video2", CameraSpec("side", Path("/dev/video2"), None, None, None)),
        (
            "top=/dev/v4l/by-path/pci-0000:00:14.0-usb-0:1:1.0-video-index0:640x480@15",
            CameraSpec("top", Path("/dev/v4l/by-path/pci-0000:00:14.0-usb-0:1:1.0-video-index0"), 640, 480, 15),
        ),
    ],
)
def test_a_camera_is_its_name_its_device_and_perhaps_its_size(text: str, spec: CameraSpec) -> None:
    assert camera_of(text) == spec
    assert load({"so101": {"cameras": [text]}}).so101.cameras == (text,)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"prot": "x"}, "Unknown setting 'so101.prot' from flag --prot: did you mean 'port'?"),
        ({"port": " /dev/ttyACM0"}, "name a serial port"),
        ({"id": "../arm"}, "The setting so101.id = '../arm' from flag --id is not allowed: use letters, digits, ., - and _, a letter"),
        ({"calibration": ""}, "name a folder"),
        ({"dry_run_actions": 0}, "it must be at least 1 and at most 1000."),
        ({"max_relative_target": 1.0}, "it must be at least 0.005 and at most 0.5."),
        ({"max_relative_target": math.nan}, "it must be at least 0.005 and at most 0.5."),
        ({"fallback": "compact"}, "should be '' or 'scripted'"),
        ({"cameras": ["front"]}, "'front' is no camera: write NAME=INDEX"),
        ({"cameras": ["front=0:9x240@30"]}, "the width of 'front=0:9x240@30' must be from 64 to 4096"),
        ({"cameras": ["front=0", "front=1"]}, "the name front is there twice"),
        ({"cameras": ["front=0", "side=0"]}, "the device /dev/video0 is there twice"),
        ({"cameras": ["front=0", "side=/dev/video0"]}, "the device /dev/video0 is there twice"),
        ({"cameras": ["front=\u0663"]}, "'front=\u0663' is no camera: write NAME=INDEX"),
        ({"cameras": "front=0"}, "it must be a list, [value, ...]."),
        ({"poses": {"high": [0, 0, 0, 0, 0]}}, "so101.poses.high"),
        ({"poses": {"high": [0, 101, 0, 0, 0, 50]}}, "The setting so101.poses.high[1] = 101 from flag --poses.high is not allowed"),
        ({"poses": {"high": [0, 0, 0, 0, 0, math.nan]}}, "so101.poses.high[5] = nan"),
        ({"poses": {"a b": [0, 0, 0, 0, 0, 50]}}, "'a b' is no name"),
        ({"macros": {"nod": {"steps": []}}}, "so101.macros.nod.steps = [] from"),
        ({"macros": {"nod": {"steps": [{"seconds": 1.0}]}}}, "a step has either pose, a name, or to"),
        ({"macros": {"nod": {"steps": [{"pose": "home", "to": [0] * 6, "seconds": 1.0}]}}}, "a step has either pose, a name, or to"),
        (
            {"macros": {"nod": {"steps": [{"pose": "sofa", "seconds": 1.0}]}}},
            "step 1 of macros.nod goes to 'sofa', none of the poses rest, home",
        ),
        (
            {"macros": {"nod": {"steps": [{"pose": "home", "seconds": 0.1}]}}},
            "so101.macros.nod.steps[0].seconds = 0.1 from flag --macros.nod.steps is",
        ),
        (
            {"macros": {"nod": {"steps": [{"pose": "home", "seconds": 1.0}, {"pose": "rest", "seconds": 0.5}]}}},
            "step 2 of macros.nod turns shoulder_lift by 89 degrees in 0.5 s, which takes 0.78 s",
        ),
        (
            {"macros": {"nod": {"steps": [{"pose": "home"}]}}},
            "steps[0].seconds is missing beside what flag --macros.nod.steps gives: add it.",
        ),
        (
            {"macros": {"nod": {"steps": [{"pose": "home", "seconds": 1, "wait": 1}]}}},
            "Unknown setting 'so101.macros.nod.steps[0].wait' from flag --macros.nod.steps",
        ),
        ({"macros": {"throw": {"clearance": "x"}}}, "so101.macros.throw.steps is missing beside what flag --macros.throw gives: add it."),
        ({"macros": {"throw": {"steps": [{"pose": "home", "seconds": 1.0}]}}}, "macros.throw needs clearance"),
        ({"macros": {"throw": {"steps": [{"pose": "home", "seconds": 1.0}], "clearance": " "}}}, "write one line that can be read"),
        ({"macros": {"nod": {"steps": [{"pose": "home", "seconds": 1.0}], "clearance": "a\x1b[31mb"}}}, "write one line that can be read"),
        ({"macros": {"home": {"steps": [{"pose": "rest", "seconds": 1.0}]}}}, "home is a pose and a macro: give one of them another name."),
    ],
)
def test_a_wrong_setting_of_the_arm_is_named_with_what_would_be_right(section: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load({"so101": section})
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_own_poses_and_macros_are_laid_over_the_shipped_ones_and_are_recorded_whole(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        """
        [so101]
        release = true
        poses.high = [0, -45, 45, 0, 0, 100]
        [so101.macros.nod]
        steps = [{ pose = "high", seconds = 2 }, { to = [0, -45, 45, 40, 0, 0], seconds = 1.5 }]
        """
    )
    arm = load({}, file).so101
    assert list(arm.poses) == ["rest", "home", "high"]
    assert list(arm.macros) == ["throw", "nod"]
    (high, first), (nodded, second) = arm.motion("nod")
    assert (first, second) == (2.0, 1.5)
    assert high == arm.target("high")
    assert high.gripper == 0.0
    assert nodded.gripper == 1.0
    assert nodded.q == pytest.approx([0.0, -math.pi / 4, math.pi / 4, math.radians(40.0), 0.0])
    settings = load({}, file)
    assert Settings.model_validate_json(settings.model_dump_json()) == settings
    found = origins({}, file)
    assert found["so101.poses.high"] == ((0.0, -45.0, 45.0, 0.0, 0.0, 100.0), str(file))
    assert found["so101.poses.rest"] == (POSES["rest"], "default")


def test_what_flies_is_shipped_gated_and_within_what_the_servos_can() -> None:
    arm = So101Settings()
    assert arm.macros["throw"].clearance
    targets = arm.motion("throw")
    assert targets[-1][0] == arm.target("home")
    for (before, _), (after, seconds) in pairwise(targets):
        for one, other in zip(before.q, after.q, strict=True):
            assert 1.875 * abs(math.degrees(other - one)) / seconds <= SWIFT


@pytest.mark.parametrize("joint", range(5))
def test_a_pose_keeps_to_the_model_s_own_range_of_each_joint(joint: int) -> None:
    for bound, inward in zip(SO101.joint_limits[joint], (1.0, -1.0), strict=True):
        pose = [0.0, 0.0, 0.0, 0.0, 0.0, 50.0]
        pose[joint] = math.degrees(bound) + 0.1 * inward
        So101Settings(poses={"edge": pose})
        pose[joint] = math.degrees(bound) - 0.1 * inward
        with pytest.raises(ValueError, match=r"poses\.edge"):
            So101Settings(poses={"edge": pose})
