"""A terminal for tests: a real pty, a program in it, and a hand on both of its ends."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

CHILD = Path(__file__).parent / "pty_child.py"


class Terminal:
    """Runs ``pty_child.py``; answers the console's questions like a terminal would while ``pump`` or ``wait`` runs."""

    def __init__(
        self, *arguments: str, columns: int = 120, lines: int = 34, answers: bool = True, flags: int | None = None, **variables: str
    ) -> None:
        self.answers = answers
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

    def pump(self, seconds: float) -> int:
        """Read what the program writes for ``seconds``, answering questions; bytes read."""
        return self._read(lambda: False, seconds)

    def wait(self, found: Callable[[], bool], seconds: float = 10.0) -> bool:
        """Read until ``found``; False when ``seconds`` pass without it."""
        self._read(found, seconds)
        return found()

    def _read(self, found: Callable[[], bool], seconds: float) -> int:
        count = 0
        end = time.monotonic() + seconds
        while not found() and (left := end - time.monotonic()) > 0:
            if not select.select([self.master], [], [], min(0.02, left))[0]:
                continue
            try:
                data = os.read(self.master, 65536)
            except OSError:
                break
            count += len(data)
            self.output += data
            self._answer()
        return count

    def _answer(self) -> None:
        new = bytes(self.output[max(0, self._scanned - 8) :])
        fresh = new[min(8, self._scanned) :]
        self._scanned = len(self.output)
        if self.answers:
            self.type(b"\x1b[0n" * fresh.count(b"\x1b[5n"))
        if self.flags is not None and b"\x1b[?u" in fresh:
            self.type(b"\x1b[?%du" % self.flags)

    def type(self, data: bytes) -> None:
        """Bytes as a keyboard sends them."""
        while data:
            data = data[os.write(self.master, data) :]

    def restored(self) -> bool:
        """Whether the terminal is set as it was before the program."""
        return termios.tcgetattr(self._slave) == self.before

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        with contextlib.suppress(OSError):
            os.close(self.master)
        with contextlib.suppress(OSError):
            os.close(self._slave)
