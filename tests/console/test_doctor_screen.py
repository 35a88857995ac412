"""The doctor's screen: what is found appears as it is found, and it ends when it must."""

import queue
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import scenes
from bench import Bench, Open

from console.checkup import Checkup
from console.doctor import Check
from console.rows import plain
from console.screens.doctor import DoctorScreen, doctor_rows
from console.screens.live import LiveScreen
from engine.config import Settings
from engine.types import Writer

SLOW_DISK = Check(check="disk", status="warn", found="3 MB/s", advice="Choose a faster disk with --store.")
OLD = Check(check="python", status="fail", found="3.9", advice="Run sawhorse with Python 3.12: `uv sync` installs it.")


class Handed:
    """Checks that a test hands over one by one."""

    def __init__(self) -> None:
        self.line: queue.Queue[Check | str | None] = queue.Queue()
        self.taken: queue.Queue[None] = queue.Queue()
        self.closed = False

    def __iter__(self) -> Iterator[Check | str]:
        while (one := self.line.get()) is not None:
            yield one
            self.taken.put(None)

    def close(self) -> None:
        self.closed = True
        self.line.put(None)

    def give(self, one: Check | str) -> None:
        """Return once the screen has it."""
        self.line.put(one)
        self.taken.get(timeout=10)


async def open_doctor(bench: Bench) -> Handed:
    looking = Handed()
    bench.app.push_screen(DoctorScreen(lambda: looking))
    await bench.drawn()
    return looking


async def test_each_check_appears_as_it_is_found_and_what_is_under_way_moves(opened: Open) -> None:
    async with opened(scenes.disarmed(), (80, 24)) as bench:
        looking = await open_doctor(bench)
        looking.give("looking at the disk")
        await bench.drawn()
        before = next(line for line in bench.text().splitlines() if "looking at the disk" in line)
        bench.clock.t += 0.2
        await bench.drawn()
        assert before not in bench.text()
        looking.give(SLOW_DISK)
        looking.give(OLD)
        await bench.drawn()
        for words in ("▲ warn disk", "3 MB/s", "→ Choose a faster disk", "✖ FAIL python", "2 fail"):
            assert words in bench.text(), words
        looking.line.put(None)
        await bench.app.workers.wait_for_complete()
        await bench.drawn()
        assert "looking" not in bench.text()
        assert bench.text().index("FAIL python") < bench.text().index("warn disk"), "the worst first"


async def test_what_only_the_screen_knows_of_the_terminal_is_said_too(opened: Open) -> None:
    async with opened(scenes.disarmed()) as bench:
        bench.app.releases = True
        await open_doctor(bench)
        shown = bench.text()
        assert "releases reported" in shown
        assert "120×34" in shown
        assert "half blocks: no kitty graphics" in shown
        assert "the terminal answers no status request" in shown


async def test_the_checks_end_with_the_page(opened: Open) -> None:
    async with opened(scenes.disarmed()) as bench:
        looking = await open_doctor(bench)
        await bench.press("escape")
        assert isinstance(bench.app.screen, LiveScreen)
        assert looking.closed


async def test_the_checks_end_where_the_robot_is_armed(opened: Open) -> None:
    async with opened(scenes.disarmed()) as bench:
        looking = await open_doctor(bench)
        await bench.show(scenes.running())
        assert looking.closed
        assert "Ended: the robot is armed" in bench.text()
        await bench.press("space")
        assert bench.page.counts()[Writer.CONSOLE] == 1


@pytest.mark.parametrize("width", [56, 76, 116])
def test_no_word_is_lost_to_the_frame(width: int) -> None:
    shown = plain(doctor_rows([SLOW_DISK, OLD], width))
    assert all(len(line) <= width for line in shown)
    assert " ".join(OLD.advice.split()) in " ".join(" ".join(shown).split())


def test_the_checks_run_in_a_process_that_is_gone_when_closed(tmp_path: Path) -> None:
    settings = tmp_path / "settings.json"
    settings.write_text(Settings(store=tmp_path / "store", policy="scripted").model_dump_json())
    looking = Checkup(settings)
    found = iter(looking)
    first = next(one for one in found if isinstance(one, Check))
    assert (first.check, first.status) == ("python", "ok")
    looking.close()
    assert all(one.check != "doctor" for one in found if isinstance(one, Check))
    assert looking._process.returncode == -signal.SIGKILL


def test_checks_that_end_early_say_so(tmp_path: Path) -> None:
    *_, last = Checkup(tmp_path / "none.json")
    assert isinstance(last, Check)
    assert last.status == "fail"
    assert "ended early, with exit code 1" in last.found
