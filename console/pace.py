"""The terminal's output in small parts, of which few are ever under way: what lies in a buffer can neither be taken back nor overtaken.

Between this program and a terminal lie buffers that take far more than the line carries (sshd's, the kernel's). A screen
pushed into them is seconds behind, and so is every answer. So a part goes out only when what was written before has been
answered for, up to what the line carries in a moment; the rest waits here, where the app sees it and leaves frames out.
"""

import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import TextIO

from console.proof import ASK_STATUS, Proof

PART = 512  #: characters that go out together; a question follows them
PATIENCE = 1.0  #: s without room after which a part goes out nevertheless, lest lost answers end the screen for good

# Strings up to their end, control sequences, other escapes, text: no question may come between the characters of one.
_WHOLE = re.compile(rf"\x1b[P\]X^_][^\x1b\x07]*(?:\x1b\\|\x07)|\x1b\[[0-?]*[ -/]*[@-~]|\x1b[ -/]*[0-~]|[^\x1b]{{1,{PART}}}|\x1b", re.DOTALL)


def parts(text: str) -> Iterator[str]:
    """``text`` in parts of about ``PART`` characters, each made of whole sequences."""
    begin = end = 0
    for whole in _WHOLE.finditer(text) if len(text) > PART else ():
        if whole.end() - begin > PART and end > begin:
            yield text[begin:end]
            begin = end
        end = whole.end()
    if begin < len(text):
        yield text[begin:]


class PacedFile:
    """What Textual's writer thread writes to in place of standard output."""

    def __init__(self, file: TextIO, proof: Proof, failed: Callable[[], None], now: Callable[[], float] = time.monotonic) -> None:
        """``failed`` is called once, when the terminal takes nothing any more."""
        self._file = file
        self._proof = proof
        self._failed = failed
        self._now = now
        self._room = threading.Event()
        self._unasked = 0  #: bytes since the last question
        self._hurried = False
        self._over = False
        self.busy = False  #: something is being written

    def write(self, text: str) -> None:
        """Write it in parts, each when there is room for it; called by the writer thread alone."""
        self.busy = True
        for part in parts(text) if text != ASK_STATUS else ("",):
            self._wait(len(part))
            self._out(part, ask=not part)
        self.busy = False

    def _out(self, part: str, *, ask: bool) -> None:
        data = part.encode(self._file.encoding, "replace")
        self._proof.wrote(len(data))
        self._unasked += len(data)
        if ask or self._unasked >= PART // 2:
            self._unasked = 0
            data += self._proof.question(self._now()).encode()
        try:
            while data and not self._over:
                data = data[os.write(self._file.fileno(), data) :]  # no buffer is left that waits for a stalled terminal
        except OSError:
            self._over = True
            self._failed()

    def _wait(self, size: int) -> None:
        begun, proof = self._now(), self._proof
        while True:
            self._room.clear()
            left = begun + PATIENCE - self._now()
            if self._hurried or proof.under_way == 0 or proof.under_way + size <= proof.window or left <= 0:
                return
            self._room.wait(left)

    def answered(self) -> None:
        """There may be room again. Called by the input thread."""
        self._room.set()

    def begin(self) -> None:
        """The terminal is taken, or taken anew."""
        self._hurried = False
        self._proof.begin()

    def hurry(self) -> None:
        """Nothing waits for room any more: the program leaves the terminal."""
        self._hurried = True
        self._room.set()

    def flush(self) -> None:
        """Every part has been."""

    def isatty(self) -> bool:
        return self._file.isatty()

    def fileno(self) -> int:
        return self._file.fileno()
