"""The bus on LeRobot's real driver and an emulated chain of servos: looking, holding, moving, letting go, and every way to fail."""

import contextlib
import gc
import json
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.base import AdapterError
from adapters.so101.bus import Bus, BusError
from adapters.so101.calibration import Calibration, CalibrationError, load
from adapters.so101.emulator import Emulator
from adapters.so101.examination import examine
from adapters.so101.motors import MOTORS, Reading
from adapters.so101.status import troubles
from tests.adapters.so101.emulator.wire import pass_time

HERE = (0.1, -1.7453, 1.69, 1.62, -1.0, 0.3)  #: rad, jaw too: folded, where a limp arm stays
PATIENCE = 60.0  #: s, for a machine that is busy with other things
LIMIT = 0.4  #: s, likewise, for the servos' answers
MOVES = {"Goal_Position", "Torque_Enable", "Torque_Limit", "P_Coefficient"}


@pytest.fixture(scope="module")
def arm() -> Iterator[Emulator]:
    with Emulator(pose=HERE) as emulator:
        yield emulator


def put(arm: Emulator, place: int, at: float) -> None:
    """A hand moves a limp joint to ``at`` rad, its servo has felt it, and the hand lets go."""
    arm.place(place, at)
    end = time.monotonic() + PATIENCE
    while abs(arm.servos[place].q - at) > 1e-3:
        assert time.monotonic() < end
        time.sleep(0.001)
    arm.place(place, None)


@pytest.fixture
def fresh(arm: Emulator) -> Emulator:
    """The same arm without faults, limp, as its power has just come."""
    arm.clear()
    arm.replug()
    arm.power_cycle()
    for place, at in enumerate(HERE, start=1):
        put(arm, place, at)
        arm.push(place, 0.0)
        arm.wrong_id(place, place)
        arm.temperature(place, 32.0)
    return arm


@pytest.fixture
def calibration(fresh: Emulator, tmp_path: Path) -> Calibration:
    fresh.save_calibration(tmp_path, id="arm")
    return load(tmp_path / "arm.json")


@pytest.fixture
def bus(fresh: Emulator, calibration: Calibration) -> Iterator[Bus]:
    bus = Bus(LIMIT)
    bus.connect(fresh.port, calibration)
    yield bus
    bus.close()


@pytest.fixture
def quick(fresh: Emulator, calibration: Calibration) -> Iterator[Bus]:
    """One that waits for an answer no longer than it does on an arm."""
    bus = Bus()
    end = time.monotonic() + PATIENCE
    while True:
        try:
            bus.connect(fresh.port, calibration)
            break
        except BusError:
            assert time.monotonic() < end
    yield bus
    bus.close()


def fails(bus: Bus, how: Callable[[BusError], bool] = lambda error: True) -> BusError:
    """The first failure of a reading of which that is true."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            bus.read(0)
        except BusError as error:
            if how(error):
                return error
    raise AssertionError("no reading failed so")


def until(bus: Bus, reached: Callable[[Reading], bool]) -> Reading:
    """The first reading of which that is true."""
    end = time.monotonic() + PATIENCE
    while not reached(reading := bus.read(77)):
        assert time.monotonic() < end
    return reading


def settled(bus: Bus) -> Reading:
    """The first reading that is good again."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return bus.read(0)
        except BusError:
            assert time.monotonic() < end


def since(arm: Emulator, t_ns: int, *names: str) -> list[tuple[int, str, int]]:
    return [(write.id, write.name, write.value) for write in arm.writes() if write.t_ns >= t_ns and (not names or write.name in names)]


# --- connecting and reading ---


def test_connecting_and_reading_write_nothing(fresh: Emulator, calibration: Calibration) -> None:
    before = time.monotonic_ns()
    bus = Bus(LIMIT)
    bus.connect(fresh.port, calibration)
    bus.read(0)
    bus.goals()
    bus.close()
    examine(fresh.port)
    assert since(fresh, before) == []
    assert [fresh.get(place, "Torque_Enable") for place in range(1, 7)] == [0] * 6


def test_a_reading_is_what_the_registers_hold(fresh: Emulator, bus: Bus) -> None:
    for place, value in enumerate((35.0, 36.0, 37.0, 38.0, 39.0, 40.0), start=1):
        fresh.temperature(place, value)
        fresh.voltage(place, 7.0 + 0.1 * place)
    fresh.overload(4)
    bus.hold()
    fresh.overload(4)
    fresh.push(2, 2.0)
    reading = until(bus, lambda now: now.load[1] < -0.2 and abs(now.dq[1]) < 0.01)
    assert reading.t_ns == 77
    assert reading.celsius == (35.0, 36.0, 37.0, 38.0, 39.0, 40.0)
    assert reading.volts == pytest.approx((7.1, 7.2, 7.3, 7.4, 7.5, 7.6))
    assert reading.status == (0, 0, 0, 32, 0, 0)
    assert reading.load[1] == pytest.approx(fresh.get(2, "Present_Load") / 1000, abs=0.05)
    assert reading.amps[1] == pytest.approx(fresh.get(2, "Present_Current") * 0.0065, abs=0.05)
    assert reading.amps[1] > 0.2
    assert reading.q == pytest.approx(fresh.joints()[:5], abs=0.01)
    assert reading.gripper == pytest.approx((0.70 - HERE[5]) / 0.80, abs=0.01)


def test_speed_has_its_sign_and_moving_is_told(fresh: Emulator, bus: Bus) -> None:
    bus.hold()
    bus.write((HERE[0] - 0.8, *HERE[1:5]), 0.5)
    reading = until(bus, lambda now: now.dq[0] < -0.5)
    assert reading.moving[0]
    assert until(bus, lambda now: now.q[0] < HERE[0] - 0.7 and not now.moving[0]).dq[0] == pytest.approx(0.0, abs=0.05)


# --- holding, writing, letting go ---


def test_taking_hold_of_a_limp_arm_moves_nothing(fresh: Emulator, bus: Bus) -> None:
    for place in range(1, 7):
        fresh.set(place, "Goal_Position", 2047)  # of long ago: LeRobot's own connect would go there
    before = fresh.joints()
    bus.hold()
    pass_time(fresh)
    assert [fresh.get(place, "Torque_Enable") for place in range(1, 7)] == [1] * 6
    assert fresh.joints() == pytest.approx(before, abs=math.radians(1.0))
    assert bus.goals()[0] == pytest.approx(before[:5], abs=math.radians(1.0))


def test_settings_are_lerobots_and_forgotten_without_power(fresh: Emulator, bus: Bus) -> None:
    worn = [fresh.get(1, name) for name in ("P_Coefficient", "Return_Delay_Time", "Maximum_Acceleration")]
    for place in range(1, 7):
        fresh.set(place, "Lock", 0)  # as LeRobot's calibration leaves it
    bus.hold()
    bus.stiffness((9,) * 6)
    assert [fresh.get(1, name) for name in ("P_Coefficient", "I_Coefficient", "D_Coefficient", "Acceleration")] == [9, 0, 32, 254]
    assert [fresh.get(6, name) for name in ("Protection_Current", "Overload_Torque", "Torque_Limit")] == [250, 25, 500]
    fresh.power_cycle()
    assert [fresh.get(1, name) for name in ("P_Coefficient", "Return_Delay_Time", "Maximum_Acceleration")] == worn


def test_a_standing_arm_is_taken_over_as_it_stands(tmp_path: Path) -> None:
    with Emulator(holding=True) as standing:
        standing.save_calibration(tmp_path, id="arm")
        standing.set(2, "P_Coefficient", 8)
        for _ in range(3):
            pass_time(standing)  # it sinks a little
        before, start = standing.joints(), time.monotonic_ns()
        for _ in range(2):
            bus = Bus(LIMIT)
            bus.connect(standing.port, load(tmp_path / "arm.json"))
            bus.hold()
            bus.close()
        del bus
        gc.collect()  # LeRobot's own class disconnects when it is forgotten
        pass_time(standing)
        assert since(standing, start, *MOVES) == []
        assert [standing.get(place, "Torque_Enable") for place in range(1, 7)] == [1] * 6
        assert standing.joints()[:4] == pytest.approx(before[:4], abs=math.radians(0.3))


def test_what_a_standing_arm_is_told_wears_no_settings(tmp_path: Path) -> None:
    with Emulator(holding=True) as standing:
        standing.save_calibration(tmp_path, id="arm")
        for place in range(1, 7):
            standing.set(place, "Lock", 0)
        worn = standing.get(1, "P_Coefficient")
        bus = Bus(LIMIT)
        bus.connect(standing.port, load(tmp_path / "arm.json"))
        bus.hold()
        bus.stiffness((worn // 2,) * 6)
        bus.close()
        standing.power_cycle()
        assert standing.get(1, "P_Coefficient") == worn


def test_one_limp_servo_of_a_standing_arm_is_held_where_it_is(fresh: Emulator, bus: Bus) -> None:
    bus.hold()
    goals = [fresh.get(place, "Goal_Position") for place in range(1, 7)]
    fresh.set(5, "Torque_Enable", 0)
    put(fresh, 5, 0.4)
    bus.hold()
    goals[4] = fresh.get(5, "Present_Position")
    assert [fresh.get(place, "Goal_Position") for place in range(1, 7)] == pytest.approx(goals, abs=1)
    assert fresh.get(5, "Torque_Enable") == 1


def test_an_alarm_or_a_joint_out_of_its_range_gets_no_torque(fresh: Emulator, calibration: Calibration) -> None:
    fresh.temperature(3, 71.0)
    bus = Bus(LIMIT)
    bus.connect(fresh.port, calibration)
    with pytest.raises(AdapterError, match="elbow_flex"):
        bus.hold()
    fresh.temperature(3, 32.0)
    put(fresh, 6, 1.5)
    with pytest.raises(AdapterError, match=r"gripper is \d+ degrees outside"):
        bus.hold()
    bus.close()
    assert [fresh.get(place, "Torque_Enable") for place in range(1, 7)] == [0] * 6


def test_an_overload_is_forgotten_when_torque_is_asked_for_again(fresh: Emulator, bus: Bus) -> None:
    bus.hold()
    fresh.overload(2)
    assert [t.what for t in troubles(bus.read(0))] == ["overload"]
    bus.hold()
    until(bus, lambda now: not troubles(now))


def test_goals_are_kept_within_the_calibrated_range(fresh: Emulator, bus: Bus) -> None:
    bus.hold()
    bus.write((9.0, -9.0, 0.0, 0.5, 0.0), 2.0)
    spans = [(fresh.get(place, "Min_Position_Limit"), fresh.get(place, "Max_Position_Limit")) for place in range(1, 7)]
    goals = [fresh.get(place, "Goal_Position") for place in range(1, 7)]
    assert goals[0] == spans[0][1]
    assert goals[1] == spans[1][0]
    assert goals[2] == 2047
    assert goals[3] == pytest.approx(2047 + math.degrees(0.5) * 4095 / 360, abs=1)  # LeRobot's degrees
    assert goals[5] == spans[5][0]  # closed
    q, gripper = bus.goals()
    assert (q[3], gripper) == pytest.approx((0.5, 1.0), abs=0.001)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_never_written(fresh: Emulator, bus: Bus, bad: float) -> None:
    before = time.monotonic_ns()
    with pytest.raises(ValueError, match="elbow_flex is no number"):
        bus.write((0.0, 0.0, bad, 0.0, 0.0), 0.5)
    with pytest.raises(ValueError, match="gripper is no number"):
        bus.write((0.0,) * 5, bad)
    with pytest.raises(ValueError, match="5 joints"):
        bus.write((0.0,) * 7, 0.5)
    assert since(fresh, before) == []


def test_gains_and_torque_limits_never_let_go(fresh: Emulator, bus: Bus) -> None:
    bus.hold()
    bus.torque_limits((1.0, 0.5, 0.0001, 0.3, 0.2, 0.24))
    bus.stiffness((6, 7, 8, 9, 10, 16))
    assert [fresh.get(place, "Torque_Limit") for place in range(1, 7)] == [1000, 500, 1, 300, 200, 240]
    assert [fresh.get(place, "P_Coefficient") for place in range(1, 7)] == [6, 7, 8, 9, 10, 16]
    with pytest.raises(ValueError, match="P coefficients"):
        bus.stiffness((0, 16, 16, 16, 16, 16))
    with pytest.raises(ValueError, match="torque limits"):
        bus.torque_limits((1.0, 1.0, 0.0, 1.0, 1.0, 1.0))
    assert fresh.get(1, "P_Coefficient") == 6


def test_release_lets_all_go_and_says_what_may_still_hold(fresh: Emulator, bus: Bus) -> None:
    bus.hold()
    bus.release()
    assert [fresh.get(place, "Torque_Enable") for place in range(1, 7)] == [0] * 6
    bus.hold()
    fresh.silent(4)
    with pytest.raises(BusError, match="wrist_flex") as info:
        bus.release()
    assert info.value.motor == "wrist_flex"
    assert [fresh.get(place, "Torque_Enable") for place in range(1, 7)] == [0, 0, 0, 1, 0, 0]


# --- what goes wrong while it runs ---


@pytest.mark.parametrize("place", [1, 3, 6])
def test_a_mute_servo_is_noticed_by_name_and_comes_back(fresh: Emulator, bus: Bus, place: int) -> None:
    fresh.silent(place)
    error = fails(bus)
    assert (error.kind, error.motor) == ("silent", MOTORS[place - 1])
    assert f"(servo {place}) does not answer" in str(error)
    fresh.silent(place, on=False)
    settled(bus)


def test_a_broken_chain_and_a_dead_arm_are_told_apart(fresh: Emulator, bus: Bus) -> None:
    for place in (4, 5, 6):
        fresh.silent(place)
    assert "wrist_flex (servo 4) and all servos behind it" in str(fails(bus))
    for place in (1, 2, 3):
        fresh.silent(place)
    error = fails(bus, lambda error: error.motor == "")
    assert error.kind == "silent"
    assert "power" in str(error)


def test_a_servo_that_changes_its_id_is_silent(fresh: Emulator, bus: Bus) -> None:
    fresh.wrong_id(3, 9)
    error = fails(bus)
    assert (error.kind, error.motor) == ("silent", "elbow_flex")


def test_one_damaged_answer_is_asked_for_again(fresh: Emulator, bus: Bus) -> None:
    for _ in range(5):
        fresh.half_packet(1)
        assert bus.read(0).q == pytest.approx(fresh.joints()[:5], abs=0.01)


def test_damage_that_stays_is_told(fresh: Emulator, bus: Bus) -> None:
    fresh.corrupt(1.0)
    assert fails(bus).kind == "corrupt"
    fresh.corrupt(0.0)
    settled(bus)
    fresh.half_packet(1000)
    assert fails(bus).kind == "corrupt"


def test_a_half_damaged_line_never_gives_a_wrong_number(fresh: Emulator, bus: Bus) -> None:
    fresh.corrupt(0.3)
    good = n = 0
    while good < 6:
        n += 1
        assert n < 1000
        at = 0.01 * (n % 20)
        put(fresh, 1, at)
        with contextlib.suppress(BusError):
            assert bus.read(0).q[0] == pytest.approx(at, abs=0.002)
            good += 1


@pytest.mark.parametrize("delay", [0.03, 0.06, 0.1, 0.18, 0.2])
def test_an_answer_that_comes_late_is_never_taken_for_a_fresh_one(fresh: Emulator, quick: Bus, delay: float) -> None:
    fresh.delay(delay)
    kinds = set()
    n = 0
    while n < 14 or ("late" not in kinds and delay >= 0.06):
        n += 1
        assert n < 200
        at = 0.02 * (n % 20)
        put(fresh, 1, at)
        asked = time.monotonic()
        try:
            reading = quick.read(0)
            assert time.monotonic() - asked > delay
            assert reading.q[0] == pytest.approx(at, abs=0.002)
        except BusError as error:
            kinds.add(error.kind)
    assert kinds <= {"late", "silent"}
    fresh.delay(0.0)
    settled(quick)
    put(fresh, 1, 0.5)
    assert settled(quick).q[0] == pytest.approx(0.5, abs=0.002)


def test_one_late_answer_shifts_no_later_reading(fresh: Emulator, quick: Bus) -> None:
    fresh.delay(0.2, count=6)
    fails(quick)
    for at in (0.2, 0.3, 0.4):
        put(fresh, 1, at)
        assert settled(quick).q[0] == pytest.approx(at, abs=0.002)


def test_heat_and_a_low_voltage_are_in_the_reading(fresh: Emulator, bus: Bus) -> None:
    fresh.temperature(2, 70.0)
    fresh.voltage(5, 6.0)
    reading = until(bus, lambda now: len(troubles(now)) == 3)
    found = {trouble.what: trouble for trouble in troubles(reading)}
    assert set(found) == {"overheat", "hot", "low voltage"}
    assert found["hot"].motor == "shoulder_lift"
    assert found["low voltage"].motor == "wrist_roll"


def test_a_pulled_plug_is_gone_and_plugged_in_again_is_there(fresh: Emulator, bus: Bus, calibration: Calibration) -> None:
    bus.hold()
    fresh.unplug()
    for use in (
        lambda: bus.read(0),
        lambda: bus.write((0.0,) * 5, 0.5),
        lambda: bus.stiffness((16,) * 6),
        bus.goals,
        bus.hold,
        bus.release,
    ):
        with pytest.raises(BusError) as info:
            use()
        assert info.value.kind == "gone"
    bus.close()
    with pytest.raises(BusError, match="not connected"):
        bus.read(0)
    with pytest.raises(AdapterError, match="There is no port"):
        bus.connect(fresh.port, calibration)
    fresh.replug()
    bus.connect(fresh.port, calibration)
    assert bus.read(0).q == pytest.approx(fresh.joints()[:5], abs=0.01)
    assert [fresh.get(place, "Torque_Enable") for place in range(1, 7)] == [1] * 6


# --- what forbids to connect ---


def refused(port: str, calibration: Calibration) -> str:
    with pytest.raises(AdapterError) as info:
        Bus(LIMIT).connect(port, calibration)
    return str(info.value)


def test_a_port_that_cannot_be_had(fresh: Emulator, calibration: Calibration, tmp_path: Path) -> None:
    assert refused("/dev/ttyACM99", calibration).startswith("There is no port /dev/ttyACM99")
    (tmp_path / "file").write_text("")
    assert "cannot be opened as a serial port" in refused(str(tmp_path / "file"), calibration)
    first = Bus(LIMIT)
    first.connect(fresh.port, calibration)
    assert "in use by another program" in refused(fresh.port, calibration)
    with pytest.raises(AdapterError, match="in use by another program"):
        examine(fresh.port)
    first.read(0)
    first.close()
    assert len(examine(fresh.port).servos) == 6


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else for a moment")
def test_a_port_that_is_not_ones_own(fresh: Emulator, calibration: Calibration, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    Path(fresh.port).parent.chmod(0o755)
    bus = Bus(LIMIT)
    bus.connect(fresh.port, calibration)  # brings LeRobot in, which nobody may read
    bus.close()
    os.chmod(fresh.port, 0o600)
    os.seteuid(65534)
    try:
        said = refused(fresh.port, calibration)
    finally:
        os.seteuid(0)
    assert "may not be opened by you" in said
    assert "usermod" in said


def test_servos_that_are_not_all_there(fresh: Emulator, calibration: Calibration) -> None:
    fresh.silent(2)
    assert "shoulder_lift (servo 2) does not answer" in refused(fresh.port, calibration)
    assert examine(fresh.port).missing == (2,)
    fresh.clear()
    fresh.wrong_id(2, 9)
    assert "shoulder_lift (servo 2) does not answer and servo 9 does" in refused(fresh.port, calibration)
    assert (examine(fresh.port).missing, examine(fresh.port).strange) == ((2,), (9,))
    fresh.wrong_id(2, 2)
    for place in range(1, 7):
        fresh.silent(place)
    assert "No servo answers" in refused(fresh.port, calibration)


def test_servos_of_another_kind(fresh: Emulator, calibration: Calibration) -> None:
    fresh.set(3, "Firmware_Minor_Version", 9)
    said = refused(fresh.port, calibration)
    assert "elbow_flex has firmware 3.9 and the others 3.10" in said
    fresh.set(3, "Firmware_Minor_Version", 10)
    fresh.set(3, "Model_Number", 2825)
    assert "elbow_flex is of model 2825" in refused(fresh.port, calibration)
    fresh.set(3, "Model_Number", 777)


def test_a_calibration_with_more_in_it_than_lerobot_knows_will_do(fresh: Emulator, calibration: Calibration) -> None:
    motors = json.loads(calibration.path.read_text())
    motors["gripper"]["note"] = "stiff"
    calibration.path.write_text(json.dumps(motors))
    bus = Bus(LIMIT)
    bus.connect(fresh.port, load(calibration.path))
    bus.close()


def test_a_calibration_that_the_servos_do_not_hold(fresh: Emulator, calibration: Calibration) -> None:
    spans = calibration.spans
    edited = replace(calibration, spans=(spans[0], replace(spans[1], high=spans[1].high - 200), *spans[2:]))
    with pytest.raises(CalibrationError, match=r"was edited.*shoulder_lift differ"):
        Bus(LIMIT).connect(fresh.port, edited)
    other = replace(calibration, spans=tuple(replace(span, homing=span.homing + 77) for span in spans))
    with pytest.raises(CalibrationError, match="of another arm"):
        Bus(LIMIT).connect(fresh.port, other)
    Bus(LIMIT).connect(fresh.port, calibration)
