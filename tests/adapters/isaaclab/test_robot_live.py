"""The robot on the real worker: it starts, is jogged, is pushed and comes back, and stops."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.config import Settings
from engine.messages import AdjustForce, SetMode
from engine.types import Mode, Writer
from tests.adapters.isaaclab.operated import PATIENT, Operated

WITHIN = 300.0
TASK = "Isaac-SO-ARM101-Lift-Cube-v0"

pytestmark = pytest.mark.usefixtures("isaac_python")


class Run(Operated):
    """On the real worker."""

    @property
    def inputs(self) -> Any:
        return self.engine.control.last.inputs

    @property
    def tool(self) -> Any:
        return np.array(self.inputs.pose[:3])

    def held(self, axis: str) -> Callable[[], None]:
        """Keeps a key held, anew wherever a stop has let it go."""

        def hold() -> None:
            self.arm()
            if axis not in self.engine.control.last.operator.grant_axis:
                self.key(axis, True)

        return hold

    def gives_way_and_comes_back(self) -> bool:
        """Whether it did so before a late machine has stopped it, which then holds where it was pushed to."""
        self.wait(lambda: self.engine.armed() and self.rests(), self.arm)
        stops, here = len(self.engine.stops), self.tool

        def waited(condition: Callable[[], Any], do: Callable[[], None]) -> bool:
            self.wait(lambda: condition() or len(self.engine.stops) > stops, do)
            return len(self.engine.stops) == stops

        gave = waited(lambda: self.tool[0] - here[0] > 0.004 and self.inputs.wrench[0] > 4.0, self.held("pull"))
        self.key("pull", False)
        back = waited(lambda: np.linalg.norm(self.tool - here) < 0.002 and abs(self.inputs.wrench[0]) < 1.0 and self.rests(), self.arm)
        return gave and back

    def rests(self) -> bool:
        return float(np.linalg.norm(self.inputs.twist[:3])) < 0.005


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    given = Settings(robot="isaaclab", task=TASK, policy="scripted", seed=6, record=False, limits=PATIENT)
    made = Run(tmp_path, given, WITHIN)
    yield made
    made.engine.close("over")


def test_it_is_jogged_and_pushed_and_comes_back_and_stops(run: Run) -> None:
    run.wait(run.engine.ready)
    assert any(text.startswith("Isaac Lab: ") for text in run.told)
    start = run.tool
    run.engine.post(SetMode(mode=Mode.JOG_XYZ))
    run.wait(run.engine.armed, run.arm)
    run.wait(lambda: run.tool[2] - start[2] > 0.02, run.held("+z"))
    run.key("+z", False)
    run.wait(run.rests, run.arm)
    run.engine.post(AdjustForce(delta=-7.0))
    until = time.monotonic() + WITHIN
    while not run.gives_way_and_comes_back():
        assert time.monotonic() < until, run.engine.stops
    assert run.engine.control.last.operator.hand_force_set == 8.0

    run.wait(lambda: np.linalg.norm(run.inputs.twist[:3]) > 0.01, run.held("+z"))
    run.page.raise_stop(Writer.SHELL)
    run.wait(lambda: not run.engine.armed() and run.rests())
    stood = run.tool
    seen = run.inputs.obs_seq
    run.wait(lambda: run.inputs.obs_seq > seen + 50)
    assert np.linalg.norm(run.tool - stood) < 0.002
