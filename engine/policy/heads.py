"""What the pictures alone tell: small heads on the prefix features, trained with it, read out by name.

Regressing what matters for the task is also what makes the prefix learn to look (see the training pipeline).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.types import Zone


@dataclass(frozen=True)
class Reading:
    """One quantity regressed from the pictures: value = centre + scale * output."""

    name: str
    centre: float
    scale: float  #: in the quantity's unit; errors are counted in it while training


READINGS: tuple[Reading, ...] = (
    Reading("line_y", 0.0, 0.10),  #: m, the projected line in base axes
    Reading("line_dy", 0.0, 0.05),  #: m, line less tool
    Reading("log_top", 0.575, 0.05),  #: m
    Reading("surface_dz", 0.0, 0.03),  #: m, wood under the blade less tool
    Reading("depth", 0.02, 0.02),  #: m, of the kerf
    Reading("hand_distance", 0.3, 0.1),  #: m, partner's free hand to the blade
)
ZONES = tuple(zone.name.lower() for zone in Zone)
LABELS: tuple[str, ...] = (*(reading.name for reading in READINGS), "zone", "stuck")
CLASS_WEIGHT = 0.1  #: of the zone's and stuck's losses beside the readings'


class Heads(nn.Module):
    """Features (N, T, W) -> outputs (N, readings + zones + 1)."""

    def __init__(self, tokens: int, width: int, squeezed: int = 24, hidden: int = 128) -> None:
        super().__init__()
        self.squeeze = nn.Linear(width, squeezed)
        self.mix = nn.Linear(tokens * squeezed, hidden)
        self.out = nn.Linear(hidden, len(READINGS) + len(ZONES) + 1)

    def forward(self, features: Tensor) -> Tensor:
        squeezed = functional.silu(self.squeeze(features)).flatten(1)
        return self.out(functional.silu(self.mix(squeezed))).to(torch.float32)  # type: ignore[no-any-return]


def loss(outputs: Tensor, labels: Tensor) -> Tensor:
    """Mean loss of ``outputs`` (N, O) against ``labels`` (N, len(LABELS)) in SI units: smooth L1 and cross entropy."""
    count = len(READINGS)
    centre = outputs.new_tensor([reading.centre for reading in READINGS])
    scale = outputs.new_tensor([reading.scale for reading in READINGS])
    reading = functional.smooth_l1_loss(outputs[:, :count], (labels[:, :count] - centre) / scale)
    zone = functional.cross_entropy(outputs[:, count:-1], labels[:, count].long())
    stuck = functional.binary_cross_entropy_with_logits(outputs[:, -1], labels[:, count + 1])
    return reading + CLASS_WEIGHT * (zone + stuck)


def read(outputs: Tensor) -> dict[str, float]:
    """One row of outputs (O,) -> values by name: readings in SI units, ``zone_*`` and ``stuck`` as probabilities."""
    row = outputs.detach().cpu()
    values = {reading.name: reading.centre + reading.scale * float(row[i]) for i, reading in enumerate(READINGS)}
    zones = torch.softmax(row[len(READINGS) : -1], dim=0)
    values.update({f"zone_{name}": float(zones[i]) for i, name in enumerate(ZONES)})
    values["stuck"] = float(torch.sigmoid(row[-1]))
    return values
