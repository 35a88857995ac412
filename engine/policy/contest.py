"""Members against LeRobot's own policy: the same pictures, noise, precision and threads, times and outputs beside each other."""

import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from re import fullmatch
from typing import Any

import torch
from torch import Tensor

from engine.policy import memory, roofline, smolvla
from engine.policy.benchmark import timed
from engine.policy.ensemble import Ensemble
from engine.policy.errors import PolicyError
from engine.policy.members import Members
from engine.signals import perturbation
from engine.types import Frames

ROUNDS_MIN = 3
OURS = 10  #: times of ours at most in the time of LeRobot's one
MODELS = ("compact", "smolvla")


@dataclass(frozen=True)
class Inputs:
    """What both contestants are given: one moment, and the same as the perturbations show it."""

    images: Tensor  #: (1 + P, C, 3, h, w) in [0, 1]
    tokens: Tensor  #: (L,)
    states: Tensor  #: (1 + P, S) normalised
    noise: Tensor  #: (1 + P, H, A), every one the same

    def first(self, count: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Of the first so many moments."""
        return self.images[:count], self.tokens, self.states[:count], self.noise[:count]


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


def check(model: str, device: str, members: int, perturbations: int) -> None:
    """Raises PolicyError for what cannot be raced."""
    if model not in MODELS:
        raise PolicyError(f"there is no model '{model}'; expected {' or '.join(MODELS)}")
    if not fullmatch(r"cpu|cuda(:\d+)?", device):
        raise PolicyError(f"there is no device '{device}'; use cpu, cuda or cuda:N")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise PolicyError(f"device '{device}' was asked for, but no CUDA device is there; use 'cpu'")
    if device.startswith("cuda:") and int(device[5:]) >= torch.cuda.device_count():
        raise PolicyError(f"device '{device}' was asked for, but there are {torch.cuda.device_count()} CUDA devices, counted from 0")
    if not 0 <= perturbations <= perturbation.COUNT:
        raise PolicyError(f"{perturbations} perturbations were asked for; there are {perturbation.COUNT}")
    if members < 1:
        raise PolicyError(f"{members} members were asked for; expected at least one")


def compact(ensemble: Ensemble, frames: Frames, instruction: str, members: int, perturbations: int) -> tuple[list[Any], Inputs]:
    """The first members of a shipped ensemble as LeRobot's policies, and one exposure as both take it. Raises PolicyError."""
    if members > ensemble.info.members:
        raise PolicyError(f"{ensemble.info.name} has {ensemble.info.members} members; {members} were asked for")
    batch = ensemble.prepare(*observed(ensemble, frames), instruction)
    tokens = batch["observation.language.tokens"][0][batch["observation.language.attention_mask"][0]]
    images = torch.stack([batch[f"observation.images.{name}"] for name in ensemble.cameras], dim=1)
    noise = ensemble.statistics.noise[0].to(ensemble.device)
    policies = [ensemble.member(number) for number in range(members)]
    return policies, _inputs(images, tokens, batch["observation.state"].to(torch.float32), noise, perturbations)


def full_size(device: str, members: int, perturbations: int, shape: smolvla.Shape | None = None) -> tuple[list[Any], Inputs]:
    """SmolVLA-450M, or another shape, with random weights, and pictures of noise. Raises PolicyError if there is no room."""
    shape = shape or smolvla.Shape()
    one, own = 4 * 450_000_000, 4 * 100_000_000  # bytes that a policy and that a further member's expert take
    if shape == smolvla.Shape():
        why = memory.refusal([2 * one] + [2 * own] * (members - 1), *memory.free_and_total(torch.device(device)), device)
        if why:
            raise PolicyError(why)
    with tempfile.TemporaryDirectory() as folder:
        policies = smolvla.new_members(Path(folder) / "vlm", shape, members, device)
    config, generator = policies[0].config, torch.Generator().manual_seed(1)
    images = torch.rand(1, shape.cameras, 3, *shape.picture, generator=generator)
    noise = torch.randn(config.chunk_size, config.max_action_dim, generator=generator)
    tokens = torch.arange(20, 20 + config.tokenizer_max_length)
    state = torch.randn(1, shape.state, generator=generator)
    return policies, _inputs(images.to(device), tokens.to(device), state.to(device), noise.to(device), perturbations)


def _inputs(images: Tensor, tokens: Tensor, state: Tensor, noise: Tensor, perturbations: int) -> Inputs:
    bank = torch.from_numpy(perturbation.bank(tuple(images.shape[1:]))).to(images.device)
    shown = torch.cat((images, *(perturbation.perturbed(images, bank, number) for number in range(perturbations))))
    return Inputs(shown, tokens, state.repeat(len(shown), 1), noise.repeat(len(shown), 1, 1))


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


def observed(ensemble: Ensemble, frames: Frames) -> tuple[dict[str, Tensor], Tensor]:
    """One exposure as a batch of one: pictures by the policy's cameras (1, h, w, 3) and its state (1, S)."""
    mapping = ensemble.mapping
    images = {name: torch.from_numpy(image)[None] for name, image in mapping.pictures_of(frames.images, ensemble.sizes).items()}
    return images, torch.from_numpy(mapping.state_of(frames.observation))[None]
