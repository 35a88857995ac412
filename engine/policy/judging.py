"""How well a policy sees: errors, calibration and the score that follows, with the smoother and without, on episodes it never saw."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.limits import Limits
from engine.policy import calibration, eyes, intervals, smoothing, studio
from engine.policy.errors import PolicyError
from engine.policy.eyes import Eyes
from engine.policy.heads import Heads
from engine.policy.smoothing import Smoother
from engine.policy.watching import Watch, Watched
from engine.safety import vision
from engine.types import F32, F64

LIGHTS = (("nominal", 0.0), ("far", 1.0), ("farther", 1.5))  #: strength of the looks; training draws up to 1
FREE_M = 0.60  #: m, from where a hand is as far off as in nominal sawing
DRAWS = 200  #: bootstrap resamplings of the episodes
LIMITS = Limits()
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Sequences:
    """Episodes as the heads told them, E of T moments each, with the truth."""

    heads: Heads
    outputs: Tensor  #: (E, T, O) float32, on the CPU
    labels: F32  #: (E, T, len(Sights.labels))
    t: F64  #: (E, T) s

    def truth(self, name: str) -> F64:
        """(E * T,) of one label."""
        return self.labels[:, :, self.heads.sights.labels.index(name)].ravel().astype(np.float64)

    def values(self) -> tuple[F64, F64, F64, F64]:
        """Readings and their deviations in SI units, probabilities of zones and flags, each (E * T, ...)."""
        told = self.heads.values(self.outputs.flatten(0, 1).to(self.heads.centre.device))
        means, deviations, zones, flags = (part.cpu().double().numpy() for part in told)
        return means, deviations, zones, flags


class Seen(NamedTuple):
    """What the score is made of, each (N,)."""

    hand: F64  #: m
    deviation: F64  #: m
    human: F64  #: probability
    stuck: F64


def sequences(looking: Eyes, heads: Heads, found: Sequence[Watched], looks: F32) -> Sequences:
    """Watched episodes as heads tell them, each in its own look; all cut to the shortest."""
    outputs = eyes.looked(looking, heads, found, looks)
    length = min(len(one) for one in outputs)
    return Sequences(
        heads=heads,
        outputs=torch.from_numpy(np.stack([one[:length] for one in outputs])).to(torch.float32),
        labels=np.stack([one.labels[:length] for one in found]),
        t=np.stack([one.t[:length] for one in found]),
    )


def raw(told: Sequences) -> Seen:
    """Without a past."""
    names = [reading.name for reading in told.heads.sights.readings]
    means, deviations, _, flags = told.values()
    hand, marks = names.index("hand_distance"), told.heads.sights.flags
    return Seen(means[:, hand], deviations[:, hand], flags[:, marks.index("human")], flags[:, marks.index("stuck")])


@torch.no_grad()
def smoothed(smoother: Smoother, told: Sequences) -> Seen:
    """With the past of each episode."""
    since = torch.from_numpy(np.diff(told.t, axis=1, prepend=told.t[:, :1])).to(torch.float32)
    found = smoother(told.outputs, since)[0].flatten(0, 1)
    hand = next(reading for reading in told.heads.sights.readings if reading.name == "hand_distance")
    mean, deviation = hand.centre + hand.scale * found[:, 0], hand.scale * torch.exp(0.5 * found[:, 1])
    parts = (mean, deviation, torch.sigmoid(found[:, 2]), torch.sigmoid(found[:, 3]))
    return Seen(*(part.double().numpy() for part in parts))


def logit(probability: F64) -> F64:
    """(N,) log odds."""
    p = np.clip(probability, 1e-12, 1.0 - 1e-12)
    odds: F64 = np.log(p / (1.0 - p))
    return odds


def scores(seen: Seen) -> F64:
    """(N,) vision scores."""
    lower = [vision.lower(float(mean), float(sd)) for mean, sd in zip(seen.hand, seen.deviation, strict=True)]
    return np.array([vision.score(*one) for one in zip(lower, seen.human.tolist(), seen.stuck.tolist(), strict=True)])


def bounded(told: Sequences, smoother: Smoother) -> dict[str, float]:
    """The figures that ``calibration.BOUNDS`` speaks of; without those that nothing is known for.

    Of doubt the worse of raw and smoothed. What tells moments apart is the smoothed: the lower of both scores counts, so one has to.
    """
    hand, human, stuck = (told.truth(name) for name in smoothing.NEEDED)
    near = calibration.near(hand)
    later = smoothed(smoother, told)
    found = {"human_auroc": [_auroc(later.human, human)], "stuck_auroc": [_auroc(later.stuck, stuck)]}
    for seen in (raw(told), later):
        found.setdefault("hand_coverage", []).append(calibration.coverage(seen.hand, seen.deviation, hand))
        found.setdefault("hand_coverage_near", []).append(calibration.coverage(seen.hand, seen.deviation, near))
        found.setdefault("human_ece", []).append(-calibration.ece(seen.human, human))
        found.setdefault("stuck_ece", []).append(-calibration.ece(seen.stuck, stuck))
    return {name: abs(min(values)) for name, values in found.items() if all(np.isfinite(values))}


def evaluate(
    folder: Path, episodes: int, seed: int, device: str, workers: int, seconds: float, progress: Callable[[str], None]
) -> dict[str, Any]:
    """Errors, calibration and scores on unseen seeds, in nominal light and tints and in such far from it, by figure. Raises PolicyError."""
    looking, manifest = eyes.opened(folder, device)
    sight = looking.sight
    if looking.heads is None or sight is None or manifest.sight is None:
        raise PolicyError(f"{folder} has no calibrated sight; train it first: sawhorse train sight {folder}")
    watches = [Watch(seed + i, seconds, danger=i % 2 == 1, absent=0.15) for i in range(episodes)]
    found = eyes.watched(looking, watches, workers, progress, "episodes")
    result: dict[str, Any] = {
        "policy": str(folder),
        "episodes": episodes,
        "seed": seed,
        "in_force": sight.state == vision.IN_FORCE,
        "calibration": manifest.sight.calibration,
    }
    for name, strength in LIGHTS:
        progress(f"{name} light and tints")
        told = sequences(looking, looking.heads, found, studio.looks(looking.course, episodes, seed + 7, strength))
        result[name] = measured(told, sight.smoother)
    return result


def measured(told: Sequences, smoother: Smoother) -> dict[str, Any]:
    """Every figure as [value, low, high], the 95 % interval by drawing the episodes again; None where no truth is known for it."""
    first, later = raw(told), smoothed(smoother, told)
    early, late = scores(first), scores(later)
    least = np.minimum(early, late)
    kinds: dict[str, dict[str, Callable[[Rows], float]]] = {
        "raw": {**_of_seen(first, told), **_of_score(early, told)},
        "smoothed": {**_of_seen(later, told), **_of_score(late, told)},
        "in force": _of_score(least, told),
        "heads": _of_heads(told),
    }
    moments = told.labels.shape[1]
    rows = np.arange(told.labels.shape[0] * moments).reshape(-1, moments)
    episodes = np.arange(len(rows), dtype=np.float64)

    def spread(figure: Callable[[Rows], float]) -> list[float] | None:
        whole = figure(rows.ravel())
        if not np.isfinite(whole):
            return None
        low, high = intervals.bootstrap(lambda drawn: figure(rows[drawn.astype(np.int64)].ravel()), episodes, draws=DRAWS)
        return [whole, low, high]

    return {kind: {name: spread(figure) for name, figure in figures.items()} for kind, figures in kinds.items()}


def _of_seen(seen: Seen, told: Sequences) -> dict[str, Callable[[Rows], float]]:
    hand, human, stuck = (told.truth(name) for name in smoothing.NEEDED)
    near = calibration.near(hand)
    return {
        "hand_error_m": partial(_mean, np.abs(seen.hand - hand)),
        "hand_error_near_m": partial(_mean, np.abs(seen.hand - near)),
        "hand_coverage": lambda rows: calibration.coverage(seen.hand[rows], seen.deviation[rows], hand[rows]),
        "hand_coverage_near": lambda rows: calibration.coverage(seen.hand[rows], seen.deviation[rows], near[rows]),
        "human_auroc": lambda rows: _auroc(seen.human[rows], human[rows]),
        "human_ece": lambda rows: calibration.ece(seen.human[rows], human[rows]),
        "stuck_auroc": lambda rows: _auroc(seen.stuck[rows], stuck[rows]),
        "stuck_ece": lambda rows: calibration.ece(seen.stuck[rows], stuck[rows]),
    }


def _of_score(score: F64, told: Sequences) -> dict[str, Callable[[Rows], float]]:
    """How often nominal sawing is slowed or stopped, and how often a hand at the blade does not stop."""
    hand, human, stuck = (told.truth(name) for name in smoothing.NEEDED)
    usual = (human == 1.0) & (stuck == 0.0) & (hand >= FREE_M)
    close = hand < vision.HAND_STOP
    return {
        "nominal_slowed": partial(_mean, np.where(usual, score < LIMITS.slow_below, np.nan)),
        "nominal_stopped": partial(_mean, np.where(usual, score < LIMITS.stop_below, np.nan)),
        "nominal_score": partial(_mean, np.where(usual, score, np.nan)),
        "hand_missed": partial(_mean, np.where(close, score >= LIMITS.stop_below, np.nan)),
    }


def _of_heads(told: Sequences) -> dict[str, Callable[[Rows], float]]:
    """Every reading's mean error and coverage, and the zones."""
    means, deviations, zones, _ = told.values()
    figures: dict[str, Callable[[Rows], float]] = {}
    for i, reading in enumerate(told.heads.sights.readings):
        truth = told.truth(reading.name)
        figures[f"{reading.name}_error_m"] = partial(_mean, np.abs(means[:, i] - truth))
        figures[f"{reading.name}_coverage"] = partial(_covered, means[:, i], deviations[:, i], truth)
    zone = told.truth("zone")
    figures["zone_accuracy"] = partial(_mean, (zones.argmax(axis=1) == zone).astype(np.float64))
    figures["zone_ece"] = lambda rows: calibration.class_ece(zones[rows], zone[rows])
    return figures


def _covered(mean: F64, deviation: F64, truth: F64, rows: Rows) -> float:
    return calibration.coverage(mean[rows], deviation[rows], truth[rows])


def _mean(values: F64, rows: Rows) -> float:
    return intervals.mean(values[rows])


def _auroc(score: F64, truth: F64) -> float:
    """NaN where a known truth has no score."""
    if not np.isfinite(score[np.isfinite(truth)]).all():
        return np.nan
    return intervals.auroc(score[truth == 0.0], score[truth == 1.0])


def lines(found: dict[str, Any]) -> list[str]:
    """The figures of ``evaluate`` as a table: a row a figure, a column a light."""
    names = [name for name, _ in LIGHTS]
    wide = 34
    state = "in force" if found["in_force"] else "disabled: calibration"
    rows = [
        f"{found['episodes']} unseen episodes from seed {found['seed']}; sight {state}",
        " " * wide + "".join(f"{name:>26}" for name in names),
    ]
    for kind, figures in found[names[0]].items():
        for figure in figures:
            values = [found[name][kind][figure] for name in names]
            cells = ("-" if value is None else "{:.4f} [{:.3f}, {:.3f}]".format(*value) for value in values)
            rows.append(f"{kind + ' ' + figure:{wide}}" + "".join(f"{cell:>26}" for cell in cells))
    return rows
