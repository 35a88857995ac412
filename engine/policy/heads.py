"""What the pictures alone tell: small heads on the prefix features, trained with it, read out by name.

Regressing what matters for the task is also what makes the prefix learn to look (see the training pipeline).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.policy.readings import READINGS, ZONES

CLASS_WEIGHT = 0.1  #: of the zone's and stuck's losses beside the readings'


class Heads(nn.Module):
    """Features (N, T, W) -> outputs (N, readings + zones + 1)."""

    centre: Tensor
    scale: Tensor

    def __init__(self, tokens: int, width: int, squeezed: int = 24, hidden: int = 128) -> None:
        super().__init__()
        self.squeeze = nn.Linear(width, squeezed)
        self.mix = nn.Linear(tokens * squeezed, hidden)
        self.out = nn.Linear(hidden, len(READINGS) + len(ZONES) + 1)
        self.register_buffer("centre", torch.tensor([reading.centre for reading in READINGS]), persistent=False)
        self.register_buffer("scale", torch.tensor([reading.scale for reading in READINGS]), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        squeezed = functional.silu(self.squeeze(features)).flatten(1)
        return self.out(functional.silu(self.mix(squeezed))).to(torch.float32)  # type: ignore[no-any-return]

    def loss(self, features: Tensor, labels: Tensor) -> Tensor:
        """Mean loss against ``labels`` (N, len(LABELS)) in SI units: smooth L1 for the readings, cross entropy for zone and stuck."""
        outputs, count = self(features), len(READINGS)
        reading = functional.smooth_l1_loss(outputs[:, :count], (labels[:, :count] - self.centre) / self.scale)
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
