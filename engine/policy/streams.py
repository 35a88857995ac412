"""Streams of noise and the moments they are answered for: how they lie together, and what is the same at every pass over them."""

import math
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import torch
from torch import Tensor

from engine.policy.prefix import turns

type Runs = tuple[tuple[int, int], ...]  #: (observations, streams of each), in order


class Tables(NamedTuple):
    """Constants of a pass. M streams, H horizon, D of a head."""

    after: tuple[Tensor, Tensor]  #: rotation of a chunk's tokens where they follow the prefix, (H, 1, D) each
    alone: tuple[Tensor, Tensor]  #: rotation where they are counted from 0
    masks: dict[int, Tensor]  #: what streams of one observation see, by their number
    place: Tensor  #: (M,) int32, each stream's observation
    hidden: Tensor  #: (H, P + H) 0 where a stream's token sees a token of the prefix or of its own past, else minus infinity


def runs_of(which: Sequence[int]) -> Runs:
    """Stream by stream the number of its observation, never falling -> how many observations in a row have how many streams."""
    if list(which) != sorted(which) or set(which) != set(range(len(set(which)))):
        raise ValueError(f"streams name observations {tuple(which)}; expected 0, 1, 2 and so on, each at least once and in order")
    counts = [len(list(group)) for _, group in groupby(which)]
    return tuple((len(list(group)), count) for count, group in groupby(counts))


def tables(runs: Runs, horizon: int, prefix: int, head_dim: int, device: torch.device) -> Tables:
    """For streams that follow a prefix of so many tokens."""
    step = torch.arange(horizon, device=device)
    each = [samples for count, samples in runs for _ in range(count)]
    return Tables(
        after=turns(prefix + step, head_dim),
        alone=turns(step, head_dim),
        masks={samples: sees(samples, horizon, prefix, device) for _, samples in runs},
        place=torch.tensor([n for n, samples in enumerate(each) for _ in range(samples)], dtype=torch.int32, device=device),
        hidden=torch.zeros(horizon, prefix + horizon, device=device).masked_fill(~sees(1, horizon, prefix, device), -math.inf),
    )


def sees(samples: int, horizon: int, prefix: int, device: torch.device) -> Tensor:
    """(samples * H, P + samples * H) what the streams of one observation, one after another, see: the prefix and their own past."""
    step = torch.arange(horizon, device=device).repeat(samples)
    sample = torch.arange(samples, device=device).repeat_interleave(horizon)
    own = (sample[:, None] == sample) & (step[:, None] >= step)
    return torch.cat((own.new_ones(len(own), prefix), own), dim=1)


def time_embedding(time: Tensor, width: int, shortest: float, longest: float) -> Tensor:
    """Sine and cosine of the flow time at log-spaced periods: ``time`` (...) -> (..., width), computed in double precision."""
    share = torch.linspace(0.0, 1.0, width // 2, dtype=torch.float64, device=time.device)
    period = shortest * (longest / shortest) ** share
    angle = time.to(torch.float64)[..., None] * (2.0 * math.pi / period)
    return torch.cat((torch.sin(angle), torch.cos(angle)), dim=-1).to(torch.float32)
