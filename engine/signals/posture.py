"""How near the joints are to their ends: signal 18."""

import numpy as np

from engine.types import F64


def joint_limit_margin(q: F64 | None, limits: tuple[tuple[float, float], ...] | None) -> float | None:
    """18: how much of its half range the joint nearest an end has used: 0 in the middle, 1 at the end. None without limits."""
    if q is None or limits is None or not np.all(np.isfinite(q)):
        return None
    low, high = np.asarray(limits, dtype=np.float64).T
    return float(np.max(np.abs(2.0 * q - (low + high)) / (high - low)))
