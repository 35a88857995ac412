"""What a count or a mean of few runs allows to be said: exact binomial bounds and bootstrapped intervals."""

import math
from collections.abc import Sequence

import numpy as np

from engine.policy.intervals import wilson
from engine.types import F64

CONFIDENCE = 0.95
RESAMPLES = 10_000


def upper_bound(found: int, runs: int) -> float:
    """The largest rate that ``found`` of ``runs`` allows, one-sided (Clopper & Pearson 1934); of none 1 - (1 - CONFIDENCE)^(1/runs)."""
    if not 0 <= found <= runs or runs < 1:
        raise ValueError(f"{found} of {runs} is no count")
    if found == runs:
        return 1.0
    low, high = found / runs, 1.0
    for _ in range(60):
        middle = (low + high) / 2.0
        if _at_most(found, runs, middle) > 1.0 - CONFIDENCE:
            low = middle
        else:
            high = middle
    return (low + high) / 2.0


def _at_most(found: int, runs: int, rate: float) -> float:
    """Chance of ``found`` or fewer of ``runs``."""
    if rate <= 0.0:
        return 1.0
    if rate >= 1.0:
        return 0.0
    logs = (
        math.lgamma(runs + 1) - math.lgamma(k + 1) - math.lgamma(runs - k + 1) + k * math.log(rate) + (runs - k) * math.log1p(-rate)
        for k in range(found + 1)
    )
    return math.fsum(math.exp(value) for value in logs)


def mean_and_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """(mean, low, high): the percentile bootstrap of the mean (Efron 1979), with a fixed seed. Raises ValueError of no values."""
    return rate_and_interval(values, np.ones(len(values)))


def rate_and_interval(counts: Sequence[float], times: Sequence[float] | F64) -> tuple[float, float, float]:
    """(rate, low, high): all ``counts`` over all ``times``, all > 0; the interval by drawing them again in pairs.

    Raises ValueError of no counts.
    """
    if not len(counts):
        raise ValueError("there is no mean of nothing")
    found, passed = np.asarray(counts, np.float64), np.asarray(times, np.float64)
    drawn = np.random.default_rng(0).integers(0, len(found), (RESAMPLES, len(found)))
    tail = 50.0 * (1.0 - CONFIDENCE)
    low, high = np.percentile(found[drawn].sum(axis=1) / passed[drawn].sum(axis=1), (tail, 100.0 - tail))
    return float(found.sum() / passed.sum()), float(low), float(high)


def paired_shares(pairs: Sequence[tuple[bool, bool]]) -> tuple[float, float, float]:
    """(difference, low, high): share of the firsts less share of the seconds, 95 % (Newcombe 1998, method 10).

    Wilson's intervals of both shares, joined by how far they go together; unlike the bootstrap it has a width where no pair differs.
    Raises ValueError of no pairs.
    """
    runs = len(pairs)
    if not runs:
        raise ValueError("there is no share of nothing")
    both = sum(one and other for one, other in pairs)
    first, second = (sum(pair[i] for pair in pairs) for i in range(2))
    neither = runs - first - second + both
    here, there = first / runs, second / runs
    (low, high), (low_there, high_there) = wilson(first, runs), wilson(second, runs)
    margins = first * (runs - first) * second * (runs - second)
    cross = both * neither - (first - both) * (second - both)
    together = 0.0 if not margins else (max(0.0, cross - runs / 2.0) if cross > 0 else cross) / math.sqrt(margins)

    def width(one: float, other: float) -> float:
        return math.sqrt(max(0.0, one * one - 2.0 * together * one * other + other * other))

    apart = here - there
    return apart, apart - width(here - low, high_there - there), apart + width(high - here, there - low_there)
