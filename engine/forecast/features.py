"""What the forecast looks at: every signal against what is nominal for its policy, whether it is valid, how old; never the time.

One function for training and for the live pass. A signal that does not count reads as its nominal median, and as invalid.
"""

import numpy as np
from numpy.typing import NDArray

from engine.signals.nominal import LEVELS, Nominal
from engine.types import F32, F64, SIGNALS

PER_SIGNAL = 4  #: excess over the nominal median, quantile, validity, age
CHANNELS = PER_SIGNAL * len(SIGNALS) + 1  #: and the time since the inference before
EXCESS_MAX = 5.0
AGE_MAX = 2.55  #: s, as far as data sets keep it
SINCE_MAX = 1.0  #: s
_LOW, _MIDDLE, _HIGH = (int(np.argmin(np.abs(LEVELS - level))) for level in (0.05, 0.50, 0.95))


def channels(signals: F64, valid: NDArray[np.bool_], age: F64, since: F64 | float, nominal: Nominal) -> F32:
    """(..., CHANNELS) of signals (..., 18), validity, age in s, and s since the inference before (...), 0 for the first.

    The excess of x over the nominal median m is sign(x - m) log(1 + |x - m| / w), with w the distance from the median to the nominal
    95 % value where x lies above it, to the 5 % value where it lies below.
    """
    middle = median(nominal)
    counts = valid & np.isfinite(signals) & np.isfinite(nominal.p95)
    off = np.where(counts, signals, middle) - middle
    width = np.where(off > 0.0, _width(nominal, _HIGH), _width(nominal, _LOW))
    excess = np.clip(np.sign(off) * np.log1p(np.abs(off) / width), -EXCESS_MAX, EXCESS_MAX)
    share = np.where(counts, 2.0 * nominal.quantile(signals, counts) - 1.0, 0.0)
    shown = np.stack((excess, share, counts, np.clip(age, 0.0, AGE_MAX) / AGE_MAX), axis=-1).reshape(*signals.shape[:-1], CHANNELS - 1)
    last = np.broadcast_to(np.clip(np.asarray(since)[..., None], 0.0, SINCE_MAX), (*signals.shape[:-1], 1))
    found: F32 = np.concatenate((shown, last), axis=-1).astype(np.float32)
    return found


def median(nominal: Nominal) -> F64:
    """(18,) nominal medians, 0 where there are none."""
    return np.where(np.isfinite(nominal.p95), nominal.table[:, _MIDDLE], 0.0)


def _width(nominal: Nominal, level: int) -> F64:
    """(18,) from the median to the quantile at ``level``; where they coincide the whole nominal range stands in, or 1."""
    table = np.where(np.isfinite(nominal.table), nominal.table, 0.0)
    distance, whole = np.abs(table[:, level] - table[:, _MIDDLE]), table[:, -1] - table[:, 0]
    return np.where(distance > 0.0, distance, np.where(whole > 0.0, whole, 1.0))
