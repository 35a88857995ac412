"""What the screen shows of a robot without a saw: its task, its gripper, and nothing of a partner or a cut."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import scenes
from bench import SIZES, Open
from click.testing import CliRunner

from console.commands.run import run
from console.commands.sessions import sessions_show
from console.commands.setup import doctor
from console.keymap import ARROWS, GRIPS, HOLDS, Keymap, possible
from console.rows import plain
from console.screens.help import help_rows
from console.view import LIMITS
from console.widgets.cut import cut_rows
from console.widgets.energy import energy_rows, work_line
from console.widgets.gains import gains_rows
from console.widgets.header import header_rows
from console.widgets.hold import hold_line, hold_rows
from console.widgets.person import person_rows
from console.widgets.state import explanation, next_step
from console.widgets.stopped import holds, way_back
from console.widgets.task import task_rows
from console.widgets.why import why_rows
from engine.exits import USAGE
from engine.limits import Limits
from engine.session.reader import Session
from engine.tasks import KINDS
from engine.types import NO_ENERGY, Mode, Snapshot

OF_A_SAW = ("partner", "stroke", "across", "blade", "kerf", "CUT", "SAW", "cut ", "pull", "nan")


def shown(snapshot: Snapshot, width: int = 76) -> str:
    view = scenes.seen(snapshot)
    rows = [draw(view, width, 30) for draw in (cut_rows, energy_rows, person_rows, hold_rows, gains_rows, why_rows)]
    lines = [draw(view, width) for draw in (work_line, hold_line)]
    return "\n".join(line for drawn in (*rows, *lines) for line in plain(drawn))


@pytest.mark.parametrize("make", [scenes.table, scenes.servos])
@pytest.mark.parametrize("mode", list(Mode))
def test_nothing_is_said_of_a_saw_or_a_partner(make: object, mode: Mode) -> None:
    snapshot = make()  # type: ignore[operator]
    said = shown(snapshot if mode is Mode.CUT else scenes.jogged(snapshot, mode))
    assert [word for word in OF_A_SAW if word in said] == []


def test_the_task_stands_with_its_words_and_how_far_the_gripper_is_closed() -> None:
    said = "\n".join(plain(task_rows(scenes.seen(scenes.table()), 36, 8)))
    assert "Pick up the red cube and place it" in said
    assert "51 % closed" in said
    assert "pressing" in said
    assert "+0.530 -0.120 +0.110 m" in said


def test_servos_have_no_tank_and_no_spring_of_their_own() -> None:
    said = shown(scenes.servos())
    assert "no energy tank" in said
    assert "by its servos" in said
    held = scenes.stopped(latched=False)
    assert holds(msgspec.structs.replace(held, energy=NO_ENERGY), Limits(**KINDS["so101-sim"].limits)) == "every axis holds, by its servos"


def test_a_robot_that_nobody_holds_is_said_to_hold_every_axis() -> None:
    assert holds(scenes.stopped(latched=False), Limits(**KINDS["pickplace"].limits)).startswith("every axis holds, at")


def test_keys_of_the_partner_and_the_line_are_not_offered_and_the_gripper_s_are_while_jogging() -> None:
    going = possible(scenes.table(), readonly=False, connected=True)
    assert not going & {*HOLDS, *ARROWS, *GRIPS, "force_up", "recover"}
    jogging = scenes.jogged(scenes.table(), Mode.JOG_SAW)
    assert set(GRIPS) | ARROWS <= possible(jogging, readonly=False, connected=True)
    assert not possible(scenes.running(), readonly=False, connected=True) & set(GRIPS)


def test_a_robot_that_keys_push_offers_them_and_says_with_how_much() -> None:
    table = scenes.table()
    pushed = msgspec.structs.replace(table, run=msgspec.structs.replace(table.run, pushed=True))
    keys = {"pull", "push", "force_up", "force_down", "force_reset"}
    assert possible(pushed, readonly=False, connected=True) - possible(table, readonly=False, connected=True) == keys
    said = "\n".join(plain(hold_rows(scenes.seen(pushed), 76, 30)))
    assert "K pull J push" in said
    assert "F press" not in said
    assert "Y opens" in said


def test_before_the_first_snapshot_stands_what_the_engine_does() -> None:
    view = replace(scenes.seen(scenes.table()), snapshot=None, starting="Isaac Lab: opening the cameras")
    assert explanation(view) == "Isaac Lab: opening the cameras"


def test_the_mode_that_a_policy_works_in_is_called_task() -> None:
    jogging = scenes.jogged(scenes.table(), Mode.JOG_SAW)
    assert "[JOG TOOL]" in "\n".join(plain(hold_rows(scenes.seen(jogging), 60, 8)))
    assert "Tab back to TASK" in next_step(scenes.seen(jogging))
    assert "CUT" not in explanation(scenes.seen(jogging))


@pytest.mark.parametrize("size", SIZES)
async def test_the_screen_holds_the_task_at_every_size(opened: Open, size: tuple[int, int]) -> None:
    async with opened(scenes.table(), size) as bench:
        screen = bench.text()
        assert "51 % closed" in screen
        assert "CUT / PARTNER" not in screen
        assert " pull" not in screen


def gripping(make: Callable[[], Snapshot]) -> Snapshot:
    """A stop of an arm at a table with a cube in its gripper."""
    table, stop = make(), scenes.stopped(latched=False)
    return msgspec.structs.replace(table, decision=stop.decision, events=stop.events, command=stop.command)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("make", [scenes.table, scenes.servos])
async def test_after_a_stop_it_says_what_the_gripper_does(opened: Open, size: tuple[int, int], make: Callable[[], Snapshot]) -> None:
    async with opened(gripping(make), size) as bench:
        said = " ".join(bench.text().replace("│", " ").split())
        assert "WHY IT STOPPED" in said
        assert "gripper stays at 51 %" in said
        assert "G lets it move" in said


def test_the_way_back_in_a_jog_mode_ends_with_an_arrow() -> None:
    jogging = scenes.jogged(gripping(scenes.table), Mode.JOG_XYZ)
    assert way_back(jogging, LIMITS)[-1][1] == "an arrow held moves it"
    assert way_back(gripping(scenes.table), LIMITS)[-1][1] == "G lets it move"


def test_nobody_holds_anything_to_run_at_a_table() -> None:
    said = " ".join(plain(person_rows(scenes.seen(scenes.table()), 27, 5)))
    assert "not sensed: no sensor follows the person" in said
    assert "hold to run" not in said
    assert "tool" not in said
    assert "hold to run" in " ".join(plain(person_rows(scenes.seen(scenes.unsensed()), 27, 5)))


@pytest.mark.parametrize(("height", "width"), [(30, 40), (13, 34), (4, 30), (1, 30)])
def test_servos_are_shown_no_spring(height: int, width: int) -> None:
    rows = plain(gains_rows(scenes.seen(scenes.servos()), width, height))
    assert len(rows) <= height
    said = "\n".join(rows)
    assert "speed" in said
    assert not [word for word in ("K ", "D ", "F ", "N/m", "tank", "N m") if word in said]


def test_the_task_stands_in_the_lines_of_a_small_screen() -> None:
    view = scenes.seen(scenes.servos())
    assert "so101-sim sim  lift  compact" in "".join(plain(header_rows(view, 80)))
    assert "Lift the red cube." in "".join(plain(work_line(view, 80)))


def test_what_the_model_sees_of_a_thing_stands_in_one_row() -> None:
    ways = {f"{thing}_d{axis}": 0.01 * i for thing in ("cube", "zone") for i, axis in enumerate("xyz", 1)}
    table = scenes.table()
    brief = msgspec.structs.replace(table.inference, heads={**ways, "cube_dx_sd": 0.004, "holding": 0.97})  # type: ignore[type-var]
    said = [line for line in plain(task_rows(scenes.seen(msgspec.structs.replace(table, inference=brief)), 34, 12)) if "sees" in line]
    assert [" ".join(line.split()) for line in said] == ["sees cube +10 +20 +30 mm ± 4", "sees zone +10 +20 +30 mm", "sees holding 0.970"]
    assert max(map(len, said)) <= 34


def test_the_keys_at_a_table_are_its_own() -> None:
    said = "\n".join(plain(help_rows(Keymap(), "live", 80, saw=False)))
    for fact in ("TASK, XYZ, TOOL, JOINT", "opens the gripper", "closes the gripper", "Jog −y · joint −"):
        assert fact in said
    assert not [word for word in ("partner", "PARTNER", "saw", "SAW", "CUT", "Line", "Log") if word in said]


async def test_a_camera_without_room_and_a_theme_are_told(opened: Open) -> None:
    async with opened(scenes.table(), SIZES[0]) as bench:
        await bench.press("v")
        assert "No room for a picture" in bench.text()
        await bench.press("t")
        assert "Theme: light." in bench.text()


def test_the_demonstration_of_another_robot_is_refused_before_anything_starts(tmp_path: Path) -> None:
    store = tmp_path / "store"
    result = CliRunner().invoke(run, ["--demo", "--headless", "--robot", "so101-sim", "--store", str(store)])
    assert result.exit_code == USAGE
    assert result.output == "sawhorse: The demonstration is of cosaw only: leave out --demo, or --robot so101-sim.\n"
    assert not store.exists()


def test_a_session_without_a_saw_is_shown_with_its_instruction_and_no_sawing(session: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_saw = CliRunner().invoke(sessions_show, [str(session)]).output
    monkeypatch.setattr(Session, "snapshot", lambda self, tick: scenes.table())
    without = CliRunner().invoke(sessions_show, [str(session)]).output
    for said in (with_saw, without):
        assert re.search("^task +saw$", said, re.MULTILINE)
        assert re.search("^instruction +Saw through the log", said, re.MULTILINE)
    assert "sawing strokes" in with_saw
    assert "sawing" not in without


def test_the_doctor_looks_at_the_robot_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    monkeypatch.setattr("console.doctor.checks", lambda settings, *_, **__: looked.append(settings.robot) or [])
    assert CliRunner().invoke(doctor, ["--robot", "so101-sim", "--json"]).exit_code == 0
    assert looked == ["so101-sim"]
