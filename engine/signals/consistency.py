"""This pass against the one before it, and against what the robot did: signals 5, 11, 13 and 17. All need a pass before.

Where the policy commands joints, 5 and 17 compare joint positions in rad instead of the tool's in m.
"""

import math

import numpy as np

from engine.signals.arrays import Array, like, namespace
from engine.signals.evidence import Evidence, elapsed, position_at
from engine.signals.familiarity import Familiarity
from engine.types import F64


def _kernel_mean(a: Array, b: Array, width: float) -> Array:
    xp = namespace(a)
    squared = (a**2).sum(axis=-1)[..., :, None] + (b**2).sum(axis=-1)[..., None, :] - 2.0 * a @ xp.swapaxes(b, -1, -2)
    return xp.exp(-xp.clip(squared, 0.0, None) / (2.0 * width)).mean(axis=(-1, -2))


def discrepancy(a: Array, b: Array) -> Array:
    """(...) squared maximum mean discrepancy (Gretton et al. 2012, biased) of samples (..., n, D) and (..., m, D).

    The kernel is Gaussian, of variance D.
    """
    width = float(a.shape[-1])
    squared = _kernel_mean(a, a, width) + _kernel_mean(b, b, width) - 2.0 * _kernel_mean(a, b, width)
    return namespace(a).clip(squared, 0.0, None)


def overlap(evidence: Evidence) -> Array | None:
    """5: discrepancy between the positions that the last pass and this one plan for the same moments (STAC, Agia et al. 2024)."""
    now, before, passed = evidence.now, evidence.before, elapsed(evidence)
    if before is None or math.isnan(passed):
        return None
    times: F64 = np.arange(1, now.horizon + 1, dtype=np.float64) * now.step_s
    times = times[times + passed <= before.step_s * before.horizon + 1e-9].astype(np.float64)
    if len(times) == 0:
        return None
    scale = like(now.scale[: now.space.positions], now.chunks)
    new, old = position_at(now, times) / scale, position_at(before, times + passed) / scale
    shape = (*new.shape[:-4], -1, len(times) * now.space.positions)
    return discrepancy(new.reshape(shape), old.reshape(shape))


def epistemic_trend(evidence: Evidence, epistemic: Array | None) -> Array | None:
    """11: change of the epistemic signal since the last pass, 1/s."""
    passed = elapsed(evidence)
    if epistemic is None or evidence.epistemic_before is None or math.isnan(passed):
        return None
    return (epistemic - like(evidence.epistemic_before, evidence.now.chunks)) / passed


def latent_drift(evidence: Evidence, familiarity: Familiarity | None) -> Array | None:
    """13: distance between the features of the two passes, in the metric of the training features."""
    now, before = evidence.now, evidence.before
    if familiarity is None or before is None or now.features is None or before.features is None or math.isnan(elapsed(evidence)):
        return None
    return familiarity.between(now.features, before.features)


def execution_mismatch(evidence: Evidence) -> Array | None:
    """17: distance from where the last pass's mean chunk would have the robot at this exposure to where it is; m, or rad of joints."""
    now, before, passed = evidence.now, evidence.before, elapsed(evidence)
    if before is None or math.isnan(passed) or passed > before.step_s * before.horizon:
        return None
    planned = position_at(before, np.array([passed])).mean(axis=(-4, -3))[..., 0, :]
    return now.xp.sqrt(((planned - like(now.origin, now.chunks)) ** 2).sum(axis=-1))
