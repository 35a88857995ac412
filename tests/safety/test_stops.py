"""Standstill: what counts as rest, what a stop that does not stand becomes, and who may move a robot that stands."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.limits import Limits
from engine.safety import stops
from engine.safety.layer import Layer
from engine.types import Mode, Reason, StopCategory, StopKind, Writer

CROOKED = (0.0, 0.05, 0.0, 0.0, 0.0, 0.0)
YIELDING = (0.09, 0.0, 0.0, 0.0, 0.0, 0.0)
STILL = (0.0,) * 6


def test_each_time_in_which_it_does_not_come_to_rest_makes_the_stop_graver(sawing):
    sawing.now["twist"] = CROOKED
    categories, numbers = [], []
    sawing.press(Writer.CONSOLE)
    for _ in range(100):
        decision = sawing.step()
        categories.append(decision.stop_category)
        numbers.append(decision.stop_number)
    assert [categories.count(category) for category in (StopCategory.CAT2, StopCategory.CAT1, StopCategory.CAT0)] == [30, 31, 39]
    assert categories == sorted(categories, reverse=True)
    assert sorted(set(numbers)) == [1, 2, 3]
    assert (decision.stop_kind, decision.stop_reason) == (StopKind.LATCHED, Reason.NOT_AT_REST)


def test_the_gravest_stop_is_cleared_by_its_own_number_like_any_latched_one(sawing):
    sawing.now["twist"] = CROOKED
    sawing.press(Writer.CONSOLE)
    assert sawing.run(100).stop_category == StopCategory.CAT0
    sawing.now["twist"] = STILL
    assert sawing.clear(2).refused == Reason.LATCHED
    assert sawing.run(50).stop_category == StopCategory.CAT0
    assert sawing.clear(3).stop_number == 0
    assert sawing.ask("arm_request").armed


def test_a_robot_that_falls_silent_is_not_said_to_move(sawing):
    seen = sawing.well(sawing.tick)
    sawing.now |= {"obs_t_ns": seen.t_ns, "obs_seq": seen.obs_seq, "twist": CROOKED}
    sawing.press(Writer.PLANT)
    decision = sawing.run(200)
    assert (decision.stop_kind, decision.stop_category) == (StopKind.LATCHED, StopCategory.CAT0)
    assert decision.stop_reason == Reason.PLANT_TIMEOUT


def test_a_robot_that_stands_unarmed_is_not_said_to_move_while_its_readings_are_late(make):
    world = make.fresh()
    world.run(50)
    seen = world.well(world.tick)
    late = {"obs_t_ns": seen.t_ns, "obs_seq": seen.obs_seq}
    decision = world.run(200, **late)
    assert (decision.stop_number, decision.armed) == (0, False)
    assert world.step(arm_request=1, **late).refused == Reason.OBSERVATION_STALE
    world.run(100, twist=CROOKED)
    assert world.last.stop_reason == Reason.NOT_AT_REST


def test_nor_while_they_are_late_and_a_tick_is_too(make):
    world = make.fresh()
    world.run(50)
    seen = world.well(world.tick)
    late = {"obs_t_ns": seen.t_ns, "obs_seq": seen.obs_seq}
    world.run(20, **late)
    world.tick += 100
    assert world.step(**late).stop_number == 0
    assert world.run(100, **late).stop_number == 0


def test_a_robot_that_moves_unarmed_is_stopped_for_though_its_readings_are_late(make):
    world = make.fresh()
    world.run(50)
    world.step(twist=CROOKED)
    seen = world.well(world.tick - 1)
    assert world.run(100, twist=CROOKED, obs_t_ns=seen.t_ns, obs_seq=seen.obs_seq).stop_reason == Reason.NOT_AT_REST


def test_power_off_that_is_still_moving_takes_the_power_off_at_once(sawing):
    sawing.now["twist"] = CROOKED
    assert sawing.press(Writer.CONSOLE, latch=True).stop_category == StopCategory.CAT1
    assert sawing.run(40).stop_category == StopCategory.CAT0


def test_a_stop_that_stands_stays_as_mild_as_it_was(sawing):
    sawing.now["frame_fault"] = Reason.CAMERA_DARK
    assert sawing.run(1000).stop_category == StopCategory.CAT2
    latched = sawing.press(Writer.CONSOLE, latch=True)
    assert latched.stop_category == StopCategory.CAT1
    assert sawing.run(1000).stop_category == StopCategory.CAT1


def crept(pose, y=0.0, z=0.0):
    return (pose[0], pose[1] + y, pose[2] + z, *pose[3:])


@pytest.mark.parametrize(("y", "z"), [(0.0101, 0.0), (0.0, -0.0101), (0.0075, 0.0075)])
def test_creeping_away_from_where_it_stood_makes_the_stop_graver(sawing, y, z):
    pose = sawing.well(0).pose
    sawing.now["frame_fault"] = Reason.CAMERA_DARK
    sawing.run(50)
    sawing.now["pose"] = crept(pose, 0.9 * y, 0.9 * z)
    assert sawing.run(50).stop_category == StopCategory.CAT2
    sawing.now["pose"] = crept(pose, y, z)
    worse = sawing.step()
    assert (worse.stop_category, worse.stop_kind, worse.stop_reason) == (StopCategory.CAT1, StopKind.LATCHED, Reason.NOT_AT_REST)
    assert sawing.run(100).stop_category == StopCategory.CAT1  # it stands again, where it now is
    sawing.now["pose"] = crept(pose, 2.5 * y, 2.5 * z)
    assert sawing.step().stop_category == StopCategory.CAT0


def test_what_the_saw_does_while_it_comes_to_rest_is_no_creeping(sawing):
    pose = sawing.well(0).pose
    sawing.now["frame_fault"] = Reason.CAMERA_DARK
    sawing.step()
    for tick in range(25):
        sawing.step(pose=crept(pose, z=-0.001 * tick))
    sawing.now["pose"] = crept(pose, z=-0.024)
    assert sawing.run(300).stop_category == StopCategory.CAT2


def test_a_partner_may_move_the_stroke_as_far_as_they_like_within_its_speed(sawing):
    pose = sawing.well(0).pose
    sawing.now |= {"frame_fault": Reason.CAMERA_DARK, "twist": YIELDING}
    for tick in range(150):
        decision = sawing.step(pose=(pose[0] + 0.0009 * tick, *pose[1:]))
    assert (decision.stop_category, decision.stop_count) == (StopCategory.CAT2, 1)


def test_a_stroke_that_is_faster_than_its_clutch_makes_the_stop_graver(sawing):
    sawing.now["frame_fault"] = Reason.CAMERA_DARK
    sawing.run(50)
    assert sawing.run(32, twist=(0.11, 0.0, 0.0, 0.0, 0.0, 0.0)).stop_category == StopCategory.CAT1


PULLED = {"twist": (0.24, 0.0, 0.0, 0.0, 0.0, 0.0), "grip": (60.0, 0.0, 0.0)}
NOT_PULLED = [
    {"holds": False},
    {"grip": (-60.0, 0.0, 0.0)},
    {"grip": (29.0, 0.0, 0.0)},
    {"grip": (math.nan, 0.0, 0.0)},
    {"twist": (0.26, 0.0, 0.0, 0.0, 0.0, 0.0)},
    {"twist": (0.24, 0.0, 0.031, 0.0, 0.0, 0.0)},
    {"twist": (0.24, 0.0, 0.0, 0.0, 0.2, 0.0)},
    {"dq": (math.nan,) * 7},
]


def test_a_hand_that_pulls_hard_may_drag_the_saw_that_has_stood(together):
    together.press(Writer.CONSOLE)
    together.run(20)
    assert together.run(100, **PULLED).stop_category in (StopCategory.CAT2, StopCategory.NONE)  # it ends by itself
    assert together.run(100, **PULLED).stop_count == 1


@pytest.mark.parametrize("but", NOT_PULLED)
def test_what_no_hand_pulls_along_the_stroke_is_not_dragged(together, but):
    together.now["frame_fault"] = Reason.CAMERA_DARK
    together.run(50)
    assert together.run(40, **(PULLED | but)).stop_category in (StopCategory.CAT1, StopCategory.CAT0)


def test_a_hand_near_the_blade_puts_a_stop_that_yields_on_the_brakes(together):
    together.press(Writer.CONSOLE)
    assert together.run(5).stop_category == StopCategory.CAT2
    place = list(together.well(0).person_place)
    place[18:24] = together.well(0).pose[:3] * 2
    near = together.walk(tuple(place), 10)
    assert (near.stop_category, near.stop_kind, near.stop_reason) == (StopCategory.CAT1, StopKind.PROTECTIVE, Reason.SEPARATION)


def test_a_person_who_is_no_longer_seen_may_be_near(together):
    together.press(Writer.CONSOLE)
    assert together.run(5).stop_category == StopCategory.CAT2
    lost = together.run(80, person_exposed_ns=together.well(together.tick - 1).person_exposed_ns)
    assert (lost.stop_category, lost.stop_reason) == (StopCategory.CAT1, Reason.PERSON_STALE)


def test_nor_does_a_sensor_that_says_nothing_at_all_let_the_blade_yield(make, together):
    together.press(Writer.CONSOLE)
    silent = {"person_seq": 0, "person_t_ns": 0, "person_exposed_ns": (0,) * 6, "person_place": (math.nan,) * 36}
    assert together.run(80, **silent).stop_category == StopCategory.CAT1
    never_armed = make.fresh(cell=make.sensing)
    never_armed.now |= silent
    assert never_armed.run(80).stop_count == 0
    assert never_armed.ask("arm_request").refused == Reason.PERSON_NONE


@pytest.mark.parametrize("but", NOT_PULLED)
def test_nor_is_it_where_there_was_no_stop(together, but):
    together.ask("disarm_request")
    together.run(50)
    assert together.run(40, **(PULLED | but)).stop_category in (StopCategory.CAT1, StopCategory.CAT0)


def test_a_saw_that_a_hand_drags_from_the_start_is_not_braked_against_it(together):
    together.press(Writer.CONSOLE)
    assert together.run(100, **PULLED).stop_count == 1


def test_a_saw_that_is_dragged_may_not_creep_aside(together):
    pose = together.well(0).pose
    together.now["frame_fault"] = Reason.CAMERA_DARK
    together.run(50)
    assert together.step(**PULLED, pose=crept(pose, 0.0, 0.011)).stop_category == StopCategory.CAT1


@settings(max_examples=60, deadline=None)
@given(noise=st.lists(st.booleans(), min_size=100, max_size=100), longest=st.integers(1, 30))
def test_a_knot_of_noise_is_not_taken_for_motion(make, noise, longest):
    world, row = make.sawing(), 0
    world.now["frame_fault"] = Reason.CAMERA_DARK
    for moving in noise:
        row = row + 1 if moving and row < longest else 0
        decision = world.step(twist=CROOKED if row else STILL)
    assert (decision.stop_category, decision.stop_count) == (StopCategory.CAT2, 1)


def test_a_robot_that_moves_though_nobody_armed_it_is_a_latched_stop(world):
    world.run(50)
    world.now["twist"] = CROOKED
    assert world.run(31).stop_count == 0
    stopped = world.step()
    assert (stopped.stop_kind, stopped.stop_category, stopped.stop_reason) == (StopKind.LATCHED, StopCategory.CAT1, Reason.NOT_AT_REST)
    assert world.run(32).stop_category == StopCategory.CAT0


def test_a_robot_that_was_disarmed_in_motion_has_the_time_of_a_stop_to_stand(sawing):
    sawing.now["twist"] = (0.2, 0.0, 0.05, 0.0, 0.0, 0.0)
    sawing.run(10)
    sawing.ask("disarm_request")
    assert sawing.run(25).stop_count == 0
    sawing.now["twist"] = STILL
    assert sawing.run(100).stop_count == 0


def test_a_partner_may_move_the_stroke_of_an_unarmed_robot(world):
    world.now["twist"] = YIELDING
    assert world.run(200).stop_count == 0


def test_jogging_is_no_failed_standstill(world):
    world.now |= {"mode": Mode.JOG_XYZ}
    world.run(110)
    world.ask("arm_request")
    world.now |= {"jogging": True, "twist": CROOKED}
    assert world.run(200).stop_count == 0


def test_a_pause_of_the_whole_program_is_not_taken_for_motion(world, make):
    world.run(50)
    resumed = make.inputs(world.tick).t_ns + 5_000_000_000
    assert world.step(t_ns=resumed, obs_t_ns=resumed, console_t_ns=resumed).stop_count == 0
    later = resumed + make.tick_ns
    assert world.step(t_ns=later, obs_t_ns=later, console_t_ns=later).stop_count == 0


@pytest.mark.parametrize("moves", [False, True])
def test_a_pause_of_the_whole_program_in_a_stop_is_judged_by_what_is_seen_after_it(together, make, moves):
    together.now["frame_fault"] = Reason.CAMERA_DARK
    together.step()
    before = together.run(50)
    twist = (0.0, 0.05 * moves, 0.0, 0.0, 0.0, 0.0)
    for tick in range(3):
        at = make.inputs(together.tick).t_ns + 5_000_000_000
        stamps = {"t_ns": at, "obs_t_ns": at, "console_t_ns": at, "person_t_ns": at, "person_exposed_ns": (at - 60_000_000,) * 6}
        after = together.step(**stamps, twist=twist)
        if tick == 0 or not moves:
            assert (after.stop_number, after.stop_kind) == (before.stop_number, before.stop_kind)
    if moves:
        assert (after.stop_kind, after.stop_reason) == (StopKind.LATCHED, Reason.NOT_AT_REST)


def slow(make, world, ticks):
    """Every tick comes later than a tick may, and shows a tool in motion across; the stops' categories."""
    begun, found = make.inputs(world.tick).t_ns, []
    for tick in range(1, ticks + 1):
        at = begun + tick * 120_000_000
        found.append(world.step(t_ns=at, obs_t_ns=at, console_t_ns=at, twist=CROOKED).stop_category)
    return found


def test_an_engine_that_is_slow_for_good_has_its_stop_judged_all_the_same(sawing, make):
    sawing.press(Writer.CONSOLE)
    found = slow(make, sawing, 20)
    assert found[0] == StopCategory.CAT2
    assert found[-1] == StopCategory.CAT0
    assert sorted(found, reverse=True) == found


def test_nor_does_it_hide_a_robot_that_moves_though_nobody_armed_it(world, make):
    world.run(50)
    found = slow(make, world, 20)
    assert found[0] == StopCategory.NONE
    assert found[-1] == StopCategory.CAT0


def test_nor_is_one_that_follows_readings_too_old(world, make):
    world.run(50)
    world.step(obs_t_ns=make.inputs(world.tick).t_ns - 10**9)
    resumed = make.inputs(world.tick).t_ns + 5_000_000_000
    assert world.step(t_ns=resumed, obs_t_ns=resumed, console_t_ns=resumed).stop_count == 0


def test_a_milder_stop_that_follows_softens_nothing():
    limits, verdict = Limits(), Layer(reason=Reason.STOP_KEY)
    gravest = stops.raised(None, 1, (0,), Layer(reason=Reason.NOT_AT_REST), latched=True, t_ns=1, category=StopCategory.CAT0)
    after = stops.raised(gravest, 2, (0,), verdict, latched=False, t_ns=2)
    again = stops.raised(after, 3, (0,), verdict, latched=True, t_ns=3)
    for stop in (gravest, after, again):
        assert (stop.category, stop.kind) == (StopCategory.CAT0, StopKind.LATCHED)
        assert stops.failing(replace(stop, crept=math.nan), 10**12, limits) == StopCategory.NONE


def test_a_place_that_is_no_number_is_no_standstill():
    stop = stops.raised(None, 1, (0,), Layer(reason=Reason.STOP_KEY), latched=False, t_ns=1)
    assert stops.failing(replace(stop, rest_ns=10, crept=math.nan), 10, Limits()) == StopCategory.CAT1
