"""Makes this folder's scenes and fakes importable, pins the time zone that clocks on the screen use, and opens the live screen."""

import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
os.environ["TZ"] = "UTC"
time.tzset()

import recording  # noqa: E402
from bench import PATIENT, Bench, Open  # noqa: E402
from desk import Desk, started  # noqa: E402

from console.app import Options  # noqa: E402
from engine.stop import StopPage  # noqa: E402
from engine.types import Snapshot  # noqa: E402


@pytest.fixture(scope="session")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recorded session, to be read; whoever damages one copies it first."""
    return recording.recorded(tmp_path_factory.mktemp("store"))


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    """Opens the live screen on a snapshot, or on an engine that is still starting."""

    @asynccontextmanager
    async def bench(snapshot: Snapshot | None, size: tuple[int, int] = (120, 34), options: Options | None = None) -> AsyncIterator[Bench]:
        with StopPage(tmp_path / "stop", create=True) as page:
            bench = Bench(page, options or Options(store=tmp_path, key_age_max=PATIENT))
            async with bench.app.run_test(size=size) as pilot:
                bench.pilot = pilot
                if snapshot is not None:
                    await bench.show(snapshot)
                else:
                    bench.link.state = "starting"
                    await bench.drawn()
                yield bench

    return bench


@pytest.fixture
def desk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Desk]:
    """A console started with the parameter's words."""
    desk = started(tmp_path, *request.param)
    yield desk
    desk.terminal.close()
