"""The separation layer: the protective distance and its inverse, reaction time, the person's speed, and sensors that cannot be trusted."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.limits import Limits
from engine.safety import separation
from engine.safety.cell import UNSENSED
from engine.safety.separation import Ages
from engine.safety.sighting import Sighting, sighted
from engine.types import LAYERS, PARTS, Reason, StopCategory, StopKind

LIMITS = Limits()
LAYER = LAYERS.index("separation")
HEAD, TORSO, FREE_ARM, FREE_HAND, HANDLE_ARM, HANDLE_HAND = range(6)


def moved(make, part, by, place=None):
    """The 36 coordinates with one part shifted."""
    axes = list(place or make.standing)
    axes[part] = tuple(tuple(value + shift for value, shift in zip(end, by, strict=True)) for end in axes[part])
    return tuple(value for axis in axes for end in axis for value in end)


def exposed(tick, part, seconds):
    return tuple(tick.t_ns - round(seconds * 1e9) if i == part else then for i, then in enumerate(tick.person_exposed_ns))


def assessed(tick, cell, sight=None):
    before = separation.Seen()
    sight = sighted(sight or Sighting(), before, tick, LIMITS)
    return separation.assess(tick, before, sight, separation.aged(Ages(), tick.t_ns, sight.exposed_ns, LIMITS), 0.25, 0, LIMITS, cell)


def test_the_protective_distance_of_the_worked_example():
    assert separation.needed(1.0, 1.6, 0.1, 1.0 / 0.3, 0.2 + 0.15) == pytest.approx(1.24)


def test_the_inverse_gives_back_the_speed_of_the_worked_example():
    assert separation.permitted_speed(1.24, 1.6, 0.1, 1.0 / 0.3, 0.35) == pytest.approx(1.0)


metres, speeds, times = st.floats(-1.0, 5.0), st.floats(0.0, 4.0), st.floats(0.0, 1.0)
deceleration, allowances = st.floats(0.2, 10.0), st.floats(0.0, 1.0)


@settings(max_examples=500, deadline=None)
@given(metres, speeds, times, deceleration, allowances)
def test_what_is_permitted_never_needs_more_than_there_is(distance, v_h, reaction, braking, allowance):
    speed = separation.permitted_speed(distance, v_h, reaction, braking, allowance)
    assert speed >= 0.0
    if speed > 0.0:
        assert separation.needed(speed, v_h, reaction, braking, allowance) <= distance + 1e-9
        assert separation.needed(speed * 1.001 + 1e-6, v_h, reaction, braking, allowance) > distance - 1e-9
    else:
        assert separation.needed(1e-6, v_h, reaction, braking, allowance) > distance - 1e-9


@settings(max_examples=300, deadline=None)
@given(metres, speeds, times, deceleration, allowances)
def test_the_inverse_is_the_closed_formula(distance, v_h, reaction, braking, allowance):
    radicand = v_h**2 + (braking * reaction) ** 2 - 2.0 * braking * (allowance - distance)
    closed = max(0.0, math.sqrt(radicand) - braking * reaction - v_h) if radicand > 0.0 else 0.0
    assert separation.permitted_speed(distance, v_h, reaction, braking, allowance) == pytest.approx(closed, abs=1e-6)


@settings(max_examples=300, deadline=None)
@given(metres, speeds, times, deceleration, allowances, st.floats(0.0, 1.0))
def test_nearer_faster_or_later_never_permits_more(distance, v_h, reaction, braking, allowance, more):
    speed = separation.permitted_speed(distance, v_h, reaction, braking, allowance)
    for worse in ((distance - more, v_h, reaction), (distance, v_h + more, reaction), (distance, v_h, reaction + more)):
        assert separation.permitted_speed(*worse, braking, allowance) <= speed + 1e-12


@pytest.mark.parametrize("which", range(5))
@pytest.mark.parametrize("bad", [math.nan, -math.inf])
def test_a_value_that_is_no_number_permits_nothing(which, bad):
    values = [3.0, 1.6, 0.1, 2.0, 0.1]
    values[which] = bad
    assert separation.permitted_speed(*values) == 0.0 or (bad == -math.inf and which != 0)


def test_a_cell_without_a_sensor_says_so_and_holds_the_reduced_speed(make):
    layer = assessed(make.sensed(100), UNSENSED).layer
    assert (layer.reason, layer.score, layer.margin) == (Reason.NOT_SENSED, 1.0, 0.25)
    assert layer.scale * LIMITS.speed_max == pytest.approx(0.25)


def test_a_person_who_keeps_away_limits_nothing(make):
    found = assessed(make.sensed(100), make.sensing)
    assert (found.layer.reason, found.layer.score) == (Reason.OK, 1.0)
    assert found.layer.margin == pytest.approx(found.separation - found.needed)
    assert found.layer.margin > 0.0
    assert found.layer.age == pytest.approx(0.06)
    assert found.reaction == pytest.approx(0.12)


def test_distances_are_from_surface_to_surface(make):
    # the blade's far end is at x = 0.62 + 0.28, its middle line at z = 0.6375, its radius 0.0375; a hand's radius is 0.06
    place = moved(make, FREE_HAND, (0.0, 0.0, 0.0))
    place = (*place[:18], 1.46, 0.0, 0.6375, 1.46, 0.0, 0.6375, *place[24:])
    found = assessed(make.sensed(100, person_place=place), make.sensing)
    assert PARTS[found.part] == "free hand"
    assert found.separation == pytest.approx(1.46 - 0.90 - 0.0375 - 0.06)


def test_the_arm_on_the_handle_is_left_out_only_while_it_holds(make):
    held = assessed(make.sensed(100), make.sensing)
    let_go = assessed(make.sensed(100, holds=False), make.sensing)
    assert held.layer.reason == Reason.OK
    assert (PARTS[let_go.part], let_go.layer.reason, let_go.layer.scale) == ("handle hand", Reason.SEPARATION, 0.0)


def test_a_hand_on_its_way_to_the_blade_slows_and_then_stops_the_robot(together):
    permitted, scores = [], []
    for step in range(80):
        place = list(together.well(0).person_place)
        place[18] -= 0.01 * step
        place[21] -= 0.01 * step
        decision = together.step(person_place=tuple(place))
        permitted.append(decision.speed_limit)
        scores.append(decision.layer_score[LAYER])
        if decision.stop_kind != StopKind.NONE:
            break
    assert permitted == sorted(permitted, reverse=True)
    assert any(0.0 < speed < 0.2 for speed in permitted)
    assert scores == sorted(scores, reverse=True)
    stopped = together.last
    assert (stopped.stop_reason, stopped.stop_layer, stopped.stop_category) == (Reason.SEPARATION, LAYER, StopCategory.CAT1)
    assert PARTS[stopped.separation_part] == "free hand"
    assert stopped.separation < stopped.separation_needed
    assert stopped.stop_margin == pytest.approx(stopped.separation - stopped.separation_needed)


def test_a_separation_stop_lasts_while_the_person_is_near_and_ends_when_they_leave(make, together):
    assert together.walk(moved(make, TORSO, (-0.5, 0.0, 0.0))).stop_reason == Reason.SEPARATION
    assert together.run(100).stop_number == 1
    assert together.ask("arm_request").refused == Reason.SEPARATION
    assert together.walk(moved(make, TORSO, (0.0, 0.0, 0.0))).stop_number == 0
    assert together.ask("arm_request").armed


def test_a_person_who_is_near_puts_an_armed_robot_that_only_stands_on_its_brakes(make, together):
    together.ask("pause_request")
    decision = together.walk(moved(make, TORSO, (-0.5, 0.0, 0.0)))
    assert (decision.armed, decision.stop_count, decision.stop_category) == (False, 1, StopCategory.CAT1)
    assert decision.stop_reason == Reason.SEPARATION


def test_a_hand_that_is_near_counts_as_faster(make):
    near, far = 0.49, 0.51
    assert separation.approach(FREE_HAND, math.nan, math.nan, 0.05, near, LIMITS) == LIMITS.hand_speed
    assert separation.approach(FREE_HAND, math.nan, math.nan, 0.05, far, LIMITS) == LIMITS.person_speed
    assert separation.approach(FREE_HAND, math.nan, math.nan, 0.05, math.nan, LIMITS) == LIMITS.hand_speed


def test_head_and_torso_count_as_measured_plus_what_they_may_have_gained():
    assert separation.approach(TORSO, 0.0, 0.0, 0.05, 1.0, LIMITS) == LIMITS.body_speed_min
    assert separation.approach(TORSO, 1.0, 1.0, 0.1, 1.0, LIMITS) == pytest.approx(1.0 + 0.1 * LIMITS.person_acceleration)
    assert separation.approach(HEAD, math.nan, math.nan, 0.05, 1.0, LIMITS) == LIMITS.person_speed


@pytest.mark.parametrize("part", range(6))
def test_nobody_counts_as_slower_than_measured(part):
    assert separation.approach(part, 3.5, 3.5, 0.0, 1.0, LIMITS) >= 3.5


def test_the_reaction_time_remembers_the_sensors_worst_age_for_a_window(make, together):
    floor = LIMITS.reaction_floor + LIMITS.reaction_control
    assert together.step().reaction == pytest.approx(floor)
    for _ in range(20):
        tick = together.well(together.tick)
        together.step(person_exposed_ns=(tick.t_ns - 250_000_000,) * 6)
    assert together.last.reaction == pytest.approx(0.27)
    recovered = [together.step().reaction for _ in range(260)]
    lasted = sum(1 for value in recovered if value == pytest.approx(0.27)) * 0.01
    assert LIMITS.reaction_window - 0.01 <= lasted <= LIMITS.reaction_window * (1 + 1 / separation.BUCKETS) + 0.02
    assert recovered[-1] == pytest.approx(floor)


def test_each_part_has_a_reaction_time_of_its_own(make):
    tick = make.sensed(100)
    ages = separation.aged(Ages(), tick.t_ns, exposed(tick, HANDLE_HAND, 0.29), LIMITS)
    assert ages.greatest() == pytest.approx((0.06,) * 5 + (0.29,))


def test_the_models_latency_does_not_enter(make):
    slow = make.sensed(100, inference_exposed_ns=make.sensed(100).t_ns - 600_000_000)
    assert assessed(slow, make.sensing).reaction == pytest.approx(0.12)


FAULTS = [
    ({"person_seq": 0}, Reason.PERSON_NONE),
    ({"person_t_ns": 0}, Reason.PERSON_NONE),
    ({"person_exposed_ns": (0,) * 6}, Reason.PERSON_REORDERED),  # it had been seen
    ({"person_seq": 3}, Reason.PERSON_REORDERED),
    ({"person_t_ns": 1}, Reason.PERSON_REORDERED),
    ({"person_exposed_ns": (1,) * 6}, Reason.PERSON_REORDERED),
    ({"person_exposed_ns": (10**12,) * 6}, Reason.PERSON_REORDERED),
    ({"person_t_ns": 10**12}, Reason.PERSON_REORDERED),
    ({"person_speed": (-0.1,) + (math.nan,) * 5}, Reason.PERSON_NOT_FINITE),
    ({"person_speed": (math.inf,) * 6}, Reason.PERSON_NOT_FINITE),
    ({"person_place": (math.nan,) * 36}, Reason.PERSON_NOT_FINITE),
    ({"person_place": ()}, Reason.PERSON_NOT_FINITE),
    ({"person_exposed_ns": (10**9,) * 5}, Reason.PERSON_NOT_FINITE),
    ({"person_exposed_ns": (10**9,) * 5, "holds": False}, Reason.PERSON_NOT_FINITE),
    ({"links": (math.nan,) * 12}, Reason.OBSERVATION_NOT_FINITE),
    ({"links": ()}, Reason.OBSERVATION_NOT_FINITE),
]


@pytest.mark.parametrize(("changed", "reason"), FAULTS)
def test_a_sensor_that_cannot_be_trusted_stops_and_is_named(together, changed, reason):
    stopped = together.step(**changed)
    assert (stopped.stop_reason, stopped.stop_layer, stopped.armed) == (reason, LAYER, False)
    assert stopped.speed_limit == 0.0
    assert together.step().stop_category == StopCategory.CAT1


@pytest.mark.parametrize("part", range(4))
def test_a_part_that_is_hidden_for_too_long_stops(together, part):
    then = together.well(together.tick).person_exposed_ns
    decision = None
    for _ in range(40):
        tick = together.well(together.tick)
        decision = together.step(person_exposed_ns=(*tick.person_exposed_ns[:part], then[part], *tick.person_exposed_ns[part + 1 :]))
        if decision.stop_kind != StopKind.NONE:
            break
    assert (decision.stop_reason, decision.separation_part) == (Reason.PERSON_STALE, part)
    assert decision.stop_age == pytest.approx(0.31, abs=0.011)
    assert decision.stop_margin == pytest.approx(LIMITS.person_age_max - decision.stop_age)


def test_the_arm_on_the_handle_may_be_hidden_while_it_holds(together):
    then = together.well(together.tick).person_exposed_ns
    for _ in range(100):
        tick = together.well(together.tick)
        decision = together.step(person_exposed_ns=(*tick.person_exposed_ns[:4], *then[4:]))
    assert decision.stop_count == 0
    assert decision.layer_reason[LAYER] == Reason.OK


def test_a_part_that_was_never_seen_refuses_arming(make):
    world = make.fresh(cell=make.sensing)
    for _ in range(110):
        tick = world.well(world.tick)
        world.step(person_exposed_ns=(*tick.person_exposed_ns[:3], 0, *tick.person_exposed_ns[4:]))
    tick = world.well(world.tick)
    refused = world.step(arm_request=1, person_exposed_ns=(*tick.person_exposed_ns[:3], 0, *tick.person_exposed_ns[4:]))
    assert (refused.armed, refused.refused) == (False, Reason.PERSON_NONE)


def test_a_tool_that_stays_faster_than_permitted_is_stopped_after_the_time_of_a_stop(make, together):
    # the torso, seen 60 ms ago at the least speed that counts, permits a little
    together.walk(moved(make, TORSO, (-0.36, 0.0, 0.0)))
    together.now["twist"] = (0.24, 0.0, 0.0, 0.0, 0.0, 0.0)
    decision = together.step()
    limit = decision.layer_scale[LAYER] * LIMITS.speed_max
    assert 0.0 < limit < 0.24 - separation.OVER
    assert together.run(29).stop_count == 0
    assert together.run(3).stop_reason == Reason.SEPARATION


def test_a_tool_that_slows_in_time_is_not_stopped(make, together):
    together.walk(moved(make, TORSO, (-0.36, 0.0, 0.0)))
    together.run(20, twist=(0.24, 0.0, 0.0, 0.0, 0.0, 0.0))
    together.now["twist"] = (0.05, 0.0, 0.0, 0.0, 0.0, 0.0)
    assert together.run(100).stop_count == 0


def test_jogging_stops_for_a_person_too(make):
    world = make.fresh(cell=make.sensing)
    world.now |= {"mode": 1}
    world.run(110)
    world.ask("arm_request")
    world.now["jogging"] = True
    assert world.run(110).speed_limit == pytest.approx(0.10)
    assert world.walk(moved(make, FREE_HAND, (-0.65, 0.3, 0.0))).stop_reason == Reason.SEPARATION


def test_a_tool_that_is_too_fast_in_most_ticks_is_stopped_though_others_come_between(make, together):
    together.walk(moved(make, TORSO, (-0.36, 0.0, 0.0)))
    stops = [together.step(twist=(0.24 if tick % 2 else 0.05, 0.0, 0.0, 0.0, 0.0, 0.0)).stop_reason for tick in range(100)]
    assert Reason.SEPARATION in stops


def test_a_tool_that_is_too_fast_for_a_moment_now_and_then_is_not(make, together):
    together.walk(moved(make, TORSO, (-0.36, 0.0, 0.0)))
    for tick in range(500):
        decision = together.step(twist=(0.05 if tick % 10 else 0.24, 0.0, 0.0, 0.0, 0.0, 0.0))
    assert decision.stop_count == 0


def test_the_blades_turning_counts_as_speed_of_its_farthest_point(make, together):
    together.walk(moved(make, TORSO, (-0.36, 0.0, 0.0)))
    still, reach = together.step(), make.sensing.blade_reach
    assert reach == pytest.approx(math.hypot(0.28, 0.075))
    turning = together.step(twist=(0.0, 0.0, 0.0, 0.0, 0.06, 0.08))
    assert turning.layer_scale[LAYER] * LIMITS.speed_max == pytest.approx(still.layer_scale[LAYER] * LIMITS.speed_max - 0.1 * reach)
    assert turning.separation_needed > still.separation_needed
    assert together.run(40, twist=(0.0, 0.0, 0.0, 0.0, 0.0, 0.24 / reach)).stop_reason == Reason.SEPARATION


told = st.one_of(st.just(math.nan), st.floats(0.0, 5.0))


@settings(max_examples=200, deadline=None)
@given(before=st.lists(st.tuples(*[told] * 6), max_size=4), speeds=st.tuples(*[told] * 6), lost=st.integers(0, 5), near=st.floats(0.0, 0.5))
def test_a_speed_that_is_no_longer_told_never_permits_more(make, before, speeds, lost, near):
    sight = Sighting()
    for number, earlier in enumerate((*before, speeds)):
        sight = sighted(sight, separation.Seen(), make.sensed(90 + number, person_speed=earlier), LIMITS)
    place = moved(make, TORSO, (-near, 0.0, 0.0))
    silent = (*speeds[:lost], math.nan, *speeds[lost + 1 :])
    with_it = make.sensed(100, person_place=place, person_speed=speeds)
    without = make.sensed(100, person_place=place, person_speed=silent)
    first, second = assessed(with_it, make.sensing, sight), assessed(without, make.sensing, sight)
    assert second.layer.scale <= first.layer.scale
    assert second.layer.score <= first.layer.score
