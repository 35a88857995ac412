"""The robot on the real worker: it starts, is jogged, is pushed and comes back, and stops."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.isaaclab import entry
from engine.config import Settings
from engine.engine import Engine
from engine.messages import AdjustForce, Arm, Hold, KeyTiming, SetMode
from engine.policy.scripted import Scripted
from engine.stop import StopPage
from engine.types import Mode, Writer

WITHIN = 300.0
TASK = "Isaac-SO-ARM101-Lift-Cube-v0"
#: what a busy machine may be late with
PATIENT = {"observation_age_max": 0.1, "frame_age_max": 1.0, "inference_age_max": 2.0, "clock_step_max": 1.0}
PATIENT |= dict.fromkeys(("watchdog_camera", "watchdog_inference", "watchdog_self"), 5.0)

pytestmark = pytest.mark.usefixtures("isaac_python")


class Run:
    """An engine in real time on the real worker, and its operator."""

    def __init__(self, folder: Path) -> None:
        given = Settings(robot="isaaclab", task=TASK, policy="scripted", seed=6, record=False, limits=PATIENT)
        robot, rig = entry.build(given)
        self.robot, self.told = robot, list[str]()
        robot.tell = lambda kind, text: self.told.append(text)
        self.page = StopPage(folder / "stop", create=True)
        self.engine = Engine(
            given,
            run="test",
            robot=robot,
            rig=rig,
            load_policy=lambda progress: Scripted("isaaclab", TASK),
            page=self.page,
            recorder=None,
            console_required=False,
        )
        self.engine.start()
        self._key = 0

    @property
    def inputs(self) -> Any:
        return self.engine.control.last.inputs

    @property
    def tool(self) -> Any:
        return np.array(self.inputs.pose[:3])

    def wait(self, condition: Callable[[], Any], do: Callable[[], None] = lambda: None) -> None:
        until = time.monotonic() + WITHIN
        while not condition():
            assert time.monotonic() < until, (self.engine.binding_sentence(), self.told, self.engine.stops)
            do()
            time.sleep(0.05)

    def arm(self) -> None:
        self.engine.heard(0.0)
        if not self.engine.armed():
            self.engine.post(KeyTiming(key_mode="HOLD", repeat_interval=0.0))
            self.engine.post(Arm(robot="isaaclab"))

    def held(self, axis: str) -> Callable[[], None]:
        """Keeps a key held, anew wherever a stop has let it go."""

        def hold() -> None:
            self.arm()
            if axis not in self.engine.control.last.operator.grant_axis:
                self.key(axis, True)

        return hold

    def key(self, axis: str, down: bool) -> None:
        self._key += 1
        self.engine.post(Hold(axis=axis, down=down, repeat=False, seq=self._key))

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
    made = Run(tmp_path)
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
