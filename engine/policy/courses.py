"""The three courses: co-sawing, the Franka at its table, the SO-101 at its table. Each world is imported when it is first needed."""

from functools import cache, partial
from typing import Any

import numpy as np

from engine.policy import mapping, readings
from engine.policy.course import Course, Episode, Painter, Shake, Start, Task
from engine.policy.errors import PolicyError
from engine.policy.readings import Reading, Sights
from engine.tasks import INSTRUCTIONS, KINDS
from engine.types import F32, F64

ACTION_FLOOR = (0.01,) * 3 + (0.05,) * 3 + (0.1,)  #: m, rad, grip
CUBE = tuple(Reading(f"cube_d{axis}", 0.0, 0.05) for axis in "xyz")  #: m, cube less tool
ZONE = tuple(Reading(f"zone_d{axis}", 0.0, 0.05) for axis in "xy")  #: m, zone less tool


def course(robot: str) -> Course:
    """The course of a robot. Raises PolicyError for one that has none."""
    found = {"cosaw": cosaw, "pickplace": pickplace, "so101-sim": so101}
    if robot not in found:
        raise PolicyError(f"there is nothing to learn for robot '{robot}'; expected {', '.join(found)}")
    return found[robot]()


def cosaw() -> Course:
    """Sawing with a partner."""
    return Course(
        robot="cosaw",
        name="compact",
        tasks=(_task("saw", "pickplace"),),
        mapping=mapping.COSAW,
        state_floor=(0.01,) * 3 + (0.02,) * 3 + (2.0,) * 3,  # m, m/s, N
        action_floor=ACTION_FLOOR,
        action_weight=(1.0, 4.0, 1.0, 0.5, 0.5, 0.5, 0.1),  # finding the line is a matter of millimetres across; the grip never changes
        sights=readings.COSAW,
        begin=_saw,
        pose=partial(_posed, "cosaw"),
        painter=partial(_painter, "cosaw"),
        look=partial(_look, "cosaw"),
        joint_limits=partial(_joint_limits, "cosaw"),
        short_s=9.0,  # holds more of the approach
        long_s=25.0,  # and deeper kerfs
    )


def pickplace() -> Course:
    """The Franka with its hand: a red cube and a blue zone."""
    return Course(
        robot="pickplace",
        name="pickplace",
        tasks=(
            _task("pickplace", "reach", 2.0),
            _task("lift", "reach"),
            _task("reach", "pickplace"),
        ),
        mapping=mapping.FRANKA,
        state_floor=(0.05,) * 7 + (0.005,) * 2,  # rad, m
        action_floor=ACTION_FLOOR,
        action_weight=(1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5),
        sights=Sights((*CUBE, *ZONE), flags=("holding",)),
        begin=partial(_at_table, "franka"),
        pose=partial(_posed, "pickplace"),
        painter=partial(_painter, "pickplace"),
        look=partial(_look, "pickplace"),
        joint_limits=partial(_joint_limits, "pickplace"),
        long_share=0.0,
        shake=Shake(push_chance=0.02, push_spread=(0.03, 0.03, 0.02)),
    )


def so101() -> Course:
    """The SO-101: a red cube within its reach."""
    return Course(
        robot="so101-sim",
        name="so101",
        tasks=(_task("lift", "reach", 1.5), _task("reach", "lift")),
        mapping=mapping.SO101,
        state_floor=(0.05,) * 6,  # rad
        action_floor=ACTION_FLOOR,
        action_weight=(1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5),
        sights=Sights(CUBE, flags=("holding",)),
        begin=partial(_at_table, "so101"),
        pose=partial(_posed, "so101-sim"),
        painter=partial(_painter, "so101-sim"),
        look=partial(_look, "so101-sim"),
        joint_limits=partial(_joint_limits, "so101-sim"),
        long_share=0.0,
        shake=Shake(push_chance=0.02, push_spread=(0.02, 0.02, 0.015)),
    )


def _task(name: str, wrong: str, share: float = 1.0) -> Task:
    """A task by its usual sentence, and one whose sentence asks for something else."""
    return Task(name, INSTRUCTIONS[name], wrong=INSTRUCTIONS[wrong], share=share)


def _saw(start: Start) -> Episode:
    from adapters.mujoco import episode

    duration = episode.DURATION if start.duration is None else start.duration
    return episode.Episode(start.seed, start.latency_s, start.replan_steps, duration, start.midway, start.spread)


def _at_table(arm: str, start: Start) -> Episode:
    from adapters.mujoco.tabletop.episode import Episode as AtTable

    return AtTable(
        arm, start.task, start.seed, start.latency_s, start.replan_steps, start.duration, spread=start.spread, midway=start.midway
    )


@cache
def _stage(robot: str) -> Any:
    if KINDS[robot].arm:
        from adapters.mujoco.tabletop.stage import TableStage

        return TableStage(KINDS[robot].arm)
    from adapters.mujoco.scene import CellStage

    return CellStage()


def _posed(robot: str, plants: F64) -> F32:
    return np.asarray(_stage(robot).posed(plants), dtype=np.float32)


def _painter(robot: str, worlds: int, pixels: int, device: str) -> Painter:
    from adapters.mujoco.render import Renderer

    return Renderer(worlds, pixels, device, stage=_stage(robot))


def _look(robot: str, seed: int, strength: float) -> F32:
    looks = _stage(robot).looks
    return np.asarray(looks.draw(seed, strength) if strength else looks.nominal(), dtype=np.float32)


def _joint_limits(robot: str) -> tuple[tuple[float, float], ...]:
    if KINDS[robot].arm:
        from adapters.mujoco.tabletop.arms import arm

        return arm(KINDS[robot].arm).joint_limits
    from adapters.mujoco import layout

    return layout.JOINT_LIMITS
