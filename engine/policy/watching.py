"""What the heads of the sawing policy are shown to learn from and to be judged by: sawing as it goes, and as it goes wrong.

Hands reach for the blade, the kerf binds, the saw halts, nobody is there. Numpy only, for worker processes.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from engine.policy.course import LATENCY_S, Course, Shake
from engine.policy.practice import label_row, shaken
from engine.types import F32, F64

STEPS = 2  #: of 50 ms between two moments: 10 Hz, about as often as a live policy looks
SCATTERED_SHARE = 0.7  #: of the moments of a scattered episode, in which the free hand is put somewhere else
LOST_SHARE = 0.5  #: of the episodes with nobody there, in which somebody is there before and after
CALM = Shake(push_chance=0.0, halt_chance=0.0, midway_share=0.0)


@dataclass(frozen=True)
class Watch:
    """One episode to be watched."""

    seed: int
    seconds: float
    danger: bool = False  #: hazards happen
    absent: float = 0.0  #: chance that nobody is in the pictures: of the episode, or of each moment if scattered
    scattered: bool = False  #: each moment's free hand is somewhere of its own, so that its place follows from nothing else
    shaken: bool = False  #: the expert's motion is pushed and halted now and then


@dataclass(frozen=True)
class Watched:
    """N moments of one episode."""

    poses: F32  #: (N, G) what a painter draws from
    labels: F32  #: (N, len(Sights.labels)); the truth, NaN where there is none
    t: F64  #: (N,) s


def watch(course: Course, given: Watch) -> Watched:
    """Play one episode of the expert in the sawing cell and keep what the cameras would see, with the truth."""
    from adapters.mujoco import hazards
    from adapters.mujoco.episode import Episode
    from adapters.mujoco.scene import CellStage

    rng = np.random.default_rng([given.seed, 13])
    moved = course if given.shaken else replace(course, shake=CALM)
    halted = bool(rng.random() < moved.shake.midway_share)
    episode = Episode(given.seed, LATENCY_S, STEPS, given.seconds, halted=halted)
    if given.danger:
        more = [_reach(rng, float(rng.uniform(1.0, 8.0)))] if rng.random() < 0.5 else [_bind(rng, given.seconds)]
        episode.robot.endanger((*hazards.draw(given.seed), *more))
    poses, labels, times = [], [], []
    for now in shaken(moved, episode, STEPS, rng):
        pose, row, time = now.pose, now.labels, float(episode.robot.time)
        if given.scattered and rng.random() < SCATTERED_SHARE:
            pose, row = _elsewhere(course, episode.plant(), now.place, rng)
        poses.append(pose)
        labels.append(row)
        times.append(time)
    whole, known = np.stack(poses), np.stack(labels)
    away = _away(given, len(times), rng)
    if away.any():
        names = course.sights.labels
        whole[away] = CellStage().without_person(whole[away])
        known[away, names.index("human")] = 0.0
        known[away, names.index("hand_distance")] = np.nan
    return Watched(whole, known, np.array(times))


def _away(given: Watch, count: int, rng: np.random.Generator) -> Any:
    """(N,) in which moments nobody is there."""
    if given.scattered:
        return rng.random(count) < given.absent
    away = np.zeros(count, np.bool_)
    if rng.random() < given.absent:
        first, last = sorted(rng.integers(count, size=2).tolist()) if rng.random() < LOST_SHARE else (0, count)
        away[first:last] = True
    return away


def _reach(rng: np.random.Generator, at: float) -> Any:
    """A hazard: the free hand reaches somewhere between the hip and well past the blade."""
    from adapters.mujoco.hazards import Hazard, Kind

    return Hazard(
        Kind.HAND_REACHES,
        at,
        stay=float(rng.uniform(0.3, 2.5)),
        along=float(rng.uniform(0.60, 1.40)),
        across=float(rng.uniform(-0.25, 0.12)),
        up=float(rng.uniform(-0.02, 0.35)),
        speed=float(rng.uniform(0.4, 2.0)),
    )


def _bind(rng: np.random.Generator, seconds: float) -> Any:
    """A hazard: the kerf closes on the blade, which may get stuck."""
    from adapters.mujoco.hazards import Hazard, Kind

    return Hazard(Kind.KNOT_BINDS, float(rng.uniform(0.2, 0.8)) * seconds, stay=float(rng.uniform(1.0, 5.0)))


def _elsewhere(course: Course, vector: F64, tool: F64, rng: np.random.Generator) -> tuple[F32, F32]:
    """Pose and labels of a plant, its tool at ``tool``, whose person is somewhere on the way of a reach instead."""
    from adapters.mujoco import plant
    from adapters.mujoco.episode import labels_of
    from adapters.mujoco.hazards import Hazards

    truth = plant.unpack(vector)
    truth.time += 10.0  # the reach may have begun before the episode did
    truth.cell.hazards = Hazards()
    truth.cell.hazards.add(_reach(rng, truth.time - float(rng.uniform(0.0, 4.0))))
    at = (float(tool[0]), float(tool[1]), float(tool[2]))
    return course.pose(plant.pack(truth)[None])[0], label_row(labels_of(truth, at), course.sights)
