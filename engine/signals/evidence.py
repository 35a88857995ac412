"""What the signals are computed from: one fresh pass of the ensemble, and what is kept of the pass before it."""

from dataclasses import dataclass

import numpy as np

from engine.types import F32, F64

NS = 1e-9  #: s in a nanosecond


@dataclass(frozen=True)
class Pass:
    """One inference. E members, B noise samples, H horizon, A action: displacement (3) in m, rotation vector (3) in rad, the rest."""

    chunks: F32  #: (E, B, H, A) in the action's own units, relative to ``base_pose``
    exposed_ns: int
    base_pose: F64  #: (7,) tool pose at the exposure
    step_s: float  #: s, action i is due (i + 1) * step_s after the exposure
    scale: F64  #: (A,) spread of each action component in training; distances are counted in it
    velocity: F32 | None = None  #: (E, B, H, A) flow at the first step, in normalised action units
    features: F64 | None = None  #: (F,) pooled prefix features


@dataclass(frozen=True)
class Evidence:
    """A pass, the one before it, and the robot at the moment of the exposure."""

    now: Pass
    before: Pass | None = None
    epistemic_before: float = float("nan")  #: signal 1 of the pass before; NaN if it had none
    q: F64 | None = None  #: (7,) rad
    joint_limits: tuple[tuple[float, float], ...] | None = None  #: rad


def elapsed(evidence: Evidence) -> float:
    """Seconds from the exposure before to this one; NaN without one, or if it does not lie before."""
    if evidence.before is None or evidence.before.exposed_ns >= evidence.now.exposed_ns:
        return float("nan")
    return (evidence.now.exposed_ns - evidence.before.exposed_ns) * NS


def position_at(chunks: F32, base_pose: F64, step_s: float, times: F64) -> F64:
    """Tool positions (..., T, 3) m in base axes at ``times`` (T,) s after the exposure, for chunks (..., H, A); linear between actions.

    Before the first action the path runs from the base pose. Times past the horizon must not be asked for.
    """
    start = np.zeros((*chunks.shape[:-2], 1, 3))
    path = np.concatenate((start, chunks[..., :3].astype(np.float64)), axis=-2)
    index = np.clip(times / step_s, 0.0, path.shape[-2] - 1.0)
    low = np.minimum(index.astype(np.int64), path.shape[-2] - 2)
    share = (index - low)[:, None]
    return base_pose[:3] + path[..., low, :] * (1.0 - share) + path[..., low + 1, :] * share  # type: ignore[no-any-return]
