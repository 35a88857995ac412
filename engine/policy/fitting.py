"""Training by flow matching: the prefix with one expert and the heads, then several experts on the frozen prefix."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from engine.policy.demonstrations import varied
from engine.policy.errors import PolicyError
from engine.policy.experts import StackedExperts
from engine.policy.heads import Heads
from engine.policy.prefix import Prefix

HEADS_WEIGHT = 1.0  #: of the heads' loss beside the flow's
EAGER_STEPS = 5  #: before a step is recorded on a CUDA device


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
    labels: Tensor  #: (N, len(Sights.labels)), SI units
    episode: Tensor  #: (N,)
    task: Tensor  #: (N,) whose instruction it was
    tokens: tuple[Tensor, ...]  #: of each task (L,), its instruction
    weight: Tensor  #: (A,) of each action component in the flow's loss, mean 1

    def rows(self) -> list[Tensor]:
        """For each task, the observations of it. Raises PolicyError if one has none."""
        found = [torch.nonzero(self.task == number)[:, 0] for number in range(len(self.tokens))]
        if not all(len(rows) for rows in found):
            raise PolicyError("a task of the course has no observation; demonstrate more episodes")
        return found


def drawn(rows: Sequence[Tensor], batch: int, generator: torch.Generator) -> list[Tensor]:
    """About ``batch`` observations in equal shares from every task's ``rows``, with replacement; never waits for the device."""
    each = max(1, batch // len(rows))
    return [of_task[torch.randint(len(of_task), (each,), generator=generator, device=of_task.device)] for of_task in rows]


def flow_loss(
    experts: StackedExperts, keys: Tensor, values: Tensor, actions: Tensor, weight: Tensor, noises: int, generator: torch.Generator
) -> Tensor:
    """Conditional flow matching (Lipman et al. 2023) as LeRobot's SmolVLA trains it: (E, N) weighted mean squared velocity error.

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
    return ((velocity - (noise - target)) ** 2 * weight).mean(dim=(2, 3, 4))


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


def descend(
    fit: Fit,
    parameters: list[nn.Parameter],
    losses: Callable[[], tuple[Tensor, Tensor]],
    generator: torch.Generator,
    report: Callable[[int, list[float]], None],
) -> list[list[float]]:
    """AdamW on ``losses() -> (what to descend, what to report)``; on a CUDA device a step is recorded once and replayed.

    ``losses`` draws its batch from ``generator`` and never waits for the device. Returns what was reported at ten points.
    """
    device = parameters[0].device
    graphed = device.type == "cuda"
    rate = torch.tensor(0.0, device=device)
    optimizer = torch.optim.AdamW(
        parameters, lr=rate if graphed else 0.0, betas=(0.9, 0.95), weight_decay=fit.decay, capturable=graphed, fused=graphed
    )
    shown: list[Tensor] = []

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss, told = losses()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(parameters, fit.clip)
        optimizer.step()
        shown[:] = [told.detach()]

    graph: Any = None
    curve = []
    for number in range(fit.steps):
        if graphed:
            rate.fill_(rate_at(number, fit))
        else:
            optimizer.param_groups[0]["lr"] = rate_at(number, fit)
        if graphed and number < EAGER_STEPS:
            side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                step()
            torch.cuda.current_stream().wait_stream(side)
        elif graphed:
            if graph is None:
                graph = torch.cuda.CUDAGraph()
                graph.register_generator_state(generator)
                optimizer.zero_grad(set_to_none=True)
                with torch.cuda.graph(graph):
                    step()
            graph.replay()
        else:
            step()
        if (number + 1) % max(1, fit.steps // 10) == 0:
            curve.append(shown[0].reshape(-1).tolist())
            report(number + 1, curve[-1])
    return curve


def _half(device: torch.device) -> torch.autocast:
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda", cache_enabled=False)


def fit_prefix(policy: Any, heads: Heads, material: Material, fit: Fit, seed: int, progress: Callable[[str], None]) -> list[list[float]]:
    """Train a policy whole (prefix and its action expert) together with the heads, in place. Returns (flow, heads) losses at ten points."""
    device = material.states.device
    generator = torch.Generator(device=device).manual_seed(seed)
    prefix, experts = Prefix(policy).to(device).train(), StackedExperts([policy]).to(device).train()
    parameters = [*prefix.parameters(), *experts.parameters(), *heads.parameters()]
    for parameter in parameters:
        parameter.requires_grad_(True)

    of_tasks = material.rows()

    def losses() -> tuple[Tensor, Tensor]:
        flows, features, labels = [], [], []
        with _half(device):
            for rows, tokens in zip(drawn(of_tasks, fit.batch, generator), material.tokens, strict=True):
                keys, values, seen = prefix(varied(material.pictures[rows], generator), tokens, material.states[rows])
                flows.append(flow_loss(experts, keys, values, material.actions[rows], material.weight, fit.noises, generator).mean())
                features.append(seen)
                labels.append(material.labels[rows])
            flow, read = torch.stack(flows).mean(), heads.loss(torch.cat(features), torch.cat(labels))
        return flow + HEADS_WEIGHT * read, torch.stack((flow, read))

    curve = descend(fit, parameters, losses, generator, lambda n, told: progress(f"prefix {n}: flow {told[0]:.4f}, heads {told[1]:.4f}"))
    policy.load_state_dict(experts.member_state(0), strict=False)
    for module in (policy, heads):
        module.requires_grad_(False)
        module.eval()
    return curve


def fit_experts(
    policy: Any, experts: StackedExperts, material: Material, fit: Fit, seed: int, progress: Callable[[str], None]
) -> list[list[float]]:
    """Train all members' experts at once on the policy's frozen prefix, each on its own resampling of the episodes, in place.

    Returns the members' losses at ten points. Members share batches and pictures; weights, noise, times and episodes are their own.
    Raises ValueError for members with state projections of their own, which the one prefix does not hold.
    """
    if experts.own_states:
        raise ValueError("members to be trained on one prefix must share its state projection")
    device = material.states.device
    generator = torch.Generator(device=device).manual_seed(seed)
    prefix = Prefix(policy).to(device).eval()
    weights = bootstrap_weights(material.episode, experts.members, seed)
    experts.train().requires_grad_(True)

    of_tasks = material.rows()

    def losses() -> tuple[Tensor, Tensor]:
        flows, shares = [], []
        for rows, tokens in zip(drawn(of_tasks, fit.batch, generator), material.tokens, strict=True):
            with _half(device):
                with torch.no_grad():
                    keys, values, _ = prefix(varied(material.pictures[rows], generator), tokens, material.states[rows])
                flows.append(flow_loss(experts, keys, values, material.actions[rows], material.weight, fit.noises, generator))
            shares.append(weights[:, rows])
        flow, weight = torch.cat(flows, dim=1), torch.cat(shares, dim=1)
        each = (flow * weight).sum(dim=1) / weight.sum(dim=1).clamp_min(1.0)
        return each.sum(), each

    def report(number: int, told: list[float]) -> None:
        progress(f"experts {number}: flow " + " ".join(f"{loss:.4f}" for loss in told))

    curve = descend(fit, list(experts.parameters()), losses, generator, report)
    experts.eval().requires_grad_(False)
    return curve
