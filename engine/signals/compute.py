"""All 18 signals of one pass, from one function each."""

import numpy as np
from numpy.typing import NDArray

from engine.signals import consistency, motion, posture, sensitivity, spread
from engine.signals.arrays import Array, like, to_numpy
from engine.signals.evidence import Evidence
from engine.signals.familiarity import Familiarity
from engine.types import F64, SIGNALS


def each(evidence: Evidence, familiarity: Familiarity | None) -> tuple[Array | None, ...]:
    """The signals in the order of ``engine.types.SIGNALS``, (...) each, of the kind of the chunks; None for what cannot be computed."""
    now = evidence.now
    epistemic = spread.epistemic(now)
    return (
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
        sensitivity.mean(evidence.responses),
        sensitivity.largest(evidence.responses),
        consistency.execution_mismatch(evidence),
        posture.joint_limit_margin(evidence.q, evidence.joint_limits),
    )


def compute(evidence: Evidence, familiarity: Familiarity | None) -> tuple[F64, NDArray[np.bool_]]:
    """Values (..., 18) and validity (..., 18). What cannot be computed, or is not finite, is NaN and invalid, never zero."""
    now = evidence.now
    nothing = now.xp.full_like(like(now.origin, now.chunks)[..., 0], np.nan)
    with np.errstate(all="ignore"):  # chunks may hold anything; what comes of it is judged below
        found = [nothing if value is None else like(value, now.chunks) for value in each(evidence, familiarity)]
    assert len(found) == len(SIGNALS)
    values = np.asarray(to_numpy(now.xp.stack(found, axis=-1)))
    valid = np.isfinite(values)
    return np.where(valid, values, np.nan), valid
