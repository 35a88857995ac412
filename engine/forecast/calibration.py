"""What makes a forecast's numbers mean something: a temperature for its probabilities, and thresholds for its alarms."""

import math

import numpy as np

from engine.forecast.labels import Targets, classes, mean_hazards
from engine.types import F32, F64

ALPHA = 0.05  #: share of episodes that do not fail, at most, in which an alarm may come
FEWEST = math.ceil(1.0 / ALPHA) - 1  #: episodes from which a conformal quantile at ALPHA is finite
COARSE, FINE = np.geomspace(0.3, 5.0, 15), np.linspace(0.9, 1.12, 12)


def unlikely(logits: F32, found: Targets, temperature: float) -> float:
    """Mean negative log-likelihood of the inferences that count at all; logits (M, R, STEPS, CAUSES + 1), the members' mean hazards."""
    ends, counted = classes(found)
    chances = mean_hazards(logits, temperature)
    each = np.log(np.take_along_axis(chances, ends[..., None], axis=-1)[..., 0] + 1e-300)
    return float(-(each * counted).sum() / max(1, counted.any(axis=-1).sum()))


def temperature(logits: F32, found: Targets) -> float:
    """What logits (M, R, STEPS, CAUSES + 1) have to be divided by to be as likely as they say (Guo et al. 2017), to one percent or two."""
    about = min(COARSE, key=lambda soft: unlikely(logits, found, float(soft)))
    return float(min(about * FINE, key=lambda soft: unlikely(logits, found, float(soft))))


def conformal(scores: F64, alpha: float = ALPHA) -> float:
    """What a further score of the same kind exceeds with at most the chance ``alpha``; infinite of too few (n,).

    The ceil((n + 1)(1 - alpha)) th smallest (Vovk et al. 2005).
    """
    rank = math.ceil((len(scores) + 1) * (1.0 - alpha))
    return float(np.sort(scores)[rank - 1]) if rank <= len(scores) else math.inf


def thresholds(calm: F64, shape: F64, alpha: float = ALPHA) -> F64:
    """(CAUSES,) of the probability of each failure, from the highest ones of n episodes that did not fail (n, CAUSES).

    Any alarm at all counts: one number scales ``shape`` (CAUSES,), what is high for each failure, found on other episodes; infinite
    where a failure can never alarm.
    """
    return np.nextafter(conformal((calm / shape).max(axis=1), alpha) * shape, np.inf)  # an alarm is at or above; exceeding is above
