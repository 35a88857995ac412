"""What is usual: each signal's distribution over nominal work, so that a raw value can be read as "0.97 of nominal".

Signals that set an inference beside the ones before (overlap, drift, trend, mismatch) grow with the time between them: their quantiles
hold for inferences as far apart as those they were fitted to, ``training.nominal.interval_s`` in the policy's manifest.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.types import F64

LEVELS = np.linspace(0.0, 1.0, 101)
MINIMUM = 50  #: inferences that tell what is usual


@dataclass(frozen=True)
class Nominal:
    """Quantiles of the 18 signals over nominal inferences; a row of NaN where a signal was never valid."""

    table: F64  #: (18, 101) values at LEVELS
    p95: F64  #: (18,)

    def ratio(self, values: F64, valid: NDArray[np.bool_]) -> F64:
        """(..., 18) value over its nominal 95 % value; NaN where invalid, unknown, or where that value is not positive."""
        usable = valid & np.isfinite(self.p95) & (self.p95 > 0.0)
        return np.divide(values, self.p95, out=np.full(values.shape, np.nan), where=usable)  # type: ignore[no-any-return]

    def quantile(self, values: F64, valid: NDArray[np.bool_]) -> F64:
        """(..., 18) share of nominal inferences at or below the value, between whole percents interpolated; NaN where there is none."""
        shares = np.full(values.shape, np.nan)
        for i in np.flatnonzero(np.isfinite(self.p95)):
            shares[..., i] = np.interp(values[..., i], self.table[i], LEVELS)
        return np.where(valid, shares, np.nan)


def fit(values: F64, valid: NDArray[np.bool_]) -> Nominal:
    """Fit to nominal inferences (n, 18). A signal valid in fewer than MINIMUM of them has no distribution."""
    table = np.full((values.shape[1], len(LEVELS)), np.nan)
    p95 = np.full(values.shape[1], np.nan)
    for i in range(values.shape[1]):
        seen = values[valid[:, i], i]
        if len(seen) >= MINIMUM:
            table[i] = np.quantile(seen, LEVELS)
            p95[i] = np.quantile(seen, 0.95)
    return Nominal(table, p95)
