"""The real console in a real pty and the operator's end of it, for tests."""

import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from terminal import Terminal

from engine.stop import StopPage
from engine.types import Writer


@dataclass
class Desk:
    """A running console and the operator's end of it."""

    terminal: Terminal
    page: StopPage
    notes: Path

    @property
    def raised(self) -> tuple[int, int]:
        """Stops and latching stops so far."""
        return self.page.counts()[Writer.CONSOLE], self.page.latching()[Writer.CONSOLE]

    def said(self, since: int = 0) -> list[str]:
        """What the app has said to the engine, signs of life left out."""
        return [line for line in self.notes.read_text().splitlines()[since:] if not line.endswith("Alive")]


def started(folder: Path, *arguments: str, flags: int | None = None, rate: float = 0.0, delay: float = 0.0, **variables: str) -> Desk:
    page = StopPage(folder / "stop", create=True)
    notes = folder / "notes"
    terminal = Terminal(
        str(folder / "stop"), str(notes), *arguments, columns=100, lines=32, flags=flags, rate=rate, delay=delay, **variables
    )
    desk = Desk(terminal, page, notes)
    assert terminal.wait(lambda: notes.exists() and bool(desk.said()), 30.0), bytes(terminal.output)
    assert terminal.wait(lambda: terminal.output.count(b"\x1b[5n") > 1), "it has begun to ask"
    return desk


def full(desk: Desk) -> None:
    """Nothing more fits into the terminal: the program's next write waits until somebody reads."""
    writing = os.open(os.ttyname(desk.terminal._slave), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, b"." * 512)
    os.close(writing)


def obeyed(desk: Desk, key: bytes, word: str) -> bool:
    """Type ``key`` until the app says ``word``: after a burst, or on a busy machine, one may be held up for too long to count."""
    before = len(desk.said())
    return any(
        desk.terminal.type(key) or desk.terminal.wait(lambda: any(word in line for line in desk.said()[before:]), 1.0) for _ in range(20)
    )


def until(true: Callable[[], object], seconds: float = 10.0) -> bool:
    """Whether it comes true within ``seconds``."""
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.0005)
    return bool(true())
