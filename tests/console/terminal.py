"""A terminal for tests: a real pty, a program in it, a hand on both of its ends, and on request a thin line between."""

import contextlib
import fcntl
import math
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

TURN = 0.002  #: s
CHILD = Path(__file__).parent / "pty_child.py"


class Terminal:
    """Runs ``pty_child.py``; answers the console's questions like a terminal would while ``pump`` or ``wait`` runs."""

    ATTRIBUTES = b"\x1b[?62;22c"
    CELL = b""  #: what it says of the size of a cell

    def __init__(
        self,
        *arguments: str,
        columns: int = 120,
        lines: int = 34,
        flags: int | None = None,
        rate: float = 0.0,
        delay: float = 0.0,
        **variables: str,
    ) -> None:
        """``rate`` (bytes/s) and ``delay`` (s, one way) put a ``Wire`` between; without a rate there is none."""
        self.wire: Wire | None = None
        self.flags = flags
        self.output = bytearray()
        self._scanned = 0
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.before = termios.tcgetattr(slave)
        environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "COLUMNS": str(columns), "LINES": str(lines)}
        for variable in [name for name in environment if name in ("NO_COLOR", "TMUX", "STY", "ZELLIJ") or name.startswith("MOSH_")]:
            del environment[variable]
        environment |= variables
        self.process = subprocess.Popen(
            [sys.executable, str(CHILD), *arguments], stdin=slave, stdout=slave, stderr=slave, start_new_session=True, env=environment
        )
        self._slave = slave
        if rate:
            self.wire = Wire(self.master, self._receive, rate, delay)

    def pump(self, seconds: float) -> int:
        """Read what the program writes for ``seconds``, answering questions; bytes read."""
        return self._read(lambda: False, seconds)

    def wait(self, found: Callable[[], bool], seconds: float = 10.0) -> bool:
        """Read until ``found``; False when ``seconds`` pass without it."""
        self._read(found, seconds)
        while self.wire is None and select.select([self.master], [], [], 0)[0] and self._read(lambda: False, 0.02):
            pass  # what was written before it came true
        return found()

    def _read(self, found: Callable[[], bool], seconds: float) -> int:
        count = -len(self.output)
        end = time.monotonic() + seconds
        while self.wire is not None and not found() and time.monotonic() < end:
            time.sleep(TURN)
        while self.wire is None and not found() and (left := end - time.monotonic()) > 0:
            if not select.select([self.master], [], [], min(0.02, left))[0]:
                continue
            try:
                data = os.read(self.master, 65536)
            except OSError:
                break
            self._receive(data)
        return count + len(self.output)

    def _receive(self, data: bytes) -> None:
        self.output += data
        scanned, self._scanned = self._scanned, len(self.output)
        for question in re.compile(rb"\x1b\[(5n|c|\?u|16t)").finditer(self.output, max(0, scanned - 4)):
            if question.end() <= scanned:
                continue
            if question[1] == b"?u":
                self.type(b"" if self.flags is None else b"\x1b[?%du" % self.flags)
            else:
                self.type({b"5n": b"\x1b[0n", b"c": self.ATTRIBUTES, b"16t": self.CELL}[question[1]])

    def type(self, data: bytes) -> None:
        """Bytes as a keyboard sends them."""
        if self.wire is not None:
            self.wire.send(data)
            return
        while data:
            if select.select([], [self.master], [], 1.0)[1]:
                data = data[os.write(self.master, data[:1024]) :]
            else:
                assert self.process.poll() is None, "the program has ended"

    def restored(self) -> bool:
        """Whether the terminal is set as it was before the program."""
        return termios.tcgetattr(self._slave) == self.before

    def close(self) -> None:
        if self.wire is not None:
            self.wire.end()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        with contextlib.suppress(OSError):
            os.close(self.master)
        with contextlib.suppress(OSError):
            os.close(self._slave)


class Wire:
    """A thin line with deep buffers, as sshd and TCP make of one: the program never waits, and what it wrote is old when it arrives.

    While ``stalled`` nothing arrives at either end; afterwards everything does, in order, at the line's rate.
    """

    def __init__(self, master: int, arrive: Callable[[bytes], None], rate: float, delay: float) -> None:
        self.stalled = False
        self._master, self._arrive, self._rate, self._delay = master, arrive, rate, delay
        self._out: deque[tuple[float, int]] = deque()  # due, byte
        self._in: deque[tuple[float, bytes]] = deque()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="wire", daemon=True)
        self._thread.start()

    @property
    def queued(self) -> int:
        """Bytes that the program has written and that have not arrived."""
        return len(self._out)

    def send(self, data: bytes) -> None:
        """From the hand's end; pieces stay pieces."""
        self._in.append((time.monotonic() + self._delay, data))

    def end(self) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        credit, before = 0.0, time.monotonic()
        while not self._over.is_set():
            if select.select([self._master], [], [], TURN)[0]:
                with contextlib.suppress(OSError):
                    data = os.read(self._master, 65536)
                    self._out.extend((time.monotonic() + self._delay, byte) for byte in data)
            now = time.monotonic()
            credit = min(credit + self._rate * (now - before), max(1.0, 20 * TURN * self._rate)) if self._out else 0.0
            before = now
            if self.stalled:
                continue
            arrived = bytearray()
            while self._out and self._out[0][0] <= now and len(arrived) < math.floor(credit):
                arrived.append(self._out.popleft()[1])
            credit -= len(arrived)
            if arrived:
                self._arrive(bytes(arrived))
            while self._in and self._in[0][0] <= now:
                with contextlib.suppress(OSError):
                    os.write(self._master, self._in.popleft()[1])
