"""The numbers an ensemble carries beside its weights: its noise bank, what is nominal, and what training looked like.

They hold for the weights they were found with and for no others: the file names these by their SHA-256.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.policy import checkpoint
from engine.policy.errors import PolicyError
from engine.signals.familiarity import Familiarity
from engine.signals.nominal import LEVELS, Nominal
from engine.types import F64, SIGNALS

SEED = 7  #: of the noise bank
DEFAULT_SAMPLES = 4  #: noise samples for a checkpoint that brings no noise bank
NOMINAL = ("nominal.table", "nominal.p95")
FAMILIARITY = ("familiarity.mean", "familiarity.components", "familiarity.precision")


@dataclass(frozen=True)
class Statistics:
    """Frozen after training; a plain LeRobot checkpoint has a noise bank only."""

    noise: Tensor  #: (B, H, A), float32: the same for every member and every inference
    nominal: Nominal | None = None
    familiarity: Familiarity | None = None


def noise_bank(samples: int, horizon: int, action: int) -> Tensor:
    """(B, H, A) standard normal, from a seed of its own."""
    return torch.randn(samples, horizon, action, generator=torch.Generator().manual_seed(SEED))


def save(folder: Path, statistics: Statistics) -> None:
    """Write them into a policy's folder, bound to the weights that lie there."""
    arrays: dict[str, F64] = {}
    if statistics.nominal is not None:
        arrays |= zip(NOMINAL, (statistics.nominal.table, statistics.nominal.p95), strict=True)
    if statistics.familiarity is not None:
        known = statistics.familiarity
        arrays |= zip(FAMILIARITY, (known.mean, known.components, known.precision), strict=True)
    tensors = {"noise": statistics.noise.float()} | {name: torch.from_numpy(array).float() for name, array in arrays.items()}
    checkpoint.write_tensors(folder / checkpoint.SIGNALS, tensors, half=False, metadata=checkpoint.bound(folder))


def load(folder: Path, horizon: int, action: int, features: int, ensemble: bool) -> Statistics:
    """Read back what ``save`` wrote. Raises PolicyError, also where the weights are others than those it was written for.

    ``features`` is how many pooled ones an inference has. Without ``ensemble``, a folder that LeRobot alone wrote, there may be none: then
    no signal has a nominal value to be compared with.
    """
    path = folder / checkpoint.SIGNALS
    if not ensemble and not path.exists():
        return Statistics(noise_bank(DEFAULT_SAMPLES, horizon, action))
    checkpoint.check_bound(path)
    found = checkpoint.read_tensors(path)
    noise = found.get("noise")
    if noise is None or noise.ndim != 3 or not len(noise) or tuple(noise.shape[1:]) != (horizon, action):
        shape = "none" if noise is None else tuple(noise.shape)
        raise PolicyError(f"{path} holds a noise bank of shape {shape}; expected (samples, {horizon}, {action})")
    shapes = {name: tuple(tensor.shape) for name, tensor in found.items()}
    expected = {"noise": shapes["noise"]}
    if not shapes.keys().isdisjoint(NOMINAL):
        expected |= {NOMINAL[0]: (len(SIGNALS), len(LEVELS)), NOMINAL[1]: (len(SIGNALS),)}
    if not shapes.keys().isdisjoint(FAMILIARITY):
        mean, components, precision = FAMILIARITY
        dimensions = (*shapes.get(components, ()), 0)[0]
        expected |= {mean: (features,), components: (dimensions, features), precision: (dimensions, dimensions)}
    checkpoint.check_shapes(path, shapes, expected)
    arrays = {name: tensor.double().numpy() for name, tensor in found.items()}
    nominal = Nominal(*(arrays[name] for name in NOMINAL)) if NOMINAL[0] in arrays else None
    never = None if nominal is None else np.isnan(nominal.p95)  # valid in training
    for name, array in arrays.items():
        if not (np.isfinite(array).T | (never if name in NOMINAL else False)).all():
            raise PolicyError(f"{path} holds {name} that is not finite; expected what training wrote")
    familiarity = Familiarity(*(arrays[name] for name in FAMILIARITY)) if FAMILIARITY[0] in arrays else None
    return Statistics(noise.float(), nominal, familiarity)
