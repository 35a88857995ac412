"""What runs in the worker processes: the cell's episodes, with the expert shaken for its demonstrations, or led by a policy elsewhere.

Numpy only, so that a worker starts fast; the simulated cell is imported when an episode begins.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from engine.policy.readings import LABELS
from engine.types import F32, F64

LATENCY_S = 0.20  #: s from exposure to the chunk's first use, as in a live run on two cores
REPLAN_STEPS = 5  #: of 50 ms between two inferences
SHAKE_CHANCE = 0.03  #: that a quiet step begins a push
SHAKE_STEPS = (4, 14)  #: how many 50 ms steps a push lasts
SHAKE_SPREAD = (0.04, 0.03, 0.02)  #: m, of the reference's shift along x, y and z
HALTED_SHARE = 0.15  #: of the episodes that begin at rest in a kerf, as after a stop
HALT_CHANCE = 0.006  #: that a quiet step begins a halt in mid-stroke
HALT_STEPS = (10, 30)  #: how many 50 ms steps it lasts
LONG_SHARE = 0.3
SHORT_S, LONG_S = 9.0, 25.0  #: s; short episodes hold more of the approach, long ones deeper kerfs


@dataclass(frozen=True)
class Samples:
    """What one episode gives: N observations, each with the expert's chunk for it."""

    plants: F64  #: (N, P)
    states: F32  #: (N, 9)
    chunks: F32  #: (N, 16, 7)
    labels: F32  #: (N, len(LABELS))
    succeeded: bool


def demonstrate(seed: int, short: float = SHORT_S, long: float = LONG_S) -> Samples:
    """One expert episode, its executed reference pushed aside or held still now and then, every label the clean expert's.

    Some episodes replan as late and as seldom as a live run, the others at 10 Hz. Some begin at rest in a kerf; what to do from rest
    is then part of the data, as a saw stopped in mid-stroke needs it.
    """
    from adapters.mujoco.episode import Episode

    rng = np.random.default_rng([seed, 11])
    steps, latency = (REPLAN_STEPS, LATENCY_S) if rng.random() < 0.4 else (2, float(rng.uniform(0.0, 0.1)))
    seconds = long if rng.random() < LONG_SHARE else short
    episode = Episode(seed, latency, steps, seconds, halted=bool(rng.random() < HALTED_SHARE))
    plants, states, chunks, labels = [], [], [], []
    left, halted = 0, False
    shift: F64 = np.zeros(3)
    while not episode.done:
        chunk = episode.expert()
        plants.append(episode.plant())
        states.append(episode.state())
        chunks.append(chunk)
        labels.append(label_row(episode.labels()))
        left -= steps
        if left <= 0:
            shift, halted = np.zeros(3), False
            if rng.random() < HALT_CHANCE * steps:
                left, halted = int(rng.integers(*HALT_STEPS)), True
            elif rng.random() < SHAKE_CHANCE * steps:
                left, shift = int(rng.integers(*SHAKE_STEPS)), rng.normal(0.0, SHAKE_SPREAD)
        executed = chunk.copy()
        executed[:, :3] += shift
        if halted:
            executed[:, :6] = 0.0
        episode.follow(executed, steps)
    return Samples(np.stack(plants), np.stack(states), np.stack(chunks), np.stack(labels), bool(episode.outcome().success))


def label_row(labels: dict[str, float]) -> F32:
    """The cell's labels in the order of ``LABELS``."""
    return np.array([labels[name] for name in LABELS], dtype=np.float32)


def expert_outcome(seed: int, duration: float) -> Any:
    """A whole undisturbed episode of the expert, under the same latency and replanning as a policy."""
    from adapters.mujoco.episode import run

    return run(seed, None, duration, LATENCY_S, REPLAN_STEPS)


Seen = tuple[F64, F32, F32, F32]  #: (plant, state, the expert's chunk, labels) of one episode now


class Episodes:
    """Some episodes side by side, each led by the chunks it is handed."""

    def __init__(self, seeds: Sequence[int], duration: float) -> None:
        from adapters.mujoco.episode import Episode

        self._episodes = [Episode(seed, LATENCY_S, REPLAN_STEPS, duration) for seed in seeds]

    def observe(self) -> list[Seen]:
        """What every episode shows now."""
        return [(e.plant(), e.state(), e.expert(), label_row(e.labels())) for e in self._episodes]

    def follow(self, chunks: F32) -> None:
        """Play chunks (episodes, 16, 7) until the next replanning."""
        for episode, chunk in zip(self._episodes, chunks, strict=True):
            episode.follow(chunk)

    def outcomes(self) -> list[Any]:
        """What has come of each so far."""
        return [e.outcome() for e in self._episodes]


def serve(connection: Connection, seeds: Sequence[int], duration: float) -> None:
    """Run ``Episodes`` at the other end of a pipe: ``(method, arguments)`` in, the result out, until ``None`` comes."""
    episodes = Episodes(seeds, duration)
    while (message := connection.recv()) is not None:
        method, arguments = message
        connection.send(getattr(episodes, method)(*arguments))


def joint_limits() -> tuple[tuple[float, float], ...]:
    """rad, of the cell's arm."""
    from adapters.mujoco import layout

    return layout.JOINT_LIMITS


def joint_positions(plant: F64) -> F64:
    """(7,) rad, out of a plant vector."""
    from adapters.mujoco.plant import unpack

    return np.asarray(unpack(plant).q, dtype=np.float64)
