"""Distance of the prefix features from the training data: signal 14. Fitted offline, then frozen and shipped with the checkpoint."""

from dataclasses import dataclass

import numpy as np

from engine.signals.arrays import Array, like, namespace
from engine.types import F64


def ledoit_wolf(centred: F64) -> F64:
    """Covariance of ``centred`` (n, D) shrunk to a multiple of the identity (Ledoit and Wolf 2004, A well-conditioned estimator)."""
    n, size = centred.shape
    sample = centred.T @ centred / n
    level = float(np.trace(sample)) / size
    distance = float(np.sum((sample - level * np.eye(size)) ** 2)) / size
    fourth = float(np.mean(np.sum(centred**2, axis=1) ** 2))
    noise = (fourth - float(np.sum(sample**2))) / (n * size)
    weight = 0.0 if distance == 0.0 else min(max(noise, 0.0), distance) / distance
    return weight * level * np.eye(size) + (1.0 - weight) * sample


@dataclass(frozen=True)
class Familiarity:
    """A principal subspace of the training features and the metric in it."""

    mean: F64  #: (F,)
    components: F64  #: (D, F), rows orthonormal
    precision: F64  #: (D, D), inverse of the shrunk covariance in the subspace

    def distance(self, features: Array) -> Array:
        """14: Mahalanobis distance of ``features`` (..., F) from the training mean, in the subspace, over the root of its dimension."""
        return self.between(features, like(self.mean, features))

    def between(self, a: Array, b: Array) -> Array:
        """(...) the same metric between feature vectors (..., F)."""
        step = (like(a, a) - like(b, a)) @ like(self.components, a).T
        return namespace(a).sqrt(((step @ like(self.precision, a)) * step).sum(axis=-1) / step.shape[-1])


def fit(features: F64, dimensions: int) -> Familiarity:
    """Fit to training features (n, F). Raises ValueError if there are too few to span the subspace."""
    n, width = features.shape
    if n <= dimensions or dimensions > width:
        raise ValueError(f"{n} feature vectors of width {width} cannot span {dimensions} dimensions")
    mean = features.mean(axis=0)
    _, _, rows = np.linalg.svd(features - mean, full_matrices=False)
    components = rows[:dimensions]
    covariance = ledoit_wolf((features - mean) @ components.T)
    return Familiarity(mean, components, np.asarray(np.linalg.inv(covariance), dtype=np.float64))
