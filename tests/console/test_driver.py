"""The real console in a real pty: stops with the output stalled, split reads, releases, the end of the file, a restored terminal."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from desk import Desk, full, obeyed, started, until


@pytest.fixture(scope="module")
def kitty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A console in a terminal that reports releases."""
    desk = started(tmp_path_factory.mktemp("kitty"), "still", flags=27)
    yield desk
    desk.terminal.close()


@pytest.mark.parametrize(
    ("typed", "latches"),
    [
        ((b" ",), False),
        ((b"x",), True),
        ((b"X",), True),
        ((b"\x03",), True),
        ((b"\x1b", b" "), False),
        ((b"\x1b[32;", b"1:1;32u"), False),
        ((b"\x1b[99;5:1u",), True),
        ((b"\x1b[24~",), False),
        ((b"\x1b[200~pasted x\x1b[201~",), True),
    ],
)
def test_every_form_of_a_stop_key_is_seen_in_the_terminal(kitty: Desk, typed: tuple[bytes, ...], latches: bool) -> None:
    stops, latched = kitty.raised
    for part in typed:
        kitty.terminal.type(part)
        time.sleep(0.02)  # a split read; no answer of the terminal may fall between the parts, for none does in life
    assert until(lambda: kitty.raised == (stops + 1, latched + latches))


def test_releases_end_what_the_press_began_and_are_no_stops(kitty: Desk) -> None:
    before = len(kitty.notes.read_text().splitlines())
    stops = kitty.raised
    kitty.terminal.type(b"\x1b[107;1:1;107u\x1b[107;1:2;107u\x1b[107;1:3u\x1b[32;1:3u")
    assert kitty.terminal.wait(lambda: any("down=False" in line for line in kitty.said(before)))
    holds = [line for line in kitty.said(before) if "Hold(" in line]
    assert ["repeat=True" in line for line in holds] == [False, True, False]
    assert ["down=True" in line for line in holds] == [True, True, False]
    assert kitty.raised == stops, "a release is no press"


def test_a_stop_key_ends_the_hold_that_came_in_the_same_read(kitty: Desk) -> None:
    before = len(kitty.notes.read_text().splitlines())
    kitty.terminal.type(b"\x1b[107;1:1;107u ")
    assert kitty.terminal.wait(lambda: any("down=False" in line for line in kitty.said(before)), 5.0)


def test_keys_that_were_held_up_move_nothing_when_they_arrive(kitty: Desk) -> None:
    before = len(kitty.notes.read_text().splitlines())
    stops, _ = kitty.raised
    os.kill(kitty.terminal.process.pid, signal.SIGSTOP)
    kitty.terminal.type(b"k" * 500 + b" ")
    os.kill(kitty.terminal.process.pid, signal.SIGCONT)
    assert until(lambda: kitty.raised[0] == stops + 1), "the stop among them counts"
    kitty.terminal.pump(0.2)
    assert obeyed(kitty, b"u", "AdjustForce"), "later keys are"
    assert not any("Hold(" in line for line in kitty.said(before))


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """An armed robot's console at the end of a line of 64 kbit/s that buffers all it is given."""
    desk = started(tmp_path_factory.mktemp("far"), "armed", "strict", flags=27, rate=8000.0, delay=0.02)
    desk.terminal.pump(3.0)
    yield desk
    desk.terminal.close()


def proofs(desk: Desk) -> list[float]:
    """The moments for which the app has said that the operator's end was there."""
    lines = [line.split() for line in desk.notes.read_text().splitlines() if line.endswith("Alive")]
    return [float(said) - float(age) for said, age, _ in lines]


def stalled(desk: Desk) -> float:
    """From now on nothing arrives at either end of the line."""
    assert desk.terminal.wire is not None
    desk.terminal.wire.stalled = True
    time.sleep(1.0)
    return time.monotonic() - 1.0


def flowing(desk: Desk) -> None:
    assert desk.terminal.wire is not None
    desk.terminal.wire.stalled = False


def test_a_thin_line_with_deep_buffers_keeps_little_under_way(far: Desk) -> None:
    assert far.terminal.wire is not None
    before, queued = len(proofs(far)), []
    while len(queued) < 30 or len(proofs(far)) - before <= 15:  # its answers go on proving that the operator is there
        far.terminal.pump(0.03)
        queued.append(far.terminal.wire.queued)
        assert len(queued) < 2000
    assert max(queued) < 6000


def test_five_hundred_keys_from_a_stalled_line_move_nothing_and_the_stop_among_them_counts(far: Desk) -> None:
    stops, _ = far.raised
    before = len(far.notes.read_text().splitlines())
    stalled(far)
    for _ in range(250):
        far.terminal.type(b"k")
        far.terminal.type(b"\x1b[A")
    far.terminal.type(b" ")
    flowing(far)
    assert until(lambda: far.raised[0] == stops + 1)
    far.terminal.pump(2.0)
    assert not [line for line in far.said(before) if "WatchPicture" not in line]
    assert obeyed(far, b"u", "AdjustForce"), "later keys are"


def test_while_a_key_is_held_on_a_line_that_falls_silent_nothing_later_is_proven(far: Desk) -> None:
    before = len(far.notes.read_text().splitlines())
    assert obeyed(far, b"\x1b[107;1:1;107u", "down=True")
    silent = stalled(far)
    assert max(proofs(far)) <= silent + 0.01
    far.terminal.type(b"\x1b[107;1:2;107u")
    far.terminal.type(b"\x1b[107;1:3u")
    held = len(far.said())
    flowing(far)
    assert far.terminal.wait(lambda: any("down=False" in line for line in far.said(before)))
    assert not any("down=True" in line for line in far.said()[held:])


def test_a_line_that_was_held_up_is_called_slow_on_the_screen(far: Desk) -> None:
    stalled(far)
    flowing(far)
    assert far.terminal.wait(lambda: b"link slow" in far.terminal.output)


@pytest.mark.parametrize("desk", [()], indirect=True, ids=["moving"])
def test_a_stop_key_reaches_the_page_while_nobody_reads_the_terminal(desk: Desk) -> None:
    full(desk)
    for press in range(1, 41):
        desk.terminal.type(b" ")
        assert until(lambda press=press: desk.raised[0] == press)  # type: ignore[misc]
    assert desk.raised == (40, 0)


@pytest.mark.parametrize("desk", [("still",)], indirect=True, ids=["still"])
def test_the_terminal_is_restored_on_leaving(desk: Desk) -> None:
    desk.terminal.type(b"q")
    assert desk.terminal.wait(lambda: desk.terminal.process.poll() is not None)
    assert desk.terminal.process.returncode == 0
    assert desk.terminal.restored()
    assert b"\x1b[<u" in desk.terminal.output, "the keyboard flags are taken back"
    assert b"\x1b[?1049l" in desk.terminal.output, "the alternate screen is left"


@pytest.mark.parametrize("desk", [("still",)], indirect=True, ids=["still"])
def test_the_end_of_the_terminal_raises_a_stop_and_ends_the_program(desk: Desk) -> None:
    os.close(desk.terminal.master)
    os.close(desk.terminal._slave)
    assert until(lambda: desk.terminal.process.poll() is not None)
    assert desk.raised[0] >= 1


def signs_of_life(desk: Desk) -> int:
    return sum(line.endswith("Alive") for line in desk.notes.read_text().splitlines())


def test_behind_a_multiplexer_its_answers_give_no_life_to_an_armed_robot_and_a_key_does(tmp_path: Path) -> None:
    desk = started(tmp_path, "armed", flags=27, TMUX="/tmp/tmux-1000/default,1,0")
    try:
        desk.terminal.type(b"\x1b[0n")
        desk.terminal.pump(0.5)
        assert desk.terminal.output.count(b"\x1b[5n") > 2, "the console asks, and the terminal here answers"
        assert signs_of_life(desk) == 0
        desk.terminal.type(b"\x1b[107u")
        assert desk.terminal.wait(lambda: signs_of_life(desk) > 2), "with a key its answers count again"
    finally:
        desk.terminal.close()
