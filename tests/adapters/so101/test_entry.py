"""The whole way: the engine, the robot, LeRobot's driver, emulated servos, and the simulated arm that they move."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec import structs

from adapters.base import AdapterError
from adapters.mujoco.tabletop import truth
from adapters.mujoco.tabletop.robot import Tabletop
from adapters.mujoco.tabletop.so101 import SO101 as ARM
from adapters.so101 import emulator
from adapters.so101.bus import Bus
from adapters.so101.calibration import Calibration, Span
from adapters.so101.emulated import Emulated
from adapters.so101.robot import SO101
from engine.config import Settings
from engine.engine import Engine
from engine.host import alone, open_robot, scripted
from engine.messages import Arm, ClearStop, Hold, KeyTiming
from engine.operator import RUN
from engine.policy import checkpoint
from engine.policy.errors import PolicyError
from engine.policy.scripted import Scripted
from engine.stop import StopPage
from engine.tasks import KINDS
from engine.types import Frames, Observation, StopKind, Writer

PATIENCE = 120.0  #: s, for a machine that is busy with other things
#: likewise: what a busy machine may be late with
PATIENT = {"observation_age_max": 0.1, "frame_age_max": 1.0, "inference_age_max": 2.0, "clock_step_max": 1.0}
PATIENT |= dict.fromkeys(("watchdog_camera", "watchdog_inference", "watchdog_self"), 5.0)


class Noise:
    """Pictures of nothing, which the scripted policy does not look at."""

    names = ("front",)

    def open(self) -> None: ...

    def capture(self, observation: Observation, seq: int, t_ns: int) -> Frames:
        picture = np.random.default_rng(seq).integers(0, 255, (64, 64, 3), dtype=np.uint8)
        return Frames(seq=seq, t_ns=t_ns, exposed_ns=observation.t_ns, observation=observation, images={"front": picture})

    def geometry(self) -> Mapping[str, Any]:
        return {"front": {"width": 64, "height": 64}}

    def close(self) -> None: ...


def settings(**arm: Any) -> Settings:
    return Settings(robot="so101", task="lift", policy="scripted", seed=6, record=False, limits=PATIENT, so101=arm)


class Run:
    """An engine in real time on the emulated arm, and its operator."""

    def __init__(self, folder: Path) -> None:
        given = settings(emulated=True)
        robot, _ = open_robot(given)
        assert isinstance(robot, Emulated)
        self.robot = robot
        self.said: list[tuple[str, str]] = []
        robot.tell = lambda kind, text: self.said.append((kind, text))
        self.page = StopPage(folder / "stop", create=True)
        self.engine = Engine(
            given,
            run="test",
            robot=robot,
            rig=Noise(),
            load_policy=lambda progress: Scripted("so101", "lift"),
            page=self.page,
            recorder=None,
            console_required=False,
        )
        self.engine.start()
        self.fastest = 0.0  #: m/s, of the tool
        self._pressed = 0

    def wait(self, condition: Callable[[], bool], do: Callable[[], None] = lambda: None) -> None:
        until = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < until, (self.engine.binding_sentence(), self.said, self.engine.stops)
            do()
            if (last := self.engine.control.last) is not None:
                self.fastest = max(self.fastest, math.hypot(*last.inputs.twist[:3]))
            time.sleep(0.02)

    def hold_go(self) -> None:
        """What an operator does who wants it to go: clear, arm, hold the key; again if something has stopped it."""
        engine = self.engine
        engine.heard(0.0)
        decision = engine.control.last.decision
        if decision.stop_kind == StopKind.LATCHED:
            engine.post(ClearStop(number=decision.stop_number))
        elif not decision.armed:
            engine.post(KeyTiming(key_mode="HOLD", repeat_interval=0.0))
            engine.post(Arm(robot="so101"))
        elif not decision.going:
            self._pressed += 2
            engine.post(Hold(axis=RUN, down=False, repeat=False, seq=self._pressed))
            engine.post(Hold(axis=RUN, down=True, repeat=False, seq=self._pressed + 1))

    def height(self) -> float:
        """m, of the cube over where it lay."""
        plant = self.engine.control.last.plant
        return float(truth.places(ARM, plant)[ARM.joints + ARM.fingers + 2]) - truth.resting(ARM)

    def time(self) -> float:
        """s, of the simulated arm."""
        return float(self.engine.control.last.plant[0])


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    made = Run(tmp_path)
    yield made
    made.engine.close("over")


def test_the_engine_lifts_the_cube_over_the_bus_a_stop_keeps_it_in_the_air_and_then_the_task_is_done(run: Run) -> None:
    run.wait(run.engine.ready)
    run.wait(lambda: run.height() > 0.03, run.hold_go)
    run.page.raise_stop(Writer.SHELL)
    run.wait(lambda: not run.engine.armed() and math.hypot(*run.engine.control.last.inputs.twist[:3]) < 0.01)
    stood = run.time()
    run.wait(lambda: run.time() > stood + 0.3)
    assert run.height() > 0.02
    arm = emulator.attach(run.robot.port)
    assert [arm.get(place, "Torque_Enable") for place in range(1, 7)] == [1] * 6
    assert not run.robot.task_done()
    run.wait(run.robot.task_done, run.hold_go)
    assert run.height() > ARM.lift
    assert 0.05 < run.fastest < run.engine.settings.limits.speed_unsensed


def test_the_task_is_done_once_the_cube_has_stayed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Tabletop(ARM, "so101-sim", 0, "lift")
    table.connect()
    here = table.read(1)
    up = ARM.joints + ARM.fingers + 3  #: of a plant, the cube's height
    whole = Calibration(Path("none"), (Span(0, 0, 4095),) * 6)
    robot = Emulated(Bus(), "nowhere", whole, plant=lambda: None, task="lift")
    done = []
    for tick in range(20):
        plant = here.plant.copy()
        plant[0], plant[up] = 0.1 * tick, 0.1 if tick > 5 else 0.014
        monkeypatch.setattr(SO101, "read", lambda self, t_ns, plant=plant: structs.replace(here, plant=plant))
        robot.read(1)
        done.append(robot.task_done())
    assert done.index(True) == 10


def test_an_arm_without_its_calibration_is_not_opened(tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match="sawhorse calibrate"):
        open_robot(settings(port="/dev/nothing", calibration=tmp_path))


def test_a_real_arm_is_not_driven_by_what_reads_a_simulation() -> None:
    with pytest.raises(PolicyError, match="a real arm has not"):
        scripted(settings(), "the hub is away")
    assert scripted(settings(emulated=True), "the hub is away").info.fallback == "the hub is away"


def test_the_shipped_policy_of_its_twin_drives_it_too() -> None:
    kind = KINDS["so101"]
    assert checkpoint.read_manifest(checkpoint.shipped("so101")).robot == kind.twin
    assert kind.mapping is KINDS[kind.twin].mapping
    assert kind.limits == KINDS[kind.twin].limits | {"hold_to_run": True}


def test_at_the_end_of_a_run_an_arm_that_would_fall_is_not_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    given = settings(emulated=True, release=True)
    host = alone(given)
    host.engine.start()
    until = time.monotonic() + PATIENCE
    while not host.engine.ready():
        assert time.monotonic() < until
        time.sleep(0.05)
    said = []
    monkeypatch.setattr(host.engine, "note", lambda kind, text: said.append(text))
    assert host.close("over")[1] == 0
    assert any("is not let go" in text for text in said)
