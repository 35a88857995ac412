"""What the console's figures are made from: frames found in a stream, presses matched with what the robot heard, motion that ends."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.bench import console
from engine.bench.console import Found, Screen, figures, frames, waits
from engine.bench.figure import BenchError
from engine.bench.stamped import Stamped
from engine.faults.fault import FaultError
from engine.types import Writer

BEAT = b"\x1b[1;100H7"
TAIL = b"\x1b[1;1H\x1b[5n"  #: what each update ends with, and a question for a sign of life


@given(st.lists(st.binary(max_size=50).filter(lambda rest: b"\x1b" not in rest), min_size=1, max_size=8), st.binary(max_size=20))
def test_frames_run_from_one_heartbeat_to_the_next(rests: list[bytes], before: bytes) -> None:
    sent = before.replace(b"\x1b", b"") + b"".join(BEAT + rest + TAIL for rest in rests)
    assert frames(sent) == [len(BEAT + rest + TAIL) for rest in rests[:-1]]


def test_a_screen_without_a_heartbeat_has_no_frames() -> None:
    assert frames(b"\x1b[1;1H a whole first line \x1b[12;1H" + TAIL) == []


def counts(writer: Writer, count: int) -> tuple[int, ...]:
    return tuple(count if each == writer else 0 for each in Writer)


def test_a_press_waits_for_the_first_stamp_that_has_seen_it() -> None:
    stamps = [(10_000_000, counts(Writer.CONSOLE, 1)), (30_000_000, counts(Writer.CONSOLE, 3)), (50_000_000, counts(Writer.CONSOLE, 4))]
    assert waits([(8_000_000, 1), (21_000_000, 2), (22_000_000, 3)], stamps, Writer.CONSOLE) == pytest.approx([2.0, 9.0, 8.0])


def test_a_stop_that_the_robot_never_heard_of_is_no_figure() -> None:
    with pytest.raises(FaultError, match="never heard"):
        waits([(0, 2)], [(1, counts(Writer.CONSOLE, 1)), (2, counts(Writer.SHELL, 9))], Writer.CONSOLE)


class Page:
    """The stop page as two raises come."""

    def __init__(self, *seen: tuple[int, ...]) -> None:
        self._seen = iter(seen)

    def counts(self) -> tuple[int, ...]:
        return next(self._seen)


class Robot:
    name = "real"

    def __init__(self) -> None:
        self.told: list[object] = []

    def command(self, command: object) -> None:
        self.told.append(command)

    def stop(self, category: int) -> None:
        self.told.append(category)


def test_the_stamped_robot_passes_everything_on_and_notes_each_page_once() -> None:
    robot = Robot()
    stamps: list[tuple[int, tuple[int, ...]]] = []
    pages = [(0, 0), (0, 0), (1, 0), (1, 0), (1, 1)]
    stamped = Stamped(robot, Page(*pages), stamps)  # type: ignore[arg-type]
    for told in range(4):
        stamped.command(told)  # type: ignore[arg-type]
    stamped.stop(2)
    assert robot.told == [0, 1, 2, 3, 2]
    assert stamped.name == "real"
    assert [page for _, page in stamps] == [(0, 0), (1, 0), (1, 1)]
    times = [t_ns for t_ns, _ in stamps]
    assert times == sorted(times)


def found(slow: Sequence[float] = (5.0, 6.0), silent: float = 0.4) -> Found:
    screens = {size: Screen(frames=[1000, 2000], plain=80.0, pictured=120.0) for size in console.SIZES}
    return Found(screens, 7000, 9.0, 4.0, 4.0, 0.3, list(slow), [5.0] * 200, [400.0], [0.2, silent], 4000.0)


def test_every_bar_is_there_and_judged() -> None:
    bars = {one.name: one.bar for one in figures(found()) if one.bar is not None}
    assert sorted(bars.values()) == [0.5, 2.0, 5.0, 15.0, 20.0, 20.0, 600.0, 600.0, 600.0, 3000.0, 3000.0, 3000.0]
    assert all(one.ok for one in figures(found()))
    assert len({one.name for one in figures(found())}) == len(figures(found()))
    missed = [one.name for one in figures(found(slow=[5.0, 40.0], silent=0.7)) if not one.ok]
    assert missed == [
        "stop key to robot there, p99",
        "line dead while a jog key is held, to the end of motion, max",
    ]


def test_the_stop_key_stands_beside_textual_s_own_handler() -> None:
    (one,) = (one for one in figures(found()) if one.name.endswith("nobody reading, p99"))
    assert one.ratio == pytest.approx(800.0)
    assert "Textual" in one.compared_with


def test_nothing_drawn_is_an_error_and_not_a_figure() -> None:
    blank = found()
    blank.screens[console.DESIGN] = Screen(frames=[], plain=0.0, pictured=0.0)
    with pytest.raises(BenchError, match="120×34"):
        figures(blank)
    never = found()
    never.textual = math.inf
    with pytest.raises(BenchError, match="handler"):
        figures(never)
