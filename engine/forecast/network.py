"""The network that learns hazards from sequences of inferences, what it is taught with, and how its material is varied.

Conv1D(5, 32) -> GRU(64) -> STEPS x (CAUSES + 1) logits; causal: what it says of an inference stems from that one and those before it.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.forecast.features import CHANNELS
from engine.forecast.labels import CAUSES, STEPS
from engine.forecast.streaming import HIDDEN, TAPS, WIDTH

FOCUS = 2.0  #: exponent of the focal loss


class Network(nn.Module):
    """Sequences (N, T, CHANNELS) -> logits (N, T, STEPS, CAUSES + 1)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(CHANNELS, WIDTH, TAPS)
        self.gru = nn.GRU(WIDTH, HIDDEN, batch_first=True)
        self.out = nn.Linear(HIDDEN, STEPS * (CAUSES + 1))

    def forward(self, seen: Tensor, kept: Tensor | None = None) -> Tensor:
        """``kept`` (N, 1, HIDDEN) scales the memory's units where they are read: dropout of whole units in training."""
        wide = functional.relu(self.conv(functional.pad(seen.transpose(1, 2), (TAPS - 1, 0)))).transpose(1, 2)
        hidden, _ = self.gru(wide)
        flat: Tensor = self.out(hidden if kept is None else hidden * kept)
        return flat.reshape(*flat.shape[:-1], STEPS, CAUSES + 1)


def begun(seed: int, shares: Tensor) -> Network:
    """A network before training, that says the same of everything: ``shares`` (CAUSES + 1,) of each end in a step, the last to go on."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Network()
    with torch.no_grad():
        network.out.weight.mul_(0.1)
        network.out.bias.copy_(shares.clamp_min(1e-5).log().repeat(STEPS))
    return network


def loss(logits: Tensor, ends: Tensor, counted: Tensor, focus: float) -> Tensor:
    """Mean loss of an inference, from logits (..., STEPS, CAUSES + 1), ends (..., STEPS) and which steps count (..., STEPS), 0 or 1.

    With ``focus`` 0 the negative log-likelihood of the hazards; above it the focal loss (Lin et al. 2017): each step weighs
    (1 - p)^focus, p the probability given to what happened.
    """
    said = torch.log_softmax(logits, dim=-1).gather(-1, ends[..., None])[..., 0]
    if focus > 0.0:
        said = said * (1.0 - said.exp()).clamp_min(0.0) ** focus
    return -(said * counted).sum() / counted.any(dim=-1).sum().clamp_min(1)
