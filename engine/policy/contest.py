"""Members against LeRobot's own policy: the same pictures, noise, precision and threads, times and outputs beside each other."""

import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from engine.policy import memory, roofline, smolvla
from engine.policy.benchmark import timed
from engine.policy.contestants import Inputs
from engine.policy.members import Members

ROUNDS_MIN = 3
OURS = 10  #: times of ours at most in the time of LeRobot's one


@dataclass
class Race:
    """Milliseconds of each round, the contestants taking turns."""

    members: int
    perturbations: int
    dtype: str
    path: str
    threads: int
    ceilings: roofline.Ceilings
    floor_ms: float  #: of the perturbed pass
    flops: float  #: of the perturbed pass
    bytes: float  #: of weights that it reads
    difference: float = 0.0  #: largest between the normalised actions
    clean_ms: list[float] = field(default_factory=list)  #: E x 1
    perturbed_ms: list[float] = field(default_factory=list)  #: E x (1 + P)
    lerobot_ms: list[float] = field(default_factory=list)  #: E x (1 + P) passes, one after another
    lerobot_clean_ms: list[float] = field(default_factory=list)  #: the E clean ones of these
    held: int = 0  #: bytes of our weights
    lerobot_held: int = 0  #: bytes of E whole policies
    peak: int = 0  #: bytes; on a CUDA device ours beyond what LeRobot's policies hold, else the process's


def race(policies: Sequence[Any], inputs: Inputs, seconds: float, tell: Callable[[str], None]) -> Race:
    """Rounds until ``seconds`` have passed, at least ``ROUNDS_MIN``; bfloat16 on a CUDA device, else float32. Raises PolicyError."""
    device, cuda, count = inputs.images.device, inputs.images.is_cuda, len(inputs.images)
    dtype = torch.bfloat16 if cuda else torch.float32
    if cuda:
        policies = [smolvla.in_half(policy) for policy in policies]
        before = torch.cuda.memory_allocated(device)
    members = Members(policies, dtype)
    if cuda:
        torch.cuda.reset_peak_memory_stats(device)
    tell("recording the passes")
    with memory.kept_within(members, device):
        steps = {n: members.recorded(*inputs.first(n), tuple(range(n)), tell=tell) for n in sorted({1, count})}
        for n, step in steps.items():
            for _ in range(3):
                step(*inputs.first(n))
    peak = torch.cuda.max_memory_allocated(device) - before if cuda else 0
    limits = roofline.ceilings(device, dtype)
    parts = roofline.parts(members, inputs.images.shape[1], len(inputs.tokens), count, count)
    found = Race(
        members=members.size,
        perturbations=count - 1,
        dtype=str(dtype).removeprefix("torch."),
        path=members.path,
        threads=torch.get_num_threads(),
        ceilings=limits,
        floor_ms=1e3 * sum(part.seconds(limits) for part in parts),
        flops=sum(part.flops for part in parts),
        bytes=sum(part.bytes for part in parts),
        held=members.bytes,
        lerobot_held=len(policies) * sum(parameter.nbytes for parameter in policies[0].parameters()),
    )
    _passes(policies[:1], inputs, [], device)  # warm
    tell(f"racing for {seconds:g} s")
    end, rounds = time.monotonic() + seconds, 0
    while rounds < ROUNDS_MIN or time.monotonic() < end:
        spent: list[float] = []
        theirs = _passes(policies, inputs, spent, device)
        found.lerobot_ms.append(sum(spent))
        found.lerobot_clean_ms.append(sum(spent[: len(policies)]))
        for _ in range(OURS):
            ours = timed(found.perturbed_ms, lambda: steps[count](*inputs.first(count)).actions, device)
            clean = timed(found.clean_ms, lambda: steps[1](*inputs.first(1)).actions, device)
            spent.append(-found.perturbed_ms[-1] - found.clean_ms[-1])
            if sum(spent) < 0.0:
                break
        found.difference = max(found.difference, float((ours - theirs).abs().max()), float((clean - theirs[:, :1]).abs().max()))
        rounds += 1
    found.peak = peak if cuda else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return found


def _passes(policies: Sequence[Any], inputs: Inputs, spent: list[float], device: torch.device) -> Tensor:
    """(E, 1 + P, H, A) by LeRobot, one pass after another: all members on the first picture, then on the second."""
    found = []
    for number in range(len(inputs.images)):
        batch = {
            **dict(zip(policies[0].config.image_features, inputs.images[number : number + 1].unbind(1), strict=False)),
            "observation.state": inputs.states[number : number + 1],
            "observation.language.tokens": inputs.tokens[None],
            "observation.language.attention_mask": torch.ones_like(inputs.tokens[None], dtype=torch.bool),
        }
        for policy in policies:
            noise = inputs.noise[number : number + 1].clone()
            found.append(timed(spent, lambda policy=policy, noise=noise: policy.predict_action_chunk(dict(batch), noise=noise), device))  # type: ignore[misc]  # noqa: B023
    whole = torch.cat(found)
    return whole.reshape(len(inputs.images), len(policies), *whole.shape[1:]).transpose(0, 1)
