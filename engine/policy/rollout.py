"""Closed-loop episodes of a policy: physics in worker processes, pictures and the ensemble in batches here."""

import math
import multiprocessing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from engine import signals
from engine.policy import practice
from engine.policy.ensemble import Ensemble
from engine.policy.practice import Samples
from engine.policy.studio import Draw
from engine.signals import Evidence, Pass
from engine.types import F32, F64

Z = 1.959964  #: of a 95 % interval


@dataclass(frozen=True)
class Rollouts:
    """What came of the episodes. S = inferences of all episodes together."""

    outcomes: list[Any]
    samples: list[Samples]  #: one an episode: what was seen, with the expert's answer to it
    signals: F64  #: (S, 18)
    valid: NDArray[np.bool_]  #: (S, 18)
    readings: F32  #: (S, O) of the heads, episodes in the order of each round


class _Processes:
    """``practice.Episodes`` spread over worker processes, which play at the same time."""

    def __init__(self, seeds: Sequence[int], workers: int, duration: float) -> None:
        context = multiprocessing.get_context("spawn")
        self._slices = [slice(int(part[0]), int(part[-1]) + 1) for part in np.array_split(np.arange(len(seeds)), min(workers, len(seeds)))]
        self._ends, self._processes = [], []
        for part in self._slices:
            mine, theirs = context.Pipe()
            process = context.Process(target=practice.serve, args=(theirs, list(seeds[part]), duration), daemon=True)
            process.start()
            theirs.close()
            self._ends.append(mine)
            self._processes.append(process)

    def _all(self, method: str, arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
        for end, given in zip(self._ends, arguments, strict=True):
            end.send((method, given))
        return [end.recv() for end in self._ends]

    def observe(self) -> list[practice.Seen]:
        return [row for part in self._all("observe", [()] * len(self._ends)) for row in part]

    def follow(self, chunks: F32) -> None:
        self._all("follow", [(chunks[part],) for part in self._slices])

    def outcomes(self) -> list[Any]:
        """Outcomes of every episode; the processes end."""
        found = [row for part in self._all("outcomes", [()] * len(self._ends)) for row in part]
        for end, process in zip(self._ends, self._processes, strict=True):
            end.send(None)
            process.join()
        return found


def run(
    ensemble: Ensemble,
    seeds: Sequence[int],
    draw: Draw,
    instruction: str,
    workers: int,
    black: bool = False,
    looks: F32 | None = None,
    duration: float = practice.LONG_S,
    with_signals: bool = False,
    progress: Callable[[str], None] = lambda text: None,
) -> Rollouts:
    """Play the members' mean chunk in every seed's episode at once. ``black`` blanks the pictures; ``looks`` (episodes, L) paints them."""
    hands = practice.Episodes(seeds, duration) if workers < 2 else _Processes(seeds, workers, duration)
    period = practice.REPLAN_STEPS * ensemble.step_s
    rounds = math.ceil(duration / period - 1e-9)
    kept: list[list[practice.Seen]] = []
    values, valid, readings = [], [], []
    before: list[tuple[Pass, float]] = []
    for number in range(rounds):
        seen = hands.observe()
        kept.append(seen)
        pictures = draw(np.stack([row[0] for row in seen]), looks)
        pictures = torch.zeros_like(pictures) if black else pictures
        images = {name: pictures[:, i] for i, name in enumerate(ensemble.cameras)}
        prediction = ensemble.predict(images, torch.from_numpy(np.stack([row[1] for row in seen])), instruction)
        hands.follow(prediction.chunks.mean(axis=(1, 2)))
        if prediction.readings is not None:
            readings.append(prediction.readings.numpy())
        if with_signals:
            exposed = round(number * period * 1e9)
            now = []
            for i, (plant, state, _, _) in enumerate(seen):
                pose = np.concatenate((state[:3].astype(np.float64), (1.0, 0.0, 0.0, 0.0)))
                features = None if prediction.features is None else prediction.features[i]
                fresh = Pass(prediction.chunks[i], exposed, pose, ensemble.step_s, ensemble.scale, prediction.velocity[i], features)
                last, epistemic = before[i] if before else (None, math.nan)
                evidence = Evidence(fresh, last, epistemic, practice.joint_positions(plant), ensemble.joint_limits)
                found, usable = signals.compute(evidence, ensemble.statistics.familiarity)
                values.append(found)
                valid.append(usable)
                now.append((fresh, float(found[0])))
            before = now
        if (number + 1) % max(1, rounds // 5) == 0:
            progress(f"{(number + 1) * period:.0f} s of {duration:.0f} s in {len(seeds)} episodes")
    outcomes = hands.outcomes()
    samples = []
    for i, outcome in enumerate(outcomes):
        plants, states, chunks, labels = zip(*(row[i] for row in kept), strict=True)
        samples.append(Samples(np.stack(plants), np.stack(states), np.stack(chunks), np.stack(labels), bool(outcome.success)))
    return Rollouts(
        outcomes=outcomes,
        samples=samples,
        signals=np.array(values, dtype=np.float64).reshape(-1, 18),
        valid=np.array(valid, dtype=np.bool_).reshape(-1, 18),
        readings=np.concatenate(readings) if readings else np.zeros((0, 0), np.float32),
    )


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """95 % interval of a success rate (Wilson 1927)."""
    if trials == 0:
        return 0.0, 1.0
    rate = successes / trials
    middle = rate + Z**2 / (2 * trials)
    half = Z * math.sqrt(rate * (1.0 - rate) / trials + Z**2 / (4 * trials**2))
    return (middle - half) / (1.0 + Z**2 / trials), (middle + half) / (1.0 + Z**2 / trials)


def summary(outcomes: Sequence[Any]) -> dict[str, Any]:
    """Success with its interval, and what else the episodes tell."""
    good = sum(bool(outcome.success) for outcome in outcomes)
    low, high = wilson(good, len(outcomes))
    return {
        "episodes": len(outcomes),
        "successes": good,
        "success": good / max(1, len(outcomes)),
        "success_ci95": [low, high],
        "stuck": sum(bool(outcome.stuck) for outcome in outcomes),
        "depth_mm_median": float(np.median([outcome.depth_m for outcome in outcomes])) * 1e3,
        "lateral_mm_median": float(np.median([outcome.lateral_m for outcome in outcomes])) * 1e3,
        "failed_seeds": [outcome.seed for outcome in outcomes if not outcome.success],
    }
