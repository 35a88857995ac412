"""What the forecast looks at."""

import numpy as np
import pytest

from engine.forecast.features import CHANNELS, EXCESS_MAX, PER_SIGNAL, channels
from engine.signals import nominal
from engine.types import SIGNALS

SIZE = len(SIGNALS)


@pytest.fixture(scope="module")
def usual() -> nominal.Nominal:
    """Every signal evenly spread over 0 to 2, but for the last, which has nothing nominal."""
    values = np.repeat(np.linspace(0.0, 2.0, 201)[:, None], SIZE, axis=1)
    known = np.ones(values.shape, np.bool_)
    known[:, -1] = False
    return nominal.fit(values, known)


def row(value: float, usual: nominal.Nominal, valid: bool = True, age: float = 0.0) -> np.ndarray:
    """(18, PER_SIGNAL) the signals' channels when all have one value."""
    found = channels(np.full(SIZE, value), np.full(SIZE, valid), np.full(SIZE, age), 0.16, usual)
    assert found.shape == (CHANNELS,)
    assert found[-1] == pytest.approx(0.16)
    return found[:-1].reshape(SIZE, PER_SIGNAL)


def test_the_nominal_median_reads_as_nothing_unusual(usual: nominal.Nominal):
    assert row(1.0, usual)[0].tolist() == pytest.approx([0.0, 0.0, 1.0, 0.0], abs=1e-6)


def test_an_excess_counts_in_nominal_widths_on_a_logarithm(usual: nominal.Nominal):
    excess, quantile, *_ = row(1.0 + 0.9 * 3.0, usual)[0]  # the 95 % value lies 0.9 above the median
    assert excess == pytest.approx(np.log(4.0), abs=1e-6)
    assert quantile == 1.0
    assert row(1e9, usual)[0, 0] == EXCESS_MAX
    assert row(0.1, usual)[0, 0] == pytest.approx(-np.log(2.0), abs=1e-6)


@pytest.mark.parametrize(("value", "valid"), [(5.0, False), (np.nan, True), (np.inf, True)])
def test_what_is_not_valid_reads_as_the_median_and_as_invalid(usual: nominal.Nominal, value: float, valid: bool):
    assert row(value, usual, valid, age=0.51)[0].tolist() == pytest.approx([0.0, 0.0, 0.0, 0.2], abs=1e-6)


def test_a_signal_with_nothing_nominal_never_counts(usual: nominal.Nominal):
    assert row(5.0, usual)[-1].tolist() == [0.0, 0.0, 0.0, 0.0]


def test_a_signal_whose_nominal_values_coincide_still_has_a_finite_excess():
    values = np.zeros((100, SIZE))
    values[-1] = 1.0
    found = row(3.0, nominal.fit(values, np.ones(values.shape, np.bool_)))
    assert np.isfinite(found).all()
    assert found[0, 0] == pytest.approx(np.log(4.0), abs=1e-6)
