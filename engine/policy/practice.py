"""What runs in the worker processes: episodes, with the expert shaken for its demonstrations, or led by a policy elsewhere.

Numpy only, so that a worker starts fast; the simulated worlds are imported when an episode begins.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from engine import workers
from engine.policy.course import LATENCY_S, REPLAN_STEPS, Course, Episode, Start
from engine.policy.readings import Sights
from engine.types import F32, F64


@dataclass(frozen=True)
class Samples:
    """What one episode gives: N observations, each with the expert's chunk for it."""

    poses: F32  #: (N, G) what a painter draws from
    states: F32  #: (N, S)
    chunks: F32  #: (N, H, A)
    labels: F32  #: (N, len(Sights.labels))
    succeeded: bool


@dataclass(frozen=True)
class Seen:
    """One observation of an episode."""

    pose: F32  #: (G,)
    state: F32  #: (S,)
    place: F64  #: (7,) of the tool
    joints: F64  #: (n,) rad
    chunk: F32  #: (H, A) the expert's answer
    labels: F32


def seen(course: Course, episode: Episode) -> Seen:
    """What an episode shows now."""
    return Seen(
        pose=course.pose(episode.plant()[None])[0],
        state=episode.state(),
        place=episode.pose(),
        joints=episode.joints(),
        chunk=episode.expert(),
        labels=label_row(episode.labels(), course.sights),
    )


def label_row(labels: dict[str, float], sights: Sights) -> F32:
    """Labels in the order the heads want them; NaN where the world has none of that name."""
    return np.array([labels.get(name, np.nan) for name in sights.labels], dtype=np.float32)


def samples_of(observed: Sequence[Seen], succeeded: bool) -> Samples:
    """The observations of one episode, joined."""
    return Samples(
        np.stack([one.pose for one in observed]),
        np.stack([one.state for one in observed]),
        np.stack([one.chunk for one in observed]),
        np.stack([one.labels for one in observed]),
        succeeded,
    )


def demonstrate(course: Course, given: tuple[str, int]) -> Samples:
    """One shaken episode of the expert, of a task and a seed.

    Some replan as late and as seldom as a live run, the others at 10 Hz; some begin in mid-task.
    """
    task, seed = given
    rng = np.random.default_rng([seed, 11])
    steps, latency = (REPLAN_STEPS, LATENCY_S) if rng.random() < 0.4 else (2, float(rng.uniform(0.0, 0.1)))
    seconds = course.long_s if rng.random() < course.long_share else course.short_s
    midway = bool(rng.random() < course.shake.midway_share)
    episode = course.begin(Start(task, seed, seconds, latency, steps, midway=midway))
    observed = list(shaken(course, episode, steps, rng))
    return samples_of(observed, bool(episode.outcome().success))


def shaken(course: Course, episode: Episode, steps: int, rng: np.random.Generator) -> Iterator[Seen]:
    """Every observation of an episode whose executed reference is pushed aside or held still now and then.

    Every chunk is the clean expert's, so that what to do from there is part of the data.
    """
    shake = course.shake
    left, halted = 0, False
    shift: F64 = np.zeros(3)
    while not episode.done:
        now = seen(course, episode)
        yield now
        left -= steps
        if left <= 0:
            shift, halted = np.zeros(3), False
            if rng.random() < shake.halt_chance * steps:
                left, halted = int(rng.integers(*shake.halt_steps)), True
            elif rng.random() < shake.push_chance * steps:
                left, shift = int(rng.integers(*shake.push_steps)), rng.normal(0.0, shake.push_spread)
        executed = now.chunk.copy()
        executed[:, :3] += shift
        if halted:
            executed[:, :6] = 0.0
        episode.follow(executed, steps)


@dataclass(frozen=True)
class Failed:
    """What a worker raised."""

    text: str


class Hands:
    """Some episodes side by side, each led by the chunks it is handed."""

    def __init__(self, course: Course, starts: Sequence[Start]) -> None:
        self._course = course
        self._episodes = [course.begin(start) for start in starts]

    def observe(self) -> list[Seen | None]:
        """What every episode shows now; None where it is over."""
        return [None if episode.done else seen(self._course, episode) for episode in self._episodes]

    def follow(self, chunks: Sequence[F32 | None]) -> None:
        """Play a chunk (H, A) in every episode that is not over, until the next replanning."""
        for episode, chunk in zip(self._episodes, chunks, strict=True):
            if chunk is not None:
                episode.follow(chunk)

    def durations(self) -> list[float]:
        """s that each may take at most."""
        return [episode.duration for episode in self._episodes]

    def outcomes(self) -> list[Any]:
        """What has come of each so far."""
        return [episode.outcome() for episode in self._episodes]

    def close(self) -> None:
        """Nothing to end in this process."""


def serve(connection: Connection, course: Course, starts: Sequence[Start]) -> None:
    """Run ``Hands`` at the other end of a pipe: ``(method, arguments)`` in, the result out, until the pipe is closed.

    What is raised goes out as ``Failed``.
    """
    workers.begin()
    hands: Hands | None = None
    with suppress(EOFError, BrokenPipeError):
        while True:
            method, arguments = connection.recv()
            try:
                hands = hands or Hands(course, starts)
                answer = getattr(hands, method)(*arguments)
            except Exception as error:
                answer = Failed(f"{type(error).__name__}: {error}")
            connection.send(answer)
