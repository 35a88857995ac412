"""The real console in a real pty: stops with the output stalled, split reads, releases, the end of the file, a restored terminal."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from terminal import Terminal

from engine.stop import StopPage
from engine.types import Writer

Start = Callable[..., tuple[Terminal, StopPage, Path]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    terminals: list[Terminal] = []

    def started(*arguments: str, columns: int = 100, lines: int = 32, flags: int | None = None) -> tuple[Terminal, StopPage, Path]:
        page = StopPage(tmp_path / "stop", create=True)
        terminal = Terminal(str(tmp_path / "stop"), str(tmp_path / "notes"), *arguments, columns=columns, lines=lines, flags=flags)
        terminals.append(terminal)
        notes = tmp_path / "notes"
        assert terminal.wait(lambda: notes.exists() and "WatchPicture" in notes.read_text(), 20.0), bytes(terminal.output)
        terminal.pump(0.5)
        return terminal, page, notes

    yield started
    for terminal in terminals:
        terminal.close()


def until(true: Callable[[], bool], seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.001)
    return true()


def raised(page: StopPage) -> tuple[int, int]:
    return page.counts()[Writer.CONSOLE], page.latching()[Writer.CONSOLE]


def test_a_stop_key_reaches_the_page_while_nobody_reads_the_terminal(start: Start) -> None:
    terminal, page, _ = start()
    time.sleep(3.0)  # the pty's buffer and the writer's queue fill: nobody reads
    for press in range(1, 6):
        terminal.type(b" ")
        assert until(lambda press=press: raised(page)[0] == press)
    assert raised(page) == (5, 0)


@pytest.mark.parametrize(
    ("typed", "latches"),
    [
        ((b"x",), True),
        ((b"X",), True),
        ((b"\x03",), True),
        ((b"\x1b", b" "), False),
        ((b"\x1b[32;", b"1:1;32u"), False),
        ((b"\x1b[99;5u",), True),
    ],
)
def test_every_form_of_a_stop_key_is_seen_in_the_terminal(start: Start, typed: tuple[bytes, ...], latches: bool) -> None:
    terminal, page, _ = start("still")
    for part in typed:
        terminal.type(part)
        terminal.pump(0.02)
    assert until(lambda: raised(page) == (1, int(latches)))


def test_releases_are_understood_and_the_input_thread_lives_on(start: Start) -> None:
    terminal, page, notes = start("still", flags=27)
    terminal.type(b"\x1b[107;1:1;107u")
    terminal.type(b"\x1b[107;1:2;107u")
    terminal.type(b"\x1b[107;1:3u")
    assert terminal.wait(lambda: "down=False" in notes.read_text(), 5.0), notes.read_text()
    holds = [line for line in notes.read_text().splitlines() if "Hold(" in line]
    assert ["repeat=True" in line for line in holds] == [False, True, False]
    assert ["down=True" in line for line in holds] == [True, True, False]
    terminal.type(b"\x1b[32;1:3u")
    terminal.pump(0.1)
    assert raised(page) == (0, 0), "a release is no press"
    terminal.type(b" ")
    assert until(lambda: raised(page) == (1, 0))


def test_the_terminal_is_restored_on_leaving(start: Start) -> None:
    terminal, _, _ = start("still")
    terminal.type(b"q")
    assert terminal.wait(lambda: terminal.process.poll() is not None, 10.0)
    assert terminal.process.returncode == 0
    assert terminal.restored()
    tail = bytes(terminal.output)
    assert b"\x1b[<u" in tail, "keyboard flags are popped"
    assert b"\x1b[?1049l" in tail, "the alternate screen is left"


def test_the_end_of_the_terminal_raises_a_stop_and_ends_the_program(start: Start) -> None:
    terminal, page, _ = start("still")
    os.close(terminal.master)
    os.close(terminal._slave)
    assert until(lambda: terminal.process.poll() is not None, 10.0)
    assert raised(page)[0] >= 1 or terminal.process.returncode == -signal.SIGHUP


def test_keys_typed_behind_a_stalled_screen_do_not_move_anything_later(start: Start) -> None:
    terminal, page, notes = start("still")
    os.kill(terminal.process.pid, signal.SIGSTOP)
    terminal.type(b"k" * 500 + b" ")
    os.kill(terminal.process.pid, signal.SIGCONT)
    assert until(lambda: raised(page) == (1, 0))
    terminal.type(b"u")
    assert terminal.wait(lambda: "AdjustForce" in notes.read_text()), "later keys are obeyed"
    assert "Hold(" not in notes.read_text()
