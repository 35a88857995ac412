"""A run without a screen: what it leaves behind when it cannot begin."""

from pathlib import Path
from unittest.mock import MagicMock

import msgspec
import pytest

from adapters.base import AdapterError, CameraRig, Robot
from adapters.mujoco import cosaw
from engine import headless, host
from engine.config import Settings, runs_path
from engine.exits import NOT_CONNECTED
from engine.faults.parts import FaultyRobot
from engine.session.reader import Session
from engine.types import NO_SAW, SawState, Zone


class Unreachable(FaultyRobot):
    def connect(self) -> None:
        raise AdapterError("the robot does not answer")


def unreachable(settings: Settings) -> tuple[Robot, CameraRig]:
    robot, rig = cosaw.build(settings.seed, settings.camera.pixels)
    return Unreachable(robot), rig


def test_a_robot_that_cannot_be_started_ends_the_run_in_good_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    tmp_path.chmod(0o700)
    monkeypatch.setattr(host, "open_robot", unreachable)
    summary, code = headless.run(Settings(policy="scripted", store=tmp_path / "store"), 1.0)
    assert (code, summary["exit_reason"]) == (NOT_CONNECTED, "the robot does not answer")
    assert Session.open(Path(summary["session"])).commit.closed
    assert list(runs_path().iterdir()) == []


def test_a_robot_that_cannot_be_built_leaves_no_run_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    tmp_path.chmod(0o700)
    settings = Settings.model_validate({"robot": "so101", "so101": {"port": str(tmp_path), "calibration": tmp_path}})
    with pytest.raises(AdapterError, match="calibration"):
        headless.run(settings, 1.0)
    assert list(runs_path().iterdir()) == []


@pytest.mark.parametrize(("saw", "depth"), [(msgspec.structs.replace(NO_SAW, kerf_depth=0.0342, zone=Zone.AIR), 34.2), (NO_SAW, None)])
def test_a_robot_without_a_saw_has_no_cut(saw: SawState, depth: float | None) -> None:
    engine = MagicMock(stops=[])
    engine.inference.info = None
    engine.control.last.saw = saw
    told = headless.summary(MagicMock(engine=engine, settings=Settings(), robot=None), headless.Measured(engine), "over")
    assert told["cut_depth_mm"] == depth
