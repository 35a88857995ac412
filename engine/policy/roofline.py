"""How fast a pass could be at best: its arithmetic and its weights' bytes over the machine's own rates, measured here."""

import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from engine.policy.members import Members
from engine.policy.prefix import Prefix
from engine.policy.ready import ReadyExperts

TRIES = 5


@dataclass(frozen=True)
class Ceilings:
    """What the machine does at most, on the threads in use."""

    bytes_s: float  #: of a large copy, bytes read and written
    flops_s: float  #: of a large square matrix product


@dataclass(frozen=True)
class Work:
    """The least that must be done: every weight read once a use, only products counted, none whose outcome is the same at every pass."""

    flops: float
    bytes: float

    def seconds(self, ceilings: Ceilings) -> float:
        """The longer of the two times."""
        return max(self.flops / ceilings.flops_s, self.bytes / ceilings.bytes_s)


def ceilings(device: torch.device, dtype: torch.dtype) -> Ceilings:
    """Measured now: the best of a few copies and of a few products in ``dtype``."""
    cuda = device.type == "cuda"
    source = torch.ones(2**32 if cuda else 2**27, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    side = 8192 if cuda else 1024
    matrix = torch.randn(side, side, dtype=dtype, device=device)
    copied, multiplied = (_shortest(work, device) for work in (lambda: target.copy_(source), lambda: matrix @ matrix))
    return Ceilings(2.0 * source.nbytes / copied, 2.0 * side**3 / multiplied)


def _shortest(work: Any, device: torch.device) -> float:
    spent = []
    for _ in range(TRIES):
        begun = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        spent.append(time.perf_counter() - begun)
    return min(spent[1:])


def parts(members: Members, cameras: int, words: int, observations: int, streams: int) -> list[Work]:
    """The work of every prefix and of every group's denoising."""
    found = []
    for prefix, experts in zip(members.prefixes, members.experts, strict=True):
        assert isinstance(prefix, Prefix)
        assert isinstance(experts, ReadyExperts)
        tokens = len(prefix.places) // prefix.connector.scale_factor**2 * cameras + words
        found.append(_prefix(prefix, cameras, tokens, observations))
        found.append(_denoising(experts, tokens + 1, observations, streams))
    return found


def _prefix(prefix: Prefix, cameras: int, tokens: int, observations: int) -> Work:
    patches, text = len(prefix.places), prefix.text.config
    shuffled = patches // prefix.connector.scale_factor**2
    seen = cameras * (_linear(prefix.vision) * patches + _linear(prefix.connector) * shuffled)
    own = len(prefix.states)
    read = _linear(prefix.text.layers) * (tokens + own)
    width = prefix.vision.config.hidden_size
    attention = 2 * cameras * patches**2 * width * len(prefix.vision.encoder.layers)
    attention += 2 * (tokens**2 + own * (tokens + 1)) * text.hidden_size * (len(prefix.text.layers) - 1)
    size = sum(parameter.nbytes for name, parameter in prefix.named_parameters() if "embed_tokens" not in name)
    return Work(2.0 * observations * (seen + read + attention), size)


def _linear(module: nn.Module) -> int:
    return sum(part.weight.numel() for part in module.modules() if isinstance(part, nn.Linear | nn.Conv2d))


def _denoising(experts: ReadyExperts, tokens: int, observations: int, streams: int) -> Work:
    rows, steps = streams * experts.horizon, experts.flow_steps
    once = {key: weight for key, weight in experts.weights.items() if key.startswith("cross")}
    every = {key: weight for key, weight in experts.weights.items() if key not in once and not key.startswith("action_time_mlp_in")}
    products = sum(weight[0].numel() for weight in every.values() if weight.ndim == 3)
    seen = [tokens + experts.horizon * itself for itself in experts.itself]
    attention = 2 * experts.heads * experts.head_dim * sum(seen)
    crossing = sum(weight[0].numel() * len(weight) for weight in once.values() if weight.ndim == 3) * observations * tokens
    flops = 2.0 * (experts.members * rows * steps * (products + attention) + crossing)
    size = sum(weight.nbytes for weight in every.values()) * steps + sum(weight.nbytes for weight in once.values())
    return Work(flops, size)
