"""The maps from score to gain, force, speed and action, against numbers worked by hand."""

import math

import pytest

from engine.limits import Limits
from engine.safety import score
from engine.safety.layer import Layer
from engine.types import Action

LIMITS = Limits()


@pytest.mark.parametrize(
    ("s", "xy", "z", "force", "k_xy", "k_z"),
    [
        (1.0, 0.90, 0.90, 0.90, 800.0, 600.0),
        (0.71, 0.697, 0.726, 0.755, 626.0, 484.0),
        (0.5, 0.55, 0.60, 0.65, 500.0, 400.0),
        (0.1, 0.27, 0.36, 0.45, 260.0, 240.0),
    ],
)
def test_a_score_maps_to_the_documented_gains(s, xy, z, force, k_xy, k_z):
    assert score.impedance_xy(s) == pytest.approx(xy)
    assert score.impedance_z(s) == pytest.approx(z)
    assert score.force(s) == pytest.approx(force)
    stiffness = score.stiffness(score.impedance_xy(s), score.impedance_z(s), 1.0)
    assert stiffness[:3] == pytest.approx((k_xy, k_xy, k_z))


def test_no_share_of_the_spring_leaves_the_softest_and_never_none():
    assert score.stiffness(0.9, 0.9, 0.0) == score.SOFTEST
    assert score.stiffness(0.9, 0.9, math.nan) == score.SOFTEST


def test_the_published_score_is_reproduced():
    assert score.published(0.5, 0.2) == pytest.approx(0.8)
    assert score.published(0.5, 0.31) == pytest.approx(0.68)
    assert score.published(3.0, 0.0) == pytest.approx(0.2)
    assert math.isnan(score.published(math.nan, 0.0))


def test_the_smallest_score_wins_and_nan_is_the_smallest():
    assert score.least((1.0, 0.7, 0.9)) == 0.7
    assert score.least((1.0, math.nan, 0.9)) == 0.1
    assert score.least((math.nan, 0.7)) == 0.1
    assert score.least((7.0,)) == 1.0


def test_nan_from_a_layer_lets_nothing_move_and_nothing_push():
    broken = Layer(scale=math.nan, force=math.nan)
    assert score.speed_scale((Layer(), broken), Action.CONTINUE) == 0.0
    assert score.least_force(60.0, (Layer(), broken)) == 0.0


def test_the_layer_that_lets_nothing_move_binds_before_the_lowest_score():
    assert score.binding((Layer(), Layer(score=0.6), Layer(scale=0.0))) == 2
    assert score.binding((Layer(), Layer(score=0.6), Layer(scale=0.5))) == 1
    assert score.binding((Layer(), Layer(), Layer(scale=0.5))) == 2


def _acted(scores, start=Action.STOP):
    held, seen = score.Held(start), []
    for tick, value in enumerate(scores):
        held = score.held(held, value, (tick + 1) * 10_000_000, LIMITS)
        seen.append(held.action)
    return seen


def test_a_worse_score_is_followed_at_once():
    assert _acted([0.74], Action.CONTINUE) == [Action.SLOW]
    assert _acted([0.49], Action.CONTINUE) == [Action.STOP]
    assert _acted([math.nan], Action.CONTINUE) == [Action.STOP]


def test_a_better_score_is_followed_only_after_the_dwell_and_one_step_at_a_time():
    actions = _acted([0.9] * 120)
    assert actions.index(Action.SLOW) == 50
    assert actions.index(Action.CONTINUE) == 100


def test_continue_is_kept_down_to_075_and_regained_only_from_080():
    assert _acted([0.76] * 100, Action.CONTINUE) == [Action.CONTINUE] * 100
    assert _acted([0.79] * 100, Action.SLOW) == [Action.SLOW] * 100
    assert _acted([0.80] * 100, Action.SLOW)[-1] == Action.CONTINUE


def test_a_dip_starts_the_dwell_again():
    assert _acted([0.9] * 40 + [0.7] + [0.9] * 40, Action.SLOW)[-1] == Action.SLOW
