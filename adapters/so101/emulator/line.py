"""The pty that a driver opens: a thread that hears instructions, lets time pass for the arm, and sends replies when they are due."""

import contextlib
import os
import select
import termios
import threading
import time
import tty
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final

from adapters.so101.emulator.chain import BAUDS, Chain, Reply
from adapters.so101.emulator.packets import Parser
from engine.clock import hurry

TICK_S: Final = 0.004  #: whole physics steps
BEHIND_S: Final = 0.5  #: what the arm may be behind the clock; beyond that, time is lost to it
ANSWER_S: Final = 5.0  #: within which the thread does what it is asked
_SPEEDS: Final = {getattr(termios, f"B{baud}"): baud for baud in BAUDS if hasattr(termios, f"B{baud}")}


class Line:
    """A chain on a pty. ``path`` is a link to it, which is gone while it is unplugged; ``advance`` lets TICK_S pass for the arm.

    Raises OSError where the path is taken.
    """

    def __init__(self, path: Path, chain: Chain, advance: Callable[[], None]) -> None:
        self.path = path
        self._chain, self._advance = chain, advance
        self._parser = Parser()
        self._outbox: deque[Reply] = deque()
        self._ends: tuple[int, int] | None = None  #: master and slave
        self._asked: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._wake, self._waker = os.pipe()
        self._running = True
        self._thread = threading.Thread(target=self._run, name="emulated bus", daemon=True)
        self.replug()

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """End, as if unplugged. Idempotent."""
        if self._running:
            self.call(self._stop)
            self._thread.join()
            self.unplug()
            os.close(self._wake)
            os.close(self._waker)

    def call(self, task: Callable[[], Any]) -> Any:
        """Do something between two packets; its result, or what it raises. Raises ValueError once it is closed."""
        if not self._running:
            raise ValueError(f"the emulated arm at {self.path} has been closed")
        done: Future[Any] = Future()
        self._asked.append((task, done))
        os.write(self._waker, b"!")
        return done.result(ANSWER_S)

    def unplug(self) -> None:
        """Hang up on whoever has it open, and take the path away."""
        if self._ends is not None:
            self.path.unlink(missing_ok=True)
            for end in self._ends:
                os.close(end)
            self._ends = None
            self._outbox.clear()
            self._parser.reset()

    def replug(self) -> None:
        """Be there again, under the same path."""
        if self._ends is None:
            master, slave = os.openpty()
            tty.setraw(slave)
            os.set_blocking(master, False)
            self._ends = master, slave
            self.path.symlink_to(os.ttyname(slave))

    def _stop(self) -> None:
        self._running = False

    # --- its thread ---

    def _run(self) -> None:
        hurry()  # servos keep time whatever else this machine does
        passed = time.monotonic()
        while self._running:
            due = min(passed + TICK_S, self._outbox[0].due) if self._outbox else passed + TICK_S
            ears = [self._wake] if self._ends is None else [self._wake, self._ends[0]]
            ready = select.select(ears, (), (), max(0.0, due - time.monotonic()))[0]
            if self._ends is not None and self._ends[0] in ready:
                self._hear(self._ends[0])
            if self._wake in ready:
                self._obey()
            self._send()
            now = time.monotonic()
            passed = max(passed, now - BEHIND_S)
            if now >= passed + TICK_S:  # one tick at a time, so that instructions wait for no more than one
                self._advance()
                passed += TICK_S

    def _hear(self, master: int) -> None:
        try:
            data = os.read(master, 4096)
        except OSError:
            return
        now, baud = time.monotonic(), _SPEEDS.get(termios.tcgetattr(master)[5], 0)
        for packet in self._parser.feed(data):
            self._outbox.extend(self._chain.answer(packet, now, baud))

    def _obey(self) -> None:
        os.read(self._wake, 4096)
        while self._asked:
            task, done = self._asked.popleft()
            try:
                done.set_result(task())
            except Exception as error:
                done.set_exception(error)

    def _send(self) -> None:
        while self._outbox and self._ends is not None and self._outbox[0].due <= time.monotonic():
            with contextlib.suppress(BlockingIOError):  # nobody reads: its buffer is full, and a wire forgets
                os.write(self._ends[0], self._outbox.popleft().data)
