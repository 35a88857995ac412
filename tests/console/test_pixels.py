"""Pictures in pixels: whole, in place, one at a time, gone when nobody wants them, and never in the way of the figures."""

import fcntl
import math
import os
import random
import re
import signal
import struct
import termios
from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import pairwise, zip_longest
from pathlib import Path

import msgspec
import numpy as np
import pytest
import scenes
from bench import Open
from desk import Desk
from hypothesis import example, given, settings
from hypothesis import strategies as st
from kitty import Kitty
from numpy.typing import NDArray
from sixels import Sixels
from terminal import Terminal

from console.app import PICTURES_AFTER, Sawhorse
from console.draw import advanced
from console.driver import ConsoleDriver
from console.parser import NameReport
from console.pixels import QUERY, SIDE, Area, Canvas, Offer, Way
from console.pixels import Kitty as KittyWay
from console.proof import ASK_NAME, Pace
from console.rows import Row
from console.screens.live import LiveScreen
from console.sixel import ASK_CELL, CELL_MAX, CELL_MIN, Sixel
from engine.messages import Picture, WatchPicture
from engine.stop import StopPage

PLACE, OTHER = Area(4, 9, 20, 10), Area(60, 3, 12, 6)
CELL = (5, 8)  #: pixels; no whole number of bands
CLOSE = 33  #: of 255, half a step of six levels and what a channel may move before it takes another


def noise(seed: int, side: int = 16) -> Picture:
    """A picture that cannot be compressed."""
    return Picture(camera="front", width=side, height=side, age=0.0, rgb=random.Random(seed).randbytes(3 * side * side))


def pixels(picture: Picture) -> NDArray[np.int64]:
    """(height, width, 3)."""
    return np.frombuffer(picture.rgb, np.uint8).reshape(picture.height, picture.width, 3).astype(np.int64)


def shows(terminal: Kitty | Sixels, picture: Picture, area: Area) -> bool:
    """Whether the terminal shows this picture in this area, and nothing else."""
    if isinstance(terminal, Kitty):
        (place,), ((width, height, rgb),) = terminal.shown.values(), terminal.held.values()
        shown, meant, most = np.frombuffer(rgb, np.uint8).reshape(height, width, 3), pixels(picture), 4
    else:
        place, shown, most = terminal.box, terminal.picture, CLOSE
        rows = np.arange(shown.shape[0]) * picture.height // shown.shape[0]
        meant = pixels(picture)[rows][:, np.arange(shown.shape[1]) * picture.width // shown.shape[1]]
    return place == (area.x, area.y, area.columns, area.lines) and bool((abs(shown - meant) <= most).all())


def within(terminal: Kitty | Sixels, area: Area | None) -> bool:
    """Whether nothing of a picture stands outside the area, and none at all where there is none."""
    if isinstance(terminal, Kitty):
        return set(terminal.shown.values()) <= {(area.x, area.y, area.columns, area.lines)} if area else not terminal.held
    return all(area and 0 <= x - area.x < area.columns and 0 <= y - area.y < area.lines for x, y in terminal.cells)


def written(canvas: Canvas, terminal: Kitty | Sixels, area: Area) -> None:
    """The screen writes text over an area."""
    canvas.painted([(y, area.x, area.x + area.columns) for y in range(area.y, area.y + area.lines)])
    terminal.feed("".join(f"\x1b[{y + 1};{area.x + 1}H{' ' * area.columns}" for y in range(area.y, area.y + area.lines)))


def frame(canvas: Canvas, terminal: Kitty | Sixels, wish: tuple[Picture, Area] | None, room: float = 4096) -> str:
    """One frame of a screen that wants a picture somewhere, or none."""
    canvas.clear()
    if wish is not None:
        canvas.want(*wish)
    text = canvas.step(room)
    terminal.feed(text)
    return text


WISHES = st.lists(st.none() | st.tuples(st.integers(0, 3), st.sampled_from([PLACE, OTHER])), max_size=20)
TEXTS = st.lists(st.builds(Area, st.integers(0, 70), st.integers(0, 20), st.integers(1, 20), st.integers(1, 3)), max_size=20)
WAYS: list[tuple[Callable[[], Way], Callable[[], Kitty | Sixels]]] = [(KittyWay, Kitty), (lambda: Sixel(CELL), lambda: Sixels(CELL))]
both_ways = pytest.mark.parametrize(("way", "emulator"), WAYS, ids=["kitty", "sixel"])


@both_ways
@settings(deadline=None, max_examples=40)
@given(wishes=WISHES, texts=TEXTS, room=st.floats(0.0, 8192.0))
def test_whatever_a_screen_wants_the_terminal_comes_to_show_that_and_nothing_else(
    way: Callable[[], Way],
    emulator: Callable[[], Kitty | Sixels],
    wishes: list[tuple[int, Area] | None],
    texts: list[Area],
    room: float,
) -> None:
    canvas, terminal, pictures = Canvas(way()), emulator(), [noise(seed, side) for seed, side in enumerate((8, 8, 32, 32))]
    place: Area | None = None
    for wish, text in zip_longest(wishes, texts[: len(wishes)]):
        before, place = place, wish and wish[1]
        frame(canvas, terminal, wish and (pictures[wish[0]], wish[1]), room)
        if before not in (None, place):
            written(canvas, terminal, before)  # by the screen, whose cells these are again
        if text is not None:
            written(canvas, terminal, text)
        assert within(terminal, place)
    last = wishes[-1] if wishes else None
    meant = last and (pictures[last[0]], last[1])
    assert any(frame(canvas, terminal, meant, room) == "" for _ in range(400))
    assert within(terminal, place)
    assert meant is None or shows(terminal, *meant)


@both_ways
@settings(deadline=None, max_examples=20)
@given(room=st.floats(0.0, math.inf))
def test_a_frame_takes_no_more_of_a_picture_along_than_the_link_has_room_for(
    way: Callable[[], Way], emulator: Callable[[], Kitty | Sixels], room: float
) -> None:
    canvas, terminal, picture = Canvas(way()), emulator(), noise(0, 48)
    parts = [len(part) for part in way().parts(picture, OTHER)]
    assert max(parts) < 2400
    taken = [len(frame(canvas, terminal, (picture, OTHER), room)) for _ in range(4)]
    assert all(length <= max(room, *parts) for length in taken)
    assert taken[0] >= min(room - max(parts), sum(parts))


@both_ways
def test_the_same_picture_is_sent_once(way: Callable[[], Way], emulator: Callable[[], Kitty | Sixels]) -> None:
    canvas, terminal = Canvas(way()), emulator()
    while frame(canvas, terminal, (noise(1), PLACE)):
        pass
    again = Picture(camera="front", width=16, height=16, age=0.4, rgb=noise(1).rgb)
    assert frame(canvas, terminal, (again, PLACE)) == ""


def test_of_sixels_only_the_lines_that_changed_are_sent() -> None:
    canvas, terminal, picture = Canvas(Sixel(CELL)), Sixels(CELL), noise(1, 20)
    frame(canvas, terminal, (picture, PLACE), math.inf)
    blinked = msgspec.structs.replace(picture, rgb=picture.rgb[:-60] + bytes(255 - value for value in picture.rgb[-60:]))
    assert set(re.findall(r"\x1b\[(\d+);", frame(canvas, terminal, (blinked, PLACE), math.inf))) == {str(PLACE.y + PLACE.lines)}
    assert shows(terminal, blinked, PLACE)
    trembling = msgspec.structs.replace(blinked, rgb=bytes(min(255, value + 5) for value in blinked.rgb))
    frame(canvas, terminal, (trembling, PLACE), math.inf)
    assert frame(canvas, terminal, (blinked, PLACE), math.inf) == "", "a camera's noise is not sent"


def test_what_text_took_away_of_sixels_is_sent_again_and_nothing_of_a_picture_that_was_broken_off_stays() -> None:
    canvas, terminal = Canvas(Sixel((8, 16))), Sixels((8, 16))
    one, two = (msgspec.structs.replace(noise(seed, 128), rgb=bytes(v >> 7 and 255 for v in noise(seed, 128).rgb)) for seed in (1, 2))
    line = Area(PLACE.x + 3, PLACE.y + 5, 2, 1)
    frame(canvas, terminal, (one, PLACE), math.inf)
    written(canvas, terminal, line)
    assert set(re.findall(r"\x1b\[(\d+);", frame(canvas, terminal, (one, PLACE), math.inf))) == {str(line.y + 1)}
    assert shows(terminal, one, PLACE)
    frame(canvas, terminal, (two, PLACE), 0.0)
    assert not shows(terminal, one, PLACE)
    written(canvas, terminal, line)
    frame(canvas, terminal, (one, PLACE), math.inf)
    assert shows(terminal, one, PLACE)


@settings(deadline=None, max_examples=12)
@given(st.integers(CELL_MIN, CELL_MAX), st.integers(CELL_MIN, CELL_MAX), st.sampled_from([2, 7, 128]))
@example(CELL_MAX, CELL_MAX, 128)
def test_sixels_fill_their_cells_whatever_size_these_are(width: int, height: int, side: int) -> None:
    terminal, area, picture = Sixels((width, height)), Area(3, 2, 8, 4), noise(side, side)
    for part in Sixel((width, height)).parts(picture, area):
        terminal.feed(part)
    assert shows(terminal, picture, area)
    assert terminal.longest < 10_000


def test_sixels_of_another_size_are_sent_anew_when_the_cells_are_of_another() -> None:
    canvas, terminal, offer = Canvas(), Sixels((8, 16)), Offer()
    canvas.way = offer.feed(b"\x1b[?62;4c\x1b[6;16;8t")
    frame(canvas, terminal, (noise(1), PLACE), math.inf)
    offer.resized()
    canvas.way = offer.way
    assert frame(canvas, terminal, (noise(1), PLACE), math.inf) == "", "of no size that is known"
    canvas.way, terminal = offer.feed(b"\x1b[6;20;10t"), Sixels((10, 20))
    frame(canvas, terminal, (noise(1), PLACE), math.inf)
    assert shows(terminal, noise(1), PLACE)


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


TAKEN, CELLS, PLAIN, SIXEL = b"\x1b_Gi=31;OK\x1b\\", b"\x1b[6;16;8t", b"\x1b[?62;22c", b"\x1b[?62;4;22c"


@pytest.mark.parametrize(
    ("answers", "way"),
    [
        ([TAKEN], KittyWay()),
        ([TAKEN, CELLS, SIXEL], KittyWay()),
        ([CELLS, SIXEL], Sixel((8, 16))),
        ([SIXEL, CELLS, SIXEL], Sixel((8, 16))),
        ([CELLS, PLAIN], None),
        ([SIXEL], None),
        ([b"\x1b[6;16;800t", SIXEL], None),
        ([b"\x1b[6;0;0t", SIXEL], None),
        ([b"\x1b[4;768;1024t", b"\x1b[?64c"], None),
        ([b"\x1b_Gi=31;ENOTSUPPORTED:\x1b\\", b"\x1b_Gi=7;OK\x1b\\", CELLS, b"\x1b[?14;40;44c"], None),
    ],
)
@given(st.data())
def test_the_way_a_terminal_takes_pictures_is_found_however_its_answers_are_split(
    answers: list[bytes], way: Way | None, data: st.DataObject
) -> None:
    text = b"k\x1b[0n" + b"\x1b[0nk".join(answers) + b"\x1b[0nk" * 30
    at = data.draw(st.lists(st.integers(0, len(text)), max_size=6).map(sorted))
    offer = Offer()
    for begin, end in pairwise([0, *at, len(text)]):
        offer.feed(text[begin:end])
    assert offer.way == way
    chosen = offer.way
    assert offer.feed(SIXEL) is chosen or chosen is None, "what stands there is not sent again"


async def test_the_panel_keeps_its_place_empty_and_wants_the_picture_in_it(opened: Open) -> None:
    async with opened(scenes.running(), (160, 48)) as bench:
        app = bench.app
        assert "▀" in bench.text()
        app.canvas.way = KittyWay()
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
        app.ascii_only = True
        assert bench.app.screen.camera_panel.asked() != (SIDE, SIDE), "what draws no colours draws the picture in characters"  # type: ignore[attr-defined]


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


class Sixelled(Terminal):
    """A terminal that takes sixels."""

    ATTRIBUTES, CELL = SIXEL, CELLS

    _fed = 0  #: bytes of the output that are on the screen

    @cached_property
    def _shown(self) -> Sixels:
        return Sixels((8, 16))

    def screen(self) -> Sixels:
        """What it shows of them, up to the last sequence that has begun."""
        *_, last = [match.start() for match in re.finditer(rb"\x1b[^\\]", self.output[self._fed :])] or [0]
        self._shown.feed(self.output[self._fed : self._fed + last].decode())
        self._fed += last
        return self._shown

    def comes_to_hold(self, cells: int, key: bytes = b"", word: bytes = b"") -> bool:
        """Whether so many cells hold pixels in the end, and ``word`` is written. ``key`` is typed until then: a late one is dropped."""
        begun = len(self.output)

        def there() -> bool:
            return len(self.screen().cells) == cells and word in self.output[begun:]

        return any(self.type(key) or self.wait(there, PICTURES_AFTER / 10) for _ in range(50))


@pytest.fixture
def sixelled(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Sixelled]:
    with StopPage(tmp_path / "stop", create=True):
        terminal = Sixelled(str(tmp_path / "stop"), str(tmp_path / "notes"), *request.param)
        yield terminal
        terminal.close()


@pytest.mark.parametrize("sixelled", [()], indirect=True)
def test_in_a_real_terminal_sixels_stand_where_there_is_room_for_them_and_go_when_there_is_not(sixelled: Sixelled) -> None:
    lines = 14
    assert sixelled.comes_to_hold(2 * lines * lines), bytes(sixelled.output[-500:])
    shown = sixelled.screen()
    x, y, _, _ = shown.box
    assert shows(shown, scenes.picture(SIDE), Area(x, y, 2 * lines, lines))
    asked = sixelled.output.count(ASK_CELL.encode())
    assert sixelled.comes_to_hold(0, b"?", b"closes"), "another screen hides it"
    assert sixelled.comes_to_hold(2 * lines * lines, b"\x1b"), "and it is back"
    assert sixelled.comes_to_hold(0, b"v"), "the cameras end with none"
    fcntl.ioctl(sixelled.master, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 130, 0, 0))
    os.kill(sixelled.process.pid, signal.SIGWINCH)
    assert sixelled.wait(lambda: sixelled.output.count(ASK_CELL.encode()) > asked), "with its size that of its cells may have changed"


@pytest.mark.parametrize("sixelled", [("noisy",)], indirect=True)
def test_in_a_real_terminal_figures_go_out_between_the_slices_of_a_picture(sixelled: Sixelled) -> None:
    assert sixelled.wait(lambda: sixelled.output.count(b"\x1bP0;1;0q") >= 60, 5 * PICTURES_AFTER), bytes(sixelled.output[-500:])
    _, *between, _ = re.split(r"\x1bP0;1;0q[^\x1b]*\x1b\\", sixelled.output[: sixelled.output.rfind(b"\x1b")].decode())
    assert sum(bool(re.sub(r"\x1b\[[0-?]*[@-~]", "", part)) for part in between) > 5
    assert sixelled.screen().longest < 2400


async def test_the_answer_to_the_question_at_the_start_proves_nothing_of_the_keys() -> None:
    app = Sawhorse(LiveScreen)
    driver = ConsoleDriver(app)
    driver._names_owed = 1
    app.proof.question(1.0)
    app.proof.answered(1.1)
    app.proof.question(2.0)
    assert ASK_NAME in app.proof.question(5.0)
    driver._take([NameReport()], Pace(), 10, 5.1)
    assert app.proof.proven_at == 1.0
    driver._take([NameReport()], Pace(), 10, 5.2)
    assert app.proof.proven_at == 5.0
