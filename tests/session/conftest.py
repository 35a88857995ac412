"""One recorded session that the tests read, and copies of it that they may damage."""

import itertools
import shutil
import sys
from pathlib import Path

import pytest

from engine.session.recorder import Recorder
from engine.types import Tick

sys.path.insert(0, str(Path(__file__).parent))  # for session_material, which processes started by tests import as well

import session_material as material

TICKS = 2230  #: the last block is not full
EVERY = 20  #: ticks between two inferences


@pytest.fixture(scope="session")
def rows() -> list[Tick]:
    return list(itertools.islice(material.ticks(1), TICKS))


@pytest.fixture(scope="session")
def recorded(rows: list[Tick], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session of ``rows`` with an inference and an exposure every 20 ticks and an event every 100, closed in good order."""
    recorder = Recorder(tmp_path_factory.mktemp("store"), material.header(), wait=True)
    for tick, row in enumerate(rows):
        recorder.tick(row)
        if tick % EVERY == 0:
            number = tick // EVERY
            recorder.inference(material.inference(number, row.inputs.t_ns))
            recorder.frames(material.frames(number, row.inputs.t_ns, row))
        if tick % 100 == 0:
            recorder.event(material.event(tick // 100, tick, "mark", f"tick {tick}, naïve"))
        if tick == 1000:
            recorder.policy(material.POLICY)
    assert recorder.close("ended by the operator")
    return recorder.path


@pytest.fixture
def damaged(recorded: Path, tmp_path: Path) -> Path:
    """A copy of the session, to damage."""
    return Path(shutil.copytree(recorded, tmp_path / recorded.name))
