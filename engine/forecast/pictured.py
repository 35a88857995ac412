"""What the pictures of an evaluation show, as numbers: reliability, ROC and precision-recall by failure and horizon, lead times."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from engine.forecast import metrics
from engine.forecast.judged import Held
from engine.forecast.labels import CAUSES
from engine.forecast.metrics import Flags
from engine.types import F64, FAILURES, FORECAST_STEP_S, HORIZONS

POINTS = 200  #: of a curve, at most
LEVELS = (
    0.2,
    0.4,
    0.6,
    0.8,
    0.9,
    0.95,
    0.975,
    0.99,
)  #: quantiles between bins of reliability: failures are rare, and few probabilities high
LEAD_WIDTH_S = 0.25  #: of a bar of lead times


class Curve(NamedTuple):
    name: str
    xs: Sequence[float]
    ys: Sequence[float]


class Picture(NamedTuple):
    """Curves over one pair of axes; the last is what is compared with. Of a histogram there is one, its xs the bars' left edges."""

    name: str  #: of its file
    title: str
    x: str
    y: str
    curves: tuple[Curve, ...]
    width: float = 0.0  #: of a bar; 0 = no bars
    dots: bool = False  #: the points themselves are measured, what lies between is not


def pictures(test: Held) -> list[Picture]:
    """All of them, from the test episodes; without those of a failure that never came."""
    found = [_reliability(test)]
    anything = test.ahead.failed
    cases = [("any failure", test.scores["forecast"], anything)]
    cases += [(FAILURES[k], test.chances[:, k], test.ahead.causes[..., k]) for k in range(CAUSES)]
    for name, chance, came in cases:
        if (came & test.ahead.known).any():
            found += _curves(test, name, chance, came)
    return [*found, *_leads(test)]


def _span(h: int) -> str:
    return f"{HORIZONS[h] * FORECAST_STEP_S:.1f} s"


def _reliability(test: Held) -> Picture:
    curves = []
    for h in range(len(HORIZONS)):
        known = test.ahead.known[:, h]
        bins = metrics.reliability(test.scores["forecast"][known, h], test.ahead.failed[known, h], LEVELS)
        curves.append(Curve(_span(h), [one.predicted for one in bins], [one.happened for one in bins]))
    most = max(max(curve.xs) for curve in curves)
    return Picture(
        "reliability",
        "Reliability: what was forecast and what came",
        "probability of a failure within the horizon, as forecast",
        "share that failed",
        (*curves, Curve("as forecast", [0.0, most], [0.0, most])),
        dots=True,
    )


def _curves(test: Held, name: str, chance: F64, came: Flags) -> list[Picture]:
    roc, precision = [], []
    known = test.ahead.known
    for h in range(len(HORIZONS)):
        wrong, recall, right = metrics.curves(chance[known[:, h], h], came[known[:, h], h])
        kept = np.unique(np.searchsorted(wrong + recall, np.linspace(0.0, 2.0, POINTS)).clip(max=len(wrong) - 1))  # evenly along the way
        roc.append(Curve(_span(h), [0.0, *wrong[kept].tolist()], [0.0, *recall[kept].tolist()]))
        precision.append(Curve(_span(h), recall[kept].tolist(), right[kept].tolist()))
    share = float(came[known].mean())
    word = name.replace(" ", "-")
    return [
        Picture(
            f"roc-{word}",
            f"ROC: {name} within the horizon",
            "false-positive rate",
            "recall",
            (*roc, Curve("chance", [0.0, 1.0], [0.0, 1.0])),
        ),
        Picture(
            f"precision-{word}",
            f"Precision and recall: {name} within the horizon",
            "recall",
            "precision",
            (*precision, Curve("chance", [0.0, 1.0], [share, share])),
        ),
    ]


def _leads(test: Held) -> list[Picture]:
    """Of the alarms in force; nothing where none came in time."""
    above = test.alarms.max(axis=1) >= 1.0
    lead = metrics.caught(above, test.data.episode, test.data.t, test.data.failure_s, max(HORIZONS) * FORECAST_STEP_S).lead_s
    if not len(lead):
        return []
    edges = LEAD_WIDTH_S * np.arange(np.ceil(lead.max() / LEAD_WIDTH_S) + 1)
    counts, _ = np.histogram(lead, edges)
    failing = int(test.failing.sum())
    return [
        Picture(
            "leads",
            f"First alarm to failure: {len(lead)} of {failing} caught at least {metrics.LEAD_S:g} s before",
            "lead, s",
            "failures",
            (Curve("alarms in force", edges[:-1].tolist(), counts.astype(float).tolist()),),
            LEAD_WIDTH_S,
        )
    ]
