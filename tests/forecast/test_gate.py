"""The gate: the lead over clock and phase, its bound by episodes, and what cannot pass."""

import math

import numpy as np
import pytest

from engine.forecast import gate, metrics
from engine.forecast.gate import Verdict

EPISODES = 120
EPISODE = np.repeat(np.arange(EPISODES), 6)
FAILED = (EPISODE % 4 == 0) & (np.tile(np.arange(6), EPISODES) >= 4)
NOISE = np.random.default_rng(5).normal(size=(3, len(EPISODE)))


def pairs(score: np.ndarray, failed: np.ndarray = FAILED) -> metrics.Pairs:
    return metrics.Pairs.of(score, failed, EPISODE, EPISODES)


def judged(forecast: np.ndarray, clock: np.ndarray, phase: np.ndarray, failed: np.ndarray = FAILED) -> Verdict:
    weights = metrics.draws(EPISODES, 400)
    return gate.verdict(pairs(forecast, failed), [pairs(clock, failed), pairs(phase, failed)], weights)


def test_what_knows_more_than_the_clock_passes() -> None:
    found = judged(3.0 * FAILED + NOISE[0], NOISE[1], NOISE[2])
    assert found.passed
    assert found.lead == pytest.approx(
        metrics.auroc(3.0 * FAILED + NOISE[0], FAILED) - max(metrics.auroc(NOISE[1], FAILED), metrics.auroc(NOISE[2], FAILED))
    )
    assert found.low < found.lead


@pytest.mark.parametrize("leak", ["clock", "phase"])
def test_the_lead_is_over_the_better_of_clock_and_phase(leak: str) -> None:
    known = 3.0 * FAILED + NOISE[1]
    found = judged(3.0 * FAILED + NOISE[0], *((known, NOISE[2]) if leak == "clock" else (NOISE[2], known)))
    assert not found.passed
    assert abs(found.lead) < 0.05


def test_a_good_mean_of_too_few_failures_fails() -> None:
    """Two episodes fail; one is foreseen, of the other nothing is known: many a draw has but the other."""
    few, flat = FAILED & (EPISODE < 8), np.zeros(len(EPISODE))
    found = judged(1.0 * (few & (EPISODE < 4)), flat, flat, few)
    assert found.lead == 0.25
    assert found.low < gate.LOW
    assert not found.passed


def test_a_sure_but_small_lead_fails() -> None:
    found = Verdict(*judged(0.45 * FAILED + NOISE[0], np.zeros(len(EPISODE)), np.zeros(len(EPISODE))))
    assert 0.05 < found.lead < gate.MEAN
    assert not found.passed


def test_without_a_failure_nothing_is_proven() -> None:
    found = judged(NOISE[0], NOISE[1], NOISE[2], np.zeros(len(EPISODE), bool))
    assert math.isnan(found.lead)
    assert not found.passed


def test_one_horizon_that_fails_fails_the_forecast() -> None:
    good, bad = Verdict(0.3, 0.2, True), Verdict(0.2, 0.05, False)
    assert gate.overall([good, bad]) == Verdict(0.2, 0.05, False)
    assert gate.overall([good, good]).passed
    assert math.isnan(gate.overall([good, Verdict(math.nan, 0.0, False)]).lead)
