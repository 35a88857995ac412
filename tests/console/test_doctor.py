"""The doctor looks at the real machine, says what to do about every fault, and survives a broken installation."""

import json
import math
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from console.cli import main
from console.doctor import Result, cell, checked, folders, machine, software, terminal
from console.doctor.link import link
from console.hold import Keyboard
from console.probe import Answers


def test_a_check_that_breaks_has_failed_and_the_others_go_on() -> None:
    def broken() -> Result:
        raise ImportError("no module named torch")

    found = checked("inference", broken)
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
    found = software.packages(required, lambda name: have.get(name, ""))
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
    assert terminal.terminal(environment, True, size, "").status == status
    assert terminal.terminal(environment, False, size, "").status == "ok"


def test_the_longest_permitted_socket_path_can_really_be_bound(tmp_path: Path) -> None:
    spare = folders.SOCKET_PATH_MAX - len(os.fsencode(tmp_path / "x" / "0000" / "engine.sock")) + 1
    if spare < 1:
        pytest.skip("the test's own folder has too long a name")
    fits, long = tmp_path / ("x" * spare), tmp_path / ("x" * (spare + 1))
    assert folders.runtime_folder(fits).status == "ok"
    assert folders.runtime_folder(long).status == "fail"
    for folder in (fits, long):
        (folder / "0000").mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(fits / "0000" / "engine.sock"))
    with socket.socket(socket.AF_UNIX) as other, pytest.raises(OSError, match="too long"):
        other.bind(str(long / "0000" / "engine.sock"))


def test_a_store_that_is_a_file_fails_with_advice(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = folders.store(tmp_path / "file")
    assert found.status == "fail"
    assert "--store" in found.advice
    assert folders.disk(tmp_path / "nowhere").status == "fail"


def test_an_empty_kernel_cache_is_told_of(tmp_path: Path) -> None:
    assert cell.ray_tracer(tmp_path / "none").status == "warn"
    (tmp_path / "wp_render_megakernel_1").mkdir()
    assert cell.ray_tracer(tmp_path).status == "ok"


def test_an_edited_policy_file_is_named(tmp_path: Path) -> None:
    from engine.policy import checkpoint

    (tmp_path / "config.json").write_text("{}")
    checkpoint.write_manifest(tmp_path, checkpoint.Manifest())
    assert cell.policy_files(str(tmp_path), "cosaw").status == "ok"
    (tmp_path / "config.json").write_text("{ }")
    found = cell.policy_files(str(tmp_path), "cosaw")
    assert found.status == "fail"
    assert "config.json" in found.found


WHY = "not asked: the output is not a terminal"


@pytest.mark.parametrize(
    ("rtts", "drain", "multiplexer", "status"),
    [
        ((0.02, 0.03, 0.1), 5000.0, "", "ok"),
        ((0.02, 0.03, 0.1), 60.0, "", "warn"),
        ((0.02, 0.03, 0.1), 8.0, "", "warn"),
        ((0.02, 0.03, 0.1), 3.0, "", "fail"),
        ((0.02, 0.03, 0.6), 5000.0, "", "warn"),
        ((0.3, 0.31, 0.32), 5000.0, "", "warn"),
        ((0.6, 0.7, 0.8), 5000.0, "", "fail"),
        ((0.01, 0.01), 5000.0, "tmux", "warn"),
        ((), math.nan, "", "fail"),
    ],
)
def test_the_link_is_judged_by_whether_one_can_work_over_it(rtts: tuple[float, ...], drain: float, multiplexer: str, status: str) -> None:
    found = link(Answers(rtts=rtts, drain=drain), multiplexer)
    assert found.status == status
    assert (found.status == "ok") == (not found.advice)


@pytest.mark.parametrize(
    ("environment", "shows", "status"),
    [
        ({"COLORTERM": "truecolor"}, True, "ok"),
        ({"COLORTERM": "truecolor"}, None, "ok"),
        ({"COLORTERM": "truecolor"}, False, "warn"),
        ({"TERM": "xterm-256color"}, True, "warn"),
        ({"TERM": "xterm-256color"}, False, "ok"),
        ({"TERM": "xterm"}, None, "warn"),
        ({"TERM": "xterm", "NO_COLOR": "1"}, None, "ok"),
    ],
)
def test_a_promise_of_colours_is_held_against_what_the_terminal_shows(environment: dict[str, str], shows: bool | None, status: str) -> None:
    assert terminal.colours(environment, Answers(true_colour=shows)).status == status


@pytest.mark.parametrize(
    ("flags", "measured", "multiplexer", "status", "said"),
    [
        (31, None, "", "ok", "--keyboard"),
        (31, Keyboard("HOLD", 0.033), "", "ok", "HOLD, repeats every 33 ms"),
        (31, Keyboard("REPEAT", 0.033), "", "warn", "REPEAT"),
        (None, Keyboard("REPEAT", 0.033), "", "warn", "REPEAT"),
        (None, Keyboard("STEP", 0.0), "", "warn", "STEP, no repeats"),
        (1, None, "", "warn", "no releases"),
        (31, Keyboard("HOLD", 0.033), "tmux", "warn", "tmux"),
    ],
)
def test_the_keyboard_is_judged_by_releases_and_repeats(
    flags: int | None, measured: Keyboard | None, multiplexer: str, status: str, said: str
) -> None:
    found = terminal.keyboard(Answers(key_flags=flags, keyboard=measured), multiplexer)
    assert found.status == status
    assert said in found.found


@pytest.mark.parametrize(
    ("answers", "multiplexer", "said"),
    [
        (Answers(kitty_graphics=True), "", "real pixels"),
        (Answers(kitty_graphics=True), "tmux", "half blocks: tmux"),
        (Answers(kitty_graphics=True, attributes=(62, 4), cell=(8, 16)), "", "kitty"),
        (Answers(attributes=(62, 4), cell=(8, 16)), "", "real pixels, by sixel"),
        (Answers(attributes=(62, 4), cell=(8, 16)), "tmux", "half blocks: tmux"),
        (Answers(attributes=(62, 4)), "", "half blocks: no kitty graphics, and sixel without"),
        (Answers(attributes=(62,), cell=(8, 16)), "", "half blocks: no kitty graphics, no sixel"),
        (Answers(), "", "no kitty graphics"),
    ],
)
def test_how_pictures_are_drawn_is_said(answers: Answers, multiplexer: str, said: str) -> None:
    assert said in terminal.pictures(answers, multiplexer).found


def test_what_could_not_be_asked_is_no_fault_and_says_why() -> None:
    looked = [link(WHY, ""), terminal.keyboard(WHY, ""), terminal.pictures(WHY, ""), terminal.colours({}, WHY)]
    assert all(found.status == "ok" and WHY in found.found for found in looked)


@pytest.mark.parametrize(
    ("device", "usable", "driver", "status"),
    [
        ("cpu", [], "", "ok"),
        ("cpu", ["H200"], "NVRM 570", "ok"),
        ("cpu", [], "NVRM 570", "warn"),
        ("cuda", ["H200"], "NVRM 570", "ok"),
        ("cuda:1", [], "", "fail"),
    ],
)
def test_a_gpu_is_missed_only_where_one_is_asked_for(device: str, usable: list[str], driver: str, status: str) -> None:
    assert machine.gpu(device, usable, driver).status == status


@pytest.mark.parametrize(
    ("p99", "refused", "status"),
    [(0.1, False, "ok"), (0.1, True, "warn"), (3.0, False, "warn"), (20.0, False, "fail"), (math.nan, False, "fail")],
)
def test_a_late_wake_up_and_a_refused_priority_are_told_of(p99: float, refused: bool, status: str) -> None:
    assert machine.punctual("", p99, p99, refused=refused).status == status


def test_a_wall_clock_that_was_set_or_that_nothing_keeps_is_told_of() -> None:
    before = machine.wall_offset()
    kept = machine.Discipline(synchronised=True, error=0.01)
    assert machine.clock(before, kept).status == "ok"
    assert machine.clock(before, None).status == "ok"
    assert machine.clock(before, machine.Discipline(synchronised=False, error=16.0)).status == "warn"
    assert machine.clock(before - 1.0, kept).status == "warn"


def test_the_kernel_says_something_sensible_of_the_wall_clock_or_nothing() -> None:
    kept = machine.discipline()
    assert kept is None or (isinstance(kept.synchronised, bool) and 0.0 <= kept.error <= 100.0)


@pytest.mark.parametrize("look", [cell.servo_ports, cell.cameras])
def test_a_device_that_may_not_be_used_names_the_group_to_join(look: Callable[..., Result], tmp_path: Path) -> None:
    path = tmp_path / "ttyACM0"
    path.write_text("")
    assert look([]).status == "ok"
    assert look([(path, "servo bus")], lambda path: True) == Result("ok", f"{path} (servo bus)")
    barred = look([(path, "")], lambda path: False)
    assert barred.status == "warn"
    assert f"-aG {path.group()} " in barred.advice


def test_a_forecast_acts_only_where_it_is_proven_for_the_policy_and_task(tmp_path: Path) -> None:
    from engine.config import load
    from engine.forecast import card
    from engine.policy import checkpoint
    from tests.forecast.synthetic import episodes
    from tests.forecast.test_card import described, member

    task = "pickplace/pickplace"

    def look(**changed: object) -> Result:
        return cell.forecast(load({"robot": "pickplace", "forecast": {"path": str(tmp_path)}, **changed}))

    assert look().status == "warn"
    assert "no forecast at" in look().found
    data = episodes(2, tasks=(task, "table/reach"))
    own = described(tasks={task: checkpoint.folder_hash(checkpoint.shipped("pickplace"))})
    card.write(tmp_path, own, [member()], data)
    assert "unproven on pickplace/pickplace" in look().found
    card.prove(tmp_path, {task: card.Gate(proven=True)})
    assert "; proven on pickplace/pickplace" in look().found
    assert "unproven on pickplace/lift" in look(task="lift").found
    assert "none for scripted" in look(policy="scripted").found
    assert look(forecast={"path": "none"}).status == "ok"


def test_video_devices_are_found_with_their_names(tmp_path: Path) -> None:
    for name in ("video0", "video2", "videoX", "null"):
        (tmp_path / name).write_text("")
    (tmp_path / "names" / "video0").mkdir(parents=True)
    (tmp_path / "names" / "video0" / "name").write_text("Front camera\n")
    found = list(cell.video_nodes(tmp_path, tmp_path / "names"))
    assert found == [(tmp_path / "video0", "Front camera"), (tmp_path / "video2", "")]


def test_the_command_looks_at_everything_and_its_exit_code_says_whether_something_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAWHORSE_STORE", str(tmp_path / "store"))
    monkeypatch.setattr(machine, "WAKE_FOR", 0.1)
    done = CliRunner().invoke(main, ["doctor", "--json"])
    found = json.loads(done.stdout)
    assert done.exit_code == (1 if any(one["status"] == "fail" for one in found) else 0)
    assert all(list(one) == ["check", "status", "found", "advice"] for one in found)
    assert {one["status"] for one in found} <= {"ok", "warn", "fail"}
    assert all(one["advice"].endswith(".") for one in found if one["status"] != "ok")
    names = [one["check"] for one in found]
    assert len(set(names)) == len(names)
    assert {"terminal", "colours", "keyboard", "link", "clock", "scheduling", "GPU", "OpenGL", "servo ports", "cameras"} <= set(names)
    assert {"packages", "store", "disk", "policy files", "robot model", "ray tracer", "inference"} <= set(names)
    assert next(one for one in found if one["check"] == "policy files")["status"] == "ok"
    assert next(one for one in found if one["check"] == "robot model")["status"] == "ok"
