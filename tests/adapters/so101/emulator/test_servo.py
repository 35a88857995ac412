"""The servos on the arm that touches nothing, without a bus: how they follow, how strongly, and how they protect themselves."""

import math

import pytest

from adapters.so101.emulator.arm import CALIBRATED, LIMITS, Servos, calibration
from adapters.so101.emulator.free import PHYSICS_S, RESTING, START, Free, weight
from adapters.so101.emulator.servo import CURRENT, FREE_SPEED, KP, OVERLOAD, STEP, TEMPERATURE, TORQUE, VOLTAGE, Servo

LIFT = 1  #: the joint that carries most


def arm(holding: bool = True) -> tuple[Servos, Free]:
    servos = Servos(calibrated=True)
    free = Free(servos, START if holding else RESTING)
    for servo in servos.all:
        servo.set("P_Coefficient", 16)
    if holding:
        servos.hold(free.q)
        free.advance(400)
    return servos, free


def tell(servo: Servo, name: str, value: int) -> None:
    """As over the bus."""
    from adapters.so101.emulator.registers import TABLE

    register = TABLE[name]
    servo.write(register.address, value.to_bytes(register.size, "little"))


def wait(free: Free, seconds: float) -> None:
    free.advance(round(seconds / PHYSICS_S))


def test_the_middle_of_the_calibrated_range_is_zero() -> None:
    servos = Servos(calibrated=True)
    for servo, (low, high), found in zip(servos.all, CALIBRATED, calibration(servos.all).values(), strict=True):
        middle = 0.5 * (found["range_min"] + found["range_max"])
        servo.q = 0.5 * (low + high)
        assert servo.get("Present_Position") == pytest.approx(middle, abs=0.6)
        servo.q = high - 0.001
        assert servo.get("Present_Position") == pytest.approx(found["range_max"], abs=1.1)


def test_a_goal_is_reached_as_far_as_weight_lets_it_and_a_softer_servo_sags_more() -> None:
    servos, free = arm()
    tell(servos.all[0], "Goal_Position", 2047 + 300)
    wait(free, 1.5)
    assert servos.all[0].get("Present_Position") == pytest.approx(2347, abs=2)
    sag = free.q[LIFT] - START[LIFT]
    assert sag == pytest.approx(-weight(free.q)[0] / KP, abs=0.008)  # dry friction carries some of it
    tell(servos.all[LIFT], "P_Coefficient", 8)
    wait(free, 1.5)
    assert free.q[LIFT] - START[LIFT] == pytest.approx(-2.0 * weight(free.q)[0] / KP, abs=0.012)


def test_load_is_what_the_joint_holds() -> None:
    servos, free = arm()
    held = weight(free.q)[0] / TORQUE
    assert servos.all[LIFT].get("Present_Load") == pytest.approx(1000 * held, abs=1000 * 0.052 / TORQUE + 3)
    assert servos.all[LIFT].get("Present_Current") > servos.all[0].get("Present_Current")
    assert servos.all[LIFT].get("Present_Voltage") == 74


@pytest.mark.parametrize("register", ["Torque_Limit", "Max_Torque_Limit"])
def test_a_torque_limit_bounds_the_load(register: str) -> None:
    servos, free = arm()
    servos.pushes[0] = 1.0
    tell(servos.all[0], register, 100)
    wait(free, 0.3)
    assert servos.all[0].get("Present_Load") == -100
    assert free.q[0] > START[0] + 0.05


def test_without_torque_the_arm_falls_and_nothing_holds_it() -> None:
    servos, free = arm()
    for servo in servos.all:
        tell(servo, "Torque_Enable", 0)
    wait(free, 0.5)
    assert free.q[LIFT] > START[LIFT] + 0.1
    assert [servo.get("Present_Load") for servo in servos.all] == [0] * 6
    wait(free, 6.0)
    assert all(low <= q <= high for q, (low, high) in zip(free.q, LIMITS, strict=True))
    assert free.q[LIFT] > 1.0


def test_a_limp_arm_lies_still_where_it_begins() -> None:
    _, free = arm(holding=False)
    wait(free, 1.0)
    assert free.q == pytest.approx(RESTING, abs=0.02)


def test_torque_alone_holds_where_the_joint_stands_and_a_goal_brings_torque_with_it() -> None:
    servos, free = arm(holding=False)
    tell(servos.all[0], "Goal_Position", 2047)
    assert servos.all[0].get("Torque_Enable") == 1
    tell(servos.all[0], "Torque_Enable", 0)
    wait(free, 0.1)
    free.place(0, 0.5)
    wait(free, 0.1)
    tell(servos.all[0], "Torque_Enable", 1)
    wait(free, 0.5)
    assert free.q[0] == pytest.approx(0.5, abs=0.01)


def test_a_goal_beyond_the_limits_is_kept_within_them_while_its_register_shows_it() -> None:
    servos, free = arm()
    tell(servos.all[0], "Max_Position_Limit", 2147)
    tell(servos.all[0], "Goal_Position", 4000)
    wait(free, 1.5)
    assert servos.all[0].get("Present_Position") == pytest.approx(2147, abs=2)
    assert servos.all[0].get("Goal_Position") == 4000


def fastest(free: Free, seconds: float) -> float:
    """rad/s of the first joint."""
    found = 0.0
    for _ in range(round(seconds / PHYSICS_S)):
        free.advance(1)
        found = max(found, abs(free.dq[0]))
    return found


def test_goal_velocity_and_acceleration_shape_the_way() -> None:
    servos, free = arm()
    tell(servos.all[0], "Goal_Velocity", 300)
    tell(servos.all[0], "Goal_Position", 2047 + 600)
    wait(free, 1.0)
    after = free.q[0]
    wait(free, 0.5)
    assert free.q[0] - after == pytest.approx(150 * STEP, rel=0.02)
    wait(free, 1.5)
    assert free.q[0] == pytest.approx(600 * STEP, abs=0.01)
    tell(servos.all[0], "Goal_Velocity", 0)
    tell(servos.all[0], "Acceleration", 5)
    tell(servos.all[0], "Goal_Position", 2047)
    assert fastest(free, 4.0) == pytest.approx(math.sqrt(500 * 600) * STEP, rel=0.15)  # half-way, then it slows
    assert free.q[0] == pytest.approx(0.0, abs=0.01)
    tell(servos.all[0], "Acceleration", 0)
    tell(servos.all[0], "Goal_Position", 2047 + 1200)
    wait(free, 0.25)
    assert 0.5 * FREE_SPEED * 0.25 < free.q[0] < FREE_SPEED * 0.25


def test_overload_trips_after_its_time_weakens_the_servo_and_a_way_back_clears_it() -> None:
    servos, free = arm()
    servo = servos.all[0]
    free.q[0] = LIMITS[0][1]
    servo.set("Max_Position_Limit", 4095)
    tell(servo, "Goal_Position", 4095)  # against the stop
    wait(free, 2.0)
    assert servo.get("Present_Load") == 1000
    assert servo.error == 0
    wait(free, 1.0)
    assert servo.error == OVERLOAD
    assert servo.get("Status") == OVERLOAD
    assert servo.get("Present_Load") == 200
    tell(servo, "Goal_Position", 2047)
    wait(free, 2.0)
    assert servo.error == 0
    assert free.q[0] == pytest.approx(0.0, abs=0.01)


def test_an_overload_from_outside_lasts_until_torque_is_written() -> None:
    servos, free = arm()
    servo = servos.all[LIFT]
    servo.trip(True)
    tell(servo, "Goal_Position", 2047)
    wait(free, 0.1)
    assert servo.error == OVERLOAD
    assert abs(servo.get("Present_Load")) <= 200
    tell(servo, "Torque_Enable", 1)
    wait(free, 0.1)
    assert servo.error == 0


def test_a_hot_servo_says_so_and_goes_limp() -> None:
    servos, free = arm()
    servos.all[LIFT].heat = 69.0
    wait(free, 0.1)
    assert servos.all[LIFT].error == 0
    servos.all[LIFT].heat = 70.0
    wait(free, 0.3)
    assert servos.all[LIFT].error == TEMPERATURE
    assert servos.all[LIFT].get("Present_Temperature") == 70
    assert servos.all[LIFT].get("Present_Load") == 0
    assert free.q[LIFT] > START[LIFT] + 0.05
    servos.all[LIFT].heat = None
    wait(free, 0.1)
    assert servos.all[LIFT].get("Present_Temperature") < 40
    assert servos.all[LIFT].error == 0


def test_a_low_supply_shows_and_below_the_limit_it_is_a_fault_that_does_not_drop_the_arm() -> None:
    servos, free = arm()
    servo = servos.all[LIFT]
    servo.supply = 6.0
    wait(free, 0.1)
    assert (servo.get("Present_Voltage"), servo.error) == (60, 0)
    servo.supply = 3.8
    wait(free, 0.1)
    assert servo.error == VOLTAGE
    assert servo.get("Present_Load") != 0


def test_too_much_current_for_too_long_switches_the_motor_off() -> None:
    servos, free = arm()
    servo = servos.all[0]
    free.q[0] = LIMITS[0][1]
    for name, value in (("Max_Position_Limit", 4095), ("Protection_Current", 250), ("Over_Current_Protection_Time", 50)):
        servo.set(name, value)
    tell(servo, "Goal_Position", 4095)
    wait(free, 0.5)
    assert servo.error == 0
    wait(free, 1.0)
    assert servo.error == CURRENT
    assert servo.get("Present_Load") == 0


def test_an_arm_with_wider_stops_lies_beyond_the_models_range_and_is_calibrated_for_it() -> None:
    wider = math.radians(4.0)
    servos = Servos(calibrated=True, wider=wider)
    free = Free(servos, RESTING)
    for joint, q in ((1, -math.pi), (2, math.pi), (5, math.pi)):
        free.place(joint, q)
    wait(free, 1.0)
    assert free.q[1:3] == pytest.approx([LIMITS[1][0] - wider, LIMITS[2][1] + wider], abs=1e-6)
    assert free.q[5] <= LIMITS[5][1]
    for servo in servos.all[1:3]:
        span = servo.get("Min_Position_Limit"), servo.get("Max_Position_Limit")
        assert min(abs(servo.get("Present_Position") - end) for end in span) <= 2
    usual, found = (calibration(one.all) for one in (Servos(calibrated=True), servos))
    assert [found[name] for name in ("wrist_roll", "gripper")] == [usual[name] for name in ("wrist_roll", "gripper")]


def test_power_off_leaves_it_limp_with_what_was_kept() -> None:
    servos, free = arm()
    tell(servos.all[0], "P_Coefficient", 9)  # its lock is on
    servos.all[0].power_up()
    wait(free, 0.1)
    assert servos.all[0].get("P_Coefficient") == 16
    assert servos.all[0].get("Torque_Enable") == 0
    assert servos.all[0].get("Present_Load") == 0
