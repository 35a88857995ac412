"""Isaac Lab's real workers, which the tests of a module share."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.isaaclab import launch
from tests.adapters.isaaclab.driving import Driver


@pytest.fixture(scope="module")
def driven(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Driver]]:
    """Starts workers, with what the handshake shall have otherwise, and ends them after the module."""
    log = tmp_path_factory.mktemp("isaac") / "log"
    made: list[Driver] = []

    def start(**asked: Any) -> Driver:
        made.append(Driver(log, **asked))
        return made[-1]

    yield start
    for one in made:
        one.close()


@pytest.fixture(scope="module")
def isaac_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The worker's interpreter."""
    return launch.install(tmp_path_factory.mktemp("isaac") / "log", print)
