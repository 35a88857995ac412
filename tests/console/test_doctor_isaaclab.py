"""The doctor says what Isaac Lab needs, without installing or starting it."""

from functools import partial
from pathlib import Path

import pytest

from adapters.isaaclab import known, launch
from console.doctor import isaaclab
from engine.config import Settings
from engine.host import open_robot
from engine.isaaclab_settings import IsaacLabSettings
from tests.adapters.isaaclab.small import script

GIVEN = IsaacLabSettings()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where uv keeps everything in a test."""
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv/cache"))
    return tmp_path / "uv/cache"


def test_what_is_not_installed_is_told_with_the_command_and_is_not_installed(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isaaclab, "DISK", 0.0)
    found = isaaclab.worker(GIVEN)
    assert (found.status, launch.INSTALL in found.advice) == ("warn", True)
    assert not list(cache.glob("environments*/*"))
    monkeypatch.setattr(isaaclab, "DISK", 1e9)
    found = isaaclab.worker(GIVEN)
    assert (found.status, str(cache) in found.found) == ("fail", True)


def test_what_is_installed_is_found(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = script(tmp_path, "")
    monkeypatch.setattr(launch, "prepared", partial(launch.prepared, small))
    monkeypatch.setattr(isaaclab, "DISK", 0.0)
    assert isaaclab.worker(GIVEN).status == "warn"
    launch.install(tmp_path / "log", print, script=small)
    assert isaaclab.worker(GIVEN).status == "ok"


def test_the_lack_of_uv_is_told_with_the_command_that_installs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("UV", raising=False)
    monkeypatch.setattr(launch, "find_spec", lambda name: None)
    found = isaaclab.worker(GIVEN)
    assert (found.status, launch.UV in found.advice) == ("fail", True)


def test_an_interpreter_and_a_worker_by_hand_need_no_installation(tmp_path: Path) -> None:
    python = tmp_path / "python.sh"
    found = isaaclab.worker(IsaacLabSettings(isaac_python=str(python)))
    assert (found.status, "isaac-python" in found.advice) == ("fail", True)
    python.write_text("#!/bin/sh\n")
    python.chmod(0o700)
    assert isaaclab.worker(IsaacLabSettings(isaac_python=str(python))).status == "ok"
    found = isaaclab.worker(IsaacLabSettings(link="bench"))
    assert (found.status, "--link bench" in found.found) == ("ok", True)


def test_a_machine_that_cannot_run_it_is_told(tmp_path: Path) -> None:
    found = isaaclab.worker(GIVEN, ("Linux", "aarch64"))
    assert (found.status, "aarch64" in found.found) == ("fail", True)
    assert isaaclab.room(63.0).status == "fail"
    assert isaaclab.room(64.0).status == "ok"
    assert isaaclab.gpu("cuda", "").status == "fail"
    assert isaaclab.gpu("cuda:0", "NVRM version").status == "ok"
    assert "processor" in isaaclab.gpu("cpu", "").found


def test_every_check_is_made_and_the_arm_beside_it_needs_no_isaac_lab() -> None:
    settings = Settings(robot="isaaclab", policy="compact")
    told: list[str] = []
    assert [one.check for one in isaaclab.checks(settings, told.append)] == ["Isaac Lab", "shared memory", "Isaac Lab's GPU"]
    assert told
    robot, rig = open_robot(isaaclab.beside(settings))
    robot.connect()
    assert len(robot.read(1).q) == 5
    robot.close()
    assert rig.names == known.KNOWN[settings.task].cameras
