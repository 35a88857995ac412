"""The SO-101 as a robot, by LeRobot's real driver on emulated servos: it moves, stops, refuses to drop, and tells what is wrong."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import pytest

from adapters.base import AdapterError, Resting, Robot
from adapters.so101.bus import Bus
from adapters.so101.calibration import load
from adapters.so101.driver import GRIP_TORQUE
from adapters.so101.emulator import Emulator
from adapters.so101.following import PERIOD
from adapters.so101.motors import RAD
from adapters.so101.robot import FOLDED, REFUSED, SO101
from adapters.so101.steering import STEP
from engine.control.pose import Floats, floats
from engine.types import Command, Observation, Reason

PATIENCE = 60.0  #: s, for a machine that is busy with other things
LIMIT = 0.5  #: s, likewise, for the servos' answers
COMMAND = Command(
    command_tick=1,
    pose_d=(0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0),
    twist_d=(0.0,) * 6,
    stiffness_d=(800.0,) * 6,
    force_max=20.0,
    torque_max=3.0,
    hold=False,
    brakes=False,
    hand_force=0.0,
    hand_press=0.0,
    line_y_d=0.0,
    log_top_d=0.0,
    posture=(math.nan,) * 5,
)
MOVES = ("Goal_Position", "Torque_Enable")


@dataclass
class Bench:
    """A robot, the servos behind it, and what it has said."""

    robot: SO101
    servos: Emulator
    said: list[tuple[str, str]] = field(default_factory=list)

    def read(self) -> Observation:
        return self.robot.read(time.monotonic_ns())

    def wait(self, condition: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < until
            time.sleep(PERIOD)

    def drive(self, condition: Callable[[], bool], pose: Callable[[int], Floats], **more: object) -> None:
        """Command as the engine does until something has come about."""
        k = 0

        def told() -> bool:
            nonlocal k
            k += 1
            self.robot.command(msgspec.structs.replace(COMMAND, command_tick=k, pose_d=pose(k), **more))
            return condition()

        self.wait(told)

    def periods(self, more: int) -> None:
        """Let so many of the bus's periods pass."""
        before = self.read().seq
        self.wait(lambda: self.read().seq >= before + more)

    def goals(self, place: int) -> list[int]:
        """Steps that a servo was told to be at, in order."""
        return [write.value for write in self.servos.writes("Goal_Position") if write.id == place]

    def written(self) -> int:
        return sum(len(self.servos.writes(name)) for name in MOVES)

    def torque(self) -> list[int]:
        return [self.servos.get(place, "Torque_Enable") for place in range(1, 7)]

    def lost(self) -> str:
        """Why it cannot be read, once it cannot."""
        text = ""

        def silent() -> bool:
            nonlocal text
            try:
                self.read()
            except AdapterError as error:
                text = str(error)
            return bool(text)

        self.wait(silent)
        return text

    def readable(self) -> bool:
        try:
            self.read()
        except AdapterError:
            return False
        return True


def bench_of(servos: Emulator, folder: Path, **more: object) -> Bench:
    calibration = load(Path(servos.save_calibration(folder, "arm")))
    bench = Bench(SO101(Bus(LIMIT), servos.port, calibration, **more), servos)
    bench.robot.tell = lambda kind, text: bench.said.append((kind, text))
    bench.robot.connect()
    return bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """An arm that stands over the table."""
    with Emulator(holding=True) as servos:
        made = bench_of(servos, tmp_path)
        yield made
        made.robot.close()


def test_it_keeps_the_robot_s_protocol_and_reads_where_the_arm_is(bench: Bench) -> None:
    robot: Robot = bench.robot
    assert isinstance(robot, Resting)
    seen = bench.read()
    assert seen.q == pytest.approx(bench.servos.joints()[:5], abs=2.0 * RAD)
    assert robot.tool_at(seen.q.tolist()) == pytest.approx(seen.pose, abs=1e-9)
    assert seen.plant.shape == (0,)
    assert (seen.person, seen.holds, seen.fault) == (None, False, Reason.OK)
    column = np.array(robot.joint_twist(2))
    moved = np.array(robot.tool_at([*seen.q[:1], seen.q[1] + 1e-5, *seen.q[2:]])) - seen.pose
    assert column[:3] * 1e-5 == pytest.approx(moved[:3], rel=0.02, abs=2e-8)


def test_connecting_to_a_standing_arm_never_jerks_it_nor_takes_its_torque(bench: Bench) -> None:
    bench.periods(5)
    assert bench.torque() == [1] * 6
    assert [write for write in bench.servos.writes("Torque_Enable") if write.value == 0] == []
    first = bench.servos.joints()
    for place in range(1, 7):
        goals = bench.goals(place)
        assert abs(goals[0] * RAD - bench.servos.get(place, "Present_Position") * RAD) < 0.05
        assert max(abs(b - a) for a, b in pairwise(goals)) * RAD <= STEP + RAD
    assert bench.servos.joints() == pytest.approx(first, abs=0.02)
    assert bench.servos.get(6, "Torque_Limit") == round(1000 * GRIP_TORQUE)


def test_commands_move_the_tool_smoothly_and_the_gripper(bench: Bench) -> None:
    start = bench.read().pose
    there = start[2] + 0.03
    bench.drive(
        lambda: bench.read().pose[2] > there - 0.004 and bench.read().gripper > 0.75,
        lambda k: (*start[:2], min(there, start[2] + 0.0005 * k), *start[3:]),
        gripper_d=0.8,
    )
    assert bench.read().spring.pose_d[2] == pytest.approx(there, abs=0.03)
    for place in range(1, 6):
        assert max(abs(b - a) for a, b in pairwise(bench.goals(place))) * RAD <= STEP + RAD
    assert bench.read().fault == Reason.OK


def test_without_commands_it_holds(bench: Bench) -> None:
    start = floats(bench.read().pose)
    bench.drive(lambda: bench.read().seq > 40, lambda k: (start[0], start[1] + 0.001 * k, *start[2:]))
    bench.periods(60)
    before = bench.goals(1)[-1]
    bench.periods(20)
    assert abs(bench.goals(1)[-1] - before) <= 1
    assert bench.read().spring.pose_d == pytest.approx(bench.read().pose, abs=1e-6)


def test_power_off_is_refused_and_a_stop_lasts_until_it_is_armed_again(bench: Bench) -> None:
    start = floats(bench.read().pose)
    bench.robot.stop(0)
    bench.robot.stop(0)
    assert bench.said == [("refused", REFUSED)]
    at = bench.read().q
    seq = bench.read().seq
    bench.drive(lambda: bench.read().seq > seq + 30, lambda k: (start[0], start[1] + 0.05, *start[2:]))
    assert bench.torque() == [1] * 6
    assert bench.read().q == pytest.approx(at, abs=0.02)
    bench.robot.resume()
    bench.drive(lambda: bench.read().pose[1] > start[1] + 0.04, lambda k: (start[0], start[1] + min(0.05, 0.001 * k), *start[2:]))


def test_a_brake_only_holds_and_says_so_once(bench: Bench) -> None:
    start = floats(bench.read().pose)
    seq = bench.read().seq
    bench.drive(lambda: bench.read().seq > seq + 20, lambda k: start, brakes=True)
    assert bench.said == [("refused", REFUSED)]
    assert bench.torque() == [1] * 6


def test_a_silent_servo_is_named_and_nothing_is_written_until_it_is_armed_again(bench: Bench) -> None:
    bench.servos.silent(3)
    text = bench.lost()
    assert "elbow_flex" in text
    assert "not known" in text
    before = bench.written()
    bench.servos.silent(3, False)
    bench.wait(bench.readable)
    bench.periods(10)
    assert bench.written() == before
    assert ("system", "The servos answer again: arm to move the arm.") in bench.said
    bench.robot.resume()
    bench.wait(lambda: bench.written() > before)
    assert bench.torque() == [1] * 6


def test_a_cable_that_is_pulled_and_put_back_leaves_the_arm_holding_until_it_is_armed_again(bench: Bench) -> None:
    before, at = bench.torque(), bench.servos.joints()
    bench.servos.unplug()
    assert "gone" in bench.lost()
    bench.robot.stop(1)
    assert bench.torque() == before
    written = bench.written()
    bench.servos.replug()
    bench.wait(bench.readable)
    bench.periods(10)
    assert bench.written() == written
    bench.robot.resume()
    bench.wait(lambda: bench.written() > written)
    bench.periods(20)
    assert bench.servos.joints() == pytest.approx(at, abs=0.03)
    assert bench.read().fault == Reason.OK


def test_after_a_loss_of_power_torque_comes_back_where_the_arm_lies_and_only_when_it_is_armed(bench: Bench) -> None:
    bench.servos.unplug()
    bench.lost()
    bench.servos.power_cycle()
    bench.servos.replug()
    bench.wait(bench.readable)
    bench.periods(5)
    assert bench.torque() == [0] * 6
    before = [len(bench.goals(place)) for place in range(1, 7)]
    bench.robot.resume()
    bench.wait(lambda: bench.torque() == [1] * 6)
    bench.periods(10)
    for place, old in enumerate(before, start=1):
        goals = bench.goals(place)[old:]
        assert abs(goals[0] - bench.servos.get(place, "Present_Position")) * RAD < 0.1
        assert max(abs(b - a) for a, b in pairwise(goals)) * RAD <= STEP + RAD


@pytest.mark.parametrize(
    ("harm", "reason", "word"),
    [
        (lambda servos: servos.overload(2), Reason.SERVO_OVERLOAD, "overload"),
        (lambda servos: servos.temperature(2, 71.0), Reason.SERVO_HOT, "hot"),
        (lambda servos: servos.voltage(2, 5.9), Reason.SERVO_VOLTAGE, "V"),
    ],
)
def test_what_a_servo_says_is_wrong_with_it_stops_the_arm(
    bench: Bench, harm: Callable[[Emulator], None], reason: Reason, word: str
) -> None:
    harm(bench.servos)
    bench.wait(lambda: bench.read().fault != Reason.OK)
    assert (bench.read().fault, bench.read().fault_part) == (reason, 2)
    told = [text for kind, text in bench.said if kind == "fault"]
    assert told
    assert told[0].startswith("shoulder_lift ")
    assert word in told[0]
    before = bench.written()
    bench.periods(20)
    assert bench.written() == before


def test_a_soft_standing_arm_is_taken_over_with_the_gain_it_has(tmp_path: Path) -> None:
    with Emulator(holding=True) as servos:
        for place in range(1, 7):
            servos.set(place, "P_Coefficient", 6)
        bench = bench_of(servos, tmp_path)
        bench.periods(30)
        bench.robot.close()
        assert {write.value for write in servos.writes("P_Coefficient") if write.id < 6} == {6}


def test_a_standing_arm_with_a_servo_too_soft_to_carry_it_is_left_alone(tmp_path: Path) -> None:
    with Emulator(holding=True) as servos:
        servos.set(5, "P_Coefficient", 2)
        with pytest.raises(AdapterError, match="wrist_roll has a P coefficient of 2, too soft"):
            bench_of(servos, tmp_path)
        assert servos.writes("P_Coefficient") == []
        assert [servos.get(place, "Torque_Enable") for place in range(1, 7)] == [1] * 6


def test_another_arm_that_is_plugged_in_instead_is_told_of(bench: Bench) -> None:
    bench.servos.unplug()
    assert "is gone" in bench.lost()
    for place in range(1, 7):
        bench.servos.set(place, "Homing_Offset", 77)
    bench.servos.replug()
    bench.wait(lambda: "of another arm" in bench.lost())
    assert not bench.readable()


def test_a_push_that_holds_it_up_stops_it(bench: Bench) -> None:
    start = floats(bench.read().pose)
    pushed = False

    def held_up() -> bool:
        nonlocal pushed
        seen = bench.read()
        if not pushed and seen.seq > 30:
            bench.servos.push(1, -3.0)
            pushed = True
        return seen.fault == Reason.OBSTRUCTED

    bench.drive(held_up, lambda k: (start[0], start[1] + min(0.05, 0.0005 * k), *start[2:]))
    assert bench.read().fault_part == 1
    assert "shoulder_pan is" in bench.said[0][1]
    bench.servos.push(1, 0.0)
    bench.wait(lambda: bench.read().fault == Reason.OK)


def test_a_dry_run_writes_nothing_at_all_and_shows_its_first_actions(tmp_path: Path) -> None:
    with Emulator(holding=True) as servos:
        bench = bench_of(servos, tmp_path, dry_actions=4)
        start, at = floats(bench.read().pose), servos.joints()
        bench.robot.resume()
        bench.drive(lambda: len(bench.robot.dry) == 4, lambda k: (start[0], start[1] + 0.001 * k, *start[2:]), gripper_d=0.5)
        bench.periods(20)
        assert not bench.robot.release()
        bench.robot.close()
        assert servos.writes() == []
        assert servos.joints() == pytest.approx(at, abs=0.005)
        assert [text for _, text in bench.said] == list(bench.robot.dry)
        assert bench.robot.dry[0].startswith("dry run 1/4, not sent: shoulder_pan ")
        pans = [float(line.split("shoulder_pan ")[1].split()[0]) for line in bench.robot.dry]
        assert pans[-1] != pans[0]


def test_closing_leaves_the_servos_holding_and_the_port_free(tmp_path: Path) -> None:
    with Emulator(holding=True) as servos:
        ended: list[bool] = []
        bench = bench_of(servos, tmp_path, ended=lambda: ended.append(True))
        bench.robot.close()
        bench.robot.close()
        assert ended
        assert bench.torque() == [1] * 6
        with pytest.raises(AdapterError, match="not connected"):
            bench.read()
        again = bench_of(servos, tmp_path)
        again.robot.close()


def test_it_is_not_let_go_where_it_would_fall(bench: Bench) -> None:
    bench.periods(5)
    assert not bench.robot.release()
    bench.periods(5)
    assert bench.torque() == [1] * 6


def test_folded_onto_itself_it_is_let_go_and_nothing_gives_it_torque_again(tmp_path: Path) -> None:
    with Emulator() as servos:
        for place, at in enumerate(FOLDED, start=1):
            servos.place(place, at)
        bench = bench_of(servos, tmp_path)
        bench.wait(lambda: bench.read().q == pytest.approx(FOLDED, abs=0.02))
        for place in range(1, 6):
            servos.place(place, None)
        bench.wait(bench.robot.release)
        assert bench.torque() == [0] * 6
        written = bench.written()
        bench.periods(10)
        assert bench.written() == written
        bench.robot.close()
