"""Closed-loop episodes: physics in worker processes, pictures and the ensemble in batches here, whoever leads each of them."""

import math
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine import workers as processes
from engine.policy import practice
from engine.policy.compact import CAMERAS, IMAGE_SIZE, STEP_S
from engine.policy.course import REPLAN_STEPS, Course, Start
from engine.policy.demonstrations import paced
from engine.policy.ensemble import Ensemble
from engine.policy.errors import PolicyError
from engine.policy.practice import Samples, Seen
from engine.policy.studio import Draw
from engine.signals import Pass, Tracker, perturbation
from engine.types import F32, F64, SIGNALS

PERTURBED = tuple(range(perturbation.COUNT))
PERIOD_S = REPLAN_STEPS * STEP_S  #: between two inferences


@dataclass(frozen=True, eq=False)
class Lead:
    """Who leads an episode, and what it is told and shown."""

    ensemble: Ensemble | None = None  #: None: the expert leads
    instruction: str = ""
    member: int | None = None  #: that one alone; None: the mean of all
    black: bool = False  #: sees black pictures
    watched: bool = False  #: its signals are computed
    perturbed: bool = False  #: those of perturbed passes too


@dataclass(frozen=True)
class Trial:
    """One episode to be played."""

    start: Start
    lead: Lead


Decided = tuple[Sequence[F32], F64 | None, F32 | None]  #: chunks to follow, signals (N, 18), outputs of the heads (N, O)


@dataclass(frozen=True)
class Played:
    """What came of one trial. R = its inferences."""

    outcome: Any
    seconds: float  #: that it might take
    observed: list[Seen]  #: (R,) with the expert's answer to each
    signals: F64  #: (R, 18), NaN where invalid; no rows if not watched
    readings: F32  #: (R, O) outputs of the heads

    def samples(self) -> Samples:
        """What was seen, as training data."""
        return practice.samples_of(self.observed, bool(self.outcome.success))


class Crew:
    """``practice.Hands`` spread over worker processes, which play at the same time. Raises PolicyError if one of them fails."""

    def __init__(self, course: Course, starts: Sequence[Start], workers: int) -> None:
        context = processes.Workers()
        self._count, self._workers = len(starts), min(workers, len(starts))
        self._ends, self._processes = [], []
        for number in range(self._workers):
            mine, theirs = context.Pipe()
            process = context.Process(target=practice.serve, args=(theirs, course, list(starts[number :: self._workers])), daemon=True)
            process.start()
            theirs.close()
            self._ends.append(mine)
            self._processes.append(process)

    def _all(self, method: str, arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
        try:
            for end, given in zip(self._ends, arguments, strict=True):
                end.send((method, given))
            answers = [end.recv() for end in self._ends]
        except (EOFError, OSError) as error:
            raise PolicyError("a worker process has ended, perhaps for want of memory; use fewer workers") from error
        for answer in answers:
            if isinstance(answer, practice.Failed):
                raise PolicyError(f"a worker process failed with {answer.text}")
        return answers

    def _each(self, method: str) -> list[Any]:
        """One answer an episode, in the order of the starts."""
        found: list[Any] = [None] * self._count
        for number, part in enumerate(self._all(method, [()] * self._workers)):
            found[number :: self._workers] = part
        return found

    def observe(self) -> list[Seen | None]:
        return self._each("observe")

    def follow(self, chunks: Sequence[F32 | None]) -> None:
        self._all("follow", [(chunks[number :: self._workers],) for number in range(self._workers)])

    def durations(self) -> list[float]:
        return self._each("durations")

    def outcomes(self) -> list[Any]:
        return self._each("outcomes")

    def close(self) -> None:
        """The processes end, whatever they are at."""
        for end, process in zip(self._ends, self._processes, strict=True):
            end.close()
            process.terminate()
        for process in self._processes:
            process.join()


class _Group:
    """Trials that are asked together: one lead, one task."""

    def __init__(self, lead: Lead, rows: list[int], course: Course) -> None:
        self.lead, self._rows = lead, rows
        watched = lead.ensemble if lead.watched else None
        self._tracker = None if watched is None else Tracker(watched.statistics.familiarity, course.joint_limits())

    @property
    def sees(self) -> bool:
        return self.lead.ensemble is not None and not self.lead.black

    def asked(self, observed: Sequence[Seen | None]) -> list[int]:
        """Which trials to decide on: those that are not over, or all while one is not, since a tracker follows the same from end to end."""
        live = [i for i in self._rows if observed[i] is not None]
        return self._rows if live and self._tracker else live

    def decide(self, shown: Sequence[Seen], pictures: Tensor, exposed_ns: int) -> Decided:
        """For what some episodes show now. ``pictures`` uint8 (N, C, h, w, 3)."""
        lead, ensemble = self.lead, self.lead.ensemble
        if ensemble is None:
            return [one.chunk for one in shown], None, None
        images = {name: pictures[:, i] for i, name in enumerate(ensemble.cameras)}
        states = torch.from_numpy(np.stack([one.state for one in shown]))
        prediction = ensemble.predict(images, states, lead.instruction, perturb=PERTURBED if lead.perturbed else ())
        chunks = prediction.chunks if lead.member is None else prediction.chunks[:, lead.member : lead.member + 1]
        found = None
        if self._tracker is not None:
            on_device = ensemble.device.type == "cuda"  # where so many at once are faster than here
            now = Pass(
                torch.as_tensor(prediction.chunks, device=ensemble.device) if on_device else prediction.chunks,
                exposed_ns,
                np.stack([one.place[:3] for one in shown]),
                ensemble.step_s,
                ensemble.scale,
                velocity=prediction.velocity,
                features=prediction.features,
            )
            passes = prediction.perturbed
            perturbed = {} if passes is None else {k: passes[:, i] for i, k in enumerate(PERTURBED)}
            found = self._tracker.signals(now, np.stack([one.joints for one in shown]), perturbed).values
        return list(chunks.mean(axis=(1, 2))), found, None if prediction.readings is None else prediction.readings.numpy()


class _Films:
    """What every trial has shown and what was made of it, while they play."""

    def __init__(self, trials: int) -> None:
        self.seen: list[list[Seen]] = [[] for _ in range(trials)]
        self.signals: list[list[F64]] = [[] for _ in range(trials)]
        self.readings: list[list[F32]] = [[] for _ in range(trials)]

    def step(
        self, groups: Sequence[_Group], observed: Sequence[Seen | None], draw: Draw, looks: F32 | None, exposed_ns: int
    ) -> list[F32 | None]:
        """A chunk for every trial that is not over."""
        for i, one in enumerate(observed):
            if one is not None:
                self.seen[i].append(one)
        asked = [group.asked(observed) for group in groups]
        drawn = [i for group, rows in zip(groups, asked, strict=True) if group.sees for i in rows]
        place = {i: number for number, i in enumerate(drawn)}
        blank = torch.zeros(1, len(CAMERAS), IMAGE_SIZE, IMAGE_SIZE, 3, dtype=torch.uint8)
        pictures = draw(np.stack([self.seen[i][-1].pose for i in drawn]), None if looks is None else looks[drawn]) if drawn else blank
        chunks: list[F32 | None] = [None] * len(observed)
        for group, rows in zip(groups, asked, strict=True):
            if not rows:
                continue
            shown = pictures[[place[i] for i in rows]] if group.sees else blank.expand(len(rows), -1, -1, -1, -1)
            led, found, read = group.decide([self.seen[i][-1] for i in rows], shown, exposed_ns)
            for number, i in enumerate(rows):
                if observed[i] is None:
                    continue
                chunks[i] = led[number]
                if found is not None:
                    self.signals[i].append(found[number])
                if read is not None:
                    self.readings[i].append(read[number])
        return chunks


def run(
    course: Course,
    trials: Sequence[Trial],
    draw: Draw,
    workers: int,
    looks: F32 | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> list[Played]:
    """Play all trials side by side. ``looks`` (trials, L) paints them; nominal where None. Raises PolicyError."""
    starts = [trial.start for trial in trials]
    rows: dict[tuple[Lead, str], list[int]] = {}
    for i, trial in enumerate(trials):
        rows.setdefault((trial.lead, trial.start.task), []).append(i)
    groups = [_Group(lead, members, course) for (lead, _), members in rows.items()]
    films = _Films(len(trials))
    with closing(practice.Hands(course, starts) if workers < 2 else Crew(course, starts, workers)) as hands:
        seconds = hands.durations()
        rounds = math.ceil(max(seconds) / PERIOD_S - 1e-9)
        began, number = time.monotonic(), 0
        observed = hands.observe()
        while any(one is not None for one in observed):
            hands.follow(films.step(groups, observed, draw, looks, round(number * PERIOD_S * 1e9)))
            observed = hands.observe()
            number += 1
            if number % max(1, rounds // 10) == 0:
                over = sum(one is None for one in observed)
                progress(f"{len(trials)} episodes, {over} over; step {paced(number, rounds, began)}")
        outcomes = hands.outcomes()
    return [
        Played(outcome, seconds[i], films.seen[i], np.array(films.signals[i]).reshape(-1, len(SIGNALS)), np.array(films.readings[i]))
        for i, outcome in enumerate(outcomes)
    ]
