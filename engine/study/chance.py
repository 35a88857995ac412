"""What a count or a mean of few runs allows to be said: exact binomial bounds and bootstrapped intervals."""

import math
from collections.abc import Sequence

import numpy as np

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
    if not len(values):
        raise ValueError("there is no mean of nothing")
    kept = np.asarray(values, np.float64)
    drawn = np.random.default_rng(0).integers(0, len(kept), (RESAMPLES, len(kept)))
    tail = 50.0 * (1.0 - CONFIDENCE)
    low, high = np.percentile(kept[drawn].mean(axis=1), (tail, 100.0 - tail))
    return float(kept.mean()), float(low), float(high)
