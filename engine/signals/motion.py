"""What the mean chunk would have the tool do: signals 7, 8 and 9."""

import numpy as np

from engine.signals.evidence import Pass
from engine.types import F64

STILL = 1e-4  #: m between two actions, below which a displacement has no direction


def mean_chunk(now: Pass) -> F64:
    """(H, A) mean over members and noise."""
    return now.chunks.astype(np.float64).mean(axis=(0, 1))  # type: ignore[no-any-return]


def magnitude(now: Pass) -> float:
    """7: norm of the six motion components in training spreads, root mean square over the chunk."""
    motion = mean_chunk(now)[:, :6] / now.scale[:6]
    return float(np.sqrt(np.mean(np.sum(motion**2, axis=-1))))


def jerk(now: Pass) -> float | None:
    """8: third difference of the position over the step cubed, root mean square, m/s^3; None if the horizon is shorter than four."""
    position = mean_chunk(now)[:, :3]
    if len(position) < 4:
        return None
    third = np.diff(position, n=3, axis=0) / now.step_s**3
    return float(np.sqrt(np.mean(np.sum(third**2, axis=-1))))


def reversal(now: Pass) -> float | None:
    """9: share of neighbouring displacements that point against each other; None if nothing moves."""
    position = np.concatenate((np.zeros((1, 3)), mean_chunk(now)[:, :3]))
    step = np.diff(position, axis=0)
    moving = np.linalg.norm(step, axis=-1) > STILL
    pairs = moving[1:] & moving[:-1]
    if not pairs.any():
        return None
    against = np.sum(step[1:] * step[:-1], axis=-1) < 0.0
    return float((against & pairs).sum() / pairs.sum())
