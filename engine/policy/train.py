"""From nothing to a shipped ensemble, top to bottom: demonstrations, prefix, practice, five experts, statistics, files, closed loop.

Stages leave their results in a folder ``<out>.work`` beside the policy; a run that is started again with ``resume`` takes up after the
last stage that finished.
"""

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.policy import checkpoint, compact, demonstrations, practice, rollout, statistics, studio
from engine.policy.demonstrations import Demonstrations
from engine.policy.ensemble import Ensemble
from engine.policy.errors import PolicyError
from engine.policy.experts import StackedExperts
from engine.policy.fitting import Fit, Material, fit_experts, fit_prefix
from engine.policy.heads import Heads
from engine.policy.loading import load, load_processors, new_heads, parameters
from engine.policy.prefix import Prefix
from engine.policy.readings import READINGS
from engine.policy.writing import write_policy
from engine.signals import familiarity, nominal
from engine.types import F64, PolicyInfo

MEMBERS = 5
SAMPLES = 4  #: noise samples a member
ACTION_WEIGHT = (1.0, 4.0, 1.0, 0.5, 0.5, 0.5, 0.1)  #: finding the line is a matter of millimetres across; the grip never changes
FAMILIAR_DIMENSIONS = 32
DISAGREEMENT_MIN = 1e-3  #: median epistemic signal over nominal work; below it the members are one policy and training has failed
DEMONSTRATION_SEEDS, PRACTICE_SEEDS, NOMINAL_SEEDS, EVALUATION_SEED = 1_000_000, 2_000_000, 3_000_000, 10_000


@dataclass(frozen=True)
class Plan:
    """How much of everything."""

    episodes: int
    steps: int  #: of the prefix before practice; half as many follow it, and as many for the experts
    device: str
    workers: int
    batch: int = 256
    practice_episodes: int = 256
    nominal_episodes: int = 48
    short: float = practice.SHORT_S  #: s, of most demonstrations
    duration: float = practice.LONG_S  #: s, of the others and of practice
    worlds: int = 512  #: pictures drawn at once
    size: compact.Size = field(default_factory=compact.Size)


def train(
    out: Path,
    episodes: int = 1500,
    steps: int = 6000,
    device: str = "cpu",
    workers: int = 2,
    resume: bool = False,
    progress: Callable[[str], None] = print,
    plan: Plan | None = None,
) -> Ensemble:
    """Train the compact ensemble on the cell's expert and write it to ``out``, ready for ``load(str(out))``. Raises PolicyError."""
    plan = plan or Plan(episodes, steps, device, workers)
    work = out.with_name(f"{out.name}.work")
    if out.exists() and not resume and any(out.iterdir()):
        raise PolicyError(f"{out} is not empty; choose another folder, or resume")
    work.mkdir(parents=True, exist_ok=True)
    torch.set_float32_matmul_precision("high")
    draw = studio.painter(plan.worlds, plan.device)

    data = _demonstrations(work / "demonstrations.npz", plan, progress)
    spreads = demonstrations.spreads(data)
    policy = compact.new_policy(work / checkpoint.VLM, plan.size, seed=0, device=plan.device)
    heads = new_heads(policy).to(plan.device)
    material = _material(data, spreads, work / checkpoint.VLM, plan, draw, 0, progress)
    prefix_file = work / "prefix.safetensors"
    if not prefix_file.exists():
        progress(f"prefix and first expert: {plan.steps} steps on {len(material.states)} observations")
        fit_prefix(policy, heads, material, Fit(plan.steps, plan.batch), seed=1, progress=progress)
        _keep(prefix_file, policy, heads)
    _recall(prefix_file, policy, heads)

    practised = work / "practised.npz"
    if not practised.exists():
        progress(f"practice: {plan.practice_episodes} episodes led by the policy, answered by the expert")
        alone = _ensemble(policy, StackedExperts([policy]), heads, spreads, work, plan)
        seeds = range(PRACTICE_SEEDS, PRACTICE_SEEDS + plan.practice_episodes)
        paint = studio.looks(plan.practice_episodes, PRACTICE_SEEDS)
        tried = rollout.run(
            alone, seeds, _batched(draw, plan.worlds), compact.INSTRUCTION, plan.workers, False, paint, plan.duration, progress=progress
        )
        progress(f"practice: {json.dumps(rollout.summary(tried.outcomes))[:300]}")
        samples = iter(tried.samples)
        demonstrations.save(practised, demonstrations.collect(lambda seed: next(samples), list(seeds), 1, progress))
    extra = demonstrations.load(practised)
    material = _joined(material, _material(extra, spreads, work / checkpoint.VLM, plan, draw, 1, progress))
    prefix_file = work / "prefix_practised.safetensors"
    if not prefix_file.exists():
        progress("prefix and first expert again, with the practice")
        again = Fit(max(1, plan.steps // 2), plan.batch, rate=4e-4)
        fit_prefix(policy, heads, material, again, seed=2, progress=progress)
        _keep(prefix_file, policy, heads)
    _recall(prefix_file, policy, heads)

    experts_file = work / "experts.safetensors"
    experts = StackedExperts(
        [compact.new_policy(work / checkpoint.VLM, plan.size, seed=100 + i, device=plan.device) for i in range(MEMBERS)]
    )
    experts = experts.to(plan.device)
    if not experts_file.exists():
        progress(f"{MEMBERS} experts on the frozen prefix: {plan.steps} steps")
        fit_experts(policy, experts, material, Fit(plan.steps, plan.batch), seed=3, progress=progress)
        checkpoint.write_tensors(experts_file, experts.state_dict(), half=False)
    experts.load_state_dict(checkpoint.read_tensors(experts_file))

    progress("statistics of the training features")
    familiar = familiarity.fit(_features(policy, material, plan), FAMILIAR_DIMENSIONS)
    kept = statistics.Statistics(statistics.noise_bank(SAMPLES, compact.HORIZON, compact.ACTION_DIM), None, familiar)
    write_policy(out, policy, experts, heads, kept, spreads, plan.size, {})
    progress(f"nominal: {plan.nominal_episodes} undisturbed episodes led by the ensemble")
    ensemble = load(str(out), plan.device, progress, practice.joint_limits())
    seeds = range(NOMINAL_SEEDS, NOMINAL_SEEDS + plan.nominal_episodes)
    usual = rollout.run(
        ensemble,
        seeds,
        _batched(draw, plan.worlds),
        compact.INSTRUCTION,
        plan.workers,
        duration=plan.duration,
        with_signals=True,
        progress=progress,
    )
    disagreement = float(np.nanmedian(usual.signals[:, 0]))
    if not disagreement > DISAGREEMENT_MIN:
        raise PolicyError(f"{experts_file}: the members hardly disagree (median epistemic signal {disagreement:.2g}); training has failed")
    kept = replace(kept, nominal=nominal.fit(usual.signals, usual.valid))
    report = {
        "demonstrations": len(data.succeeded),
        "observations": len(material.states),
        "expert_success_shaken": float(data.succeeded.mean()),
        "nominal": rollout.summary(usual.outcomes),
        "epistemic_median": disagreement,
        "head_errors": head_errors(usual),
    }
    progress(json.dumps(report))
    write_policy(out, policy, experts, heads, kept, spreads, plan.size, report)
    return load(str(out), plan.device, progress, practice.joint_limits())


def evaluate(
    policy_path: str,
    episodes: int = 50,
    seed: int = EVALUATION_SEED,
    device: str = "cpu",
    black: bool = True,
    expert: bool = True,
    workers: int = 2,
    duration: float = practice.LONG_S,
    progress: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Closed-loop success over unseen seeds: the ensemble's mean chunk, and beside it the same with black pictures, and the expert."""
    ensemble = load(policy_path, device, progress, practice.joint_limits())
    seeds = range(seed, seed + episodes)
    worlds = min(512, episodes)
    draw = _batched(studio.painter(worlds, device), worlds)
    result: dict[str, Any] = {"policy_hash": ensemble.info.hash, "seed": seed, "duration_s": duration}
    for name, wanted, blank in (("policy", True, False), ("black", black, True)):
        if wanted:
            progress(f"{name}: {episodes} episodes")
            played = rollout.run(
                ensemble, seeds, draw, compact.INSTRUCTION, workers, blank, duration=duration, with_signals=True, progress=progress
            )
            result[name] = rollout.summary(played.outcomes)
            result[name]["epistemic_median"] = float(np.nanmedian(played.signals[:, 0]))
            result[name]["head_errors"] = head_errors(played)
    if expert:
        progress(f"expert: {episodes} episodes")
        shown = demonstrations.mapped(partial(practice.expert_outcome, duration=duration), seeds, workers)
        result["expert"] = rollout.summary(list(shown))
    return result


def head_errors(played: rollout.Rollouts) -> dict[str, float]:
    """Mean absolute error of each reading over the episodes' observations, in SI units."""
    truth = np.stack([sample.labels for sample in played.samples], axis=1).reshape(-1, played.samples[0].labels.shape[1])
    return {
        reading.name: float(np.abs(reading.centre + reading.scale * played.readings[:, i] - truth[:, i]).mean())
        for i, reading in enumerate(READINGS)
    }


def _demonstrations(path: Path, plan: Plan, progress: Callable[[str], None]) -> Demonstrations:
    if not path.exists():
        progress(f"demonstrations: {plan.episodes} episodes of the expert on {plan.workers} processes")
        seeds = list(range(DEMONSTRATION_SEEDS, DEMONSTRATION_SEEDS + plan.episodes))
        demonstrations.save(
            path, demonstrations.collect(partial(practice.demonstrate, short=plan.short, long=plan.duration), seeds, plan.workers, progress)
        )
    return demonstrations.load(path)


def _material(
    data: Demonstrations,
    spreads: dict[str, dict[str, Tensor]],
    vlm: Path,
    plan: Plan,
    draw: studio.Draw,
    number: int,
    progress: Callable[[str], None],
) -> Material:
    """Pictures drawn, states and actions normalised as LeRobot's processors do it, on the training device."""
    from transformers import AutoTokenizer

    paint = studio.looks(len(data.states), DEMONSTRATION_SEEDS + 7919 * number)
    pictures = demonstrations.draw_pictures(draw, data.plants, paint, plan.worlds, plan.device, progress)
    state, action = spreads["observation.state"], spreads["action"]
    tokens = AutoTokenizer.from_pretrained(vlm)(compact.INSTRUCTION + "\n", return_tensors="pt")["input_ids"][0]
    return Material(
        pictures=pictures,
        states=((torch.from_numpy(data.states) - state["mean"]) / state["std"]).to(plan.device),
        actions=((torch.from_numpy(data.chunks) - action["mean"]) / action["std"]).to(plan.device),
        labels=torch.from_numpy(data.labels).to(plan.device),
        episode=torch.from_numpy(data.episode).to(plan.device),
        tokens=tokens.to(plan.device),
        weight=torch.tensor(ACTION_WEIGHT, device=plan.device) * len(ACTION_WEIGHT) / sum(ACTION_WEIGHT),
    )


def _joined(first: Material, second: Material) -> Material:
    return Material(
        pictures=torch.cat((first.pictures, second.pictures)),
        states=torch.cat((first.states, second.states)),
        actions=torch.cat((first.actions, second.actions)),
        labels=torch.cat((first.labels, second.labels)),
        episode=torch.cat((first.episode, second.episode + first.episode.max() + 1)),
        tokens=first.tokens,
        weight=first.weight,
    )


def _features(policy: Any, material: Material, plan: Plan, most: int = 20_000) -> F64:
    """(n, F) pooled prefix features of a spread of the training pictures, as ``Ensemble.predict`` gives them."""
    prefix = Prefix(policy).to(plan.device).eval()
    rows = torch.linspace(0, len(material.states) - 1, min(most, len(material.states)), device=plan.device).long()
    found = []
    with torch.inference_mode():
        for part in torch.split(rows, plan.batch):
            images = material.pictures[part].permute(0, 1, 4, 2, 3).float() / 255.0
            _, _, features = prefix(images, material.tokens, material.states[part])
            found.append(features.reshape(len(part), images.shape[1], -1, features.shape[-1]).mean(dim=2).flatten(1).cpu())
    return torch.cat(found).double().numpy()


def _ensemble(
    policy: Any, experts: StackedExperts, heads: Heads, spreads: dict[str, dict[str, Tensor]], work: Path, plan: Plan
) -> Ensemble:
    """An ensemble in memory, before there are files of it."""
    with tempfile.TemporaryDirectory(dir=work) as folder:
        write_policy(Path(folder), policy, experts, heads, statistics.Statistics(torch.zeros(1, 1, 1)), spreads, plan.size, {})
        processors = load_processors(Path(folder), policy.config)
    kept = statistics.Statistics(statistics.noise_bank(SAMPLES, compact.HORIZON, compact.ACTION_DIM))
    count = parameters(policy, experts, heads) * 1e-6
    info = PolicyInfo(
        name="in training",
        action_space=compact.ACTION_SPACE,
        members=1,
        parameters_m=count,
        device=plan.device,
        hash="",
        placeholder=False,
        path="shared prefix",
    )
    return Ensemble(policy, experts.to(plan.device), heads, kept, processors, info, compact.STEP_S)


def _batched(draw: studio.Draw, most: int) -> studio.Draw:
    """``draw`` for any number of plants."""

    def whole(plants: F64, looks: Any) -> Tensor:
        starts = range(0, len(plants), most)
        return torch.cat([draw(plants[i : i + most], None if looks is None else looks[i : i + most]) for i in starts])

    return whole


def _keep(path: Path, policy: Any, heads: Heads) -> None:
    tensors = {f"policy.{k}": v for k, v in policy.state_dict().items()} | {f"heads.{k}": v for k, v in heads.state_dict().items()}
    checkpoint.write_tensors(path, tensors, half=False)


def _recall(path: Path, policy: Any, heads: Heads) -> None:
    found = checkpoint.read_tensors(path)
    policy.load_state_dict({k.removeprefix("policy."): v for k, v in found.items() if k.startswith("policy.")})
    heads.load_state_dict({k.removeprefix("heads."): v for k, v in found.items() if k.startswith("heads.")})
