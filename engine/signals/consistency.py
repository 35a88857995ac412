"""This pass against the one before it, and against what the robot did: signals 5, 11, 13 and 17. All need a pass before."""

import math

import numpy as np

from engine.signals.evidence import Evidence, elapsed, position_at
from engine.signals.familiarity import Familiarity
from engine.types import F64


def _kernel_mean(a: F64, b: F64, width: float) -> float:
    squared = np.sum(a**2, axis=1)[:, None] + np.sum(b**2, axis=1)[None] - 2.0 * a @ b.T
    return float(np.exp(-np.maximum(squared, 0.0) / (2.0 * width)).mean())


def discrepancy(a: F64, b: F64) -> float:
    """Squared maximum mean discrepancy (Gretton et al. 2012, biased) of samples (n, D) and (m, D), Gaussian kernel of variance D."""
    width = float(a.shape[1])
    return max(0.0, _kernel_mean(a, a, width) + _kernel_mean(b, b, width) - 2.0 * _kernel_mean(a, b, width))


def overlap(evidence: Evidence) -> float | None:
    """5: discrepancy between the positions that the last pass and this one plan for the same moments (STAC, Agia et al. 2024)."""
    now, before, passed = evidence.now, evidence.before, elapsed(evidence)
    horizon = now.chunks.shape[2]
    if before is None or math.isnan(passed):
        return None
    times: F64 = np.arange(1, horizon + 1, dtype=np.float64) * now.step_s
    times = times[times + passed <= before.step_s * before.chunks.shape[2] + 1e-9].astype(np.float64)
    if len(times) == 0:
        return None
    new = position_at(now.chunks, now.base_pose, now.step_s, times) / now.scale[:3]
    old = position_at(before.chunks, before.base_pose, before.step_s, times + passed) / now.scale[:3]
    size = len(times) * 3
    return discrepancy(new.reshape(-1, size), old.reshape(-1, size))


def epistemic_trend(evidence: Evidence, epistemic: float | None) -> float | None:
    """11: change of the epistemic signal since the last pass, 1/s."""
    passed = elapsed(evidence)
    if epistemic is None or math.isnan(passed) or math.isnan(evidence.epistemic_before):
        return None
    return (epistemic - evidence.epistemic_before) / passed


def latent_drift(evidence: Evidence, familiarity: Familiarity | None) -> float | None:
    """13: distance between the features of the two passes, in the metric of the training features."""
    now, before = evidence.now, evidence.before
    if familiarity is None or before is None or now.features is None or before.features is None or math.isnan(elapsed(evidence)):
        return None
    return familiarity.between(now.features, before.features)


def execution_mismatch(evidence: Evidence) -> float | None:
    """17: distance in m from where the last pass's mean chunk would have the tool at this exposure to where it is."""
    now, before, passed = evidence.now, evidence.before, elapsed(evidence)
    if before is None or math.isnan(passed) or passed > before.step_s * before.chunks.shape[2]:
        return None
    planned = position_at(before.chunks, before.base_pose, before.step_s, np.array([passed])).mean(axis=(0, 1))[0]
    return float(np.linalg.norm(planned - now.base_pose[:3]))
