"""Goals keep every bound whatever is asked of them."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.so101.following import PERIOD, Bounds, Motion, Sample, aligned, fastest, follow

EPS = 1e-9
any_number = st.one_of(st.floats(-10.0, 10.0), st.sampled_from([math.nan, math.inf, -math.inf, 1e300]))


@st.composite
def bounded(draw: st.DrawFn, slowest: float = 0.05) -> Bounds:
    low, much = draw(st.floats(-3.0, 2.0)), st.floats(slowest, 50.0)
    step = draw(st.floats(slowest * PERIOD, 0.5))
    return Bounds((low,), (low + draw(st.floats(0.01, 4.0)),), (draw(much),), (draw(much),), (step,))


@settings(max_examples=80, deadline=None)
@given(bounds=bounded(), start=st.floats(0.0, 1.0), asked=st.lists(st.tuples(any_number, st.integers(1, 25)), min_size=1, max_size=4))
def test_position_speed_acceleration_and_step_hold_whatever_is_asked(bounds: Bounds, start: float, asked: list[tuple[float, int]]) -> None:
    low, high = bounds.low[0], bounds.high[0]
    now = Motion.still((low + start * (high - low),))
    for target, steps in asked:
        for _ in range(steps):
            then, now = now, follow(now, (target,), bounds)
            assert low - EPS <= now.at[0] <= high + EPS
            assert abs(now.speed[0]) <= bounds.speed[0] + EPS
            assert abs(now.speed[0] - then.speed[0]) <= bounds.acceleration[0] * PERIOD + EPS
            assert abs(now.at[0] - then.at[0]) <= bounds.step[0] + EPS
            assert now.at[0] - then.at[0] == pytest.approx(now.speed[0] * PERIOD, abs=EPS)


@settings(max_examples=25, deadline=None)
@given(bounds=bounded(slowest=1.0), start=st.floats(0.0, 1.0), target=st.floats(-5.0, 5.0))
def test_it_arrives_at_what_is_asked_or_at_the_bound_and_stays_without_overshoot(bounds: Bounds, start: float, target: float) -> None:
    low, high = bounds.low[0], bounds.high[0]
    goal = min(max(target, low), high)
    now = Motion.still((low + start * (high - low),))
    side = math.copysign(1.0, goal - now.at[0])
    most = min(bounds.speed[0], bounds.step[0] / PERIOD)
    patience = (
        abs(goal - now.at[0]) / most + 2.0 * math.sqrt(abs(goal - now.at[0]) / bounds.acceleration[0]) + most / bounds.acceleration[0]
    )
    for _ in range(math.ceil(patience / PERIOD) + 3):
        now = follow(now, (target,), bounds)
        assert (goal - now.at[0]) * side >= -EPS
    assert now.at[0] == pytest.approx(goal, abs=1e-6)
    assert now.speed[0] == pytest.approx(0.0, abs=1e-4)


@settings(max_examples=50, deadline=None)
@given(beyond=st.floats(0.001, 1.0), asked=st.lists(any_number, min_size=1, max_size=40))
def test_an_axis_beyond_its_bound_never_goes_further(beyond: float, asked: list[float]) -> None:
    bounds = Bounds((-1.0,), (1.0,), (2.0,), (20.0,), (0.05,))
    now = Motion.still((1.0 + beyond,))
    for target in asked:
        then, now = now, follow(now, (target,), bounds)
        assert now.at[0] <= max(then.at[0], 1.0) + EPS


def test_the_first_step_begins_where_the_arm_is_and_slowly() -> None:
    bounds = Bounds((-2.0,) * 2, (2.0,) * 2, (2.5,) * 2, (25.0,) * 2, (0.05,) * 2)
    first = follow(Motion.still((0.3, -0.4)), (1.5, -0.4), bounds)
    assert first.at == pytest.approx((0.3 + 25.0 * PERIOD * PERIOD, -0.4))


def test_what_is_not_finite_brakes_that_axis_alone() -> None:
    bounds = Bounds((-2.0,) * 2, (2.0,) * 2, (2.5,) * 2, (25.0,) * 2, (0.05,) * 2)
    now = Motion((0.0, 0.0), (1.0, 1.0))
    for _ in range(10):
        now = follow(now, (math.nan, 2.0), bounds)
    assert now.speed[0] == 0.0
    assert 0.0 < now.at[0] < 0.05
    assert now.speed[1] > 1.0


@settings(deadline=None)
@given(way=st.floats(1e-6, 3.0), acceleration=st.floats(0.05, 50.0))
def test_the_fastest_speed_ends_after_just_the_way(way: float, acceleration: float) -> None:
    speed, gone = fastest(way, acceleration), 0.0
    while speed > 0.0:
        gone += speed * PERIOD
        speed -= acceleration * PERIOD
    assert gone == pytest.approx(way, rel=1e-6)


def test_samples_are_joined_by_time_and_never_beyond_them() -> None:
    before, after = Sample(1_000, (0.0, math.nan, 1.0)), Sample(2_000, (1.0, 4.0, math.nan))
    at = {t: aligned(before, after, t) for t in (0, 1_000, 1_250, 2_000, 9_000)}
    assert [at[t][0] for t in at] == [0.0, 0.0, 0.25, 1.0, 1.0]
    assert all(values[1] == 4.0 and math.isnan(values[2]) for t, values in at.items() if t > 1_000)
    assert aligned(after, after, 5)[:2] == (1.0, 4.0)
