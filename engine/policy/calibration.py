"""Whether doubt can be believed: coverage of intervals, calibration of probabilities, what both have to be for sight to count.

Masks and NaN: a truth that is NaN was not known and is left out everywhere.
"""

from collections.abc import Mapping

import numpy as np

from engine.safety import vision
from engine.types import F64

LEVEL = 0.90  #: of the intervals whose coverage is counted
WITHIN = 1.644854  #: standard deviations that hold so much of a normal distribution, either way
BINS = 15

#: what each figure has to lie within for sight to be in force
BOUNDS: dict[str, tuple[float, float]] = {
    "hand_coverage": (0.80, 1.0),
    "hand_coverage_near": (0.75, 1.0),
    "human_ece": (0.0, 0.05),
    "stuck_ece": (0.0, 0.05),
    "human_auroc": (0.95, 1.0),  # a constant probability, however well calibrated, tells nobody apart and has 0.5
    "stuck_auroc": (0.75, 1.0),
}


def near(hand: F64) -> F64:
    """The free hand's distance in m where it counts for the score; NaN elsewhere."""
    return np.where(hand < vision.HAND_CLEAR, hand, np.nan)


def coverage(mean: F64, deviation: F64, truth: F64) -> float:
    """Share of the truths within their 90 % interval; NaN where none is known."""
    known = np.isfinite(truth)
    return float((np.abs(mean - truth)[known] <= WITHIN * deviation[known]).mean()) if known.any() else np.nan


def stretch(mean: F64, deviation: F64, truth: F64) -> float:
    """What deviations have to be multiplied by so that 90 % of the truths lie within their interval; 1 where none is known."""
    known = np.isfinite(truth)
    if not known.any():
        return 1.0
    return float(np.clip(np.quantile(np.abs(mean - truth)[known] / deviation[known], LEVEL) / WITHIN, 0.1, 100.0))


def ece(probability: F64, truth: F64) -> float:
    """Expected calibration error of a yes-or-no probability in equal bins (Naeini et al. 2015); NaN where it is no probability."""
    known = np.isfinite(truth)
    p, y = probability[known], truth[known]
    if not len(p) or not ((p >= 0.0) & (p <= 1.0)).all():
        return np.nan
    bins = np.minimum((p * BINS).astype(np.int64), BINS - 1)
    gaps = np.abs(np.bincount(bins, p, BINS) - np.bincount(bins, y, BINS))
    return float(gaps.sum() / len(p))


def class_ece(probabilities: F64, truth: F64) -> float:
    """The same of the likeliest of several classes (N, K), against the class' number."""
    known = np.isfinite(truth)
    right = np.where(known, probabilities.argmax(axis=1) == truth, np.nan)
    return ece(probabilities.max(axis=1), right)


def platt(logit: F64, truth: F64) -> tuple[float, float]:
    """(slope, shift) that make a logit's probability the frequency (Platt 1999), by Newton's method; (1, 0) for one class only."""
    known = np.isfinite(truth)
    x, y = np.clip(logit[known], -30.0, 30.0), truth[known]
    if len(np.unique(y)) < 2:
        return 1.0, 0.0
    at = np.array([1.0, 0.0])
    inputs = np.stack([x, np.ones_like(x)], axis=1)
    for _ in range(50):
        p = 1.0 / (1.0 + np.exp(-(inputs @ at)))
        slope = inputs.T @ (p - y) + 1e-3 * (at - (1.0, 0.0))
        bend = (inputs * (p * (1.0 - p))[:, None]).T @ inputs + 1e-3 * np.eye(2)
        step = np.linalg.solve(bend, slope)
        at = at - step * min(1.0, 1.0 / float(np.abs(step).max() + 1e-12))
        if np.abs(step).max() < 1e-6:
            break
    return float(np.clip(at[0], 0.05, 20.0)), float(np.clip(at[1], -30.0, 30.0))


def temperature(logits: F64, truth: F64) -> float:
    """What logits (N, K) have to be divided by to be as likely as they say (Guo et al. 2017), of a fine grid; 1 where no truth is known."""
    known = np.isfinite(truth)
    if not known.any():
        return 1.0
    x, y = logits[known], truth[known].astype(np.int64)
    grid = np.geomspace(0.2, 10.0, 80)

    def unlikely(soft: float) -> float:
        z = x / soft
        z = z - z.max(axis=1, keepdims=True)
        return float((np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(y)), y]).mean())

    return float(min(grid, key=unlikely))


def found_wanting(figures: Mapping[str, float]) -> list[str]:
    """The names of the bounds that a figure is missing for, or does not keep."""
    return [name for name, (low, high) in BOUNDS.items() if not low <= figures.get(name, np.nan) <= high]
