"""An engine in a process of its own, and a line to it: what faults between processes need."""

import contextlib
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from engine.config import Settings
from engine.faults.bench import FAST
from engine.faults.fault import FaultError
from engine.faults.workshop import Workshop
from engine.messages import Alive, Arm, Ended, Go, Hello, Intent, Refused, Telemetry
from engine.runs import Run
from engine.stop import StopPage
from engine.types import Snapshot
from engine.wire import Unframer, framed, report_decoder

PATIENCE = 60.0  #: s before a run is given up
LOOK = 0.01  #: s
ALIVE_EVERY = 0.05  #: s
STROKES = 1  #: begun before a fault is put in
PROGRAM = "import sys; sys.argv[0] = 'sawhorse'; from console.cli import main; main()"


def again(act: Callable[[], object], condition: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    """Do something again and again until ``condition``. Raises FaultError where it does not come about."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise FaultError(f"It did not come about within {seconds:.0f} s that {what}.")
        act()


def until(condition: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    """Wait. Raises FaultError where it does not come about."""
    again(lambda: time.sleep(LOOK), condition, what, seconds)


class Line:
    """A console's end of the engine's socket, read and kept alive by a thread of its own."""

    def __init__(self, run: Run, *, readonly: bool = False) -> None:
        self.newest: Snapshot | None = None
        self.refusals: list[str] = []
        self.ended: Ended | None = None
        self._unframer = Unframer()
        self._over = threading.Event()
        self._saying = threading.Lock()
        self._readonly = readonly
        self._socket = socket.socket(socket.AF_UNIX)
        until(lambda: self._socket.connect_ex(str(run.socket)) == 0, "the engine answered")
        self._socket.settimeout(ALIVE_EVERY)
        self.say(Hello(console="observer" if readonly else "test", readonly=readonly))
        self._thread = threading.Thread(target=self._run, name="line", daemon=True)
        self._thread.start()

    @property
    def tick(self) -> int:
        """The newest that was told of."""
        return self.newest.inputs.tick if self.newest is not None else 0

    def say(self, intent: Intent) -> None:
        with self._saying:
            self._socket.sendall(framed(intent))

    def seen(self, condition: Callable[[Snapshot], bool]) -> bool:
        newest = self.newest
        return newest is not None and condition(newest)

    def arm(self) -> None:
        """As an operator would. Raises FaultError."""
        until(lambda: self.seen(lambda s: s.inference is not None and s.inputs.frame_seq > 0), "pictures and policy were there")
        self._again_until(Arm(robot="cosaw"), lambda s: s.decision.armed, "the robot was armed")

    def drive(self) -> None:
        """Arm, go, and saw; again where a busy machine has stopped it meanwhile. Raises FaultError."""

        def go() -> None:
            self.arm()
            self._again_until(Go(), lambda s: s.decision.going or not s.decision.armed, "it was let go")
            until(lambda: self.seen(lambda s: sawing(s) or not s.decision.armed), "it sawed")

        again(go, lambda: self.seen(sawing), "it sawed")

    def close(self) -> None:
        self._over.set()
        self._thread.join(2.0)
        self._socket.close()

    def _again_until(self, intent: Intent, condition: Callable[[Snapshot], bool], what: str) -> None:
        def ask() -> None:
            self.say(intent)
            with contextlib.suppress(FaultError):
                until(lambda: self.seen(condition), what, 0.5)

        again(ask, lambda: self.seen(condition), what)

    def _run(self) -> None:
        spoken = 0.0
        while not self._over.is_set():
            try:
                if not self._readonly and time.monotonic() - spoken >= ALIVE_EVERY:
                    spoken = time.monotonic()
                    self.say(Alive())
                data = self._socket.recv(1 << 20)
            except TimeoutError:
                continue
            except OSError:
                return
            if not data:
                return
            for body in self._unframer.feed(data):
                report = report_decoder.decode(body)
                if isinstance(report, Telemetry):
                    self.newest = report.snapshot
                elif isinstance(report, Refused):
                    self.refusals.append(report.text)
                elif isinstance(report, Ended):
                    self.ended = report


def sawing(snapshot: Snapshot) -> bool:
    """Going, with some way behind it, and fast enough for there to be something to stop."""
    return snapshot.decision.going and snapshot.saw.stroke_count >= STROKES and abs(snapshot.inputs.twist[0]) >= FAST


class EngineProcess:
    """``python -m MODULE`` on the simulated cell; killed with the workshop if it is still there.

    Driven by the placeholder policy with small pictures, unless ``settings`` say otherwise.
    """

    def __init__(self, workshop: Workshop, *, module: str = "engine", settings: Settings | None = None) -> None:
        self.runtime = workshop.place()
        folder = self.runtime / "sawhorse" / "runs" / "saw1"
        folder.mkdir(parents=True, mode=0o700)
        self.store = self.runtime / "sessions"
        self.run = Run(folder)
        if settings is None:
            small = workshop.settings.camera.model_copy(update={"pixels": 64})
            settings = workshop.settings.model_copy(update={"policy": "scripted", "camera": small})
        self.run.settings.write_text(settings.model_copy(update={"store": self.store}).model_dump_json())
        with (self.runtime / "engine.out").open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, str(folder)], stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )
        workshop.ending.callback(kill, self.process)

    @property
    def session(self) -> Path:
        """Raises FaultError where there is none yet."""
        found = [path for path in self.store.iterdir() if (path / "commit.json").exists()] if self.store.is_dir() else []
        if len(found) != 1:
            raise FaultError("The engine has not begun a session.")
        return found[0]

    @property
    def page(self) -> StopPage:
        return StopPage(self.run.page)

    def end(self) -> None:
        """Ask it to end, and wait until it has committed. Raises FaultError."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired as error:
            raise FaultError("The engine did not end.") from error


def kill(process: "subprocess.Popen[bytes]") -> None:
    """End a process that may have ended already."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    process.wait()
