"""What is fitted offline: distance from training, and what is nominal."""

import numpy as np
import pytest

from engine.signals import familiarity, nominal


def test_shrinkage_of_many_samples_leaves_the_covariance() -> None:
    rng = np.random.default_rng(0)
    samples = rng.normal(size=(20_000, 3)) * np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(familiarity.ledoit_wolf(samples), np.diag([1.0, 4.0, 9.0]), atol=0.25)


def test_shrinkage_of_few_samples_makes_the_covariance_invertible() -> None:
    samples = np.random.default_rng(0).normal(size=(5, 20))
    samples -= samples.mean(axis=0)
    shrunk = familiarity.ledoit_wolf(samples)
    assert np.linalg.matrix_rank(samples.T @ samples) < 20
    assert np.linalg.eigvalsh(shrunk).min() > 0.01
    assert np.trace(shrunk) == pytest.approx(np.trace(samples.T @ samples / 5))


def test_shrinkage_equals_the_published_formula_on_a_worked_case() -> None:
    # two points at +-(1, 0): S = diag(1, 0), level 1/2, d2 = (1/4 + 1/4) / 2 = 1/4, b2 = (1 + 1 - 2 * 1) / ... = 0, so nothing is shrunk
    np.testing.assert_allclose(familiarity.ledoit_wolf(np.array([[1.0, 0.0], [-1.0, 0.0]])), np.diag([1.0, 0.0]))
    # four points at +-(1, 0), +-(0, 1): S = I / 2 is already a multiple of the identity
    square = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    np.testing.assert_allclose(familiarity.ledoit_wolf(square), np.eye(2) / 2)


def test_what_training_never_showed_is_far() -> None:
    rng = np.random.default_rng(1)
    training = rng.normal(size=(2000, 10)) * np.linspace(3.0, 0.1, 10)
    fitted = familiarity.fit(training, 5)
    near = [fitted.distance(row) for row in rng.normal(size=(200, 10)) * np.linspace(3.0, 0.1, 10)]
    assert np.mean(near) == pytest.approx(1.0, abs=0.1)
    assert fitted.distance(training.mean(axis=0)) == pytest.approx(0.0)
    assert fitted.distance(training.mean(axis=0) + 30.0) > 5.0


def test_too_few_features_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot span"):
        familiarity.fit(np.zeros((4, 10)), 5)


def test_quantiles_and_ratios_are_read_off_nominal_work() -> None:
    values = np.tile(np.linspace(0.0, 10.0, 1001)[:, None], (1, 18))
    valid = np.ones_like(values, dtype=np.bool_)
    valid[:, 14] = False
    usual = nominal.fit(values, valid)
    shown = np.full(18, 5.0)
    flags = np.ones(18, dtype=np.bool_)
    flags[2] = False
    ratio, quantile = usual.ratio(shown, flags), usual.quantile(shown, flags)
    assert ratio[0] == pytest.approx(5.0 / 9.5)
    assert quantile[0] == pytest.approx(0.5)
    assert np.isnan(ratio[[2, 14]]).all()
    assert np.isnan(quantile[[2, 14]]).all()
    assert usual.quantile(np.full(18, 99.0), flags)[0] == 1.0
    assert usual.quantile(np.full(18, -1.0), flags)[0] == 0.0
