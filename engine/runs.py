"""The folder of one running engine: socket, stop page, settings, log; found by any shell of the same user."""

import json
import os
import secrets
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from engine.config import Settings, runs_path

PID_END = 2**31  #: no process has this number or a larger one
SOCKET_PATH_MAX = 107  #: bytes a Unix socket's path may have on Linux


class RunError(Exception):
    """No such run, or none at all. The text is one sentence for the operator."""


@dataclass(frozen=True, slots=True)
class Run:
    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def socket(self) -> Path:
        return self.path / "engine.sock"

    @property
    def page(self) -> Path:
        return self.path / "stop"

    @property
    def settings(self) -> Path:
        return self.path / "settings.json"

    @property
    def log(self) -> Path:
        return self.path / "engine.log"

    @property
    def pid(self) -> int:
        """The engine's process; 0 if it has not started."""
        try:
            pid = json.loads((self.path / "engine.json").read_text())["pid"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return 0
        return pid if type(pid) is int and 0 < pid < PID_END else 0

    @property
    def alive(self) -> bool:
        return _lives(self.pid)

    def claim(self) -> None:
        """Say that this process is the run's engine."""
        (self.path / "engine.json").write_text(json.dumps({"pid": os.getpid(), "started": time.time()}))

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


def _lives(pid: int) -> bool:
    if not pid:
        return False
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return not _zombie(pid)


def _zombie(pid: int) -> bool:
    """Dead, but not yet asked after by its parent: a console whose engine was killed is such a parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False


def create(settings: Settings) -> Run:
    """A new run folder, readable by this user only. Raises OSError, RunError."""
    root = runs_path()
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    run = Run(root / secrets.token_hex(2))
    if len(os.fsencode(run.socket)) > SOCKET_PATH_MAX:
        raise RunError(f"The path of the socket {run.socket} is too long for the system: set XDG_RUNTIME_DIR to a shorter folder.")
    run.path.mkdir(mode=0o700)
    run.settings.write_text(settings.model_dump_json())
    return run


def living() -> list[Run]:
    """Runs whose engine is alive, newest first; the folders of dead engines are cleared away."""
    root = runs_path()
    found = []
    for path in sorted(root.iterdir(), key=_changed, reverse=True) if root.is_dir() else []:
        run = Run(path)
        pid = run.pid  # asked once: an engine that claims its run meanwhile must not lose its folder
        if _lives(pid):
            found.append(run)
        elif pid:
            run.remove()
    return found


def _changed(path: Path) -> float:
    """s since the epoch; 0 where another shell has just cleared it away."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def find(name: str | None) -> Run:
    """The run called ``name``, or the only one there is. Raises RunError."""
    runs = living()
    if not runs:
        raise RunError("No engine is running. Start one with: sawhorse run")
    if name is None:
        if len(runs) > 1:
            raise RunError(f"Several engines are running; name one of: {', '.join(run.name for run in runs)}.")
        return runs[0]
    for run in runs:
        if run.name == name:
            return run
    raise RunError(f"No engine is called {name!r}; running: {', '.join(run.name for run in runs)}.")
