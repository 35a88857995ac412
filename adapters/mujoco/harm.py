"""Whether the blade harms the person: the truth of the simulation, for labels and figures only; nothing that decides ever reads it."""

import math
from dataclasses import dataclass

from adapters.mujoco import distance, layout, person
from adapters.mujoco.person import Point
from adapters.mujoco.robot import Cosaw
from engine.types import F64


@dataclass(frozen=True, slots=True)
class Harm:
    contact: bool  #: a part of the person touches the toothed blade
    speed: float  #: m/s, of the blade where it touches, the fastest of all places, over the last tick; where it is nearest if it does not
    distance: float  #: m, from the person's nearest surface; negative inside
    part: int  #: index into PARTS


@dataclass(frozen=True, slots=True)
class Placed:
    """Where the tool frame was a tick ago."""

    pose: F64  #: (7,)
    turn: list[float]  #: its rotation matrix, row by row


def placed(robot: Cosaw) -> Placed:
    """Where it is now."""
    return Placed(robot.tool()[0].copy(), robot.attitude())


def harm(robot: Cosaw, before: Placed) -> Harm:
    """How near the true person is to the blade, and how fast the blade goes there: its way since ``before``, a tick ago.

    The way and not the velocity: teeth that bind in wood let a held blade's velocity change sign from step to step, on the spot.
    """
    pose, _ = robot.tool()
    truth = robot.truth()
    x, y, z = (float(v) for v in pose[:3])
    turn = robot.attitude()
    nearest, found = math.inf, []
    for i, (axis, radius) in enumerate(zip(person.body(truth.cell, truth.time, robot.grip()), layout.PART_RADII, strict=True)):
        start, end = (_local(point, (x, y, z), turn) for point in axis)
        if distance.at_least(start, end) - radius > max(0.0, nearest):
            continue
        gap, at = distance.to_blade(start, end)
        nearest = min(nearest, gap - radius)
        found.append((gap - radius, i, at))
    nearest, part, closest = min(found)
    places = [at for gap, _, at in found if gap <= 0.0] or [closest]
    way = max(math.dist(_base(at, pose, turn), _base(at, before.pose, before.turn)) for at in places)
    return Harm(nearest <= 0.0, way / layout.TICK_S, nearest, part)


def _base(point: Point, pose: F64, turn: list[float]) -> Point:
    """A point of the tool frame in the base frame."""
    x, y, z = (float(pose[i]) + turn[3 * i] * point[0] + turn[3 * i + 1] * point[1] + turn[3 * i + 2] * point[2] for i in range(3))
    return x, y, z


def _local(point: Point, origin: Point, turn: list[float]) -> Point:
    """A point of the base frame in the tool frame; ``turn`` is its rotation matrix, row by row."""
    x, y, z = point[0] - origin[0], point[1] - origin[1], point[2] - origin[2]
    return (
        turn[0] * x + turn[3] * y + turn[6] * z,
        turn[1] * x + turn[4] * y + turn[7] * z,
        turn[2] * x + turn[5] * y + turn[8] * z,
    )
