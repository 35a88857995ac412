"""What the screen shows of a robot without a saw: its task, its gripper, and nothing of a partner or a cut."""

import msgspec
import pytest
import scenes
from bench import SIZES, Open

from console.keymap import ARROWS, GRIPS, HOLDS, possible
from console.rows import plain
from console.widgets.cut import cut_rows
from console.widgets.energy import energy_rows, work_line
from console.widgets.gains import gains_rows
from console.widgets.hold import hold_line, hold_rows
from console.widgets.person import person_rows
from console.widgets.state import explanation, next_step
from console.widgets.stopped import holds
from console.widgets.task import task_rows
from console.widgets.why import why_rows
from engine.limits import Limits
from engine.tasks import LIMITS
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
    assert holds(msgspec.structs.replace(held, energy=NO_ENERGY), Limits(**LIMITS["so101-sim"])) == "every axis holds, by its servos"


def test_a_robot_that_nobody_holds_is_said_to_hold_every_axis() -> None:
    assert holds(scenes.stopped(latched=False), Limits(**LIMITS["pickplace"])).startswith("every axis holds, at")


def test_keys_of_the_partner_and_the_line_are_not_offered_and_the_gripper_s_are_while_jogging() -> None:
    going = possible(scenes.table(), readonly=False, connected=True)
    assert not going & {*HOLDS, *ARROWS, *GRIPS, "force_up", "recover"}
    jogging = scenes.jogged(scenes.table(), Mode.JOG_SAW)
    assert set(GRIPS) | ARROWS <= possible(jogging, readonly=False, connected=True)
    assert not possible(scenes.running(), readonly=False, connected=True) & set(GRIPS)


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
