"""The emulated servos on so101-sim's arm: goals over the bus lift the cube, and cameras can draw what the arm does."""

import math
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from adapters.base import AdapterError
from adapters.mujoco.tabletop import servos as simulated
from adapters.mujoco.tabletop.kinematics import Kinematics
from adapters.mujoco.tabletop.robot import Tabletop
from adapters.mujoco.tabletop.servos import JAW_CLOSED, JAW_OPEN, jaw_at
from adapters.mujoco.tabletop.so101 import SO101
from adapters.mujoco.tabletop.stage import TableStage
from adapters.mujoco.tabletop.table import turned
from adapters.mujoco.tabletop.truth import about, places
from adapters.so101.emulator import Emulator, Remote, attach, start
from adapters.so101.emulator import servo as emulated
from adapters.so101.emulator.arm import CALIBRATED, LIMITS, Servos
from adapters.so101.emulator.chain import Chain
from adapters.so101.emulator.cube import RESTING, Cube
from adapters.so101.emulator.free import PHYSICS_S, weight
from adapters.so101.emulator.packets import BROADCAST, Instruction, Packet
from adapters.so101.emulator.remote import CONTROL
from adapters.so101.emulator.servo import KP, MIDDLE, STEP
from adapters.so101.emulator.shared import SharedPlant
from engine.types import F64
from tests.adapters.so101.emulator.wire import Wire, until

GRIP = SO101.holding + 0.05  #: closed so far the jaw squeezes the cube


class Arm:
    """The coupled arm without a pty and without a clock, told joint angles as a driver would tell them."""

    def __init__(self, seed: int) -> None:
        self.servos = Servos(calibrated=True)
        self.world = Cube(self.servos, seed, None)
        self.servos.hold(self.world.q)
        self.chain = Chain(self.servos.all, seed)
        self.told = self.world.q
        for servo in self.servos.all:
            servo.set("P_Coefficient", emulated.KP_AT)

    def tell(self, q: list[float]) -> None:
        """One sync write of six goals that carry the arm's weight."""
        parameters = [42, 2]
        for id, (at, held, (low, high)) in enumerate(zip(q, (0.0, *weight(q), 0.0, 0.0), CALIBRATED, strict=True), start=1):
            raw = round(MIDDLE + (at + held / KP - 0.5 * (low + high)) / STEP)
            parameters += [id, raw & 0xFF, raw >> 8]
        self.chain.answer(Packet(BROADCAST, Instruction.SYNC_WRITE, bytes(parameters), len(parameters) + 6), 0.0, 1_000_000)

    def go(self, place: tuple[float, float, float], facing: float, closed: float, seconds: float) -> None:
        reached = Kinematics(SO101).reach((*place, *turned(facing)), np.array(SO101.home))
        first, last, ticks = self.told, [*reached.tolist(), jaw_at(closed)], round(seconds / 0.02)
        for tick in range(1, ticks + 1):
            share = min(1.0, 1.4 * tick / ticks)
            self.told = [a + share * (b - a) for a, b in zip(first, last, strict=True)]
            self.tell(self.told)
            self.world.advance(10)


@pytest.mark.parametrize("seed", [0, 3])
def test_goals_over_the_bus_lift_the_cube(seed: int) -> None:
    arm = Arm(seed)
    x, y, z = arm.world.table.truth().cube
    facing = SO101.facing(x, y)
    a, b, _ = about(SO101, (x, y, z), 0.0)
    arm.go((a, b, z + 0.08), facing, 0.0, 1.2)
    arm.go((a, b, z + 0.003), facing, 0.0, 1.0)
    arm.go(about(SO101, (x, y, z), SO101.holding), facing, GRIP, 0.8)
    assert arm.servos.all[5].get("Present_Load") < -100  # the jaw feels the cube
    assert not arm.world.table.task_done()
    arm.go((x, y, z + 0.09), facing, GRIP, 1.5)
    assert arm.world.table.task_done()


def test_its_numbers_are_the_simulated_arms() -> None:
    for (low, high), (a, b) in zip(LIMITS, SO101.joint_limits, strict=False):
        assert (low, high) == pytest.approx((a, b), abs=1e-3)
    assert (CALIBRATED[5], emulated.KP, emulated.TORQUE, emulated.FREE_SPEED) == (
        (JAW_CLOSED, JAW_OPEN),
        simulated.KP,
        simulated.TORQUE,
        simulated.FREE_SPEED,
    )


def test_the_free_arm_weighs_what_the_simulated_one_does() -> None:
    cube = Cube(Servos(calibrated=True), 0, (0.3, -0.9, 0.7, 0.4, 0.0, 0.2))
    body = cube.table._body
    assert weight(body.q.tolist()) == pytest.approx(body.bias[1:4].tolist(), abs=0.01)


def test_wider_stops_let_a_joint_lie_beyond_the_models_range() -> None:
    cube = Cube(Servos(calibrated=True, wider=0.07), 0, (LIMITS[0][1] + 0.06, *RESTING[1:]))
    cube.advance(500)
    assert cube.q[0] == pytest.approx(LIMITS[0][1] + 0.06, abs=0.01)


def test_a_limp_arm_lies_still_and_a_limp_arm_in_the_air_falls() -> None:
    still = Cube(Servos(calibrated=True), 0, RESTING)
    still.advance(500)
    assert still.q == pytest.approx(RESTING, abs=0.03)
    falls = Cube(Servos(calibrated=True), 0, None)
    before = falls.table.tool()[0][2]
    falls.advance(500)
    assert falls.table.tool()[0][2] < before - 0.02


def test_a_held_arm_sags_under_its_weight_as_the_servos_are_stiff() -> None:
    arm = Arm(0)
    first = np.array(arm.world.q)
    arm.world.advance(1000)
    sag = np.array(arm.world.q) - first
    assert sag[1:4] == pytest.approx([-w / KP for w in weight(first.tolist())], abs=0.01)
    assert [servo.get("Present_Load") for servo in arm.servos.all][1] == pytest.approx(1000 * weight(first.tolist())[0] / 3.35, abs=30)


def test_a_place_by_hand_is_taken_exactly() -> None:
    cube = Cube(Servos(calibrated=True), 0, None)
    cube.place(3, 0.4)
    assert cube.q[3] == 0.4


@pytest.fixture(scope="module")
def remote() -> Iterator[Remote]:
    with start("cube", seed=2, holding=True) as arm:
        yield arm


def head(plant: F64 | None) -> F64:
    assert plant is not None
    found: F64 = places(SO101, plant)
    return found


def test_an_arm_in_another_process_shows_its_plant_as_it_moves(remote: Remote) -> None:
    table = Tabletop(SO101, "so101-sim", 2, "lift")
    table.connect()
    first = remote.plant()
    assert first is not None
    assert first.shape == table.plant().shape
    assert head(first)[6:9] == pytest.approx(places(SO101, table.plant())[6:9], abs=0.002)  # the same cube at the same place
    wire = Wire(remote.port)
    goal = MIDDLE + 400
    wire.ask(0, 1, 3, 42, goal & 0xFF, goal >> 8)
    assert until(lambda: abs(head(remote.plant())[0] - 400 * math.tau / 4096) < 0.02)
    wire.close()
    assert remote.joints() == pytest.approx(head(remote.plant())[:6].tolist(), abs=0.05)
    assert [write.value for write in remote.writes("Goal_Position")] == [goal]
    assert remote.writes("Goal_Position")[0].id == 1
    stage = TableStage("so101")
    shown = remote.plant()
    assert shown is not None
    stage.pose(shown)
    assert stage.data.qpos[0] == pytest.approx(400 * math.tau / 4096, abs=0.05)


def test_faults_reach_the_other_process(remote: Remote) -> None:
    wire = Wire(remote.port)
    remote.silent(2)
    assert wire.still(2, 1)
    remote.clear()
    assert len(wire.ask(0, 2, 1)) == 6
    wire.close()
    with pytest.raises(ValueError, match="no servo 9"):
        remote.overload(9)
    with attach(remote.port) as other:
        assert other.get(4, "Model_Number") == 777
    assert remote.get(4, "Model_Number") == 777


def test_a_process_that_ended_is_missed_and_leaves_nothing_behind() -> None:
    arm = start()
    port = Path(arm.port)
    assert arm.plant() is None
    process = arm._process
    assert process is not None
    assert process.stdin is not None
    process.stdin.close()  # as when whoever started it is gone
    assert process.wait(60) == 0
    with pytest.raises(AdapterError, match=r"has ended|does not answer"):
        arm.joints()
    arm.close()
    assert not port.parent.exists()
    with pytest.raises(AdapterError, match="no emulated arm answers beside"):
        attach(str(port))


@pytest.mark.skipif(sys.platform != "linux", reason="counts another process's threads in /proc")
def test_none_of_what_a_process_does_waits_for_somebody_to_read_its_complaints() -> None:
    with start() as arm:
        assert len(arm.joints()) == 6
        assert arm._process is not None
        threads = Path(f"/proc/{arm._process.pid}/task")
        before = len(list(threads.iterdir()))
        for _ in range(200):  # each leaves a traceback of somebody who asked and did not wait for the answer
            with socket.socket(socket.AF_UNIX) as other:
                other.connect(arm.port + CONTROL)
                other.sendall(b'{"do": "writes"}\n' * 20)
        assert until(lambda: len(list(threads.iterdir())) == before)


def test_a_plant_that_is_never_whole_is_told_in_a_sentence(tmp_path: Path) -> None:
    shared = SharedPlant(tmp_path / "plant", 3)
    shared.write(np.arange(3.0))
    assert shared.read().tolist() == [0.0, 1.0, 2.0]
    shared._count[0] += 1  # as if who writes it had died meanwhile
    with pytest.raises(AdapterError, match="table cannot be read"):
        shared.read()
    shared.close()


def test_a_process_that_cannot_start_says_why() -> None:
    with Emulator() as arm, pytest.raises(AdapterError, match="exists"):
        start(link=arm.port)


def test_physics_passes_at_the_same_step_for_both_arms() -> None:
    from adapters.mujoco import layout

    assert layout.PHYSICS_S == PHYSICS_S
