"""The console's end of the engine's socket. A thread of its own; the app never waits for it and it never waits for the app.

Only the newest snapshot and the newest picture are kept. What is said to the engine goes out at once, or not at all:
an intent that would have to wait behind a full socket is dropped, for a late one is worse than none.
"""

import contextlib
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from console.view import LinkState
from engine.messages import Alive, Ended, Hello, Intent, Picture, Refused, Starting, Telemetry
from engine.types import Snapshot
from engine.wire import UNREADABLE, Unframer, framed, report_decoder

RETRY = 0.05  #: s between attempts while the engine starts
CONNECT_WITHIN = 30.0  #: s until an engine that does not answer counts as lost
ALIVE_STEP = 0.02  #: s, a sign of life is passed on where it proves so much more than the one before
AGE_MAX = 10.0  #: s, of what is passed on


class Link(Protocol):
    """What the app needs of whatever feeds it."""

    @property
    def name(self) -> str: ...
    @property
    def state(self) -> LinkState: ...
    @property
    def received(self) -> int: ...
    @property
    def ended(self) -> Ended | None: ...
    @property
    def starting(self) -> str: ...
    def newest(self) -> Snapshot | None: ...
    def newest_at(self) -> float: ...
    def picture(self) -> tuple[Picture, float] | None: ...
    def refusals(self) -> list[str]: ...
    def send(self, intent: Intent) -> bool: ...
    def alive(self, now: float, age: float) -> None: ...


class SocketLink:
    """A link over the engine's Unix socket; it keeps trying until the engine is there."""

    def __init__(self, path: Path, name: str, *, readonly: bool = False, now: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._hello = Hello(console=name, readonly=readonly)
        self._now = now
        self._sending = threading.Lock()
        self._connection: socket.socket | None = None
        self._snapshot: tuple[Snapshot, float] | None = None
        self._picture: tuple[Picture, float] | None = None
        self._refusals: deque[str] = deque(maxlen=8)
        self._ended: Ended | None = None
        self._starting = ""
        self._received = 0
        self._state: LinkState = "starting"
        self._closing = threading.Event()
        self._alive_at = 0.0
        self._thread = threading.Thread(target=self._run, name="engine-link", daemon=True)
        self._thread.start()

    @property
    def name(self) -> str:
        """What this console calls itself."""
        return self._hello.console

    @property
    def state(self) -> LinkState:
        return self._state

    @property
    def received(self) -> int:
        """Snapshots taken in so far."""
        return self._received

    @property
    def ended(self) -> Ended | None:
        """The engine's last word, once it has spoken it."""
        return self._ended

    @property
    def starting(self) -> str:
        """What the engine does before its first snapshot, in its words; "" where it has told nothing."""
        return self._starting

    def newest(self) -> Snapshot | None:
        held = self._snapshot
        return held[0] if held else None

    def newest_at(self) -> float:
        """When the newest snapshot arrived, on this console's clock; 0 before the first."""
        held = self._snapshot
        return held[1] if held else 0.0

    def picture(self) -> tuple[Picture, float] | None:
        """The newest picture and when it arrived."""
        return self._picture

    def refusals(self) -> list[str]:
        """What the engine refused since the last call."""
        taken = []
        while self._refusals:
            taken.append(self._refusals.popleft())
        return taken

    def send(self, intent: Intent) -> bool:
        """Say it now; False where it could not go out at once. Safe from any thread."""
        connection = self._connection
        if connection is None:
            return False
        data = framed(intent)
        with self._sending:
            try:
                return connection.send(data, socket.MSG_DONTWAIT) == len(data)  # a Unix socket takes a small message whole or not at all
            except OSError:
                return False

    def alive(self, now: float, age: float) -> None:
        """The operator's end was there ``age`` before ``now``; passed on where that is news."""
        there = now - max(age, 0.0)
        if there - self._alive_at >= ALIVE_STEP and self.send(Alive(age=min(now - there, AGE_MAX))):
            self._alive_at = there

    def send_within(self, intent: Intent, seconds: float) -> bool:
        """Say it as soon as the engine is there; False where it is not within ``seconds``, or is gone."""
        deadline = self._now() + seconds
        while not self.send(intent):
            if self._state in ("lost", "ended") or self._now() >= deadline:
                return False
            self._closing.wait(RETRY)
        return True

    def wait_end(self, seconds: float) -> None:
        """Wait until the engine has ended, at most ``seconds``."""
        self._thread.join(timeout=seconds)

    def close(self) -> None:
        self._closing.set()
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self._thread.join(timeout=1.0)

    def _run(self) -> None:
        connection = self._connect()
        if connection is None:
            if not self._closing.is_set():
                self._state = "lost"
            return
        self._connection = connection
        self.send(self._hello)
        self._state = "connected"
        unframer = Unframer()
        try:
            while not self._closing.is_set():
                data = connection.recv(262144)
                if not data:
                    break
                for body in unframer.feed(data):
                    self._take(body)
        except (OSError, *UNREADABLE) as error:
            if not self._closing.is_set():
                self._refusals.append(f"The line to the engine broke: {error}")
        self._connection = None
        self._state = "ended" if self._ended else "lost"

    def _connect(self) -> socket.socket | None:
        deadline = self._now() + CONNECT_WITHIN
        while not self._closing.is_set() and self._now() < deadline:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connection.connect(str(self._path))
            except OSError:
                connection.close()
                self._closing.wait(RETRY)
            else:
                return connection
        return None

    def _take(self, body: bytes) -> None:
        report = report_decoder.decode(body)
        now = self._now()
        match report:
            case Telemetry(snapshot=snapshot):
                self._snapshot = (snapshot, now)
                self._received += 1
            case Picture():
                self._picture = (report, now)
            case Refused(text=text):
                self._refusals.append(text)
            case Starting(text=text):
                self._starting = text
            case Ended():
                self._ended = report
