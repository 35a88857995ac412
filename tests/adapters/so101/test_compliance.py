"""What stiffness, force and touch become on position servos."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.so101 import compliance
from adapters.so101.compliance import (
    BETWEEN,
    ENOUGH,
    EVERY_NS,
    FACTOR,
    FULL,
    GAIN_STEP,
    LASTS,
    LEAST,
    LEAST_TORQUE,
    TOUCH,
    Softness,
    Watch,
    expected,
    gain,
    softened,
    torques,
    watched,
)
from engine.safety import score

STILL = (0.0,) * 5


def test_the_score_s_stiffest_is_lerobot_s_usual_gain_and_the_softest_still_carries_the_arm() -> None:
    assert gain(score.XY_MAX) == FULL == 16
    assert gain(score.XY_MIN) == LEAST > 0
    assert gain(600.0) == 12
    assert gain(math.nan) == LEAST


@settings(max_examples=50, deadline=None)
@given(stiffness=st.floats(), more=st.floats(0.0, 1e3))
def test_a_gain_is_never_nothing_and_never_falls_as_the_stiffness_rises(stiffness: float, more: float) -> None:
    assert LEAST <= gain(stiffness) <= FULL
    assert not gain(stiffness + more) < gain(stiffness)


@settings(max_examples=50, deadline=None)
@given(force=st.floats(-5.0, 200.0), weight=st.lists(st.floats(-2.0, 2.0), min_size=5, max_size=5))
def test_torque_limits_carry_the_weight_and_grow_with_the_force(force: float, weight: list[float]) -> None:
    lever = (0.17, 0.15, 0.2, 0.15, 0.01)
    limits = torques(force, weight, lever)
    assert all(LEAST_TORQUE <= limit <= 1.0 for limit in limits)
    assert all(limit * 3.35 >= abs(w) for limit, w in zip(limits, weight, strict=True))
    assert all(more >= less for more, less in zip(torques(force + 10.0, weight, lever), limits, strict=True))


def test_torque_limits_of_what_is_no_number_are_the_least() -> None:
    assert torques(math.nan, STILL, STILL) == (LEAST_TORQUE,) * 5


def test_servos_are_told_at_most_five_times_a_second_only_of_changes_and_gently() -> None:
    told, writes = Softness(gain=16), []
    for t_ns in range(0, 3_000_000_000, 10_000_000):
        after = softened(told, 6, (0.5,) * 5, t_ns)
        if after is not told:
            writes.append(t_ns)
            assert abs(after.gain - told.gain) <= GAIN_STEP
        told = after
    assert (told.gain, told.torque) == (6, (0.5,) * 5)
    assert len(writes) == 5
    assert min(b - a for a, b in pairwise(writes)) >= EVERY_NS


def test_a_servo_that_touches_nothing_comes_after_its_goal_and_a_soft_one_later() -> None:
    at = soft = (0.0,)
    for _ in range(4):
        at, soft = expected(at, (1.0,), FULL, 0.01), expected(soft, (1.0,), FULL // 2, 0.01)
    assert at[0] == pytest.approx(1.0 - math.exp(-0.04 / compliance.LAG_S))
    assert soft[0] == pytest.approx(1.0 - math.exp(-0.02 / compliance.LAG_S))


def learned(usual: float, errors: int = 3 * ENOUGH) -> Watch:
    """A watch after free motion whose errors are spread evenly up to ``usual``."""
    watch = Watch()
    for i in range(errors):
        watch = watched(watch, [usual * (i * 37 % 100) / 100.0] * 5, STILL, moves=True)
    return watch


def test_the_baseline_comes_near_the_greatest_errors_of_free_motion() -> None:
    for usual in (0.02, 0.045):
        assert learned(usual, 30 * ENOUGH).usual == pytest.approx((usual,) * 5, rel=0.25)


def test_a_hit_is_an_error_beyond_the_baseline_that_lasts() -> None:
    watch = learned(0.02)
    hit = [0.0, 0.0, -1.2 * watch.most[2], 0.0, 0.0]
    for i in range(LASTS):
        assert watch.hit == -1, i
        watch = watched(watch, hit, STILL, moves=True)
    assert watch.hit == 2
    assert watched(watch, STILL, STILL, moves=True).hit == -1


def test_before_enough_is_learned_only_a_large_error_is_a_hit() -> None:
    watch = Watch()
    assert watch.most == (BETWEEN[1],) * 5
    for _ in range(2 * LASTS):
        watch = watched(watch, [0.9 * BETWEEN[1]] * 5, STILL, moves=True)
    assert watch.hit == -1
    for _ in range(LASTS):
        watch = watched(watch, [1.1 * BETWEEN[1]] * 5, STILL, moves=True)
    assert watch.hit == 0


@pytest.mark.parametrize(("outer", "moves"), [((0.0, 1.1 * TOUCH, 0.0, 0.0, 0.0), True), (STILL, False)])
def test_nothing_is_learned_while_it_is_touched_or_stands(outer: tuple[float, ...], moves: bool) -> None:
    watch = learned(0.02)
    pushed = watch
    for _ in range(2000):
        pushed = watched(pushed, [0.9 * watch.most[0]] * 5, outer, moves)
    assert replace(pushed, beyond=watch.beyond) == watch


def test_a_push_that_grows_slowly_is_a_hit_long_before_it_is_usual() -> None:
    watch, error = learned(0.02), 0.0
    while watch.hit < 0:
        error += 0.0005  # 0.05 rad/s
        watch = watched(watch, [error, 0.0, 0.0, 0.0, 0.0], STILL, moves=True)
    assert error < max(BETWEEN[0], 1.5 * FACTOR * 0.02)


def test_what_presses_from_outside_is_what_the_weight_and_the_gears_do_not_explain() -> None:
    assert compliance.outer((0.5, 0.4), (0.5, 0.1), (0.0, 0.0)) == pytest.approx((0.0, -0.3))
    assert compliance.outer((0.6,), (0.0,), (1.0,)) == pytest.approx((0.0,))
