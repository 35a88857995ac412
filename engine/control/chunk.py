"""Where the policy wants the tool at a given moment: the ensemble's mean chunk, followed by time."""

import math

import numpy as np

from engine.control.pose import Floats, moved
from engine.types import F64, Inference


def target(inference: Inference, t_ns: int) -> Floats | None:
    """(7,) the pose due at ``t_ns``, or None past the chunk's last action, before its exposure, or where it is not finite.

    Actions are ``cartesian_delta``: displacement (m) and rotation vector (rad) from ``base_pose`` in base axes, action i due
    ``(i + 1) * step_s`` after the exposure; straight lines between. Following by time makes up for the inference's latency.
    """
    due = (t_ns - inference.exposed_ns) / 1e9 / inference.step_s
    horizon = inference.chunks.shape[2]
    if not 0.0 <= due <= horizon:
        return None
    before = min(int(due), horizon - 1)
    pair: F64 = np.mean(inference.chunks[:, :, max(before - 1, 0) : before + 1, :6], axis=(0, 1), dtype=np.float64)
    earlier = pair[0] if before > 0 else np.zeros(6)
    delta = earlier + (due - before) * (pair[-1] - earlier)
    if not all(map(math.isfinite, delta.tolist())):
        return None
    return moved(inference.base_pose, delta)
