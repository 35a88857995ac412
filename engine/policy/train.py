"""From nothing to a shipped ensemble, top to bottom: demonstrations, prefix, practice, five experts, statistics, files.

Stages leave their results in a folder ``<out>.work`` beside the policy; a run that is started again with ``resume`` takes up after the
last stage that finished. The policy itself is put in its place whole, once it is known to lead.
"""

import json
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from msgspec import structs
from torch import Tensor

from engine.policy import checkpoint, compact, demonstrations, devices, evaluate, practice, rollout, statistics, studio
from engine.policy.building import features_shape
from engine.policy.course import Course
from engine.policy.demonstrations import Demonstrations
from engine.policy.ensemble import Ensemble
from engine.policy.errors import PolicyError
from engine.policy.experts import StackedExperts, expert_state
from engine.policy.fitting import Fit, Material, fit_experts, fit_prefix
from engine.policy.heads import Heads
from engine.policy.prefix import Prefix
from engine.policy.rollout import Lead, Played, Trial
from engine.policy.writing import write_policy
from engine.signals import familiarity, nominal
from engine.types import F64

MEMBERS = 5
SAMPLES = 4  #: noise samples a member
FAMILIAR_DIMENSIONS = 32
DISAGREEMENT_MIN = 1e-3  #: median epistemic signal over nominal work; below it the members are one policy and training has failed
DEMONSTRATION_SEEDS, PRACTICE_SEEDS, NOMINAL_SEEDS = 1_000_000, 2_000_000, 3_000_000
WRITTEN = "written"  #: what in the work folder holds the hash of the policy that came of it
PRACTICE_RATE = 4e-4  #: of the descent that goes on with the practice

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """How much of everything."""

    course: Course
    episodes: int = 3000  #: demonstrations of the expert
    steps: int = 5000  #: of the prefix before practice; half as many follow it
    expert_steps: int = 4000
    practice: int = 256  #: episodes led by the policy and answered by the expert; 0 = none
    nominal: int = 48  #: undisturbed episodes that tell what is usual
    batch: int = 256
    device: str = "cpu"
    workers: int = 2
    size: compact.Size = field(default_factory=compact.Size)


def train(out: Path, plan: Plan, resume: bool = False, progress: Progress = print) -> Ensemble:
    """Train a course's ensemble on its expert and write it to ``out``, ready for ``load(str(out))``. Raises PolicyError."""
    tell = _timed(progress)
    devices.check(plan.device)
    work = _begun(out, plan, resume)
    torch.set_float32_matmul_precision("high")
    course, vlm = plan.course, work / checkpoint.VLM
    data = _demonstrated(work, plan, tell)
    spreads = demonstrations.spreads(data, course)
    draw = studio.drawer(course, plan.device)
    policy = _untrained(vlm, plan, seed=0)
    heads = Heads(*features_shape(policy), course.sights).to(plan.device)
    material = _material(data, spreads, vlm, plan, draw, 0, tell)

    def fitted(name: str, fit: Fit, seed: int) -> None:
        path = work / name
        if not path.exists():
            tell(f"prefix and first expert: {fit.steps} steps on {len(material.states)} observations")
            fit_prefix(policy, heads, material, fit, seed, tell)
            _keep(path, policy, heads)
        _recall(path, policy, heads)

    fitted("prefix.safetensors", Fit(plan.steps, plan.batch), seed=1)
    if plan.practice:
        practised = work / "practised.npz"
        if not practised.exists():
            demonstrations.save(practised, _practised(policy, heads, spreads, plan, draw, work, tell))
        material = _joined(material, _material(demonstrations.load(practised), spreads, vlm, plan, draw, 1, tell))
        fitted("prefix_practised.safetensors", Fit(max(1, plan.steps // 2), plan.batch, rate=PRACTICE_RATE), seed=2)

    experts_file = work / "experts.safetensors"
    experts = StackedExperts([_untrained_on(policy, vlm, plan, seed=100 + i) for i in range(MEMBERS)]).to(plan.device)
    if not experts_file.exists():
        tell(f"{MEMBERS} experts on the frozen prefix: {plan.expert_steps} steps")
        fit_experts(policy, experts, material, Fit(plan.expert_steps, plan.batch), seed=3, progress=tell)
        checkpoint.write_tensors(experts_file, experts.state_dict(), half=False)
    experts.load_state_dict(checkpoint.read_tensors(experts_file))

    tell("statistics of the training features")
    familiar = familiarity.fit(_features(policy, material, plan), FAMILIAR_DIMENSIONS)
    kept = statistics.Statistics(statistics.noise_bank(SAMPLES, compact.HORIZON, course.action_size), None, familiar)
    with tempfile.TemporaryDirectory(dir=work) as folder:
        part = Path(folder) / "policy"
        write_policy(part, course, policy, experts, heads, kept, spreads, plan.size, {})
        ensemble = evaluate.loaded(course, str(part), plan.device, tell)
        played = _led(ensemble, plan, draw, NOMINAL_SEEDS, plan.nominal, watched=True, painted=False, tell=tell)
        usual, told = _usual(played)
        disagreement = told["epistemic_median"]
        if not disagreement > DISAGREEMENT_MIN:
            raise PolicyError(
                f"{experts_file}: the members hardly disagree (median epistemic signal {disagreement:.2g}); training has failed"
            )
        report = {
            "demonstrations": len(data.succeeded),
            "observations": len(material.states),
            "expert_success_shaken": float(data.succeeded.mean()),
            **told,
            "head_errors": head_errors(played, heads),
        }
        tell(json.dumps(report))
        write_policy(part, course, policy, experts, heads, replace(kept, nominal=usual), spreads, plan.size, report)
        (work / WRITTEN).write_text(checkpoint.folder_hash(part))
        if out.exists():
            out.rename(Path(folder) / "before")
        part.rename(out)
    return evaluate.loaded(course, str(out), plan.device, tell)


def signals(folder: Path, plan: Plan, progress: Progress = print) -> dict[str, Any]:
    """Fit what is nominal anew to ``plan.nominal`` undisturbed episodes led by the ensemble in ``folder``, and write it there.

    Weights, noise bank and training features stay. Returns what the manifest then says of the episodes. Raises PolicyError.
    """
    tell = _timed(progress)
    manifest = checkpoint.read_manifest(folder)
    ensemble = evaluate.loaded(plan.course, str(folder), plan.device, tell)
    draw = studio.drawer(plan.course, plan.device)
    usual, told = _usual(_led(ensemble, plan, draw, NOMINAL_SEEDS, plan.nominal, watched=True, painted=False, tell=tell))
    if usual is None:
        raise PolicyError(f"{folder}: none of {plan.nominal} undisturbed episodes succeeded, so nothing tells what is nominal")
    statistics.save(folder, replace(ensemble.statistics, nominal=usual))
    checkpoint.write_manifest(folder, structs.replace(manifest, training={**manifest.training, **told}))
    return told


def _usual(played: list[Played]) -> tuple[nominal.Nominal | None, dict[str, Any]]:
    """What is nominal by the episodes that succeeded, None if none did; and what the manifest says of all."""
    good = [one.signals for one in played if one.outcome.success]
    values = np.concatenate(good) if good else None
    report = {
        "nominal": {**evaluate.summary([one.outcome for one in played]), "interval_s": rollout.PERIOD_S},
        "epistemic_median": float(np.nanmedian(np.concatenate([one.signals for one in played])[:, 0])),
    }
    return None if values is None else nominal.fit(values, np.isfinite(values)), report


def demonstrate(out: Path, plan: Plan, resume: bool = False, progress: Progress = print) -> int:
    """The first stage alone, which needs no accelerator; returns the number of episodes. ``train`` with ``resume`` goes on from it."""
    return len(_demonstrated(_begun(out, plan, resume), plan, _timed(progress)).succeeded)


def head_errors(played: list[Played], heads: Heads) -> dict[str, float]:
    """Mean absolute error of each reading over the episodes' observations, in SI units."""
    truth = np.concatenate([one.samples().labels for one in played])
    read = heads.cpu().values(torch.from_numpy(np.concatenate([one.readings for one in played])))[0].numpy()
    return {reading.name: float(np.nanmean(np.abs(read[:, i] - truth[:, i]))) for i, reading in enumerate(heads.sights.readings)}


def _begun(out: Path, plan: Plan, resume: bool) -> Path:
    """The work folder of ``out``. Raises PolicyError where something else lies there."""
    work = out.with_name(f"{out.name}.work")
    if out.exists() and any(out.iterdir()):
        if not resume:
            raise PolicyError(f"{out} is not empty; choose another folder, or resume")
        written = work / WRITTEN
        if not written.exists() or written.read_text() != checkpoint.folder_hash(out):
            raise PolicyError(f"{out} is not what the training in {work} wrote; choose another folder")
    work.mkdir(parents=True, exist_ok=True)
    begun = work / "robot"
    if begun.exists() and begun.read_text() != plan.course.robot:
        raise PolicyError(f"{work} was begun for {begun.read_text()}; choose another folder for {plan.course.robot}")
    begun.write_text(plan.course.robot)
    return work


def _timed(progress: Progress) -> Progress:
    began = time.monotonic()
    return lambda text: progress(f"{time.monotonic() - began:4.0f} s  {text}")


def _untrained(vlm: Path, plan: Plan, seed: int) -> Any:
    return compact.new_policy(vlm, plan.size, seed, plan.device, plan.course.state_size, plan.course.action_size)


def _untrained_on(policy: Any, vlm: Path, plan: Plan, seed: int) -> Any:
    """A member whose action expert alone is its own: pictures, words and state are the trained policy's."""
    member, own = _untrained(vlm, plan, seed), set(expert_state(policy))
    member.load_state_dict({name: tensor for name, tensor in policy.state_dict().items() if name not in own}, strict=False)
    return member


def _demonstrated(work: Path, plan: Plan, tell: Progress) -> Demonstrations:
    path = work / "demonstrations.npz"
    if not path.exists():
        tell(f"demonstrations: {plan.episodes} episodes of the expert on {plan.workers} processes")
        tasks = [task.name for task in plan.course.dealt(plan.episodes)]
        given = [(task, DEMONSTRATION_SEEDS + number) for number, task in enumerate(tasks)]
        with closing(demonstrations.mapped(partial(practice.demonstrate, plan.course), given, plan.workers)) as shown:
            demonstrations.save(path, demonstrations.joined(plan.course, tasks, shown, tell))
    return demonstrations.load(path)


def _practised(
    policy: Any, heads: Heads, spreads: dict[str, dict[str, Tensor]], plan: Plan, draw: studio.Draw, work: Path, tell: Progress
) -> Demonstrations:
    """Episodes led by the policy in training, answered by the expert (Ross et al. 2011, DAgger)."""
    tell(f"practice: {plan.practice} episodes led by the policy, answered by the expert")
    bare = statistics.Statistics(statistics.noise_bank(SAMPLES, compact.HORIZON, plan.course.action_size))
    with tempfile.TemporaryDirectory(dir=work) as folder:
        alone = StackedExperts([policy]).to(plan.device)
        write_policy(Path(folder), plan.course, policy, alone, heads, bare, spreads, plan.size, {})
        ensemble = evaluate.loaded(plan.course, folder, plan.device)
    played = _led(ensemble, plan, draw, PRACTICE_SEEDS, plan.practice, watched=False, painted=True, tell=tell)
    tasks = [task.name for task in plan.course.dealt(plan.practice)]
    return demonstrations.joined(plan.course, tasks, [one.samples() for one in played], tell)


def _led(
    ensemble: Ensemble, plan: Plan, draw: studio.Draw, seed: int, episodes: int, watched: bool, painted: bool, tell: Progress
) -> list[Played]:
    """Whole episodes led by the ensemble, of every task in its share."""
    course = plan.course
    leads = {task.name: Lead(ensemble, task.instruction, watched=watched, perturbed=watched) for task in course.tasks}
    trials = [Trial(course.start(task.name, seed + i), leads[task.name]) for i, task in enumerate(course.dealt(episodes))]
    played = rollout.run(course, trials, draw, plan.workers, studio.looks(course, episodes, seed) if painted else None, tell)
    tell(f"led by the policy: {json.dumps(evaluate.summary([one.outcome for one in played]))[:300]}")
    return played


def _material(
    data: Demonstrations, spreads: dict[str, dict[str, Tensor]], vlm: Path, plan: Plan, draw: studio.Draw, number: int, tell: Progress
) -> Material:
    """Pictures drawn, states and actions normalised as LeRobot's processors do it, on the training device."""
    from transformers import AutoTokenizer

    course, device = plan.course, plan.device
    paint = studio.looks(course, len(data.states), DEMONSTRATION_SEEDS + 7919 * number)
    pictures = demonstrations.draw_pictures(draw, data.poses, paint, device, tell)
    state, action = spreads["observation.state"], spreads["action"]
    tokenizer = AutoTokenizer.from_pretrained(vlm)
    weight = torch.tensor(course.action_weight, device=device)
    return Material(
        pictures=pictures,
        states=((torch.from_numpy(data.states) - state["mean"]) / state["std"]).to(device),
        actions=((torch.from_numpy(data.chunks) - action["mean"]) / action["std"]).to(device),
        labels=torch.from_numpy(data.labels).to(device),
        episode=torch.from_numpy(data.episode).to(device),
        task=torch.from_numpy(data.task).to(device),
        tokens=tuple(tokenizer(task.instruction + "\n", return_tensors="pt")["input_ids"][0].to(device) for task in course.tasks),
        weight=weight / weight.mean(),
    )


def _joined(first: Material, second: Material) -> Material:
    def both(name: str) -> Tensor:
        return torch.cat((getattr(first, name), getattr(second, name)))

    return replace(
        first,
        pictures=both("pictures"),
        states=both("states"),
        actions=both("actions"),
        labels=both("labels"),
        episode=torch.cat((first.episode, second.episode + first.episode.max() + 1)),
        task=both("task"),
    )


def _features(policy: Any, material: Material, plan: Plan, most: int = 20_000) -> F64:
    """(n, F) pooled prefix features of a spread of the training pictures of every task, as ``Ensemble.predict`` gives them."""
    prefix = Prefix(policy).to(plan.device).eval()
    found = []
    with torch.inference_mode():
        for rows, tokens in zip(material.rows(), material.tokens, strict=True):
            some = torch.linspace(0, len(rows) - 1, min(most // len(material.tokens), len(rows)), device=plan.device).long()
            for part in torch.split(rows[some], plan.batch):
                images = material.pictures[part].permute(0, 1, 4, 2, 3).float() / 255.0
                _, _, features = prefix(images, tokens, material.states[part])
                found.append(features.reshape(len(part), images.shape[1], -1, features.shape[-1]).mean(dim=2).flatten(1).cpu())
    return torch.cat(found).double().numpy()


def _keep(path: Path, policy: Any, heads: Heads) -> None:
    tensors = {f"policy.{k}": v for k, v in policy.state_dict().items()} | {f"heads.{k}": v for k, v in heads.state_dict().items()}
    checkpoint.write_tensors(path, tensors, half=False)


def _recall(path: Path, policy: Any, heads: Heads) -> None:
    found = checkpoint.read_tensors(path)
    policy.load_state_dict({k.removeprefix("policy."): v for k, v in found.items() if k.startswith("policy.")})
    heads.load_state_dict({k.removeprefix("heads."): v for k, v in found.items() if k.startswith("heads.")})
