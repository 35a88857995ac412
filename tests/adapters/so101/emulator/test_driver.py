"""LeRobot's own driver on the emulated bus: its connection, its calibration, its readings and its goals, and the traps it is known for."""

import math
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.so101.emulator import Emulator
from adapters.so101.emulator.arm import CALIBRATED, LIMITS, OFFSETS
from adapters.so101.emulator.free import START
from adapters.so101.emulator.registers import MODEL, TABLE
from tests.adapters.so101.emulator.wire import until

PATIENCE_MS = 200  #: in place of LeRobot's 50, which a busy machine is too slow for


def follower(arm: Emulator, folder: Path) -> Any:
    from lerobot.robots.so_follower import SO101Follower, SO101FollowerConfig

    robot = SO101Follower(SO101FollowerConfig(port=arm.port, id="emulated", calibration_dir=folder, disable_torque_on_disconnect=False))
    ports = robot.bus.port_handler
    ports.setPacketTimeout = lambda size: ports.setPacketTimeoutMillis(PATIENCE_MS)
    return robot


@pytest.fixture
def arm() -> Iterator[Emulator]:
    with Emulator(holding=True) as emulator:
        yield emulator


@pytest.fixture
def robot(arm: Emulator, tmp_path: Path) -> Iterator[Any]:
    """LeRobot's follower, connected as LeRobot does it, on a calibrated arm."""
    arm.save_calibration(tmp_path, "emulated")
    found = follower(arm, tmp_path)
    found.connect(calibrate=False)
    assert until(lambda: not any(arm.get(place, "Moving") for place in range(1, 7)))  # it has sunk while LeRobot had torque off
    yield found
    found.bus.port_handler.closePort()


def degrees(robot: Any) -> list[float]:
    return [float(value) for value in robot.get_observation().values()]


def test_the_registers_are_where_lerobot_looks_for_them() -> None:
    from lerobot.motors.feetech.tables import MODEL_NUMBER_TABLE, STS_SMS_SERIES_CONTROL_TABLE, STS_SMS_SERIES_ENCODINGS_TABLE

    for name, place in STS_SMS_SERIES_CONTROL_TABLE.items():
        if name in TABLE:
            assert (TABLE[name].address, TABLE[name].size) == place, name
            assert TABLE[name].sign == STS_SMS_SERIES_ENCODINGS_TABLE.get(name, 0), name
    same = {"Moving_Velocity", "Acceleration_Multiplier "}  # other spellings of what is there
    assert set(STS_SMS_SERIES_CONTROL_TABLE) - set(TABLE) == same
    assert MODEL_NUMBER_TABLE["sts3215"] == MODEL


def test_it_connects_configures_and_finds_its_calibration(arm: Emulator, robot: Any) -> None:
    assert robot.is_connected
    assert robot.is_calibrated
    assert [arm.get(id, "P_Coefficient") for id in range(1, 7)] == [16] * 6
    assert [arm.get(id, "Maximum_Acceleration") for id in range(1, 7)] == [254] * 6
    assert (arm.get(6, "Max_Torque_Limit"), arm.get(6, "Protection_Current"), arm.get(6, "Overload_Torque")) == (500, 250, 25)
    assert arm.get(1, "Lock") == arm.get(1, "Torque_Enable") == 1
    arm.power_cycle()
    assert arm.get(1, "P_Coefficient") == 16  # it had unlocked before it wrote


def test_what_it_reads_is_where_the_joints_are(arm: Emulator, robot: Any) -> None:
    read, true = degrees(robot), arm.joints()
    assert read[:5] == pytest.approx([math.degrees(q) for q in true[:5]], abs=0.4)
    low, high = CALIBRATED[5]
    assert read[5] == pytest.approx(100.0 * (true[5] - low) / (high - low), abs=0.3)


def test_its_action_moves_the_arm_there(arm: Emulator, robot: Any) -> None:
    goal = robot.get_observation() | {"shoulder_pan.pos": 25.0, "wrist_roll.pos": -60.0, "gripper.pos": 100.0}
    robot.send_action(goal)
    assert until(lambda: abs(degrees(robot)[0] - 25.0) < 0.3 and abs(degrees(robot)[4] + 60.0) < 0.3)
    assert until(lambda: abs(arm.joints()[5] - CALIBRATED[5][1]) < 0.01)
    assert [write.id for write in arm.writes("Goal_Position")][-6:] == [1, 2, 3, 4, 5, 6]


def test_its_largest_step_is_clipped_against_a_fresh_reading(arm: Emulator, robot: Any) -> None:
    robot.config.max_relative_target = 5.0
    before = degrees(robot)[0]
    sent = robot.send_action({"shoulder_pan.pos": 60.0})
    assert sent["shoulder_pan.pos"] == pytest.approx(before + 5.0, abs=0.2)


def test_it_calibrates_an_arm_from_the_box_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    middle, way = [0.0, 0.0, 0.0, 0.0, 0.0, 0.3], iter([0, 1, 2])
    with Emulator(calibrated=False) as arm:
        robot = follower(arm, tmp_path)
        robot.bus.connect()

        def hand(*_: object) -> str:
            assert not any(arm.get(id, "Torque_Enable") for id in range(1, 7))
            for id, q in enumerate(middle, start=1):
                arm.place(id, q)
            return ""

        def moved() -> bool:
            """Where LeRobot asks whether enter was pressed, the hand has gone on to one end, to the other, and is done."""
            end = next(way)
            for id, span in enumerate(CALIBRATED, start=1):
                if end < 2 and id != 5:
                    arm.place(id, span[end])
            return end == 2

        monkeypatch.setattr("builtins.input", hand)
        monkeypatch.setattr("lerobot.motors.motors_bus.enter_pressed", moved)
        robot.calibrate()
        found = robot.bus.read_calibration()
        assert robot.is_calibrated
        robot.bus.port_handler.closePort()
        for cal, offset, (low, high), (least, most) in zip(found.values(), OFFSETS, CALIBRATED, LIMITS, strict=True):
            assert cal.homing_offset == pytest.approx(offset, abs=4)
            if cal.id != 5:
                span = min(high, most) - max(low, least)
                assert cal.range_max - cal.range_min == pytest.approx(span * 4096 / math.tau, abs=8)
        assert follower(arm, tmp_path).calibration == found


def test_one_reply_that_is_too_late_puts_every_reading_off_by_one(arm: Emulator, robot: Any) -> None:
    arm.delay(0.3, 1)
    with pytest.raises(ConnectionError):
        robot.bus.read("Present_Temperature", "shoulder_pan")
    assert until(lambda: robot.bus.port_handler.getBytesAvailable() > 0)
    robot.bus.port_handler.is_using = False
    arm.set(1, "P_Coefficient", 99)
    assert robot.bus.read("P_Coefficient", "shoulder_pan") == arm.get(1, "Present_Temperature")
    assert robot.bus.read("Present_Temperature", "shoulder_pan") == 99


def test_a_mute_servo_is_noticed_by_reads_alone(arm: Emulator, robot: Any) -> None:
    arm.silent(4)
    robot.send_action({"wrist_flex.pos": 10.0})
    with pytest.raises(ConnectionError, match="no status packet"):
        robot.get_observation()
    arm.clear()
    assert len(degrees(robot)) == 6


def test_corrupt_replies_are_told_from_true_ones(arm: Emulator, robot: Any) -> None:
    arm.corrupt(1.0)
    with pytest.raises(ConnectionError, match="Incorrect status packet"):
        robot.get_observation()


def test_an_alarm_is_in_every_reply(arm: Emulator, robot: Any) -> None:
    arm.overload(2)
    with pytest.raises(RuntimeError, match="Overload"):
        robot.bus.read("Present_Load", "shoulder_lift")
    arm.clear()
    arm.temperature(3, 70.0)
    assert until(lambda: arm.get(3, "Status") == 4)
    with pytest.raises(RuntimeError, match="Overheat"):
        robot.bus.read("Present_Load", "elbow_flex")


def test_other_ids_and_other_firmware_fail_the_handshake(tmp_path: Path) -> None:
    with Emulator() as arm:
        arm.save_calibration(tmp_path, "emulated")
        arm.wrong_id(3, 9)
        with pytest.raises(RuntimeError, match="Missing motor IDs:\n  - 3"):
            follower(arm, tmp_path).connect(calibrate=False)
        arm.wrong_id(3, 3)
        arm.set(2, "Firmware_Minor_Version", 9)
        with pytest.raises(RuntimeError, match="different firmware"):
            follower(arm, tmp_path).connect(calibrate=False)


def test_a_pulled_cable_is_no_oserror(arm: Emulator, robot: Any) -> None:
    arm.unplug()
    with pytest.raises(termios.error):
        robot.get_observation()
    assert robot.is_connected
    assert arm.joints()[0] == pytest.approx(START[0], abs=0.02)


def test_a_servo_is_given_its_id(tmp_path: Path) -> None:
    with Emulator(calibrated=False) as arm:
        for place in (1, 2, 4, 5, 6):
            arm.silent(place)
        arm.wrong_id(3, 1)
        robot = follower(arm, tmp_path)
        robot.bus.setup_motor("elbow_flex", initial_baudrate=1_000_000, initial_id=1)
        robot.bus.port_handler.closePort()
        arm.power_cycle()
        assert arm.get(3, "ID") == 3
