"""Pictures in pixels: whole, in place, one at a time, gone when nobody wants them, and never in the way of the figures."""

import math
import os
import re
import signal
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import scenes
from bench import Open
from desk import Desk
from hypothesis import given, settings
from hypothesis import strategies as st
from kitty import Kitty
from terminal import Terminal

from console.app import PICTURES_AFTER, Sawhorse
from console.draw import advanced
from console.pixels import CHUNK, QUERY, RATION, SIDE, Area, Canvas, Offer
from console.rows import Row
from engine.messages import Picture, WatchPicture
from engine.stop import StopPage

PLACE, OTHER = Area(4, 9, 20, 10), Area(60, 3, 12, 6)


def noise(seed: int, side: int = 16) -> Picture:
    """A picture that cannot be compressed."""
    import random

    return Picture(camera="front", width=side, height=side, age=0.0, rgb=random.Random(seed).randbytes(3 * side * side))


def close(shown: bytes, meant: bytes) -> bool:
    return len(shown) == len(meant) and all(abs(a - b) <= 4 for a, b in zip(shown, meant, strict=True))


def frame(canvas: Canvas, terminal: Kitty, wish: tuple[Picture, Area] | None, room: float = 4096) -> str:
    """One frame of a screen that wants a picture somewhere, or none."""
    canvas.clear()
    if wish is not None:
        canvas.want(*wish)
    text = canvas.step(room)
    terminal.feed(text)
    return text


WISHES = st.lists(st.none() | st.tuples(st.integers(0, 3), st.sampled_from([PLACE, OTHER])), max_size=40)


@settings(deadline=None)
@given(WISHES, st.floats(0.0, 8192.0))
def test_whatever_a_screen_wants_the_terminal_comes_to_show_that_and_nothing_else(
    wishes: list[tuple[int, Area] | None], room: float
) -> None:
    canvas, terminal, pictures = Canvas(), Kitty(), [noise(seed, 32) for seed in range(4)]
    for wish in wishes:
        frame(canvas, terminal, wish and (pictures[wish[0]], wish[1]), room)
        assert len(terminal.shown) <= 1
        if wish is None:
            assert not terminal.held
        assert all(place == (wish[1].x, wish[1].y, wish[1].columns, wish[1].lines) for place in terminal.shown.values() if wish)
    last = wishes[-1] if wishes else None
    for _ in range(60):
        frame(canvas, terminal, last and (pictures[last[0]], last[1]), room)
    assert len(terminal.shown) == len(terminal.held) == (0 if last is None else 1)
    if last is not None:
        (_, _, rgb), meant = *terminal.held.values(), pictures[last[0]].rgb
        assert close(rgb, meant)
    assert frame(canvas, terminal, last and (pictures[last[0]], last[1]), room) == ""


@given(st.floats(0.0, math.inf))
def test_a_frame_takes_no_more_of_a_picture_along_than_the_link_has_room_for(room: float) -> None:
    canvas, terminal, picture = Canvas(), Kitty(), noise(0, 96)
    sequences = [frame(canvas, terminal, (picture, PLACE), room).count("\x1b_G") for _ in range(4)]
    assert all(1 <= count <= min(RATION, max(1, room / CHUNK)) for count in sequences)


def test_the_same_picture_is_sent_once() -> None:
    canvas, terminal = Canvas(), Kitty()
    while frame(canvas, terminal, (noise(1), PLACE)):
        pass
    again = Picture(camera="front", width=16, height=16, age=0.4, rgb=noise(1).rgb)
    assert frame(canvas, terminal, (again, PLACE)) == ""


@given(st.integers(1, 12), st.integers(1, 5), st.integers(0, 11))
def test_rows_are_renewed_a_few_a_frame_and_none_for_ever_later_than_others(height: int, count: int, start: int) -> None:
    rows: list[Row] = []
    at, seen = start % height, set[int]()
    for number in range(math.ceil(height / count)):
        wanted: list[Row] = [((f"{number} {y}", "text"),) for y in range(height)]
        before, (rows, at) = rows or [()] * height, advanced(rows, wanted, at, count)
        changed = {y for y in range(height) if rows[y] != before[y]}
        assert len(changed) == min(count, height)
        seen |= changed
    assert seen == set(range(height))
    assert advanced(wanted, wanted, at, count)[0] == wanted


async def test_half_blocks_come_as_fast_as_the_link_has_room_for_them(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sawhorse, "picture_room", 0.0)
    async with opened(scenes.running(), (120, 34)) as bench:
        bench.link.send(WatchPicture(camera="front", width=28, height=28))
        rows = []
        while not rows or rows[-1] < 14:
            await bench.drawn()
            rows.append(sum("▀" in line for line in bench.text().splitlines()))
            assert len(rows) < 40
        assert all(after - before == 1 for before, after in pairwise(rows))


@given(st.integers(0, 40))
def test_the_answer_is_found_however_it_is_split(at: int) -> None:
    data = b"k\x1b[0n\x1b_Gi=31;OK\x1b\\\x1b[0nk"
    offer = Offer()
    offer.feed(data[:at])
    assert offer.feed(data[at:])
    assert not Offer().feed(b"\x1b_Gi=31;ENOTSUPPORTED:\x1b\\\x1b_Gi=7;OK\x1b\\")


async def test_the_panel_keeps_its_place_empty_and_wants_the_picture_in_it(opened: Open) -> None:
    async with opened(scenes.running(), (160, 48)) as bench:
        app = bench.app
        assert "▀" in bench.text()
        app.canvas.ready = True
        await bench.drawn()
        await bench.drawn()
        assert "▀" not in bench.text()
        assert bench.link.said[-1].width == SIDE  # type: ignore[union-attr]
        terminal = Kitty()
        for _ in range(20):
            terminal.feed(app.canvas.step(1e6))
        ((x, y, columns, lines),) = terminal.shown.values()
        text = bench.text().splitlines()
        assert all(line[x : x + columns].isspace() for line in text[y : y + lines])
        assert text[y][:x].rstrip().endswith("│")
        assert columns == 2 * lines
        bench.clock.t += 10.0
        app.canvas.clear()
        await bench.drawn()
        terminal.feed(app.canvas.step(1e6))
        assert not terminal.held
        assert "picture removed" in bench.text()


class Graphics(Terminal):
    """A terminal that takes pictures."""

    told = False

    def _receive(self, data: bytes) -> None:
        super()._receive(data)
        if not self.told and QUERY.encode() in self.output:
            self.told = True
            self.type(b"\x1b_Gi=31;OK\x1b\\")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A console in a terminal that takes pictures."""
    with StopPage(tmp_path / "stop", create=True) as page:
        terminal = Graphics(str(tmp_path / "stop"), str(tmp_path / "notes"), "noisy")
        yield Desk(terminal, page, tmp_path / "notes")
        terminal.close()


def test_in_a_real_terminal_figures_go_out_between_the_parts_of_a_picture(desk: Desk) -> None:
    shown = desk.terminal
    # A machine that was late with a frame brings no picture for PICTURES_AFTER.
    assert shown.wait(lambda: shown.output.count(b"a=p,") > 0, 5 * PICTURES_AFTER), bytes(shown.output[-500:])
    text = shown.output.decode()
    sent, _, _ = text[text.index("\x1b_Ga=t") : text.index("\x1b_Ga=p")].rpartition("\x1b[")
    between = re.split(r"\x1b_G[^\x1b]*\x1b\\", sent)
    assert sum(bool(re.sub(r"\x1b\[[0-?]*[@-~]", "", part)) for part in between) > 5
    terminal = Kitty()
    terminal.feed(text[: text.rindex("\x1b_G")])
    assert all((width, height) == (SIDE, SIDE) for width, height, _ in terminal.held.values())
    os.kill(shown.process.pid, signal.SIGTERM)
    assert shown.wait(lambda: shown.process.poll() is not None)
    terminal.feed(shown.output.decode()[text.rindex("\x1b_G") :])
    assert not terminal.held
