"""The worker's process: how it starts and is installed, how each of its ends is told, and that nothing of it is left by anybody's death."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from socket import socket
from typing import Any

import pytest

from adapters.base import AdapterError
from adapters.isaaclab import known, launch, shared
from adapters.isaaclab.launch import Worker
from tests.adapters.isaaclab.small import script

ROOT = Path(__file__).resolve().parents[3]
ACTING = Path(__file__).with_name("acting.py")
WITHIN = 120.0  #: s, for a machine that is busy with other things
COUNT = count()
#: The other console: it says the worker's process and one that the worker started, then hangs.
CONSOLE = """
import sys, threading
from pathlib import Path
from adapters.isaaclab import launch, shared
name, log, acting, act = sys.argv[1:]
link = shared.create(name, {"environments": 1, "joints": [], "cameras": {}, "act": act, "asked": []})
worker = launch.Worker(link, name, Path(log), lambda text: link.clear(1), sys.executable, script=Path(acting))
told = worker.start()
print(link.peer, told["helper"], told["group"], flush=True)
threading.Event().wait()
"""


class Bench:
    """A link of its own, and a worker on it that acts."""

    def __init__(self, name: str, log: Path, act: str, asked: list[str]) -> None:
        self.name, self.log = name, log
        task = next(iter(known.KNOWN))
        handshake = {"environments": 1, "joints": known.JOINTS, "cameras": {}, "task": task, "act": act, "asked": asked}
        self.link = shared.create(name, handshake)
        self.told: list[str] = []
        self.worker = Worker(self.link, name, log, self.tell, sys.executable, script=ACTING)

    def tell(self, text: str) -> None:
        self.told.append(text)
        self.link.clear(1)

    def ended(self) -> str:
        until(self.worker.ended)
        return self.worker.ended()

    def close(self) -> None:
        self.worker.close()
        self.link.close()


Make = Callable[..., Bench]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Make]:
    made: list[Bench] = []

    def make(act: str = "ready", asked: tuple[str, ...] = ()) -> Bench:
        made.append(Bench(f"launch-{os.getpid()}-{next(COUNT)}", tmp_path / "log/worker.log", act, list(asked)))
        return made[-1]

    yield make
    for one in made:
        one.close()


def until(there: Callable[[], object]) -> None:
    end = time.monotonic() + WITHIN
    while not there():
        assert time.monotonic() < end
        time.sleep(0.02)


def gone(pid: int) -> bool:
    """Whether a process has ended; somebody may still have to take note of it."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def segment(name: str) -> Path:
    return shared.FOLDER / f"{shared.PREFIX}{name}"


def processes(one: Bench, told: dict[str, Any]) -> list[int]:
    """The guard, the worker and what that started."""
    return [told["group"], one.link.peer, told["helper"]]


# --- the start and the end ---


def test_a_worker_starts_tells_its_phases_and_ends_with_everything_it_started(bench: Make) -> None:
    one = bench()
    told = one.worker.start(WITHIN)
    assert told["ready"]
    assert one.told == ["Isaac Lab: warming up (50%)"]
    assert not one.worker.ended()
    assert one.link._words[shared.Word.ADAPTER_BEATS] == 0  # which is one thread's of the caller
    assert told["input"] == os.devnull
    assert told["group"] not in (os.getpgrp(), one.link.peer)
    one.worker.close()
    until(lambda: all(map(gone, processes(one, told))))
    one.worker.close()


def test_the_worker_gets_no_other_pythons_environment_and_no_screen(bench: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = ("CONDA_PREFIX", "_CE_M", "PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "LD_PRELOAD")
    leading = ("UV", "UV_PYTHON", "UV_PROJECT_ENVIRONMENT", "UV_SYSTEM_PYTHON", "UV_RUN_RECURSION_DEPTH")
    kept = ("UV_CACHE_DIR", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "HTTPS_PROXY")
    for name in (*foreign, *leading, *kept):
        if name != "LD_PRELOAD":  # it would be loaded by this machine's own commands too
            monkeypatch.setenv(name, "/nowhere")
    monkeypatch.delenv("OMNI_KIT_ACCEPT_EULA", raising=False)
    own = {"HEADLESS": "1", "ENABLE_CAMERAS": "1", "LIVESTREAM": "0"}
    asked = (*foreign, *leading, *kept, *own, "PATH", "OMNI_KIT_ACCEPT_EULA")
    told = bench(asked=asked).worker.start(WITHIN)
    assert told["variables"] == dict.fromkeys(kept, "/nowhere") | own | {"PATH": os.environ["PATH"]}
    assert launch.environment({"LD_PRELOAD": "a", "OMNI_KIT_ACCEPT_EULA": "Y"}).keys() & {"LD_PRELOAD", "OMNI_KIT_ACCEPT_EULA"} == {
        "OMNI_KIT_ACCEPT_EULA"
    }


def test_a_killed_worker_is_told_with_its_signal_and_leaves_nothing(bench: Make) -> None:
    one = bench()
    told = one.worker.start(WITHIN)
    os.kill(one.link.peer, signal.SIGKILL)
    why = one.ended()
    assert "SIGKILL" in why
    assert str(one.log) in why
    until(lambda: all(map(gone, processes(one, told))))


def test_a_killed_guard_takes_the_worker_with_it(bench: Make) -> None:
    one = bench()
    told = one.worker.start(WITHIN)
    os.kill(told["group"], signal.SIGKILL)
    until(lambda: all(map(gone, processes(one, told))))  # though nobody asks
    assert "SIGKILL" in one.ended()


def test_a_hung_worker_falls_silent_and_is_ended_all_the_same(bench: Make) -> None:
    one = bench()
    told = one.worker.start(WITHIN)
    os.kill(one.link.peer, signal.SIGSTOP)
    until(lambda: one.link.silence(shared.clock_ns()) > 0.5)
    assert not one.worker.ended()
    one.worker.close()
    until(lambda: all(map(gone, processes(one, told))))


def test_a_worker_that_does_not_listen_is_killed_and_so_is_a_hung_guard(bench: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "GRACE_S", 0.2)
    one = bench("deaf")
    told = one.worker.start(WITHIN)
    os.kill(told["group"], signal.SIGSTOP)
    one.worker.close()
    until(lambda: all(map(gone, processes(one, told))))


@pytest.mark.parametrize("act", ["ready", "deaf"])
def test_nothing_outlives_a_killed_console(act: str, tmp_path: Path) -> None:
    name = f"launch-{os.getpid()}-{next(COUNT)}"
    command = [sys.executable, "-c", CONSOLE, name, str(tmp_path / "log"), str(ACTING), act]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as console:
        assert console.stdout is not None
        worker, helper, guard = map(int, console.stdout.readline().split())
        if act == "deaf":
            os.kill(worker, signal.SIGSTOP)
        console.kill()
    until(lambda: all(map(gone, (worker, helper, guard))))
    shared.reclaim()
    assert not segment(name).exists()


def test_what_a_crash_left_is_removed_at_the_next_start(bench: Make) -> None:
    name = f"launch-{os.getpid()}-{next(COUNT)}"
    left = "import os, sys; from adapters.isaaclab import shared; "
    left += "shared.create(sys.argv[1], {'environments': 1, 'joints': [], 'cameras': {}}); os._exit(0)"
    subprocess.run([sys.executable, "-c", left, name], cwd=ROOT, check=True)
    bench().worker.start(WITHIN)
    assert not segment(name).exists()


# --- what goes wrong ---


@pytest.mark.parametrize(
    ("act", "said"),
    [("says", "The table is gone"), ("prints", "exit code 3: no such device"), ("raises", "exit code 1: ValueError: no legs")],
)
def test_a_worker_that_cannot_start_says_why_in_one_sentence(bench: Make, act: str, said: str) -> None:
    one = bench(act)
    with pytest.raises(AdapterError, match=said) as caught:
        one.worker.start(WITHIN)
    assert str(one.log) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_start_that_takes_too_long_is_given_up_with_what_it_was_doing(bench: Make) -> None:
    one = bench("lost")
    found: list[AdapterError] = []

    def start(within: float) -> None:
        try:
            one.worker.start(within)
        except AdapterError as error:
            found.append(error)

    within = 0.5
    while not one.told:  # a machine may need longer to come to that phase
        one.worker = Worker(one.link, one.name, one.log, one.tell, sys.executable, script=ACTING)
        start(within)
        within *= 2.0
    assert "compiling" in str(found[-1])
    until(lambda: gone(one.link.peer))


def test_closing_ends_a_start_from_another_thread(bench: Make) -> None:
    one = bench("lost")
    found: list[AdapterError] = []

    def start() -> None:
        try:
            one.worker.start(WITHIN)
        except AdapterError as error:
            found.append(error)

    starting = threading.Thread(target=start)
    starting.start()
    until(lambda: one.told)
    one.worker.close()
    until(lambda: gone(one.link.peer))
    starting.join(WITHIN)
    assert "cancelled" in str(found[0])
    assert one.worker.ended()


def test_an_interpreter_that_cannot_be_used_is_named_with_what_to_do(tmp_path: Path) -> None:
    given = tmp_path / "python.sh"
    with pytest.raises(AdapterError, match="There is no"):
        launch.interpreter(str(given))
    with pytest.raises(AdapterError, match=r"is a folder: give --isaac-python an interpreter that has Isaac Lab\.$"):
        launch.interpreter(str(tmp_path))
    given.write_text("one = 1\n")
    with pytest.raises(AdapterError, match=rf"is a folder: give --isaac-python {given}\.$"):
        launch.interpreter(str(tmp_path))
    for mode in (0o600, 0o700):
        given.chmod(mode)
        with pytest.raises(AdapterError, match="is no program: give --isaac-python an interpreter that has Isaac Lab"):
            launch.interpreter(str(given))
    for begin in (b"#!/bin/sh\n", Path(sys.executable).read_bytes()[:64]):
        given.write_bytes(begin)
        given.chmod(0o600)
        with pytest.raises(AdapterError, match=r"chmod \+x"):
            launch.interpreter(str(given))
        given.chmod(0o700)
        assert launch.interpreter(str(given)) == given


def test_an_interpreter_without_isaac_lab_is_named(bench: Make) -> None:
    one = bench()
    worker = Worker(one.link, one.name, one.log, one.tell, sys.executable)
    with pytest.raises(AdapterError, match=f"{sys.executable} has no .*{launch.INSTALL}"):
        worker.start(WITHIN)


# --- a worker that is started by hand ---


@pytest.mark.parametrize("first", ["worker", "console"])
def test_a_worker_started_by_hand_may_come_before_or_after(bench: Make, first: str, tmp_path: Path) -> None:
    name = f"launch-{os.getpid()}-{next(COUNT)}"
    command = [sys.executable, str(ACTING), "--link", name]
    by_hand: list[subprocess.Popen[bytes]] = []
    if first == "worker":
        by_hand.append(subprocess.Popen(command, start_new_session=True))
    one = Bench(name, tmp_path / "log", "ready", [])

    def tell(text: str) -> None:
        one.tell(text)
        if not by_hand:
            by_hand.append(subprocess.Popen(command, start_new_session=True))

    worker = Worker(one.link, name, one.log, tell, by_hand=True)
    try:
        told = worker.start(WITHIN)
        assert one.link.peer == by_hand[0].pid
        worker.close()
        assert by_hand[0].poll() is None
        os.kill(told["helper"], signal.SIGKILL)
    finally:
        by_hand[0].kill()
        by_hand[0].wait()
        one.close()


def test_where_no_worker_is_started_by_hand_the_command_is_given(bench: Make) -> None:
    one = bench()
    worker = Worker(one.link, one.name, one.log, one.tell, by_hand=True)
    command = f"uv run --script {launch.SCRIPT} --link {one.name}"
    with pytest.raises(AdapterError, match="No worker came") as caught:
        worker.start(0.2)
    assert command in str(caught.value)
    assert command in one.told[0]


# --- the installation ---


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where uv keeps everything in a test."""
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    return tmp_path / "cache"


def test_uv_installs_what_the_lock_names_once_and_runs_the_worker_in_it(bench: Make, cache: Path, tmp_path: Path) -> None:
    small = script(tmp_path, "import sawdust, sys\nprint(sawdust.GRAINS, sys.prefix)\nsys.exit(3)")
    assert not launch.prepared(small)
    one = bench()
    worker = Worker(one.link, one.name, one.log, one.tell, script=small)
    with pytest.raises(AdapterError, match=f"exit code 3: 7 {cache}"):
        worker.start(WITHIN)
    assert "sawdust==1.0" in one.log.read_text()
    assert launch.prepared(small)
    assert launch.install(one.log, one.tell, script=small).is_relative_to(cache)


@pytest.mark.parametrize(
    ("wheel", "registry", "said"),
    [
        ("sawdust-1.0-py3-none-any.whl", "http://127.0.0.1:9", "network was not reached"),
        ("sawdust-1.0-cp312-cp312-macosx_11_0_arm64.whl", "", "no build for this machine"),
    ],
)
def test_an_installation_that_fails_says_why_and_which_command_mends_it(
    cache: Path, tmp_path: Path, wheel: str, registry: str, said: str
) -> None:
    log = tmp_path / "log"
    with pytest.raises(AdapterError, match=f"{said}.*`{launch.INSTALL}`.*{log}") as caught:
        launch.install(log, print, script=script(tmp_path, "", wheel, registry))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "error: Failed to inspect Python\n  cause: failed to write to file `/c/x.py`: No space left on device (os error 28)\n",
            "the disk is full (failed to write to file `/c/x.py`: No space left on device (os error 28)): free 10 GB",
        ),
        ("error: No interpreter found for Python >=3.19 in search path\n\nhint: retry on a newer version\n", "Python does not fit (No int"),
        (
            "Creating script environment at: /c\nerror: Distribution `a==1.0` can't be installed because it doesn't have a\n  source "
            "distribution or wheel for the\n  current platform\n\nhint: You're on Linux\n",
            "no build for this machine (Distribution `a==1.0` can't be installed because it doesn't have a source distribution or wheel",
        ),
        ("  × Failed to download `a`\n  ├─▶ Failed to fetch\n  ╰─▶ dns error\n", "network was not reached (dns error): once"),
        ("error: something new\n", " (something new): `"),
        ("", "uv said nothing"),
    ],
)
def test_why_uv_failed_is_taken_from_what_it_said(said: str, told: str) -> None:
    assert told in launch._refusal(said)


def test_an_installation_is_told_as_long_as_it_goes_on_and_ends_when_cancelled(
    bench: Make, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "LIFE_S", 0.01)
    with socket() as mute:  # takes the request and never answers
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        mute.settimeout(WITHIN)
        one = bench()
        small = script(tmp_path, "", registry=f"http://127.0.0.1:{mute.getsockname()[1]}")
        worker = Worker(one.link, one.name, one.log, one.tell, script=small)
        found: list[AdapterError] = []

        def start() -> None:
            try:
                worker.start(WITHIN)
            except AdapterError as error:
                found.append(error)

        starting = threading.Thread(target=start)
        starting.start()
        with mute.accept()[0]:
            told = len(one.told)
            until(lambda: len(one.told) > told + 2)
            worker.close()
            starting.join(WITHIN)
    assert "Creating script environment" in one.told[-1]
    assert "cancelled" in str(found[0])
    assert not one.link.peer


def test_without_uv_the_command_that_installs_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, empty = tmp_path / "real", tmp_path / "uv"
    real.write_text(f"#!/bin/sh\nPATH='{os.environ['PATH']}' exec {' '.join(launch.uv())} \"$@\"\n")
    empty.write_text("#!/bin/sh\nexit 127\n")  # as a version manager has one with nothing behind it
    for one in (real, empty):
        one.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("UV", raising=False)
    monkeypatch.setattr(launch, "find_spec", lambda name: None)
    with pytest.raises(AdapterError, match=launch.UV):
        launch.uv()
    monkeypatch.setenv("UV", str(real))
    assert launch.uv() == (str(real),)


def test_the_workers_lock_is_that_of_its_script() -> None:
    command = [*launch.uv(), "lock", "--check", "--script", str(launch.SCRIPT), "--python", sys.executable]
    checked = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=launch.environment(os.environ))
    assert checked.returncode == 0, checked.stderr
