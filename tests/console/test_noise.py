"""Noise on the keyboard of an armed robot: it stops, or nothing happens; nothing moves, and the program goes on."""

import random
from collections.abc import Iterator

import pytest
from desk import Desk, obeyed, started, until

ANSWERED = b"\x1b[0n"


@pytest.fixture(scope="module")
def armed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """The console of an armed robot in a terminal that reports releases."""
    desk = started(tmp_path_factory.mktemp("noise"), "armed", flags=27)
    yield desk
    desk.terminal.close()


def asked(desk: Desk, before: int) -> list[str]:
    """What the app has said since that could do more than look."""
    return [line for line in desk.said(before) if "WatchPicture" not in line and "down=False" not in line]


def settled(desk: Desk) -> None:
    """The console has read all of it, and the pause after a burst is over."""
    stops = desk.raised[0]
    desk.terminal.pump(0.3)
    desk.terminal.type(b" ")
    assert desk.terminal.wait(lambda: desk.raised[0] > stops, 60.0)
    desk.terminal.pump(1.2)


def alive(desk: Desk) -> bool:
    """Keys are obeyed as before."""
    return obeyed(desk, b"u", "AdjustForce")


@pytest.mark.parametrize("seed", range(4))
def test_random_bytes_move_nothing(armed: Desk, seed: int) -> None:
    before = len(armed.notes.read_text().splitlines())
    noise = random.Random(seed)
    for _ in range(30):
        armed.terminal.type(noise.randbytes(noise.randrange(200, 4000)).replace(ANSWERED, b""))
    settled(armed)
    assert asked(armed, before) == []
    assert armed.terminal.process.poll() is None
    assert alive(armed)


HALVES = [
    b"\x1b[",
    b"\x1b[107;1:",
    b"\x1b[200",
    b"\x1b_Gi=31;",
    b"\x1bP",
    b"\x1b]52;c;",
    b"\x1b[<0;1",
    b"\x1b[M",
    b"\xe2\x96",
    b"\x1b[48;0;0;0;0t",
]


def test_half_sequences_move_nothing_and_take_no_later_key_with_them(armed: Desk) -> None:
    before = len(armed.notes.read_text().splitlines())
    for half in HALVES:
        armed.terminal.type(half)
        armed.terminal.pump(0.25)
    armed.terminal.pump(1.2)
    assert asked(armed, before) == []
    settled(armed)
    assert alive(armed)


@pytest.mark.parametrize(("lead", "tail"), [(b"\x1b[200~", b"\x1b[201~"), (b"", b"")], ids=["bracketed", "bare"])
def test_a_paste_of_a_megabyte_moves_nothing_and_every_stop_in_it_counts(armed: Desk, lead: bytes, tail: bytes) -> None:
    before = len(armed.notes.read_text().splitlines())
    stops = armed.raised[0]
    size = 1_000_000 if lead else 100_000
    armed.terminal.type(lead + b"k" * (size // 2) + b" " + b"gkj\r" * (size // 8) + tail)
    assert until(lambda: armed.raised[0] == stops + 1)
    settled(armed)
    assert asked(armed, before) == []
    assert alive(armed)
