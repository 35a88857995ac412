"""The small changes of the pictures whose effect on the chunk signals 15 and 16 measure: drawn once, the same in every run."""

import numpy as np

from engine.signals.arrays import Array, namespace
from engine.types import F32

SEED = 11
NOISE = 0.02  #: of full scale, standard deviation
GAINS = (1.0, 1.05, 0.95)  #: brightness of each perturbation
COUNT = len(GAINS)


def bank(shape: tuple[int, ...]) -> F32:
    """(COUNT, *shape) the noise of each perturbation for pictures of ``shape``, e.g. (cameras, 3, h, w), full scale 1."""
    return np.random.default_rng(SEED).normal(0.0, NOISE, (COUNT, *shape)).astype(np.float32)


def perturbed(pictures: Array, noise: Array, number: int) -> Array:
    """``pictures`` (..., *shape) in [0, 1] as perturbation ``number`` shows them, still in [0, 1]; ``noise`` is the bank."""
    return namespace(pictures).clip(pictures * GAINS[number] + noise[number], 0.0, 1.0)


def turn(passes: int, inference: int) -> tuple[int, ...]:
    """The perturbations that inference number ``inference`` runs when each may run ``passes``: in turn, so that all get theirs."""
    passes = min(passes, COUNT)
    return tuple(sorted((inference * passes + step) % COUNT for step in range(passes)))
