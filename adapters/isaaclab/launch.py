"""Starts, watches and ends the worker that runs Isaac Lab in a Python of its own, and installs that Python's packages with uv.

The worker stands behind ``guard.py``, which ends its process group when this program dies; whatever uv and the worker say goes to a log.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from adapters.base import AdapterError
from adapters.isaaclab import guard, shared

SCRIPT: Final = Path(__file__).with_name("worker") / "main.py"
INSTALL: Final = "sawhorse isaac install"  #: the command that installs ahead
UV: Final = "python -m pip install uv"  #: the command that installs uv
START_S: Final = 300.0  #: of a worker, kernels that it compiles included
GRACE_S: Final = 3.0  #: between asking it to end and killing it
LIFE_S: Final = 2.0  #: between two signs that an installation goes on
AGAIN_S: Final = 0.05  #: between two looks at what is waited for
UV_WITHIN: Final = 60.0  #: s for a look that installs nothing
#: Of uv's own variables those that say where packages come from and are kept; the others would lead it to another environment.
_KEPT: Final = re.compile(
    r"UV_(CACHE_DIR|LINK_MODE|OFFLINE|CONFIG_FILE|INSECURE_HOST|FIND_LINKS|KEYRING_PROVIDER|CREDENTIALS_DIR|CONCURRENT_\w+|HTTP_\w+"
    r"|NATIVE_TLS|SYSTEM_CERTS|\w*INDEX\w*)"
)
_FOREIGN: Final = re.compile(r"CONDA_|_CE_|PYTHON(?!NOUSERSITE)|VIRTUAL_ENV|LD_|UV(_|$)")
#: What a real Isaac Sim reads: no window, pictures all the same, no stream; and nothing that it says is lost when it crashes.
_OWN: Final = {"HEADLESS": "1", "ENABLE_CAMERAS": "1", "LIVESTREAM": "0", "PYTHONUNBUFFERED": "1", "PYTHONFAULTHANDLER": "1"}
_PROGRESS: Final = re.compile(r"\s*((?:Creating|Download|Build|Built|Prepar|Install)\w* .*)")
#: What uv says, what that means, and what to do before it is tried again.
_REASONS: Final = (
    (r"No space left on device|quota exceeded", "the disk is full", "free 10 GB, then run"),
    (r"wheel for the current platform", "a package has no build for this machine", "on one with Linux on x86-64, run"),
    (r"No interpreter found|incompatible with .*Python", "Python does not fit", "have Python 3.12, then run"),
    (
        r"dns error|connect error|Connection re|timed out|sending request|Failed to fetch|unreachable|connectivity is disabled",
        "the network was not reached",
        "once it is, run",
    ),
)
_MEMORY: Final = ", as the system does where memory is short"


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """``given`` without what leads to another Python's packages or libraries, and with what Isaac Sim needs where nobody has a screen."""
    return {name: value for name, value in given.items() if _KEPT.fullmatch(name) or not _FOREIGN.match(name)} | _OWN


def uv() -> tuple[str, ...]:
    """The command that is uv. Raises AdapterError where there is none that runs."""
    found: list[tuple[str, ...]] = [(sys.executable, "-m", "uv")] if find_spec("uv") else []
    found += [(path,) for path in (os.environ.get("UV"), shutil.which("uv")) if path]  # `uv run` names itself in UV
    for command in found:
        if _asked(*command, "--version") is not None:  # a version manager's uv may be a name with nothing behind it
            return command
    raise AdapterError(f"Isaac Lab is installed with uv, which is not here: install it with `{UV}`.")


def prepared(script: Path = SCRIPT) -> bool:
    """Whether everything that the worker needs is installed. Raises AdapterError without uv."""
    return _asked(*uv(), *_sync(script), "--check", "--offline") is not None


def cache() -> Path:
    """The folder that uv installs into. Raises AdapterError without uv, and where that does not say."""
    if (found := _asked(*uv(), "cache", "dir")) is None:
        raise AdapterError("uv does not say where it keeps its packages: see what `uv cache dir` says.")
    return Path(found)


def command_by_hand(name: str) -> str:
    """What somebody types to start the worker of the link called ``name``."""
    return f"uv run --script {SCRIPT} --link {name}"


def install(log: Path, tell: Callable[[str], None], cancelled: threading.Event | None = None, script: Path = SCRIPT) -> Path:
    """The worker's interpreter, in an environment of its own that is made first where it is not there: about 5 GB.

    ``tell`` hears how it goes on, and ``log`` is appended to. There is no limit: uv itself gives up on a network that brings nothing.
    Raises AdapterError, with the command that mends it, and when ``cancelled`` is set.
    """
    tool = uv()
    child = Child([*tool, *_sync(script)], log)
    try:
        begun = shown = time.monotonic()
        doing = ""
        while (code := child.code()) is None:
            lines = [found[1] for line in child.text().splitlines() if (found := _PROGRESS.match(line))]
            now = time.monotonic()
            if lines and (lines[-1] != doing or now - shown > LIFE_S):
                doing, shown = lines[-1], now
                tell(f"installing Isaac Lab, about 5 GB, this once: {doing} ({now - begun:.0f} s)")
            _rest(cancelled)
        if code:
            raise AdapterError(f"Isaac Lab could not be installed{_refusal(child.text())}; {log} has all of it.")
    finally:
        child.close()
    python = _asked(*tool, "python", "find", "--offline", "--script", str(script))
    if python is None:
        raise AdapterError(f"uv has installed Isaac Lab and does not find its Python: `{INSTALL}` tries again; {log} has all of it.")
    return Path(python)


class Child:
    """A process behind the guard, in a group of its own, that has no input and appends what it says to a log."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        guarded = [sys.executable, "-I", "-S", guard.__file__, str(GRACE_S), *command]
        with log.open("ab") as out:
            self._log, self._from = log, out.tell()
            self._process = subprocess.Popen(
                guarded, stdin=subprocess.PIPE, stdout=out, stderr=out, env=environment(os.environ), start_new_session=True
            )
        self._lock = threading.Lock()
        threading.Thread(target=self._watch, name="isaaclab-guard", daemon=True).start()

    def _watch(self) -> None:
        """End the group as soon as the guard has ended, which may have been killed while what it guards goes on."""
        with contextlib.suppress(ChildProcessError):  # another thread has seen it first
            os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        self.code()

    def code(self) -> int | None:
        """Its exit code, 128 and the signal's number where one ended it; None while it runs. Whatever it started ends with it."""
        with self._lock:
            return self._code()

    def _code(self) -> int | None:
        process = self._process
        if process.returncode is None and os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            self._kill()  # before its number is given back, and with it the group's
            process.wait()
        code = process.returncode
        return code if code is None or code >= 0 else 128 - code

    def text(self) -> str:
        """What it has said."""
        with self._log.open("rb") as log:
            log.seek(self._from)
            return log.read().decode(errors="replace")

    def close(self) -> None:
        """End the whole group: asked first, killed ``GRACE_S`` later. Idempotent, from any thread."""
        with self._lock:
            assert self._process.stdin is not None
            self._process.stdin.close()
            end = time.monotonic() + 2.0 * GRACE_S
            while self._code() is None:
                if time.monotonic() > end:  # the guard itself hangs
                    self._kill()
                time.sleep(AGAIN_S / 5.0)

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)


class Worker:
    """What steps Isaac Lab at the other end of a link: started here, or by hand where ``by_hand``, before this program or after.

    ``link`` is the adapter's side of the link called ``name``, and stays its own. ``isaac_python`` is the interpreter to use, such as Isaac
    Sim's python.sh; without one, uv makes it. ``tell`` hears how the start goes on, ``log`` gets everything.
    """

    def __init__(
        self,
        link: shared.Link,
        name: str,
        log: Path,
        tell: Callable[[str], None],
        isaac_python: str = "",
        by_hand: bool = False,
        script: Path = SCRIPT,
    ) -> None:
        self._link, self._name, self._log, self._tell, self._script = link, name, log, tell, script
        self._isaac_python, self._by_hand = isaac_python, by_hand
        self._child: Child | None = None
        self._starting = threading.Lock()
        self._cancelled = threading.Event()
        self._phase = ""

    def start(self, within: float = START_S) -> dict[str, Any]:
        """Install what is missing, start the worker and return what it says once it steps.

        ``within`` s count from the worker's start, or from this call where it is started by hand. Meanwhile the caller beats on the link,
        lest the worker take this side for dead. Raises AdapterError with one sentence, also when ``close`` is called by another thread.
        """
        with self._starting:
            shared.reclaim()
            if self._by_hand:
                self._tell(f"waiting for Isaac Lab, started by hand: {command_by_hand(self._name)}")
            else:
                python = (
                    interpreter(self._isaac_python) if self._isaac_python else install(self._log, self._tell, self._cancelled, self._script)
                )
                self._child = Child([str(python), str(self._script), "--link", self._name], self._log)
            try:
                return self._ready(within)
            except BaseException:
                if self._child is not None:
                    self._child.close()
                raise

    def _ready(self, within: float) -> dict[str, Any]:
        end = time.monotonic() + within
        while True:
            told = self._told()
            if told.get("ready"):
                return told
            _rest(self._cancelled)
            if why := self.ended():
                raise AdapterError(why)
            if time.monotonic() > end:
                raise AdapterError(self._late(within))

    def _told(self) -> dict[str, Any]:
        """The newest that the worker said; a new phase is told."""
        told = self._link.said(shared.clock_ns()) or {}
        if (phase := str(told.get("phase", ""))) and phase != self._phase:
            self._phase = phase
            self._tell(f"Isaac Lab: {phase} ({told['share']:.0%})" if "share" in told else f"Isaac Lab: {phase}")
        return told

    def _late(self, within: float) -> str:
        last = f"; the last thing it did was {self._phase}" if self._phase else ""
        if self._by_hand and not self._link.peer:
            return (
                f"No worker came to the Isaac Lab link {self._name!r} within {within:g} s: start one with `{command_by_hand(self._name)}`."
            )
        if self._by_hand:
            return f"The Isaac Lab worker started by hand was not ready within {within:g} s{last}: see what it printed."
        return f"Isaac Lab was not ready within {within:g} s{last}: see what it is at with `tail {self._log}`."

    def ended(self) -> str:
        """Why it has ended, in one sentence; "" while it runs: one that was started by hand is known by the link's silence alone."""
        if self._cancelled.is_set():
            return "The Isaac Lab worker was ended by this program."
        if error := (self._link.said(shared.clock_ns()) or {}).get("error"):
            return self._failed(f"ended: {error}")
        code = self._child.code() if self._child else None
        if self._child is None or code is None:
            return ""
        if code > 128:
            return self._failed(f"was ended by {_signal(code - 128)}{_MEMORY if code == 128 + signal.SIGKILL else ''}")
        return self._failed(f"ended with exit code {code}: {_last(self._child.text())}")

    def _failed(self, how: str) -> str:
        if self._by_hand:
            return f"The Isaac Lab worker started by hand {how}."
        if self._isaac_python and (missing := re.search(r"No module named '(\w+)", how)):
            return (
                f"{self._isaac_python} has no {missing[1]} and cannot run Isaac Lab: give --isaac-python the Python that has Isaac Lab, or "
                f"leave it out and run `{INSTALL}`; {self._log} has all of it."
            )
        return f"The Isaac Lab worker {how.rstrip('.')}; `tail -n 40 {self._log}` shows more."

    def close(self) -> None:
        """End the worker and everything it started, also while it starts or installs; one started by hand is left to the link's end.

        Idempotent, from any thread. Close the link after it.
        """
        self._cancelled.set()
        with self._starting:
            if self._child is not None:
                self._child.close()


def interpreter(path: str) -> Path:
    """An interpreter that somebody gave. Raises AdapterError where it is not there or nobody may run it."""
    found = Path(path).expanduser().absolute()
    if found.is_dir():
        inside = [str(one) for one in (found / "python.sh", found / "bin/python") if one.is_file()]
        raise AdapterError(f"{found} is a folder: give --isaac-python {(inside or ['an interpreter that has Isaac Lab'])[0]}.")
    if not found.is_file():
        raise AdapterError(f"There is no {found}: give --isaac-python an interpreter that has Isaac Lab, or leave it out.")
    if not _is_program(found):
        raise AdapterError(f"{found} is no program: give --isaac-python an interpreter that has Isaac Lab, or leave it out.")
    if not os.access(found, os.X_OK):
        raise AdapterError(f"{found} may not be run: `chmod +x {found}` lets it, or give --isaac-python another interpreter.")
    return found


def _is_program(path: Path) -> bool:
    """Whether the system could run it, as far as can be read: a script that names its interpreter, or an ELF file."""
    try:
        with path.open("rb") as file:
            return file.read(4).startswith((b"#!", b"\x7fELF"))
    except PermissionError:
        return True


def _sync(script: Path) -> list[str]:
    """What uv is told. This program's own Python is the base: no other of the required version needs to be there."""
    return ["sync", "--script", str(script), "--frozen", "--python", sys.executable]


def _asked(*command: str) -> str | None:
    """What a command that ends soon prints; None where it fails."""
    try:
        asked = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=UV_WITHIN, env=environment(os.environ)
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return asked.stdout.strip() if asked.returncode == 0 else None


def _refusal(said: str) -> str:
    """Why uv did not install, and the command that mends it, as the end of a sentence."""
    said = " ".join(said.partition("hint:")[0].split())  # uv breaks its lines
    cause = re.split(r"(?:error|cause|Caused by): |[×╰├]\S* ", said)[-1].strip() or "uv said nothing"
    for pattern, reason, then in _REASONS:
        if re.search(pattern, said):
            return f", because {reason} ({cause}): {then} `{INSTALL}`"
    return f" ({cause}): `{INSTALL}` tries again"


def _last(said: str) -> str:
    """The line that says most: the last that names an exception, else the last."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"[\w.]+(Error|Exception|Interrupt)\b", line)]
    return (errors or lines or ["it said nothing"])[-1]


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _rest(cancelled: threading.Event | None) -> None:
    """Until the next look. Raises AdapterError once ``cancelled`` is set."""
    if (cancelled or threading.Event()).wait(AGAIN_S):
        raise AdapterError("The start of Isaac Lab was cancelled.")
