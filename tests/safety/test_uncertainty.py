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
    assert uncertainty.ratio(make.inputs(signal_ratio=ratios(s0=1.8)), True) == pytest.approx((4 * 0.8 + 1.8) / 5)
    assert uncertainty.ratio(make.inputs(signal_ratio=ratios(s13=1.8)), True) == pytest.approx(1.8)


def test_invalid_and_uncalibrated_signals_do_not_count(make):
    valid = tuple(index != 13 for index in range(18))
    assert uncertainty.ratio(make.inputs(signal_ratio=ratios(s13=9.0), signal_valid=valid), True) == pytest.approx(0.8)
    assert uncertainty.ratio(make.inputs(signal_ratio=ratios(s13=math.nan)), True) == pytest.approx(0.8)
    assert math.isnan(uncertainty.ratio(make.inputs(signal_valid=(False,) * 18), True))


def test_what_describes_the_motion_says_nothing_about_doubt(make):
    motion = ratios(s6=9.0, s7=9.0, s8=9.0, s16=9.0, s17=9.0)
    assert uncertainty.ratio(make.inputs(signal_ratio=motion), True) == pytest.approx(0.8)


SENSITIVE = {"signal_ratio": ratios(s14=2.6, s15=2.8), "twist": (0.1, 0.0, 0.0, 0.0, 0.0, 0.0)}


def test_a_plan_that_hangs_on_the_noise_of_the_pictures_is_doubted_by_itself(make):
    assert uncertainty.ratio(make.inputs(**SENSITIVE), True) == pytest.approx(2.7)
    assert uncertainty.ratio(make.inputs(**SENSITIVE | {"twist": (0.0,) * 6}), True) == uncertainty.RESTING_RATIO


def test_sensitivities_are_required_only_of_a_run_that_had_them(make):
    without = make.inputs(**SENSITIVE, signal_valid=tuple(index not in uncertainty.SENSITIVITY for index in range(18)))
    assert uncertainty.ratio(without, True) == pytest.approx(0.8)
    assert uncertainty.present(without, uncertainty.declared(without))
    assert not uncertainty.present(without, uncertainty.declared(make.inputs(**SENSITIVE)))


def test_smoothing_is_causal_and_only_lowers(make):
    assert uncertainty.smoothed(math.nan, 0.7, 0.01) == 0.7
    assert uncertainty.smoothed(0.2, 1.0, 0.5) == pytest.approx(0.6)
    tick = make.inputs()
    assert uncertainty.layer(tick, 1.0, 0.6, True).score == 0.6
    assert uncertainty.layer(tick, 0.4, 0.9, True).score == 0.4
    assert uncertainty.layer(tick, 0.4, math.nan, True).score <= 0.4


def test_one_member_is_capped_because_it_cannot_disagree_with_itself(make):
    valid = tuple(index not in uncertainty.DISAGREEMENT for index in range(18))
    tick = make.inputs(members=1, signal_valid=valid)
    layer = uncertainty.layer(tick, uncertainty.raw(tick, True), 1.0, True)
    assert layer.score == uncertainty.FEW_MEMBERS_SCORE
    assert layer.reason == Reason.FEW_MEMBERS
    strange = make.inputs(members=1, signal_valid=valid, signal_ratio=ratios(s13=2.5))
    assert uncertainty.raw(strange, True) == pytest.approx(0.3)
    assert uncertainty.layer(strange, uncertainty.raw(strange, True), 1.0, True).reason == Reason.UNCERTAIN


def test_members_without_nominal_values_are_capped_because_no_disagreement_is_large_or_small(make):
    tick = make.inputs(signal_ratio=(math.nan,) * 18, nominal_known=False)
    layer = uncertainty.layer(tick, uncertainty.raw(tick, True), 1.0, True)
    assert (layer.score, layer.reason) == (uncertainty.FEW_MEMBERS_SCORE, Reason.NO_NOMINAL)
    assert uncertainty.present(tick, uncertainty.declared(tick))
    lost = make.inputs(signal_ratio=(math.nan,) * 18, signal_valid=(False,) * 18, nominal_known=False)
    assert uncertainty.layer(lost, uncertainty.raw(lost, True), math.nan, True).scale == 0.0


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
    layer = uncertainty.layer(tick, uncertainty.raw(tick, True), math.nan, True)
    assert (layer.score, layer.scale, uncertainty.raw(tick, True)) == (0.1, 0.0, 0.1)


def test_jogging_does_not_ask_the_policy(make):
    tick = make.inputs(mode=Mode.JOG_XYZ, model_state=ModelState.FAILED)
    assert uncertainty.layer(tick, uncertainty.raw(tick, True), math.nan, True).score == 1.0


def test_what_was_declared_is_required_from_then_on(make):
    assert uncertainty.declared(make.inputs()) == uncertainty.DECLARABLE
    without = tuple(index != 13 for index in range(18))
    assert 13 not in uncertainty.declared(make.inputs(signal_valid=without))
    assert not uncertainty.present(make.inputs(signal_valid=without), uncertainty.DECLARABLE)


def test_members_may_disagree_on_which_way_to_begin_but_not_on_the_way(make):
    torn = ratios(s0=9.0, s2=9.0, s3=9.0, s9=9.0, s11=9.0)
    resting = make.inputs(signal_ratio=torn, twist=(0.0,) * 6)
    moving = make.inputs(signal_ratio=torn, twist=(0.1, 0.0, 0.0, 0.0, 0.0, 0.0))
    assert uncertainty.raw(resting, False) == pytest.approx(0.55)
    assert uncertainty.raw(moving, True) == 0.1
    unknown = make.inputs(signal_ratio=ratios(s13=9.0), twist=(0.0,) * 6)
    assert uncertainty.raw(unknown, False) == 0.1


def test_a_change_of_mind_is_judged_only_once_the_robot_has_moved(make):
    changed = make.inputs(signal_ratio=ratios(s4=9.0, s12=9.0), twist=(0.1, 0.0, 0.0, 0.0, 0.0, 0.0))
    assert uncertainty.raw(changed, True) == 0.1
    assert uncertainty.raw(changed, False) == 1.0
