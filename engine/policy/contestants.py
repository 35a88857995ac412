"""Who is raced: policies as LeRobot has them, of a shipped ensemble or of full size, and what each of them is shown."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.policy import devices, memory, smolvla
from engine.policy.ensemble import Ensemble
from engine.policy.errors import PolicyError
from engine.signals import perturbation
from engine.types import Frames

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


def check(model: str, device: str, members: int, perturbations: int) -> None:
    """Raises PolicyError for what cannot be raced."""
    if model not in MODELS:
        raise PolicyError(f"there is no model '{model}'; expected {' or '.join(MODELS)}")
    devices.check(device)
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


def full_size(device: str, members: int, perturbations: int) -> tuple[list[Any], Inputs]:
    """SmolVLA-450M with random weights, and pictures of noise. Raises PolicyError if there is no room."""
    shape = smolvla.Shape()
    one, own = 4 * 450_000_000, 4 * 100_000_000  # bytes that a policy and that a further member's expert take
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


def observed(ensemble: Ensemble, frames: Frames) -> tuple[dict[str, Tensor], Tensor]:
    """One exposure as a batch of one: pictures by the policy's cameras (1, h, w, 3) and its state (1, S)."""
    mapping = ensemble.mapping
    images = {name: torch.from_numpy(image)[None] for name, image in mapping.pictures_of(frames.images, ensemble.sizes).items()}
    return images, torch.from_numpy(mapping.state_of(frames.observation))[None]
