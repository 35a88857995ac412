"""The numbers an ensemble carries beside its weights: its noise bank, what is nominal, and what training looked like."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from engine.policy import checkpoint
from engine.policy.errors import PolicyError
from engine.signals.familiarity import Familiarity
from engine.signals.nominal import Nominal

SEED = 7  #: of the noise bank


@dataclass(frozen=True)
class Statistics:
    """Frozen after training; a plain LeRobot checkpoint has a noise bank only."""

    noise: Tensor  #: (B, H, A), float32: the same for every member and every inference
    nominal: Nominal | None = None
    familiarity: Familiarity | None = None


def noise_bank(samples: int, horizon: int, action: int) -> Tensor:
    """(B, H, A) standard normal, from a seed of its own."""
    return torch.randn(samples, horizon, action, generator=torch.Generator().manual_seed(SEED))


def save(path: Path, statistics: Statistics) -> None:
    """Write to one safetensors file."""
    tensors = {"noise": statistics.noise}
    if statistics.nominal is not None:
        tensors["nominal.table"] = torch.from_numpy(statistics.nominal.table)
        tensors["nominal.p95"] = torch.from_numpy(statistics.nominal.p95)
    if statistics.familiarity is not None:
        tensors["familiarity.mean"] = torch.from_numpy(statistics.familiarity.mean)
        tensors["familiarity.components"] = torch.from_numpy(statistics.familiarity.components)
        tensors["familiarity.precision"] = torch.from_numpy(statistics.familiarity.precision)
    checkpoint.write_tensors(path, {name: tensor.float() for name, tensor in tensors.items()}, half=False)


def load(path: Path, horizon: int, action: int) -> Statistics:
    """Read back what ``save`` wrote. Raises PolicyError."""
    found = checkpoint.read_tensors(path)
    noise = found.get("noise")
    if noise is None or noise.ndim != 3 or tuple(noise.shape[1:]) != (horizon, action):
        shape = "none" if noise is None else tuple(noise.shape)
        raise PolicyError(f"{path} holds a noise bank of shape {shape}; expected (samples, {horizon}, {action})")
    arrays = {name: tensor.double().numpy() for name, tensor in found.items() if name != "noise"}
    nominal = Nominal(arrays["nominal.table"], arrays["nominal.p95"]) if "nominal.p95" in arrays else None
    familiarity = None
    if "familiarity.mean" in arrays:
        familiarity = Familiarity(arrays["familiarity.mean"], arrays["familiarity.components"], arrays["familiarity.precision"])
    return Statistics(noise, nominal, familiarity)
