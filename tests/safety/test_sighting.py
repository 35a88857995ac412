"""Which exposures of the person are believed: neither a part that jumps nor a picture that stands still."""

import math
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.limits import Limits
from engine.safety.sighting import FASTEST, JUMP, Sighting, sighted
from engine.safety.validity import seen
from engine.types import PARTS, Reason, StopCategory

LIMITS = Limits()
FREE_HAND = PARTS.index("free hand")
HANDLE_HAND = PARTS.index("handle hand")


def shifted(tick, part, by, end=0):
    place = list(tick.person_place)
    place[6 * part + 3 * end] += by
    return tuple(place)


def believed(make, *ticks):
    sight, before = Sighting(), seen(make.sensed(98))
    for tick in ticks:
        sight, before = sighted(sight, before, tick, LIMITS), seen(tick)
    return sight


@pytest.mark.parametrize("part", range(4))
def test_a_part_that_jumps_stops_and_is_named(together, part):
    stopped = together.step(person_place=shifted(together.well(0), part, 0.2))
    assert (stopped.stop_reason, stopped.separation_part, stopped.armed) == (Reason.PERSON_JUMPED, part, False)
    assert stopped.speed_limit == 0.0


def test_the_arm_on_the_handle_may_jump_while_it_holds(together):
    assert together.step(person_place=shifted(together.well(0), PARTS.index("handle upper arm"), 0.2)).stop_count == 0
    place = shifted(together.well(0), HANDLE_HAND, 1.0, end=1)  # away from the handle, so it binds
    assert together.step(person_place=place).stop_reason == Reason.PERSON_JUMPED


def test_a_blade_that_gives_way_is_braked_for_a_hand_that_jumps(together):
    together.ask("disarm_request")
    stopped = together.step(person_place=shifted(together.well(0), FREE_HAND, -1.0))
    assert (stopped.stop_reason, stopped.stop_category) == (Reason.PERSON_JUMPED, StopCategory.CAT1)


@pytest.mark.parametrize("end", [0, 1])
@pytest.mark.parametrize(("dt", "ok"), [(0.02, True), (0.02, False), (0.2, True), (0.2, False), (0.0, True), (0.0, False)])
def test_a_part_may_move_as_far_as_a_person_can_in_the_time_and_noise(make, end, dt, ok):
    before = make.sensed(100)
    bound = JUMP + FASTEST * LIMITS.hand_speed * dt
    later = {"person_exposed_ns": tuple(then + round(dt * 1e9) for then in before.person_exposed_ns)}
    place = shifted(before, FREE_HAND, bound + (-1e-6 if ok else 1e-6), end)
    after = msgspec.structs.replace(make.sensed(101), person_place=place, **later)
    assert (believed(make, before, after).exposed_ns[FREE_HAND] > 0) == ok


def test_a_part_that_jumped_is_believed_again_once_two_exposures_agree(make):
    first = make.sensed(100)
    landed, agreeing = (make.sensed(tick, person_place=shifted(first, FREE_HAND, 1.0)) for tick in (101, 102))
    no_news = msgspec.structs.replace(agreeing, person_place=landed.person_place, person_exposed_ns=landed.person_exposed_ns)
    assert believed(make, first, landed).exposed_ns[FREE_HAND] == 0
    assert believed(make, first, landed, no_news).exposed_ns[FREE_HAND] == 0
    assert believed(make, first, landed, agreeing).exposed_ns == agreeing.person_exposed_ns


def test_a_sensor_that_jumps_to_and_fro_lets_nothing_move(together):
    for tick in range(100):
        decision = together.step(person_place=shifted(together.well(0), FREE_HAND, 0.5 * (tick % 2)))
        assert tick == 0 or decision.layer_reason[3] == Reason.PERSON_JUMPED
    assert together.ask("arm_request").refused == Reason.PERSON_JUMPED


def showing(world, part, shown):
    """The world whose sensor shows a part where it was in the tick ``shown(tick)``, under a new stamp."""

    def well(tick, **changed):
        told, then = world.well(tick, **changed), world.well(shown(tick)).person_place
        place = (*told.person_place[: 6 * part], *then[6 * part : 6 * part + 6], *told.person_place[6 * part + 6 :])
        return msgspec.structs.replace(told, person_place=place)

    return replace(world, well=well)


@pytest.mark.parametrize("part", range(4))
def test_a_part_whose_picture_stands_still_grows_old_and_stops(together, part):
    together = showing(together, part, lambda tick: 0)
    together.run(20)
    assert (together.last.stop_count, together.last.layer_age[3]) == (0, pytest.approx(0.06 + 0.20, abs=0.011))
    together.run(20)
    assert (together.last.stop_reason, together.last.separation_part) == (Reason.PERSON_STALE, part)
    assert together.last.stop_age == pytest.approx(LIMITS.person_age_max, abs=0.011)


def test_exposures_that_are_each_delivered_twice_stop_nothing(together):
    together = showing(together, FREE_HAND, lambda tick: tick // 2 * 2)
    assert together.run(100).stop_count == 0
    assert together.last.layer_age[3] == pytest.approx(0.07)


noise = st.floats(-0.028, 0.028)


@settings(max_examples=200, deadline=None)
@given(steps=st.lists(st.tuples(st.tuples(*[noise] * 6), st.integers(20, 100)), min_size=1, max_size=20), speed=st.floats(0.0, 2.0))
def test_a_person_as_fast_as_they_get_whom_a_noisy_sensor_sees_is_believed(make, steps, speed):
    sight, before, at, t_ns = Sighting(), seen(make.sensed(98)), 0.0, 10**9
    for number, (errors, ms) in enumerate(steps):
        t_ns, at = t_ns + ms * 10**6, at + speed * ms / 1000.0
        ends = (1.0 + at, 0.0, 1.0, 1.3 + at, 0.0, 1.0)
        place = tuple(value + error for value, error in zip(ends, errors, strict=True)) * len(PARTS)
        tick = make.sensed(100 + number, person_place=place, person_exposed_ns=(t_ns,) * 6)
        sight, before = sighted(sight, before, tick, LIMITS), seen(tick)
        assert sight.exposed_ns == (t_ns,) * 6


def test_a_speed_that_is_no_number_leaves_the_last_one_remembered(make):
    first, second = (1.5,) * 6, (math.nan, -1.0, math.inf, 2.0, 0.0, 1e9)
    sight = believed(make, make.sensed(100, person_speed=first), make.sensed(101, person_speed=second))
    assert sight.speed == (1.5, 1.5, 1.5, 2.0, 0.0, 1.5)
