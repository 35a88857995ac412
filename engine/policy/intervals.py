"""How sure a measured share, ratio or separation is: Wilson's interval, and the bootstrap over episodes."""

import math
from collections.abc import Callable

import numpy as np

from engine.types import F64

Z = 1.959964  #: of a 95 % interval
DRAWS = 2000  #: bootstrap resamplings
SEED = 17


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """95 % interval of a success rate (Wilson 1927)."""
    if trials == 0:
        return 0.0, 1.0
    rate = successes / trials
    middle = rate + Z**2 / (2 * trials)
    half = Z * math.sqrt(rate * (1.0 - rate) / trials + Z**2 / (4 * trials**2))
    return (middle - half) / (1.0 + Z**2 / trials), (middle + half) / (1.0 + Z**2 / trials)


def auroc(low: F64, high: F64) -> float:
    """Chance that a value of ``high`` exceeds one of ``low``, equals counted half; NaN if either is empty."""
    if not len(low) or not len(high):
        return math.nan
    placed = np.sort(low)
    below, up_to = np.searchsorted(placed, high, "left"), np.searchsorted(placed, high, "right")
    return float((below + up_to).sum() / (2.0 * len(low) * len(high)))


def bootstrap(statistic: Callable[..., float], *groups: F64, draws: int = DRAWS) -> tuple[float, float]:
    """95 % percentile interval of ``statistic(*groups)`` when the rows of every group are drawn again with replacement (Efron 1979)."""
    if not all(len(group) for group in groups):
        return math.nan, math.nan
    rng = np.random.default_rng(SEED)
    found = np.array([statistic(*(group[rng.integers(len(group), size=len(group))] for group in groups)) for _ in range(draws)])
    if not np.isfinite(found).any():
        return math.nan, math.nan
    low, high = np.nanpercentile(found, (2.5, 97.5))
    return float(low), float(high)


def mean(values: F64) -> float:
    """Of the finite values; NaN where none is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else math.nan


def share(pairs: F64) -> float:
    """Sum of the first column of ``pairs`` (n, 2) over the sum of the second; NaN where that is nothing."""
    mine, theirs = pairs.sum(axis=0)
    return float(mine / theirs) if theirs > 0.0 else math.nan
