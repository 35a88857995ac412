"""Whether a forecast has shown that it knows more than what time it is: the gate that it must pass to be called proven."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from engine.forecast.metrics import Pairs
from engine.types import F64

LOW = 0.10  #: least lower 95 % bound of the lead in AUROC
MEAN = 0.15  #: least lead in AUROC


class Verdict(NamedTuple):
    """AUROC above the best of what needs no look at the work: the clock, the time since the go, the chunk's phase."""

    lead: float
    low: float  #: lower end of the 95 % percentile interval, by drawing the episodes again
    passed: bool


def verdict(forecast: Pairs, rivals: Sequence[Pairs], weights: F64) -> Verdict:
    """At one horizon, of scores of the same rows, on the same draws ``weights`` (D, E). A draw without a failure shows no lead."""
    whole = np.ones((1, weights.shape[1]))
    lead = float(_lead(forecast, rivals, whole)[0])
    low = float(np.percentile(np.nan_to_num(_lead(forecast, rivals, weights)), 2.5))
    return Verdict(lead, low, low >= LOW and lead >= MEAN)


def overall(verdicts: Sequence[Verdict]) -> Verdict:
    """The worst of all horizons: passed only where each is."""
    return Verdict(
        lead=float(np.min([one.lead for one in verdicts])),
        low=float(np.min([one.low for one in verdicts])),
        passed=bool(verdicts) and all(one.passed for one in verdicts),
    )


def _lead(forecast: Pairs, rivals: Sequence[Pairs], weights: F64) -> F64:
    """(D,) NaN where a draw has no failure, or nothing else."""
    lead: F64 = forecast.auroc(weights) - np.max([rival.auroc(weights) for rival in rivals], axis=0)
    return lead
