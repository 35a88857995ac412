"""How near the joints are to their ends: signal 18."""

import numpy as np

from engine.types import F64


def joint_limit_margin(q: F64 | None, limits: tuple[tuple[float, float], ...] | None) -> F64 | None:
    """18: how much of its half range the joint nearest an end has used: 0 in the middle, 1 at the end. None without limits.

    ``q`` (..., n) rad; its joints and their limits are the robot's, whatever the policy commands.
    """
    if q is None or limits is None:
        return None
    low, high = np.asarray(limits, dtype=np.float64).T
    return np.asarray(np.max(np.abs(2.0 * q - (low + high)) / (high - low), axis=-1), dtype=np.float64)
