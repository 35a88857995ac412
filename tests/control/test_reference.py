"""The reference: its limits hold for any target, and a stop yields where a person holds the other handle."""

import math
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.control import motion, pose, sawing, spring
from engine.safety import score
from engine.types import StopCategory, Zone

STEP = 1e-9


def speeds(rig, dt):
    """Linear and angular speed of the commanded reference, tick by tick, from the poses themselves."""
    moves = [pose.error(b.pose_d, a.pose_d) for a, b in zip(rig.commands, rig.commands[1:], strict=False)]
    return [(np.array(m[:3]) / dt, np.array(m[3:]) / dt) for m in moves]


targets = st.lists(
    st.tuples(
        st.tuples(st.floats(0.2, 0.75), st.floats(-0.5, 0.5), st.floats(0.3, 0.95)),
        st.tuples(*[st.floats(-0.6, 0.6)] * 3),
        st.integers(1, 40),
        st.floats(0.01, 0.25),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(story=targets)
def test_speed_and_acceleration_are_never_exceeded_whatever_the_target(make, story):
    rig = make.rig()
    rig.run(2, make.decision())
    a = make.limits.acceleration_max
    linear, angular, allowed = np.zeros(3), np.zeros(3), 0.0
    for place, turn, ticks, limit in story:
        target = (*place, *pose.from_rotation_vector(turn))
        for _ in range(ticks):
            before = rig.reference.pose
            rig.step(make.decision(speed_limit=limit), target)
            moved = np.array(pose.error(rig.reference.pose, before)) / make.dt
            allowed = max(limit, allowed - a * make.dt)
            assert np.linalg.norm(moved[:3]) <= allowed + STEP
            assert np.linalg.norm(moved[3:]) <= allowed / motion.LEVER + 1e-6
            assert np.linalg.norm(moved[:3] - linear) <= a * make.dt + STEP
            assert np.linalg.norm(moved[3:] - angular) <= a * make.dt / motion.LEVER + 1e-4
            linear, angular = moved[:3], moved[3:]


@settings(max_examples=60, deadline=None)
@given(story=targets)
def test_no_point_up_to_the_partners_handle_is_faster_than_the_tool_may_be(make, story):
    rig = make.rig()
    rig.run(2, make.decision())
    allowed = 0.0
    for place, turn, ticks, limit in story:
        target = (*place, *pose.from_rotation_vector(turn))
        for _ in range(ticks):
            before = rig.reference.pose
            rig.step(make.decision(speed_limit=limit), target)
            moved = np.array(pose.error(rig.reference.pose, before)) / make.dt
            allowed = max(limit, allowed - make.limits.acceleration_max * make.dt)
            assert np.linalg.norm(moved[:3]) + 0.36 * np.linalg.norm(moved[3:]) <= allowed + 1e-6


def test_a_shift_and_a_turn_together_take_the_whole_limit_and_arrive(make):
    rig = make.rig()
    rig.run(2, make.decision())
    goal = (0.7, 0.0, 0.6, *pose.from_rotation_vector((0.0, 0.5, 0.0)))
    fastest = 0.0
    for _ in range(400):
        twist = rig.step(make.decision(), goal).twist_d
        rig.plant.pose[3:] = rig.reference.pose[3:]
        fastest = max(fastest, np.linalg.norm(twist[:3]) + 0.36 * np.linalg.norm(twist[3:]))
    assert fastest == pytest.approx(0.25)
    assert pose.error(goal, rig.reference.pose) == pytest.approx((0.0,) * 6, abs=1e-6)


def test_the_target_is_reached_without_overshoot(make):
    rig = make.rig()
    rig.run(2, make.decision())
    goal = (0.6, 0.05, 0.55, *pose.from_rotation_vector((0.0, 0.2, 0.0)))
    furthest = 0.0
    for _ in range(150):
        rig.step(make.decision(), goal)
        rig.plant.pose[3:] = rig.reference.pose[3:]
        furthest = max(furthest, rig.reference.pose[0])
    assert pose.error(goal, rig.reference.pose) == pytest.approx((0.0,) * 6, abs=1e-6)
    assert furthest <= 0.6 + 1e-4


def test_a_stroke_within_the_limits_is_followed_closely(make):
    rig = make.rig()
    rig.run(2, make.decision())
    worst = 0.0
    for tick in range(600):
        x = 0.5 + 0.09 * math.sin(2.4 * tick * make.dt)
        rig.step(make.decision(), (x, *make.home[1:]))
        if tick > 50:
            worst = max(worst, abs(rig.reference.pose[0] - x))
    assert worst < 0.012


def test_a_blocked_tool_is_not_pulled_at_with_more_than_the_permitted_force(make):
    rig = make.rig()
    rig.run(2, make.decision())
    for _ in range(200):
        rig.plant.pose[:] = make.home
        rig.plant.twist[:] = 0.0
        rig.step(make.decision(force_limit=30.0), (0.75, *make.home[1:]))
    stretch = rig.commands[-1].pose_d[0] - make.home[0]
    assert stretch == pytest.approx(30.0 / rig.commands[-1].stiffness_d[0], abs=0.002)


def test_stiffness_rises_slowly_and_stays_under_what_is_permitted(make):
    rig = make.rig()
    rig.run(2, make.decision(stiffness=score.SOFTEST))
    for _ in range(400):
        before = rig.reference.stiffness
        command = rig.step(make.decision(), make.home)
        for k, was, rise, most in zip(command.stiffness_d, before, spring.STIFFEN, make.decision().stiffness, strict=True):
            assert was - STEP <= k <= min(most, was + rise * make.dt) + STEP
    assert command.stiffness_d == pytest.approx((sawing.STIFFNESS[Zone.AIR], *make.decision().stiffness[1:]))


@pytest.mark.parametrize(("zone", "stroke"), [(Zone.AIR, 500.0), (Zone.SOFT, 500.0), (Zone.KNOT, 600.0), (Zone.CRACKED, 600.0)])
def test_the_zone_sets_the_strokes_stiffness_under_the_scores_cap(make, zone, stroke):
    rig = make.rig()
    assert rig.run(500, make.decision(), make.home, saw=make.saw(zone)).stiffness_d[0] == pytest.approx(stroke)
    capped = make.decision(stiffness=(300.0, 300.0, 300.0, 50.0, 50.0, 50.0))
    assert rig.run(500, capped, make.home, saw=make.saw(zone)).stiffness_d[0] == pytest.approx(300.0)


def pressing(make, press=0.03):
    """A rig that has stroked and now presses on the wood 50 mm below home, moving along x."""
    rig = make.rig(plant=make.plant(floor=0.55))
    rig.run(2, make.decision())
    for tick in range(420):
        x = 0.5 + 0.08 * math.sin(2.4 * tick * make.dt)
        rig.step(make.decision(), (x, 0.0, 0.55 - press, *make.home[3:]))
    return rig


def test_a_stop_brakes_the_reference_within_its_time(make):
    rig = pressing(make)
    rig.run(30, make.stopped())
    assert rig.commands[-1].twist_d == (0.0,) * 6
    assert rig.commands[-1].hold
    assert np.linalg.norm(rig.plant.twist[:3]) <= make.limits.rest_speed


def test_the_press_has_ramped_out_after_100_ms_and_the_blade_is_never_lifted(make):
    rig = pressing(make)
    assert rig.springs[-1][2] < -10.0
    top = rig.plant.pose[2]
    for tick in range(60):
        rig.step(make.stopped())
        assert rig.commands[-1].pose_d[2] <= rig.plant.pose[2] + 2e-3
        if tick >= 10:
            assert abs(rig.springs[-1][2]) < 1.0
    assert rig.plant.pose[2] <= top + 2e-3


def test_a_stop_while_rising_does_not_raise_the_blade_further(make):
    rig = make.rig()
    rig.run(30, make.decision(), (*make.home[:2], 0.8, *make.home[3:]))
    assert rig.commands[-1].twist_d[2] > 0.1
    height = rig.commands[-1].pose_d[2]
    rig.step(make.stopped())
    assert rig.commands[-1].pose_d[2] == height


def test_a_blade_that_sank_after_it_rested_is_not_lifted_back(make):
    rig = make.rig()
    rig.run(2, make.decision())
    low = (*make.home[:2], 0.58, *make.home[3:])
    rig.reference = replace(rig.reference, pose=low, rest=make.home, held=1.0)
    rig.plant.pose[2] = 0.57
    assert rig.step(make.stopped(), spring=msgspec.structs.replace(rig.plant.effect, pose_d=low)).pose_d[2] == 0.58


def test_in_a_stop_the_stroke_yields_and_the_rest_keeps_its_spring(make):
    rig = pressing(make)
    before = rig.reference.stiffness
    after = rig.run(100, make.stopped()).stiffness_d
    assert after[0] == score.SOFTEST[0]
    assert after[1:] == before[1:]


def test_a_stop_never_stiffens_even_where_more_is_permitted(make):
    rig = make.rig()
    rig.run(2, make.decision(stiffness=score.SOFTEST))
    rig.run(20, make.decision(), make.home)
    before = rig.reference.stiffness
    for _ in range(100):
        now = rig.step(make.stopped()).stiffness_d
        assert all(k <= was for k, was in zip(now, before, strict=True))


def test_at_rest_the_reference_is_the_pose_measured_there(make):
    rig = pressing(make)
    rig.run(150, make.stopped())
    assert rig.reference.rest is not None
    assert pose.error(rig.commands[-1].pose_d, rig.reference.rest) == pytest.approx((0.0,) * 6, abs=2e-3)


def test_the_hand_of_a_pulling_partner_feels_no_sudden_change(make):
    rig = make.rig()
    rig.run(2, make.decision())
    rig.plant.push[0] = 40.0
    rig.run(300, make.decision(), make.home)
    forces = []
    for _ in range(100):
        rig.step(make.stopped())
        forces.append(rig.springs[-1][0])
    jumps = np.abs(np.diff(forces))
    assert jumps.max() <= spring.FORCE_RATE * make.dt + 1.0


def test_a_pull_beyond_the_clutch_moves_the_hold_at_a_bounded_speed(make):
    rig = make.rig()
    rig.run(2, make.decision())
    rig.run(50, make.stopped())
    rig.plant.push[0] = 50.0
    start = rig.plant.pose[0]
    fastest = 0.0
    for _ in range(100):
        assert abs(rig.step(make.stopped()).twist_d[0]) <= make.limits.stroke_yield + 1e-9
        fastest = max(fastest, abs(rig.plant.twist[0]))
    assert rig.plant.pose[0] > start + 0.03
    assert fastest <= make.limits.stroke_yield * 1.05
    assert abs(rig.plant.pose[1]) < 1e-3


@pytest.mark.parametrize(("category", "at_once"), [(StopCategory.CAT0, True), (StopCategory.CAT1, False), (StopCategory.CAT2, False)])
def test_the_brakes_come_on_as_the_category_says(make, category, at_once):
    rig = make.rig()
    rig.run(2, make.decision())
    rig.run(60, make.decision(), (0.7, *make.home[1:]))
    assert rig.step(make.stopped(category)).brakes == at_once
    assert rig.run(35, make.stopped(category)).brakes == (category != StopCategory.CAT2)


def test_the_brakes_stay_on_until_armed_again_and_then_nothing_jumps(make):
    rig = make.rig()
    rig.run(60, make.decision(), (0.7, *make.home[1:]))
    rig.run(40, make.stopped(StopCategory.CAT1))
    idle = make.decision(armed=False, going=False, speed_limit=0.0)
    assert rig.run(5, idle).brakes
    rig.plant.pose[:3] += (0.0, 0.02, 0.0)
    armed = rig.step(make.decision(speed_limit=0.0, stiffness=score.SOFTEST))
    assert not armed.brakes
    assert np.linalg.norm(rig.springs[-1]) < 1e-6


@pytest.mark.parametrize("pause", [{"speed_limit": 0.0}, {"armed": False, "speed_limit": 0.0}])
def test_without_permission_a_target_moves_nothing(make, pause):
    rig = make.rig()
    rig.run(50, make.decision(**pause), (0.7, *make.home[1:]))
    assert rig.commands[-1].pose_d == pytest.approx(make.home)
    assert rig.commands[-1].hold


def test_past_the_chunks_end_the_robot_holds(make):
    rig = make.rig()
    rig.run(50, make.decision(), (0.7, *make.home[1:]))
    rig.run(50, make.decision(), None)
    still = rig.commands[-1].pose_d
    assert rig.run(10, make.decision(), None).pose_d == pytest.approx(still, abs=1e-6)


def test_a_reading_that_is_no_number_never_reaches_the_command(make):
    rig = pressing(make)
    for _ in range(50):
        rig.plant.pose[:] = math.nan
        command = rig.step(make.stopped())
        numbers = (*command.pose_d, *command.twist_d, *command.stiffness_d, command.force_max, command.torque_max)
        assert all(map(math.isfinite, numbers))


def test_without_a_first_pose_there_is_nothing_to_hold(make):
    rig = make.rig()
    rig.plant.pose[:] = math.nan
    with pytest.raises(ValueError, match="first pose is not finite"):
        rig.step(make.decision())


def test_the_keyboard_partners_force_is_bounded_and_nan_is_none(make):
    rig = make.rig()
    command = rig.step(make.decision(), hand_force=99.0, hand_press=-5.0)
    assert (command.hand_force, command.hand_press) == (50.0, 0.0)
    assert rig.step(make.decision(), hand_force=math.nan, hand_press=math.nan).hand_force == 0.0
