"""The simulated robot keeps its protocol: it holds, yields, stops, times out, and its plant vector carries it whole."""

import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from msgspec import structs

from adapters.base import AdapterError, Robot
from adapters.mujoco import layout, plant
from adapters.mujoco.robot import COMMAND_TIMEOUT, Cosaw
from engine.control import impedance
from engine.types import F64, Command, Observation

STIFF = (500.0, 700.0, 600.0, 80.0, 80.0, 80.0)
TICK = layout.TICK_S


def command(pose: F64, stiffness: tuple[float, ...] = STIFF, hand: float = 0.0, press: float = 0.0, brakes: bool = False) -> Command:
    return Command(
        command_tick=0,
        pose_d=tuple(float(v) for v in pose),
        twist_d=(0.0,) * 6,
        stiffness_d=stiffness,
        force_max=60.0,
        torque_max=8.0,
        hold=False,
        brakes=brakes,
        hand_force=hand,
        hand_press=press,
        line_y_d=0.0,
        log_top_d=0.55,
        task_power=8.0,
    )


def at_rest(seed: int = 0, calm: bool = False, lift: float = 0.06) -> Cosaw:
    robot = Cosaw(seed)
    robot.place(0.0, 0.55, (layout.STROKE_X, 0.0, 0.55 + lift))
    if calm:
        robot.truth().cell.temper = replace(robot.truth().cell.temper, tremor=0.0)
    return robot


def drive(robot: Cosaw, seconds: float, wanted: Command | None) -> Observation:
    for _ in range(round(seconds / TICK)):
        if wanted is not None:
            robot.command(wanted)
        robot.advance(TICK)
    return robot.read(1)


def test_it_is_a_robot_and_says_so_when_it_is_not_connected() -> None:
    robot: Robot = Cosaw(0)
    with pytest.raises(AdapterError, match="not connected"):
        robot.read(0)
    robot.connect()
    assert np.isfinite(robot.read(5).plant).all()
    assert robot.read(5).t_ns == 5


def test_a_hold_has_the_controllers_yielding_damping(monkeypatch: pytest.MonkeyPatch) -> None:
    speeds = []
    for extra in (impedance.HELD_STROKE, 0.0):
        monkeypatch.setattr(impedance, "HELD_STROKE", extra)
        robot = at_rest(calm=True)
        pulled = structs.replace(command(robot.read(0).pose, hand=30.0), hold=True)
        speeds.append(float(drive(robot, 0.05, pulled).twist[0]))
    assert 0.0 < speeds[0] < 0.5 * speeds[1]


def test_gravity_compensation_alone_holds_the_arm_and_the_saw_still() -> None:
    robot = at_rest()
    robot.hazard("lets_go", 0.0)
    before = robot.read(0).pose
    limp = command(before, stiffness=(1e-3,) * 6)
    after = drive(robot, 2.0, limp).pose
    assert np.abs(after[:3] - before[:3]).max() < 1e-4


@pytest.mark.parametrize(("stiffness", "force"), [(200.0, 8.0), (400.0, 15.0), (800.0, -20.0)])
def test_a_hand_moves_the_saw_by_force_over_stiffness(stiffness: float, force: float) -> None:
    robot = at_rest(calm=True)
    start = robot.read(0).pose
    wanted = command(start, stiffness=(stiffness, *STIFF[1:]), hand=force)
    drive(robot, 4.0, wanted)
    moved = drive(robot, 0.5, wanted).pose - start
    assert moved[0] == pytest.approx(force / stiffness, rel=0.03)
    assert abs(moved[1]) < 2e-3


def test_a_hand_that_presses_loads_the_wood() -> None:
    robot = at_rest(calm=True, lift=0.002)
    start = robot.read(0).pose
    light = drive(robot, 1.5, command(start - [0.0, 0.0, 0.02, 0, 0, 0, 0])).saw.press_force
    heavy = drive(robot, 1.5, command(start - [0.0, 0.0, 0.02, 0, 0, 0, 0], press=15.0)).saw.press_force
    assert light > 5.0
    assert light + 6.0 < heavy <= light + 15.0


def test_a_restored_plant_goes_on_bit_for_bit() -> None:
    robot = at_rest(3, lift=0.001)
    robot.hazard("hand_reaches", 0.3)
    start = robot.read(0).pose
    for i in range(60):
        robot.command(command(start + np.array([0.05 * np.sin(0.1 * i), 0, -0.03, 0, 0, 0, 0])))
        robot.advance(TICK)
    saved = robot.read(0)
    other = Cosaw(99)
    other.restore(saved.plant)
    again = other.read(0)
    for name in ("q", "dq", "tau", "pose", "twist", "wrench"):
        assert np.array_equal(getattr(saved, name), getattr(again, name)), name
    assert saved.saw == again.saw
    for i in range(100):
        wanted = command(start + np.array([0.05 * np.sin(0.1 * i), 0, -0.03, 0, 0, 0, 0]))
        for cell in (robot, other):
            if i < 80:
                cell.command(wanted)
            cell.advance(TICK)
        assert np.array_equal(robot.plant(), other.plant())


def test_a_plant_vector_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="another version"):
        at_rest().restore(np.zeros(plant.SIZE - 1))


def test_without_a_command_it_brakes_within_its_time_out_and_holds() -> None:
    robot = at_rest(calm=True)
    goal = robot.read(0).pose
    for i in range(50):
        goal = goal + np.array([0.002, 0.0, 0.0, 0, 0, 0, 0])
        robot.command(command(goal))
        robot.advance(TICK)
        if i == 49:
            assert robot.read(0).twist[0] > 0.1
    drive(robot, COMMAND_TIMEOUT + 0.3, None)
    rest = robot.read(0)
    assert np.abs(rest.twist[:3]).max() < 0.02
    later = drive(robot, 1.0, None)
    assert np.abs(later.pose[:3] - rest.pose[:3]).max() < 0.01
    assert np.abs(later.twist[:3]).max() < 0.01


def test_while_it_holds_by_itself_the_stroke_axis_yields_and_the_others_do_not() -> None:
    robot = at_rest(calm=True)
    drive(robot, 0.5, None)
    start = robot.read(0).pose
    robot.stop(2)
    pulled = drive(robot, 2.0, command(start, hand=35.0)).pose - start
    assert pulled[0] > 0.10
    assert np.abs(pulled[1:3]).max() < 0.03
    robot.command(command(start, hand=35.0))
    drive(robot, 2.0 * COMMAND_TIMEOUT, None)
    assert robot.truth().cell.control.hand_force == 0.0


@pytest.mark.parametrize("category", [0, 1, 2])
def test_a_stop_holds_whatever_is_commanded_until_it_is_resumed(category: int) -> None:
    robot = at_rest(calm=True)
    goal = robot.read(0).pose
    for _ in range(40):
        goal = goal + np.array([0.002, 0.0, 0.0, 0, 0, 0, 0])
        robot.command(command(goal))
        robot.advance(TICK)
    robot.stop(category)
    robot.stop(2)
    far = command(goal + np.array([0.2, 0.1, 0.1, 0, 0, 0, 0]))
    rest = drive(robot, 0.5, far)
    assert np.abs(rest.twist[:3]).max() < 0.02
    assert robot.truth().cell.control.braked == (category in (0, 1))
    later = drive(robot, 1.0, far)
    assert np.abs(later.pose[:3] - rest.pose[:3]).max() < 0.005
    robot.resume()
    assert not robot.truth().cell.control.braked
    held = drive(robot, 0.3, None)
    assert np.abs(held.pose[:3] - later.pose[:3]).max() < 0.005
    moved = drive(robot, 0.5, far)
    assert moved.pose[1] > held.pose[1] + 0.01


def test_closed_brakes_hold_the_arm_without_the_drives() -> None:
    robot = at_rest(calm=True)
    robot.hazard("lets_go", 0.0)
    start = robot.read(0).pose
    braked = drive(robot, 2.0, command(start, brakes=True))
    assert np.abs(braked.pose[:3] - start[:3]).max() < 0.02
    assert np.abs(braked.twist).max() < 1e-3


def test_the_drives_move_line_and_cradle_at_their_own_pace() -> None:
    robot = at_rest()
    start = robot.read(0).pose
    wanted = command(start)
    wanted = Command(**{name: getattr(wanted, name) for name in wanted.__struct_fields__} | {"line_y_d": 0.9, "log_top_d": 0.5})
    saw = drive(robot, 0.5, wanted).saw
    assert saw.cut_line_y == pytest.approx(0.5 * layout.LINE_SPEED)
    assert saw.log_top_z == pytest.approx(0.55 - 0.5 * layout.CRADLE_SPEED)
    assert drive(robot, 3.0, wanted).saw.cut_line_y == layout.LINE_Y[1]


def test_the_free_hand_reaches_for_the_blade_and_comes_back() -> None:
    robot = at_rest()
    far = robot.read(0).saw.free_hand_distance
    robot.hazard("hand_reaches", 0.2)
    near = drive(robot, 2.7, None).saw.free_hand_distance
    assert near < 0.08 < 0.55 < far
    assert drive(robot, 4.0, None).saw.free_hand_distance == pytest.approx(far, abs=0.02)


def test_a_partner_who_lets_go_is_reported_and_takes_hold_again() -> None:
    robot = at_rest()
    robot.hazard("lets_go", 0.1)
    assert robot.read(0).saw.partner_holding
    gone = drive(robot, 0.5, None).saw
    assert not gone.partner_holding
    assert gone.partner_force == 0.0
    assert drive(robot, 6.0, None).saw.partner_holding


def test_a_tick_never_lets_go_of_the_interpreter_s_lock() -> None:
    """Whoever got it meanwhile would keep it: here, without an interval after which it must be given back, they would be seen."""
    robot = at_rest()
    taken = 0
    ready, over = threading.Event(), threading.Event()

    def take() -> None:
        nonlocal taken
        while not over.is_set():
            time.sleep(1e-4)
            taken += 1
            ready.set()

    before = sys.getswitchinterval()
    other = threading.Thread(target=take)
    try:
        other.start()
        sys.setswitchinterval(1000.0)
        for _ in range(2):  # the first time it may have asked for the lock before
            ready.clear()
            ready.wait()
        begun = taken
        for n in range(200):
            robot.command(command(robot.read(n).pose))
            robot.advance(TICK)
        assert taken == begun
    finally:
        sys.setswitchinterval(before)
        over.set()
        other.join()
