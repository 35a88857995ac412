"""The real console in a real terminal, attached to an engine: the operator's hand and screen, and the line between."""

import contextlib
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable

from engine.faults.fault import FaultError
from engine.faults.processes import LOOK, PATIENCE, PROGRAM, EngineProcess, Line, again, kill, sawing, until
from engine.faults.workshop import Workshop
from engine.types import Mode, Snapshot

SIZE = (34, 120)  #: lines, columns
DRAWN = b"SAFETY-RATED"  #: in the live screen's first line, from the first frame on
REPEAT = 0.033  #: s between two of a held key's repeats
FREE = 1e9  #: bytes/s, of a line that delays nothing
DEPTH = 65536  #: bytes that a slow line takes before it makes the console wait, as a shell server and its socket do
CHUNK = 0.02  #: s, of what a slow line carries at once
RELEASES = 27  #: the keyboard flags of a terminal that reports releases
PRESS, AGAIN, RELEASE = 1, 2, 3  #: its kinds of key event
PAGE_UP = b"\x1b[5~"
ARROW_UP = b"\x1b[A"
LIVES, FLAGS = b"\x1b[5n", b"\x1b[?u"  #: what the console asks: for a sign of life, and which keyboard flags are on
JOGGED = 0.015  #: m/s upwards: a person who is near slows a jog


class Desk:
    """The real console in a pseudo-terminal, attached to a run, and the operator's hand and screen at the other end.

    A thread reads the screen, and answers the console's questions for signs of life as a terminal does, unless ``silent`` or ``stalled``.
    With ``releases`` it is a terminal that reports them, and so are the keys that are typed.
    """

    def __init__(self, engine: EngineProcess, workshop: Workshop, *, releases: bool = False) -> None:
        self.stalled = threading.Event()  #: the terminal takes no output
        self.silent = threading.Event()  #: the terminal takes output, and what comes from it is held up on its way
        self.rate = FREE  #: bytes/s that the line carries to the terminal
        self.delayed = 0  #: bytes on the line
        self._owed = bytearray()  # answers, and keys, on their way
        self._releases = releases
        self._over = threading.Event()
        self._master, slave = pty.openpty()
        self.resize(*SIZE)
        until(lambda: engine.run.alive, "the engine started")
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "attach", engine.run.name],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=surroundings(engine),
            preexec_fn=own_terminal,
        )
        os.close(slave)
        workshop.ending.callback(kill, self.process)
        workshop.ending.callback(self.close)
        self.output = bytearray()
        self._thread = threading.Thread(target=self._run, name="terminal", daemon=True)
        self._thread.start()

    def resize(self, lines: int, columns: int) -> None:
        """The kernel tells the console by SIGWINCH."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def type(self, keys: bytes) -> None:
        """On a silent line they wait behind the answers."""
        if self.silent.is_set():
            self._owed += keys
        else:
            os.write(self._master, keys)

    def press(self, key: bytes) -> None:
        """Press a key and let it go."""
        self.type(event(key, PRESS) + event(key, RELEASE) if self._releases else key)

    def hold(self, key: bytes, condition: Callable[[], object], what: str, seconds: float = PATIENCE, *, let_go: bool = True) -> None:
        """Press a key and keep it down until ``condition``, and then, unless told otherwise, let it go. Raises FaultError."""
        end = time.monotonic() + seconds
        kind = PRESS
        while not condition():
            if time.monotonic() > end:
                raise FaultError(f"It did not come about within {seconds:.0f} s that {what}.")
            self.type(event(key, kind) if self._releases else key)
            kind = AGAIN
            time.sleep(REPEAT)
        if self._releases and let_go:
            self.type(event(key, RELEASE))

    def drive(self, observer: Line) -> None:
        """Arm by the gesture, go, and saw; again where a busy machine has stopped it meanwhile. Raises FaultError."""

        def go() -> None:
            self.arm(observer)
            time.sleep(0.3)
            self.press(b"g")
            until(lambda: observer.seen(lambda s: sawing(s) or not s.decision.armed), "it sawed", 20.0)

        again(go, lambda: observer.seen(sawing), "it sawed")

    def jog(self, observer: Line) -> None:
        """Arm by the gesture, change to jogging, and hold the key that jogs upwards until the tool moves, and on. Raises FaultError."""
        self.arm(observer)
        end = time.monotonic() + PATIENCE
        while not observer.seen(lambda s: s.operator.mode == Mode.JOG_XYZ):
            self.press(b"\t")
            time.sleep(0.5)
            if time.monotonic() > end:
                raise FaultError("The console did not change to jogging.")
        self.hold(PAGE_UP, lambda: observer.seen(jogged), "it jogged", 20.0, let_go=False)

    def arm(self, observer: Line) -> None:
        """Arm by the gesture. Raises FaultError."""
        until(lambda: observer.seen(lambda s: s.run.controller.startswith("console")), "the console held control")
        until(lambda: observer.seen(lambda s: s.inference is not None and s.inputs.frame_seq > 0), "pictures and policy were there")
        until(lambda: DRAWN in self.output, "the screen was drawn")
        time.sleep(0.5)
        end = time.monotonic() + PATIENCE
        while not observer.seen(lambda s: s.decision.armed):
            self.press(b"a")
            time.sleep(0.3)
            with contextlib.suppress(FaultError):
                self.hold(b"\r", lambda: observer.seen(lambda s: s.decision.armed), "the robot was armed", 2.5)
            if time.monotonic() > end:
                raise FaultError("The console did not arm the robot.")

    def close(self) -> None:
        """The terminal's window is closed: the kernel hangs up on the console. Idempotent."""
        if not self._over.is_set():
            self._over.set()
            self._thread.join(2.0)
            os.close(self._master)

    def _run(self) -> None:
        line = bytearray()
        credit, before = 0.0, time.monotonic()
        while not self._over.is_set():
            if self.stalled.is_set():
                time.sleep(LOOK)
                continue
            room = DEPTH - len(line)
            try:
                if room and select.select([self._master], [], [], 0.0 if line else 0.02)[0]:
                    line += os.read(self._master, room)
                elif line:
                    time.sleep(LOOK)
            except OSError:
                return
            now = time.monotonic()
            credit = min(credit + min(self.rate, FREE) * (now - before), self.rate * CHUNK)
            before = now
            share = min(int(credit), len(line)) if self.rate < FREE else len(line)
            credit -= share
            self._arrive(bytes(line[:share]))
            if self._owed and not self.silent.is_set():
                owed, self._owed = self._owed, bytearray()
                with contextlib.suppress(OSError):
                    os.write(self._master, owed)
            del line[:share]
            self.delayed = len(line)

    def _arrive(self, data: bytes) -> None:
        """The terminal takes bytes and answers the questions in them."""
        before = len(self.output)
        self.output += data
        answers = b"\x1b[0n" * self.output.count(LIVES, max(0, before - len(LIVES) + 1))
        if self._releases:
            answers += b"\x1b[?%du" % RELEASES * self.output.count(FLAGS, max(0, before - len(FLAGS) + 1))
        self._owed += answers


def jogged(snapshot: Snapshot) -> bool:
    """In motion by a jog key that is held."""
    return bool(snapshot.operator.grant_axis) and snapshot.inputs.twist[2] >= JOGGED


def event(key: bytes, kind: int) -> bytes:
    """A key's event as a terminal tells it that reports releases."""
    return b"\x1b[5;1:%d~" % kind if key == PAGE_UP else b"\x1b[%d;1:%du" % (key[0], kind)


def surroundings(engine: EngineProcess) -> dict[str, str]:
    """The environment of a shell in a plain terminal, in which the engine's run is found."""
    changed = ("TMUX", "STY", "ZELLIJ", "NO_COLOR", "COLUMNS", "LINES")
    kept = {name: value for name, value in os.environ.items() if name not in changed}
    return kept | {"XDG_RUNTIME_DIR": str(engine.runtime), "TERM": "xterm-256color", "COLORTERM": "truecolor"}


def own_terminal() -> None:
    """Make the terminal on standard input the new session's own, so that the kernel hangs up on its end."""
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
