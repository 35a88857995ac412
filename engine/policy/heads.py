"""What the pictures alone tell: small heads on the prefix features, trained with it, read out by name with their own doubt.

Regressing what matters for the task is also what makes the prefix learn to look (see the training pipeline). The doubt is learned
beside it and sends nothing back: prefix and means descend the same slope with it or without it.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.policy.errors import PolicyError
from engine.policy.readings import Sights

CLASS_WEIGHT = 0.1  #: of the zone's and the flags' losses beside the readings'
DOUBTS = (-10.0, 6.0)  #: of a log-variance, in squared scales of its reading


class Heads(nn.Module):
    """Features (N, T, W) -> outputs (N, 2 R + Z + F): means and log-variances of the readings, zones' and flags' logits.

    Means are (value - centre) / scale of ``sights.readings``. Calibration sets ``stretch`` and the other three, idle in
    new heads.
    """

    centre: Tensor
    scale: Tensor
    stretch: Tensor
    soften: Tensor
    slope: Tensor
    shift: Tensor

    def __init__(self, tokens: int, width: int, sights: Sights, squeezed: int = 24, hidden: int = 128) -> None:
        super().__init__()
        self.sights = sights
        readings, flags = len(sights.readings), len(sights.flags)
        self.squeeze = nn.Linear(width, squeezed)
        self.mix = nn.Linear(tokens * squeezed, hidden)
        self.out = nn.Linear(hidden, readings + len(sights.zones) + flags)
        self.doubt = nn.Sequential(nn.Linear(hidden, 32), nn.SiLU(), nn.Linear(32, readings))
        self.register_buffer("centre", torch.tensor([reading.centre for reading in sights.readings]), persistent=False)
        self.register_buffer("scale", torch.tensor([reading.scale for reading in sights.readings]), persistent=False)
        self.register_buffer("stretch", torch.ones(readings))  #: of the readings' standard deviations
        self.register_buffer("soften", torch.ones(1))  #: of the zones' logits: they are divided by it
        self.register_buffer("slope", torch.ones(flags))  #: of each flag's logit
        self.register_buffer("shift", torch.zeros(flags))  #: added to it

    def forward(self, features: Tensor) -> Tensor:
        squeezed = functional.silu(self.squeeze(features)).flatten(1)
        hidden = functional.silu(self.mix(squeezed))
        told = self.out(hidden).to(torch.float32)
        doubt = self.doubt(hidden.detach()).to(torch.float32).clamp(*DOUBTS)
        readings = len(self.sights.readings)
        return self.calibrated(torch.cat((told[:, :readings], doubt, told[:, readings:]), dim=1))

    def calibrated(self, outputs: Tensor) -> Tensor:
        """What outputs (N, O) of heads that were not calibrated become."""
        means, doubt, zones, flags = self.parts(outputs)
        return torch.cat((means, doubt + 2.0 * self.stretch.log(), zones / self.soften, flags * self.slope + self.shift), dim=1)

    def parts(self, outputs: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Outputs (N, O) -> means (N, R), log-variances (N, R), zones' logits (N, Z), flags' logits (N, F)."""
        readings = len(self.sights.readings)
        means, doubt, zones, flags = torch.split(outputs, [readings, readings, len(self.sights.zones), len(self.sights.flags)], dim=1)
        return means, doubt, zones, flags

    def loss(self, features: Tensor, labels: Tensor) -> Tensor:
        """Mean loss against ``labels`` (N, len(sights.labels)) in SI units, NaN where unknown.

        Smooth L1 for the means; for the log-variances, with the means held, Gaussian likelihood weighted by the standard deviation, so
        that one surprise moves them little (beta-NLL with beta 1/2, Seitzer et al. 2022); cross entropy for zone and flags.
        """
        means, doubt, zones, flags = self.parts(self(features))
        count, kinds = means.shape[1], int(zones.shape[1] > 0)
        wanted, known = _known((labels[:, :count] - self.centre) / self.scale)
        error = functional.smooth_l1_loss(means, wanted, reduction="none")
        unlikely = 0.5 * torch.exp(0.5 * doubt.detach()) * (torch.exp(-doubt) * (means.detach() - wanted) ** 2 + doubt)
        total = _mean(error + CLASS_WEIGHT * unlikely, known)
        if kinds:
            zone, seen = _known(labels[:, count])
            total = total + CLASS_WEIGHT * _mean(functional.cross_entropy(zones, zone.long(), reduction="none"), seen)
        if flags.shape[1]:
            wanted, known = _known(labels[:, count + kinds :])
            total = total + CLASS_WEIGHT * _mean(functional.binary_cross_entropy_with_logits(flags, wanted, reduction="none"), known)
        return total

    def values(self, outputs: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Outputs (N, O) -> readings and their standard deviations in SI units, probabilities of zones and of flags."""
        means, doubt, zones, flags = self.parts(outputs)
        return self.centre + self.scale * means, self.scale * torch.exp(0.5 * doubt), torch.softmax(zones, dim=1), torch.sigmoid(flags)

    def read(self, outputs: Tensor) -> dict[str, float]:
        """One row of outputs (O,), on any device, by name: readings with ``NAME_sd`` in SI units, ``zone_*`` and flags as probabilities."""
        return self.reads(outputs[None])[0]

    def reads(self, outputs: Tensor) -> list[dict[str, float]]:
        """The same of each of N rows (N, O)."""
        readings = [reading.name for reading in self.sights.readings]
        names = [*readings, *(f"{name}_sd" for name in readings), *(f"zone_{name}" for name in self.sights.zones), *self.sights.flags]
        order = [i for pair in range(len(readings)) for i in (pair, pair + len(readings))]
        order += range(2 * len(readings), len(names))
        rows = torch.cat(self.values(outputs.detach().to(self.centre.device)), dim=1)[:, order].tolist()
        return [dict(zip([names[i] for i in order], row, strict=True)) for row in rows]


def from_manifest(described: Any, tokens: int, width: int, where: str) -> Heads:
    """Untrained heads for what a manifest's ``heads`` says. Raises PolicyError."""
    try:
        sights = Sights.from_description(described)
    except (ValueError, TypeError) as error:
        raise PolicyError(f"{where} describes heads that cannot be built: {error}") from error
    return Heads(tokens, width, sights)


def _known(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Labels with zeros for what is NaN, and which are known."""
    known = torch.isfinite(labels)
    return torch.where(known, labels, torch.zeros_like(labels)), known


def _mean(losses: Tensor, known: Tensor) -> Tensor:
    """Mean of the losses whose label is known; 0 where none is."""
    return torch.where(known, losses, torch.zeros_like(losses)).sum() / known.sum().clamp_min(1)
