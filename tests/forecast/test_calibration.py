"""Temperature and thresholds do what they promise."""

import math

import numpy as np
import pytest

from engine.forecast import calibration, labels
from engine.forecast.labels import CAUSES, STEPS, Targets


def test_what_counts_nowhere_makes_nothing_likelier():
    logits = np.log(np.full((1, 2, STEPS, CAUSES + 1), 0.2, np.float32))
    seen = Targets(np.array([0]), np.array([-1]), np.array([STEPS]))
    both = Targets(np.array([0, 0]), np.array([-1, -1]), np.array([STEPS, 0]))  # of the second nothing is known
    alone = calibration.unlikely(logits[:, :1], seen, 1.0)
    assert alone == pytest.approx(-STEPS * math.log(0.2))
    assert calibration.unlikely(logits, both, 1.0) == pytest.approx(alone)


@pytest.mark.parametrize("wrong", [0.5, 2.5])
def test_the_temperature_undoes_what_made_logits_too_sure_or_too_timid(wrong: float):
    rng = np.random.default_rng(3)
    true = rng.normal(size=(1, 1500, STEPS, CAUSES + 1)) + np.array([0.0] * CAUSES + [3.0])
    ends = (labels.hazards(true[0]).cumsum(axis=-1) < rng.random((1500, STEPS, 1))).sum(axis=-1)  # one drawn in each step
    failed = ends < CAUSES
    step = np.where(failed.any(axis=1), failed.argmax(axis=1) + 1, 0)
    cause = np.where(step > 0, ends[np.arange(1500), step - 1], -1)
    found = Targets(step, cause, np.where(step > 0, step, STEPS))
    assert calibration.temperature((true * wrong).astype(np.float32), found) == pytest.approx(wrong, rel=0.08)


def test_the_conformal_quantile_of_a_hand_worked_case():
    assert calibration.conformal(np.arange(19.0)) == 18.0  # of 19 the ceil(20 * 0.95) = 19th
    assert calibration.conformal(np.arange(39.0)) == 37.0
    assert math.isinf(calibration.conformal(np.arange(18.0)))
    assert calibration.FEWEST == 19


def test_any_alarm_at_all_comes_in_at_most_the_promised_share_of_further_episodes():
    rng = np.random.default_rng(5)
    shape = np.array([0.2, 0.05, 0.4, 0.01])
    alarmed = []
    for _ in range(400):
        peaks = shape * rng.gamma(2.0, size=(100, CAUSES)) * rng.gamma(1.0, size=(100, 1))
        limits = calibration.thresholds(peaks[:60], shape)
        alarmed.append((peaks[60:] >= limits).any(axis=1).mean())
    assert 0.03 < np.mean(alarmed) <= 0.05 + 3.0 * np.std(alarmed) / 20.0  # and not by never alarming


def test_a_failure_that_never_came_never_alarms():
    limits = calibration.thresholds(np.random.default_rng(1).random((100, CAUSES)), np.array([0.5, np.inf, 0.5, 0.5]))
    assert np.isinf(limits).tolist() == [False, True, False, False]
