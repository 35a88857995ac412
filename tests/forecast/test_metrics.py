"""Figures of a forecast against cases worked by hand, and their properties where there are too many rows for that."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.forecast import metrics

P = pytest.approx


def flags(*values: int) -> np.ndarray:
    return np.array(values, bool)


def test_auroc_counts_ties_half() -> None:
    # positives .9 .5, negatives .5 .1: won 1 + 1 + .5 + 1 of 4 pairs
    assert metrics.auroc(np.array([0.9, 0.5, 0.5, 0.1]), flags(1, 1, 0, 0)) == P(3.5 / 4)
    assert math.isnan(metrics.auroc(np.array([0.9, 0.5]), flags(1, 1)))


def test_pairs_of_a_weighted_draw_by_hand() -> None:
    # episode 0: a positive at .9 and a negative at .2; episode 1: a positive at .1; episode 2: a negative at .5
    score, positive, episode = np.array([0.9, 0.2, 0.1, 0.5]), flags(1, 0, 1, 0), np.array([0, 0, 1, 2])
    pairs = metrics.Pairs.of(score, positive, episode, 3)
    assert pairs.auroc(np.ones((1, 3)))[0] == P(2 / 4)
    # episode 0 twice, 1 once, 2 three times: positives 3, negatives 5; .9 beats all 5, twice
    assert pairs.auroc(np.array([[2.0, 1.0, 3.0]]))[0] == P(10 / 15)
    assert math.isnan(pairs.auroc(np.array([[0.0, 0.0, 3.0]]))[0])


def test_a_score_that_is_no_number_has_no_pairs() -> None:
    with pytest.raises(ValueError, match="not a number"):
        metrics.Pairs.of(np.array([math.nan]), flags(1), np.array([0]), 1)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 60), st.integers(1, 8))
def test_pairs_and_precisions_equal_those_of_the_episodes_written_out(seed: int, rows: int, episodes: int) -> None:
    rng = np.random.default_rng(seed)
    episode = np.sort(rng.integers(episodes, size=rows))
    score, positive = rng.integers(5, size=rows) / 4.0, rng.random(rows) < 0.3
    weights = metrics.draws(episodes, 3, seed)
    areas = metrics.Pairs.of(score, positive, episode, episodes).auroc(weights)
    precisions = metrics.average_precisions(score, positive, episode, weights)
    for weight, area, precision in zip(weights, areas, precisions, strict=True):
        drawn = np.repeat(np.arange(rows), weight[episode].astype(int))
        assert area == P(metrics.auroc(score[drawn], positive[drawn]), nan_ok=True)
        assert precision == P(metrics.average_precision(score[drawn], positive[drawn]), nan_ok=True)


def test_average_precision_by_hand() -> None:
    # ranked + - + -: precision 1 at recall 1/2, 2/3 at recall 1
    assert metrics.average_precision(np.array([4.0, 3.0, 2.0, 1.0]), flags(1, 0, 1, 0)) == P(0.5 * 1 + 0.5 * 2 / 3)
    # all equal: one threshold, precision is the prevalence
    assert metrics.average_precision(np.zeros(4), flags(1, 0, 0, 0)) == P(0.25)
    assert math.isnan(metrics.average_precision(np.zeros(2), flags(0, 0)))


def test_curves_go_through_every_threshold() -> None:
    wrong, recall, precision = metrics.curves(np.array([0.9, 0.5, 0.5, 0.1]), flags(1, 1, 0, 0))
    assert wrong.tolist() == [0.0, 0.5, 1.0]
    assert recall.tolist() == [0.5, 1.0, 1.0]
    assert precision.tolist() == P([1.0, 2 / 3, 0.5])


def test_calibration_error_by_hand() -> None:
    probability, came = np.array([0.1, 0.1, 0.9, 0.9]), flags(0, 1, 1, 1)
    assert metrics.reliability(probability, came, (0.5,)) == [(P(0.1), 0.5, 2), (P(0.9), 1.0, 2)]
    assert metrics.ece(probability, came, (0.5,)) == P((2 * 0.4 + 2 * 0.1) / 4)


def test_equal_probabilities_are_one_bin() -> None:
    assert metrics.reliability(np.full(30, 0.2), np.arange(30) % 5 == 0) == [(P(0.2), P(0.2), 30)]


def test_bins_hold_about_equal_mass() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(3000) ** 3
    assert {one.rows for one in metrics.reliability(p, rng.random(3000) < p)} == {200}
    assert metrics.ece(p, rng.random(3000) < p) < 0.04


def test_brier_and_skill_by_hand() -> None:
    probability, came = np.array([0.5, 0.5, 1.0, 0.0]), flags(1, 0, 1, 0)
    assert metrics.brier(probability, came) == P(0.125)
    # one group with rate 1/2 has a Brier of 1/4
    assert metrics.brier_skill(probability, came, np.zeros(4, int)) == P(0.5)
    # of two groups the second is all known: (1/4 + 1/4) / 4
    assert metrics.brier_skill(np.array([0.5, 0.5, 0.0, 0.0]), flags(1, 0, 0, 0), np.array([0, 0, 1, 1])) == P(0.0)
    assert math.isnan(metrics.brier_skill(probability, flags(0, 0, 0, 0), np.zeros(4, int)))


def test_no_more_than_the_share_of_episodes_reach_the_threshold() -> None:
    peaks = np.arange(40.0)
    assert (peaks >= metrics.threshold(peaks, 0.05)).sum() == 2
    assert (peaks[:19] >= metrics.threshold(peaks[:19], 0.05)).sum() == 0
    # equal peaks on the edge are all below it rather than all above
    assert (np.ones(40) >= metrics.threshold(np.ones(40), 0.05)).sum() == 0


EPISODE, T_S = np.array([0, 0, 0, 0, 1, 1]), np.array([0.0, 0.2, 0.4, 0.6, 0.1, 0.3])
END_S = np.array([0.7, 2.0])


def test_stretches_of_alarm_end_with_the_first_inference_without() -> None:
    found = metrics.alarms(flags(1, 1, 0, 1, 1, 0), EPISODE, T_S, END_S)
    assert found.episode.tolist() == [0, 0, 1]
    assert found.begin_s.tolist() == [0.0, 0.6, 0.1]
    assert found.end_s.tolist() == [0.4, 0.7, 0.3]


def test_an_alarm_that_does_not_last_is_none() -> None:
    found = metrics.persistent(metrics.alarms(flags(1, 1, 0, 1, 1, 0), EPISODE, T_S, END_S), 0.25)
    assert (found.episode.tolist(), found.begin_s.tolist()) == ([0], [0.25])


def test_alarms_an_hour_count_nominal_episodes_only() -> None:
    found = metrics.alarms(flags(1, 1, 0, 1, 1, 0), EPISODE, T_S, END_S)
    assert metrics.alarms_an_hour(found, flags(1, 0), np.array([36.0, 36.0])) == P(200.0)
    assert metrics.alarms_an_hour(found, flags(1, 1), np.array([36.0, 36.0])) == P(150.0)
    assert math.isnan(metrics.alarms_an_hour(found, flags(0, 0), np.array([36.0, 36.0])))


def test_a_failure_is_caught_by_an_alarm_in_time() -> None:
    failure_s = np.array([0.7, 0.5])
    # leads .7 .5 .3 .1 and .4 .2
    late = metrics.caught(flags(0, 0, 0, 1, 0, 1), EPISODE, T_S, failure_s, 0.6)
    assert (late.recall, late.lead_s.tolist()) == (0.0, [])
    one = metrics.caught(flags(1, 0, 1, 1, 0, 1), EPISODE, T_S, failure_s, 0.6)
    assert (one.recall, one.in_horizon, one.lead_s.tolist()) == (0.5, 0.5, [P(0.7)])
    early = metrics.caught(flags(1, 0, 0, 0, 1, 0), EPISODE, T_S, failure_s, 0.6)
    assert (early.recall, early.in_horizon) == (1.0, 0.5)
    assert math.isnan(metrics.caught(flags(1, 1, 1, 1, 1, 1), EPISODE, T_S, np.full(2, math.nan), 0.6).recall)


def test_balanced_accuracy_and_its_best_threshold() -> None:
    peaks, failing = np.array([0.9, 0.8, 0.7, 0.2]), flags(1, 0, 1, 0)
    assert metrics.balanced_accuracy(peaks >= 0.85, failing) == P(0.75)
    at = metrics.best_threshold(peaks, failing)
    assert metrics.balanced_accuracy(peaks >= at, failing) == P(0.75)
    assert metrics.best_threshold(np.array([0.9, 0.1]), flags(1, 0)) == P(0.5)
    assert metrics.best_threshold(peaks, flags(0, 0, 0, 0)) == math.inf
    assert math.isnan(metrics.balanced_accuracy(peaks > 0, flags(1, 1, 1, 1)))


def test_coverage_by_hand() -> None:
    kept = metrics.coverage(np.arange(100) < 7, 0.05)
    assert (kept.alarmed, kept.share, kept.error) == (7, 0.07, P(0.02))
    assert kept.inside
    assert not metrics.coverage(np.arange(100) < 20, 0.05).inside


def test_the_interval_covers_and_is_that_of_episodes_not_of_rows() -> None:
    """Rows copied within their episodes say nothing new, so the interval must not shrink."""
    rng = np.random.default_rng(3)
    score, positive = rng.normal(size=60), np.arange(60) < 20
    score[positive] += 1.0
    widths = []
    for copies in (1, 9):
        episode = np.repeat(np.arange(60), copies)
        pairs = metrics.Pairs.of(score[episode], positive[episode], episode, 60)
        low, high = metrics.interval(pairs.auroc(metrics.draws(60, 500)))
        assert low < metrics.auroc(score, positive) < high
        widths.append(high - low)
    assert widths[0] == P(widths[1])
