"""How the tests share two processes: what has clocks, processes and terminals of its own goes first in one, and the other gives way."""

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

TIMED = ("adapters/so101/", "bench/", "console/", "engine/", "faults/")
#: of these what no clock drives: moments that are given, and ticks in lock-step
STILL = (
    *(f"console/test_{name}.py" for name in ("snapshots", "replay", "forecast", "palette", "task", "motions")),
    *(f"engine/test_{name}.py" for name in ("lockstep", "recovery", "jogging", "motions", "tabletop")),
)
NICE = 10
TESTS = Path(__file__).parent


def pytest_configure() -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # as the engine has it: threads that wait for each other on busy cores wait for long
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background job ignores


def _timed(item: pytest.Item) -> bool:
    place = item.path.relative_to(TESTS).as_posix()
    return place.startswith(TIMED) and place not in STILL


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With ``-n 2`` the largest group, what is timed, falls to one process, first; every other file is a group of its own.

    What is timed, or has a worker by the clock, may be tried again, twice: a robot whose machine is late stops, as it must, and that is no
    defect of the program.
    """
    for item in items:
        timed = _timed(item)
        item.add_marker(pytest.mark.xdist_group("timed" if timed else str(item.path.relative_to(TESTS))))
        if timed or item.path.is_relative_to(TESTS / "adapters" / "isaaclab"):
            item.add_marker(pytest.mark.flaky(reruns=2, reruns_delay=1))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """The process that has come to what is not timed gives way."""
    if "PYTEST_XDIST_WORKER" in os.environ and not _timed(item) and os.getpriority(os.PRIO_PROCESS, 0) < NICE:
        os.setpriority(os.PRIO_PROCESS, 0, NICE)


@pytest.fixture(autouse=True)
def _own_signals() -> Iterator[None]:
    """A run without a screen blocks its process's signals; here the process is the test runner, whose children would inherit that."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A short one: sockets lie in it, whose paths may have 108 bytes, and screens of 80 columns name what lies in it."""
    with tempfile.TemporaryDirectory(prefix="saw-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)
