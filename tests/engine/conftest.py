"""An engine process of its own on the simulated cell, driven by the placeholder policy, with a console's end of its socket."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine import runs
from engine.config import Settings
from engine.faults.workshop import PATIENT
from engine.limits import Limits
from engine.messages import Alive, Arm, Ended, Go, Hello, Intent, Report, Telemetry
from engine.runs import Run
from engine.stop import StopPage
from engine.types import Snapshot
from engine.wire import Unframer, framed, report_decoder

PATIENCE = 60.0  #: s before a test gives up; nothing is asserted about times


class Line:
    """A console's end of the socket, read by whoever waits."""

    def __init__(self, run: Run) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(2.0)
        self._unframer = Unframer()
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self.socket.connect(str(run.socket))
                break
            except OSError:
                assert time.monotonic() < deadline, run.log.read_text()
                time.sleep(0.05)
        self.say(Hello(console="test"))

    def say(self, intent: Intent) -> None:
        self.socket.sendall(framed(intent))

    def reports(self) -> list[Report]:
        try:
            data = self.socket.recv(1 << 20)
        except TimeoutError:
            return []
        return [report_decoder.decode(body) for body in self._unframer.feed(data)]

    def to_the_end(self) -> list[Report]:
        """Everything that still comes until the engine closes the line."""
        found = []
        while data := self.socket.recv(1 << 20):
            found += [report_decoder.decode(body) for body in self._unframer.feed(data)]
        return found

    def until(self, condition: Callable[[Snapshot], bool]) -> Snapshot:
        """The first snapshot for which ``condition`` holds; keeps saying that this console is alive."""
        deadline = time.monotonic() + PATIENCE
        last: Snapshot | None = None
        while time.monotonic() < deadline:
            self.say(Alive())
            for report in self.reports():
                assert not isinstance(report, Ended), report
                if isinstance(report, Telemetry):
                    last = report.snapshot
                    if condition(last):
                        return last
        raise AssertionError(f"never came true; last: {last}")

    def drive(self) -> Snapshot:
        """Arm and go, as an operator would."""
        self.until(lambda s: s.inference is not None and s.inputs.frame_seq > 0)
        self.say(Arm(robot="cosaw"))
        self.until(lambda s: s.decision.armed)
        self.say(Go())
        return self.until(lambda s: s.decision.going and s.saw.stroke_count >= 1)

    def close(self) -> None:
        self.socket.close()


class Process:
    """One engine process and what belongs to it."""

    def __init__(self, settings: Settings) -> None:
        self.run = runs.create(settings)
        self.popen = subprocess.Popen([sys.executable, "-m", "engine", str(self.run.path)], start_new_session=True)
        self.settings = settings

    @property
    def page(self) -> StopPage:
        return StopPage(self.run.page)

    @property
    def session(self) -> Path:
        (path,) = [path for path in self.settings.store.iterdir() if not path.name.startswith(".")]
        return path

    def kill(self) -> None:
        if self.popen.poll() is None:
            os.kill(self.popen.pid, signal.SIGKILL)
        self.popen.wait()
        self.run.remove()


@pytest.fixture
def engine_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Process]:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    tmp_path.chmod(0o700)
    process = Process(Settings(policy="scripted", store=tmp_path / "store", limits=Limits(**PATIENT)))
    yield process
    process.kill()
