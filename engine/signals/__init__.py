"""The 18 uncertainty signals of an inference, in the order of ``engine.types.SIGNALS``; numpy only, one function a signal.

Signals 15 and 16, sensitivity to image perturbation, need perturbed passes of the ensemble, which are not run: they are invalid.
"""

import math

import numpy as np
from numpy.typing import NDArray

from engine.signals import consistency, motion, posture, spread
from engine.signals.evidence import Evidence, Pass
from engine.signals.familiarity import Familiarity
from engine.types import F64, SIGNALS

__all__ = ["Evidence", "Pass", "compute"]


def compute(evidence: Evidence, familiarity: Familiarity | None) -> tuple[F64, NDArray[np.bool_]]:
    """Values (18,) and validity (18,). What cannot be computed, or is not finite, is NaN and invalid, never zero."""
    now = evidence.now
    epistemic = spread.epistemic(now)
    found = (
        epistemic,
        spread.aleatoric(now),
        spread.flow_disagreement(now),
        spread.member_variance(now),
        consistency.overlap(evidence),
        spread.entropy(now),
        motion.magnitude(now),
        motion.jerk(now),
        motion.reversal(now),
        spread.divergence(now),
        consistency.epistemic_trend(evidence, epistemic),
        spread.epistemic_peak(now),
        consistency.latent_drift(evidence, familiarity),
        None if familiarity is None or now.features is None else familiarity.distance(now.features),
        None,
        None,
        consistency.execution_mismatch(evidence),
        posture.joint_limit_margin(evidence.q, evidence.joint_limits),
    )
    assert len(found) == len(SIGNALS)
    values = np.array([math.nan if value is None else value for value in found], dtype=np.float64)
    valid = np.isfinite(values)
    return np.where(valid, values, np.nan), valid
