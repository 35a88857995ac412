"""The honest evaluation: a checkpoint in closed loop over unseen seeds, beside its expert, one member, black pictures and a wrong sentence.

All variants of all tasks play at once in one crew of processes, on the same seeds.
"""

from collections.abc import Callable, Sequence
from copy import copy, deepcopy
from dataclasses import asdict, is_dataclass, replace
from typing import Any

import numpy as np

from engine.policy import rollout, studio
from engine.policy.course import Course, Task
from engine.policy.ensemble import Ensemble
from engine.policy.experts import StackedExperts
from engine.policy.intervals import auroc, bootstrap, mean, share, wilson
from engine.policy.loading import Options, load
from engine.policy.rollout import Lead, Played, Trial
from engine.types import F64, SIGNALS

SEED = 10_000  #: the first of the seeds that no training sees
SPREAD = 1.5  #: how far outside the trained range the far starts lie
EPISTEMIC = SIGNALS.index("epistemic")


def evaluate(
    course: Course,
    path: str,
    episodes: int = 100,
    seed: int = SEED,
    device: str = "cpu",
    workers: int = 2,
    flow_steps: Sequence[int] = (),
    spread: float = SPREAD,
    progress: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Success of every variant in every task with 95 % intervals, what is left of the expert's work, and disagreement far from training.

    ``flow_steps`` adds the ensemble at other numbers of flow steps. Raises PolicyError.
    """
    ensemble = loaded(course, path, device, progress)
    others = {steps: _flowing(ensemble, steps) for steps in flow_steps}
    seeds = range(seed, seed + episodes)
    plan = [
        (task, name, Trial(replace(course.start(task.name, number), spread=spread if name.startswith("far") else 1.0), lead))
        for task in course.tasks
        for name, lead in variants(task, ensemble, others).items()
        for number in seeds
    ]
    draw = studio.drawer(course, device)
    progress(f"{len(plan)} episodes: {episodes} seeds from {seed}")
    played: dict[tuple[str, str], list[Played]] = {}
    for (task, name, _), one in zip(plan, rollout.run(course, [trial for *_, trial in plan], draw, workers, None, progress), strict=True):
        played.setdefault((task.name, name), []).append(one)
    return {
        "robot": course.robot,
        "policy_hash": ensemble.info.hash,
        "members": ensemble.info.members,
        "device": device,
        "episodes": episodes,
        "seed": seed,
        "spread": spread,
        "tasks": {
            task.name: _task_report(task, {name: runs for (of, name), runs in played.items() if of == task.name}) for task in course.tasks
        },
    }


def loaded(course: Course, path: str, device: str, progress: Callable[[str], None] = lambda text: None) -> Ensemble:
    """A checkpoint of a course as training and evaluation ask it: in single precision on every device. Raises PolicyError."""
    return load(path, device, progress, course.joint_limits(), course.robot, Options(dtype="float32"))


def variants(task: Task, ensemble: Ensemble, others: dict[int, Ensemble]) -> dict[str, Lead]:
    """Who leads, by name; the far ones start outside the range that was trained."""
    return {
        "ensemble": Lead(ensemble, task.instruction, watched=True),
        "expert": Lead(),
        "one member": Lead(ensemble, task.instruction, member=0),
        "black pictures": Lead(ensemble, task.instruction, black=True),
        "wrong instruction": Lead(ensemble, task.wrong),
        "far": Lead(ensemble, task.instruction, watched=True),
        "far expert": Lead(),
        **{f"{steps} flow steps": Lead(other, task.instruction) for steps, other in others.items()},
    }


def summary(outcomes: Sequence[Any]) -> dict[str, Any]:
    """Success with its interval, the median of every other figure of the outcomes, and the seeds that failed."""
    good = sum(bool(outcome.success) for outcome in outcomes)
    rows = [asdict(outcome) if is_dataclass(outcome) and not isinstance(outcome, type) else {} for outcome in outcomes]
    names = [name for name in (rows[0] if rows else {}) if name not in ("seed", "success")]
    figures = {name: np.array([row[name] for row in rows], dtype=np.float64) for name in names}
    return {
        "episodes": len(outcomes),
        "successes": good,
        "success": good / max(1, len(outcomes)),
        "success_ci95": list(wilson(good, len(outcomes))),
        "median": {name: float(np.median(known)) for name, found in figures.items() if len(known := found[np.isfinite(found)])},
        "failed_seeds": [outcome.seed for outcome in outcomes if not outcome.success],
    }


def disagreement(near: Sequence[Played], far: Sequence[Played]) -> dict[str, Any]:
    """How well the epistemic signal tells starts outside the trained range from starts within it; bootstrap over seeds."""
    found: dict[str, Any] = {}
    for name, value in (("first_chunk", _first), ("episode_mean", mean)):
        pairs = np.array([[value(one.signals[:, EPISTEMIC]) for one in pair] for pair in zip(near, far, strict=True)])
        pairs = pairs[np.isfinite(pairs).all(axis=1)]
        middle = np.median(pairs, axis=0).tolist() if len(pairs) else [None, None]
        found[name] = {
            "auroc": auroc(*pairs.T),
            "auroc_ci95": list(bootstrap(lambda rows: auroc(*rows.T), pairs)),
            "near_median": middle[0],
            "far_median": middle[1],
        }
    return found


def cut_share(policy: Sequence[Any], expert: Sequence[Any], seconds: float) -> dict[str, Any]:
    """Mean cut rate over the whole episode, mm/s, and its share of the expert's on the same seeds; bootstrap over seeds."""
    pairs: F64 = np.array([(mine.depth_m, theirs.depth_m) for mine, theirs in zip(policy, expert, strict=True)])
    rates = pairs.mean(axis=0) / seconds * 1e3
    return {
        "policy_mm_s": float(rates[0]),
        "expert_mm_s": float(rates[1]),
        "share": share(pairs),
        "share_ci95": list(bootstrap(share, pairs)),
    }


def lines(tree: dict[str, Any]) -> list[str]:
    """The report as a table for people."""
    found = [f"{tree['robot']}, {tree['episodes']} seeds from {tree['seed']}, {tree['members']} members on {tree['device']}"]
    for task, report in tree["tasks"].items():
        found += ["", f"{task:20} {'success':>9}   {'95 %':>13}   medians"]
        for name, one in report["success"].items():
            low, high = (100.0 * bound for bound in one["success_ci95"])
            medians = "  ".join(f"{figure} {value:.4g}" for figure, value in one["median"].items())
            found.append(f"{name:20} {one['successes']:4d}/{one['episodes']:<4d}   {low:5.1f}–{high:5.1f} %   {medians}")
        if "cut_rate" in report:
            cut = report["cut_rate"]
            of, low, high = (100.0 * value for value in (cut["share"], *cut["share_ci95"]))
            found.append(
                f"cut rate {cut['policy_mm_s']:.3f} mm/s, {of:.1f} % ({low:.1f}–{high:.1f}) of the expert's {cut['expert_mm_s']:.3f}"
            )
        for name, one in report["disagreement"].items():
            low, high = one["auroc_ci95"]
            found.append(f"disagreement far over near, {name.replace('_', ' ')}: AUROC {one['auroc']:.3f} ({low:.3f}–{high:.3f})")
    return found


def _task_report(task: Task, played: dict[str, list[Played]]) -> dict[str, Any]:
    outcomes = {name: [one.outcome for one in runs] for name, runs in played.items()}
    report: dict[str, Any] = {
        "instruction": task.instruction,
        "wrong_instruction": task.wrong,
        "success": {name: summary(found) for name, found in outcomes.items()},
        "disagreement": disagreement(played["ensemble"], played["far"]),
    }
    if hasattr(outcomes["expert"][0], "depth_m"):
        report["cut_rate"] = cut_share(outcomes["ensemble"], outcomes["expert"], played["expert"][0].seconds)
    return report


def _flowing(ensemble: Ensemble, steps: int) -> Ensemble:
    """The same at another number of flow steps."""
    other = copy(ensemble)
    other.members = deepcopy(ensemble.members)
    for experts in other.members.experts:
        assert isinstance(experts, StackedExperts)
        experts.flow_steps = steps
    return other


def _first(values: F64) -> float:
    return float(values[0]) if len(values) else float("nan")
