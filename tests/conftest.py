"""How the tests share two processes: what has clocks, processes and terminals of its own goes first in one, and the other gives way."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

TIMED = ("bench", "console", "engine", "faults")
TESTS = Path(__file__).parent


def pytest_configure() -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # as the engine has it: threads that wait for each other on busy cores wait for long
    if os.environ.get("PYTEST_XDIST_WORKER", "gw0") != "gw0":
        os.nice(10)


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With ``-n 2`` the largest group, what is timed, falls to the first process; every other file is a group of its own."""
    for item in items:
        place = item.path.relative_to(TESTS)
        item.add_marker(pytest.mark.xdist_group("timed" if place.parts[0] in TIMED else str(place)))


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A short one: sockets lie in it, whose paths may have 108 bytes, and screens of 80 columns name what lies in it."""
    with tempfile.TemporaryDirectory(prefix="saw-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)
