"""The doctor looks at the real machine, says what to do about every fault, and survives a broken installation."""

import json
import os
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from console import doctor
from console.cli import main
from console.doctor import Result


def test_a_check_that_breaks_has_failed_and_the_others_go_on() -> None:
    def broken() -> Result:
        raise ImportError("no module named torch")

    found = doctor.checked("inference", broken)
    assert found.status == "fail"
    assert "no module named torch" in found.found
    assert found.advice


@pytest.mark.parametrize(
    ("required", "have", "status", "named"),
    [
        (["zarr==3.4.2", "click>=8.2"], {"zarr": "3.4.2", "click": "8.5"}, "ok", ""),
        (["zarr==3.4.2"], {"zarr": "3.4.1"}, "fail", "zarr 3.4.2"),
        (["torch==2.11.0"], {"torch": "2.11.0+cpu"}, "ok", ""),
        (["lerobot[smolvla]==0.6.1"], {}, "fail", "lerobot 0.6.1"),
        (["numpy<2.3,>=2.2"], {}, "fail", "numpy"),
    ],
)
def test_missing_and_wrong_packages_are_named(required: list[str], have: dict[str, str], status: str, named: str) -> None:
    found = doctor.packages(required, lambda name: have.get(name, ""))
    assert found.status == status
    assert named in found.advice


@pytest.mark.parametrize(
    ("environment", "size", "status"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, (120, 34), "ok"),
        ({"TERM": "xterm-256color"}, (70, 22), "warn"),
        ({"TERM": "xterm-256color"}, (59, 34), "fail"),
        ({"TERM": "dumb"}, (120, 34), "fail"),
        ({}, (120, 34), "fail"),
        ({"TERM": "tmux-256color", "TMUX": "/tmp/tmux"}, (120, 34), "warn"),
    ],
)
def test_the_terminal_is_judged_by_what_the_screen_needs(environment: dict[str, str], size: tuple[int, int], status: str) -> None:
    assert doctor.terminal(environment, True, size).status == status
    assert doctor.terminal(environment, False, size).status == "ok"


def test_the_longest_permitted_socket_path_can_really_be_bound(tmp_path: Path) -> None:
    spare = doctor.SOCKET_PATH_MAX - len(os.fsencode(tmp_path / "x" / "0000" / "engine.sock")) + 1
    if spare < 1:
        pytest.skip("the test's own folder has too long a name")
    fits, long = tmp_path / ("x" * spare), tmp_path / ("x" * (spare + 1))
    assert doctor.runtime_folder(fits).status == "ok"
    assert doctor.runtime_folder(long).status == "fail"
    for folder in (fits, long):
        (folder / "0000").mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(fits / "0000" / "engine.sock"))
    with socket.socket(socket.AF_UNIX) as other, pytest.raises(OSError, match="too long"):
        other.bind(str(long / "0000" / "engine.sock"))


def test_a_store_that_is_a_file_fails_with_advice(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = doctor.store(tmp_path / "file")
    assert found.status == "fail"
    assert "--store" in found.advice
    assert doctor.disk(tmp_path / "nowhere").status == "fail"


def test_an_empty_kernel_cache_is_told_of(tmp_path: Path) -> None:
    assert doctor.ray_tracer(tmp_path / "none").status == "warn"
    (tmp_path / "wp_render_megakernel_1").mkdir()
    assert doctor.ray_tracer(tmp_path).status == "ok"


def test_an_edited_policy_file_is_named(tmp_path: Path) -> None:
    from engine.policy import checkpoint

    (tmp_path / "config.json").write_text("{}")
    checkpoint.write_manifest(tmp_path, {"members": 1})
    assert doctor.policy_files(str(tmp_path)).status == "ok"
    (tmp_path / "config.json").write_text("{ }")
    found = doctor.policy_files(str(tmp_path))
    assert found.status == "fail"
    assert "config.json" in found.found


def test_the_command_looks_at_everything_and_its_exit_code_says_whether_something_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAWHORSE_STORE", str(tmp_path / "store"))
    monkeypatch.setattr(doctor, "WAKE_FOR", 0.1)
    done = CliRunner().invoke(main, ["doctor", "--json"])
    found = json.loads(done.stdout)
    assert done.exit_code == (1 if any(one["status"] == "fail" for one in found) else 0)
    assert all(list(one) == ["check", "status", "found", "advice"] for one in found)
    assert {one["status"] for one in found} <= {"ok", "warn", "fail"}
    assert all(one["advice"].endswith(".") for one in found if one["status"] != "ok")
    names = [one["check"] for one in found]
    assert {"packages", "terminal", "clock", "store", "policy files", "robot model", "ray tracer", "inference", "wake-up"} <= set(names)
    assert next(one for one in found if one["check"] == "policy files")["status"] == "ok"
    assert next(one for one in found if one["check"] == "robot model")["status"] == "ok"


def test_an_unknown_topic_is_one_sentence_with_the_nearest() -> None:
    done = CliRunner().invoke(main, ["bench", "recorded"])
    assert done.exit_code == 2
    assert "did you mean 'recorder'?" in done.output


def test_completion_names_the_program() -> None:
    done = CliRunner().invoke(main, ["completion", "zsh"])
    assert done.exit_code == 0
    assert "_SAWHORSE_COMPLETE" in done.output
