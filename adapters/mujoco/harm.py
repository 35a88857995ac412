"""Whether the blade harms the person: the truth of the simulation, for labels and figures only; nothing that decides ever reads it."""

import math
from dataclasses import dataclass

from adapters.mujoco import distance, layout, person
from adapters.mujoco.person import Point
from adapters.mujoco.robot import Cosaw


@dataclass(frozen=True, slots=True)
class Harm:
    contact: bool  #: a part of the person touches the toothed blade
    speed: float  #: m/s, of the blade where it is nearest
    distance: float  #: m, from the person's nearest surface; negative inside
    part: int  #: index into PARTS


def harm(robot: Cosaw) -> Harm:
    """How near the true person is to the blade, and how fast the blade is there."""
    pose, twist = robot.tool()
    truth = robot.truth()
    x, y, z = (float(v) for v in pose[:3])
    turn = robot.attitude()
    nearest, part, at = math.inf, -1, (0.0, 0.0, 0.0)
    for i, (axis, radius) in enumerate(zip(person.body(truth.cell, truth.time, robot.grip()), layout.PART_RADII, strict=True)):
        start, end = (_local(point, (x, y, z), turn) for point in axis)
        if distance.at_least(start, end) - radius >= nearest:
            continue
        gap, point = distance.to_blade(start, end)
        if gap - radius < nearest:
            nearest, part, at = gap - radius, i, point
    vx, vy, vz, wx, wy, wz = twist.tolist()
    rx, ry, rz = (turn[3 * i] * at[0] + turn[3 * i + 1] * at[1] + turn[3 * i + 2] * at[2] for i in range(3))
    speed = math.sqrt((vx + wy * rz - wz * ry) ** 2 + (vy + wz * rx - wx * rz) ** 2 + (vz + wx * ry - wy * rx) ** 2)
    return Harm(nearest <= 0.0, speed, nearest, part)


def _local(point: Point, origin: Point, turn: list[float]) -> Point:
    """A point of the base frame in the tool frame; ``turn`` is its rotation matrix, row by row."""
    x, y, z = point[0] - origin[0], point[1] - origin[1], point[2] - origin[2]
    return (
        turn[0] * x + turn[3] * y + turn[6] * z,
        turn[1] * x + turn[4] * y + turn[7] * z,
        turn[2] * x + turn[5] * y + turn[8] * z,
    )
