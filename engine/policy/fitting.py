"""Training by flow matching: the prefix with one expert and the heads, then several experts on the frozen prefix."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from engine.policy import heads as prefix_heads
from engine.policy.demonstrations import varied
from engine.policy.experts import StackedExperts
from engine.policy.prefix import Prefix

HEADS_WEIGHT = 1.0  #: of the heads' loss beside the flow's


@dataclass(frozen=True)
class Fit:
    """How long and how fast to train."""

    steps: int
    batch: int = 256
    rate: float = 7e-4
    warm_up: int = 100  #: steps
    noises: int = 2  #: noise samples an observation, in one step
    clip: float = 1.0
    decay: float = 1e-4


@dataclass(frozen=True)
class Material:
    """Everything a training step reads, on the training device; states and actions normalised."""

    pictures: Tensor  #: uint8 (N, C, h, w, 3)
    states: Tensor  #: (N, S)
    actions: Tensor  #: (N, H, A)
    labels: Tensor  #: (N, len(LABELS)), SI units
    episode: Tensor  #: (N,)
    tokens: Tensor  #: (L,) the instruction


def flow_loss(experts: StackedExperts, keys: Tensor, values: Tensor, actions: Tensor, noises: int, generator: torch.Generator) -> Tensor:
    """Conditional flow matching (Lipman et al. 2023) as LeRobot's SmolVLA trains it: (E, N) mean squared velocity error.

    Time is drawn from Beta(1.5, 1) on (0.001, 1), and is 1 at the noise; the distribution function inverts to u^(2/3).
    """
    context = experts.context(keys, values)
    members = context[0][0].shape[0]
    shape = (members, actions.shape[0], noises)
    noise = torch.randn(*shape, *actions.shape[1:], generator=generator, device=actions.device)
    time = torch.rand(*shape, generator=generator, device=actions.device) ** (2.0 / 3.0) * 0.999 + 0.001
    target = actions[None, :, None]
    mixed = time[..., None, None] * noise + (1.0 - time[..., None, None]) * target
    velocity = experts.velocity(mixed, experts.embed_time(time), context)
    return ((velocity - (noise - target)) ** 2).mean(dim=(2, 3, 4))


def bootstrap_weights(episode: Tensor, members: int, seed: int) -> Tensor:
    """(E, N) how often each sample's episode was drawn when each member resamples the episodes with replacement."""
    generator = torch.Generator().manual_seed(seed)
    count = int(episode.max()) + 1
    drawn = torch.stack([torch.bincount(torch.randint(count, (count,), generator=generator), minlength=count) for _ in range(members)])
    return drawn.to(episode.device)[:, episode].float()


def rate_at(step: int, fit: Fit) -> float:
    """Linear warm-up, then a half cosine to zero."""
    if step < fit.warm_up:
        return fit.rate * (step + 1) / fit.warm_up
    return fit.rate * 0.5 * (1.0 + math.cos(math.pi * (step - fit.warm_up) / max(1, fit.steps - fit.warm_up)))


def _steps(fit: Fit, parameters: list[nn.Parameter], progress: Callable[[str], None]) -> Iterator[tuple[int, Callable[[Tensor], None]]]:
    """Yields each step's number and what to call with its loss: backward, clip, move."""
    optimizer = torch.optim.AdamW(parameters, lr=fit.rate, betas=(0.9, 0.95), weight_decay=fit.decay, fused=parameters[0].is_cuda)

    def move(loss: Tensor) -> None:
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(parameters, fit.clip)
        optimizer.step()

    for step in range(fit.steps):
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, fit)
        yield step, move
        if (step + 1) % max(1, fit.steps // 10) == 0:
            progress(f"step {step + 1} of {fit.steps}")


def _half(device: torch.device) -> torch.autocast:
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda")


def fit_prefix(
    policy: Any, heads: prefix_heads.Heads, material: Material, fit: Fit, seed: int, progress: Callable[[str], None]
) -> list[tuple[float, float]]:
    """Train a policy whole (prefix and its action expert) together with the heads, in place. Returns (flow, heads) losses at ten points."""
    device = material.states.device
    generator = torch.Generator(device=device).manual_seed(seed)
    prefix, experts = Prefix(policy).to(device).train(), StackedExperts([policy]).to(device).train()
    for parameter in (*prefix.parameters(), *experts.parameters(), *heads.parameters()):
        parameter.requires_grad_(True)
    curve = []
    for step, move in _steps(fit, [*prefix.parameters(), *experts.parameters(), *heads.parameters()], progress):
        rows = torch.randint(len(material.states), (fit.batch,), generator=generator, device=device)
        with _half(device):
            keys, values, features = prefix(varied(material.pictures[rows], generator), material.tokens, material.states[rows])
            flow = flow_loss(experts, keys, values, material.actions[rows], fit.noises, generator).mean()
            seen = prefix_heads.loss(heads(features).float(), material.labels[rows])
        move(flow + HEADS_WEIGHT * seen)
        if (step + 1) % max(1, fit.steps // 10) == 0:
            curve.append((float(flow.detach()), float(seen.detach())))
            progress(f"prefix: flow {curve[-1][0]:.4f}, heads {curve[-1][1]:.4f}")
    policy.load_state_dict(experts.member_state(0), strict=False)
    for parameter in (*policy.parameters(), *heads.parameters()):
        parameter.requires_grad_(False)
    policy.eval()
    heads.eval()
    return curve


def fit_experts(
    policy: Any, experts: StackedExperts, material: Material, fit: Fit, seed: int, progress: Callable[[str], None]
) -> list[tuple[float, ...]]:
    """Train all members' experts at once on the policy's frozen prefix, each on its own resampling of the episodes, in place.

    Returns the members' losses at ten points. Members share batches and pictures; weights, noise, times and episodes are their own.
    """
    device = material.states.device
    generator = torch.Generator(device=device).manual_seed(seed)
    prefix = Prefix(policy).to(device).eval()
    members = next(iter(experts.parameters())).shape[0]
    weights = bootstrap_weights(material.episode, members, seed)
    experts.train().requires_grad_(True)
    # one clip over the sum of the members' gradients would tie them together more loosely than one a member; the sum keeps Adam's scale
    whole = Fit(fit.steps, fit.batch, fit.rate, fit.warm_up, fit.noises, fit.clip * members**0.5, fit.decay)
    curve = []
    for step, move in _steps(whole, list(experts.parameters()), progress):
        rows = torch.randint(len(material.states), (fit.batch,), generator=generator, device=device)
        with _half(device):
            with torch.no_grad():
                keys, values, _ = prefix(varied(material.pictures[rows], generator), material.tokens, material.states[rows])
            flow = flow_loss(experts, keys, values, material.actions[rows], fit.noises, generator)
        weight = weights[:, rows]
        each = (flow * weight).sum(dim=1) / weight.sum(dim=1).clamp_min(1.0)
        move(each.sum())
        if (step + 1) % max(1, fit.steps // 10) == 0:
            curve.append(tuple(each.detach().tolist()))
            progress("experts: flow " + " ".join(f"{loss:.4f}" for loss in curve[-1]))
    experts.eval().requires_grad_(False)
    return curve
