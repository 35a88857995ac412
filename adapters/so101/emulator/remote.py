"""An emulated arm in a process of its own, and the socket beside its port through which it is told what to do."""

import json
import signal
import socket
import sys
import tempfile
import threading
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingUnixStreamServer
from subprocess import PIPE, Popen, TimeoutExpired
from typing import Any, Final

from adapters.base import AdapterError
from adapters.so101.emulator.chain import Write
from adapters.so101.emulator.controls import Controls
from adapters.so101.emulator.emulator import PLANT, Emulator
from adapters.so101.emulator.shared import SharedPlant
from engine.types import F64

CONTROL: Final = ".control"  #: after the port's path: the socket
ANSWER_S: Final = 5.0
START_S: Final = 120.0  #: within which a process has its arm ready; MuJoCo takes a second, a busy machine more
END_S: Final = 5.0


def serve(emulator: Emulator) -> ThreadingUnixStreamServer:
    """The control socket of an arm in this process, served by threads of its own until ``shutdown``: a line of JSON, {"do": verb, "with":
    [arguments]}, is answered by {"is": result} or {"not": why}."""

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            for line in self.rfile:
                try:
                    asked = json.loads(line)
                    found: dict[str, Any] = {"is": emulator.tell(asked["do"], *asked.get("with", ()), **asked.get("named", {}))}
                except Exception as error:
                    found = {"not": f"{error}"}
                self.wfile.write(json.dumps(found).encode() + b"\n")

    path = Path(emulator.port + CONTROL)
    path.unlink(missing_ok=True)
    server = ThreadingUnixStreamServer(str(path), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="emulated arm's controls", daemon=True).start()
    return server


class Remote(Controls):
    """The arm of another process. ``close`` ends the process if ``start`` made it."""

    def __init__(self, port: str, process: "Popen[bytes] | None" = None) -> None:
        self.port = port
        self._process = process
        self._shared: SharedPlant | None = None
        self._lock = threading.Lock()
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(ANSWER_S)
        try:
            self._socket.connect(port + CONTROL)
        except OSError as error:
            self.close()
            raise AdapterError(f"no emulated arm answers beside {port}; start one with python -m adapters.so101.emulator") from error
        self._lines = self._socket.makefile("rb")

    def tell(self, verb: str, *arguments: Any, **named: Any) -> Any:
        """Raises AdapterError when its process is gone."""
        try:
            with self._lock:
                self._socket.sendall(json.dumps({"do": verb, "with": arguments, "named": named}, default=str).encode() + b"\n")
                line = self._lines.readline()
        except OSError as error:
            raise AdapterError(f"the emulated arm at {self.port} does not answer any more ({error}); start it again") from error
        if not line:
            raise AdapterError(f"the emulated arm at {self.port} has ended; start it again")
        found = json.loads(line)
        if "not" in found:
            raise ValueError(found["not"])
        return [Write(*write) for write in found["is"]] if verb == "writes" else found["is"]

    def plant(self) -> F64 | None:
        if self._shared is None:
            path = Path(self.port + PLANT)
            if not path.exists():
                return None
            self._shared = SharedPlant(path)
        return self._shared.read()

    def close(self) -> None:
        self._socket.close()
        if self._shared is not None:
            self._shared.close()
            self._shared = None
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(END_S)
            except TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None


def attach(port: str) -> Remote:
    """The running emulated arm at a port. Raises AdapterError where there is none."""
    return Remote(port)


def start(arm: str = "free", link: str | Path | None = None, seed: int = 0, holding: bool = False, calibrated: bool = True) -> Remote:
    """Start an emulated arm in a process of its own, as ``Emulator`` in this one. Raises AdapterError where it does not come up."""
    command = [sys.executable, "-m", "adapters.so101.emulator", "--arm", arm, "--seed", str(seed), "--attended"]
    command += ["--link", str(link)] if link else []
    command += ["--holding"] if holding else []
    command += [] if calibrated else ["--uncalibrated"]
    with tempfile.TemporaryFile() as errors:  # not a pipe, which nobody would empty while it runs
        process = Popen(command, stdin=PIPE, stdout=PIPE, stderr=errors, start_new_session=True)
        port = _first_line(process)
        if not port:
            process.kill()
            process.communicate()
            errors.seek(0)
            said = errors.read().decode(errors="replace").strip().splitlines()
            raise AdapterError(f"the emulated arm did not start: {said[-1] if said else f'nothing came within {START_S:.0f} s'}")
    return Remote(port, process)


def _first_line(process: "Popen[bytes]") -> str:
    """What it prints once it is ready; nothing where it ends or takes too long."""
    assert process.stdout is not None
    late = threading.Timer(START_S, process.kill)
    late.start()
    line = process.stdout.readline().decode().strip()
    late.cancel()
    return line
