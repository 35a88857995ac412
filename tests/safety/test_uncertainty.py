"""The uncertainty layer against cases worked by hand."""

import math

import pytest

from engine.safety import uncertainty
from engine.types import Mode, ModelState, Reason


def ratios(**by_index):
    values = [0.8] * 18
    for index, value in by_index.items():
        values[int(index[1:])] = value
    return tuple(values)


@pytest.mark.parametrize(
    ("unusual", "expected"), [(0.0, 1.0), (1.0, 1.0), (1.5, 0.75), (2.0, 0.5), (2.5, 0.3), (3.0, 0.1), (9.0, 0.1), (math.nan, 0.1)]
)
def test_the_score_falls_in_straight_lines(unusual, expected):
    assert uncertainty.score(unusual) == pytest.approx(expected)


def test_a_family_is_averaged_and_the_largest_family_counts(make):
    assert uncertainty.ratio(make.inputs(signal_ratio=ratios(s0=1.8))) == pytest.approx((4 * 0.8 + 1.8) / 5)
    assert uncertainty.ratio(make.inputs(signal_ratio=ratios(s13=1.8))) == pytest.approx(1.8)


def test_invalid_and_uncalibrated_signals_do_not_count(make):
    valid = tuple(index != 13 for index in range(18))
    assert uncertainty.ratio(make.inputs(signal_ratio=ratios(s13=9.0), signal_valid=valid)) == pytest.approx(0.8)
    assert uncertainty.ratio(make.inputs(signal_ratio=ratios(s13=math.nan))) == pytest.approx(0.8)
    assert math.isnan(uncertainty.ratio(make.inputs(signal_valid=(False,) * 18)))


def test_what_describes_the_motion_says_nothing_about_doubt(make):
    motion = ratios(s6=9.0, s7=9.0, s8=9.0, s16=9.0, s17=9.0)
    assert uncertainty.ratio(make.inputs(signal_ratio=motion)) == pytest.approx(0.8)


@pytest.mark.parametrize("absent", ["s14", "s15"])
def test_a_signal_that_nobody_computes_is_not_judged(make, absent):
    assert uncertainty.ratio(make.inputs(signal_ratio=ratios(**{absent: 9.0}))) == pytest.approx(0.8)


def test_smoothing_is_causal_and_only_lowers(make):
    assert uncertainty.smoothed(math.nan, 0.7, 0.01) == 0.7
    assert uncertainty.smoothed(0.2, 1.0, 0.5) == pytest.approx(0.6)
    tick = make.inputs()
    assert uncertainty.layer(tick, 1.0, 0.6).score == 0.6
    assert uncertainty.layer(tick, 0.4, 0.9).score == 0.4
    assert uncertainty.layer(tick, 0.4, math.nan).score <= 0.4


def test_one_member_is_capped_because_it_cannot_disagree_with_itself(make):
    valid = tuple(index not in uncertainty.DISAGREEMENT for index in range(18))
    tick = make.inputs(members=1, signal_valid=valid)
    layer = uncertainty.layer(tick, uncertainty.raw(tick), 1.0)
    assert layer.score == uncertainty.FEW_MEMBERS_SCORE
    assert layer.reason == Reason.FEW_MEMBERS
    strange = make.inputs(members=1, signal_valid=valid, signal_ratio=ratios(s13=2.5))
    assert uncertainty.raw(strange) == pytest.approx(0.3)
    assert uncertainty.layer(strange, uncertainty.raw(strange), 1.0).reason == Reason.UNCERTAIN


@pytest.mark.parametrize(
    "missing",
    [
        {"model_state": ModelState.LOADING},
        {"model_state": ModelState.FAILED},
        {"inference_id": 0},
        {"members": 0},
        {"signal_valid": (False,) * 18},
        {"signal_ratio": (math.nan,) * 18},
        {"signal_ratio": (-1.0,) * 18},
    ],
)
def test_without_a_judgement_nothing_moves(make, missing):
    tick = make.inputs(**missing)
    layer = uncertainty.layer(tick, uncertainty.raw(tick), math.nan)
    assert (layer.score, layer.scale, uncertainty.raw(tick)) == (0.1, 0.0, 0.1)


def test_jogging_does_not_ask_the_policy(make):
    tick = make.inputs(mode=Mode.JOG_XYZ, model_state=ModelState.FAILED)
    assert uncertainty.layer(tick, uncertainty.raw(tick), math.nan).score == 1.0


def test_what_was_declared_is_required_from_then_on(make):
    assert uncertainty.declared(make.inputs()) == uncertainty.DECLARABLE
    without = tuple(index != 13 for index in range(18))
    assert 13 not in uncertainty.declared(make.inputs(signal_valid=without))
    assert not uncertainty.present(make.inputs(signal_valid=without), uncertainty.DECLARABLE)
