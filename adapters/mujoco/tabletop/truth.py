"""What is so at the table at one moment, where a plant vector keeps it, and what a picture should tell of it."""

import math
from dataclasses import dataclass
from typing import Final

from adapters.mujoco.person import Point
from adapters.mujoco.tabletop.arm import Arm
from engine.control.pose import Floats
from engine.types import F64

REACH_ABOVE: Final = 0.015  #: m, of the place to reach over the middle of the cube's top
NEAR: Final = 0.9  #: of the cube's half: so near to the middle of the fingers is a cube between them
SLACK: Final = 0.08  #: of the fingers' way, that a held cube may show more or less than ``Arm.holding``


@dataclass(frozen=True, slots=True)
class Truth:
    """For experts and labels; never for a layer or a policy."""

    tool: Floats  #: (7,)
    closed: float  #: 0 open .. 1 closed
    cube: Point  #: m, its middle
    speed: float  #: m/s, of the cube
    zone: tuple[float, float]  #: m, its middle


def truth_of(arm: Arm, tool: Floats, qpos: F64, qvel: F64, zone: tuple[float, float]) -> Truth:
    """From the tool's pose (7,) and the model's places and speeds."""
    first = arm.joints
    at = first + arm.fingers
    x, y, z = qpos[at : at + 3].tolist()
    return Truth(tool, arm.closed(qpos[first:at]), (x, y, z), math.hypot(*qvel[at : at + 3].tolist()), zone)


def places(arm: Arm, plant: F64) -> F64:
    """(nq,) of a plant (P,): joints, fingers, and the cube's place (3) and attitude (4)."""
    return plant[1 : 8 + arm.joints + arm.fingers]


def speeds(arm: Arm, plant: F64) -> F64:
    """(nv,) of a plant (P,)."""
    moving = arm.joints + arm.fingers
    return plant[8 + moving : 14 + 2 * moving]


def zone(arm: Arm, plant: F64) -> tuple[float, float]:
    """(2,) m, the zone's middle of a plant (P,)."""
    at = head(arm) - 2
    return float(plant[at]), float(plant[at + 1])


def strangers(plant: F64) -> F64:
    """(2, 3) m, where decoy and post stand in a plant (P,): the first numbers of each of the two that a plant ends with."""
    return plant[-10:].reshape(2, 5)[:, :3]


def head(arm: Arm) -> int:
    """How many numbers of a plant come before the motors' and the robot's own: time, places, speeds, the solver's start, the zone."""
    moving = arm.joints + arm.fingers
    return 1 + (moving + 7) + 2 * (moving + 6) + 2


def resting(arm: Arm) -> float:
    """m, height of the middle of a cube that lies on the table."""
    return arm.table + arm.cube_half


def target(arm: Arm, truth: Truth) -> Point:
    """m, where the tool shall be in the task "reach"."""
    x, y, z = truth.cube
    return x, y, z + arm.cube_half + REACH_ABOVE


def about(arm: Arm, cube: Point, closed: float) -> Point:
    """m, where the tool is when fingers closed so far are about a cube."""
    x, y, z = cube
    facing, aside = arm.facing(x, y), arm.aside(closed)
    return x + math.sin(facing) * aside, y - math.cos(facing) * aside, z


def between(arm: Arm, truth: Truth, slack: float) -> bool:
    """Whether the cube is between the fingers, wherever between them, give or take ``slack`` m."""
    (x, y, z), (a, b, c) = truth.tool[:3], truth.cube
    facing = arm.facing(a, b)
    u, v = -math.sin(facing), math.cos(facing)
    ahead, beside, far = (a - x) * v - (b - y) * u, (a - x) * u + (b - y) * v, 2.0 * arm.aside(truth.closed)
    return abs(ahead) < slack and min(0.0, far) - slack < beside < max(0.0, far) + slack and abs(c - z) < slack


def holds(arm: Arm, truth: Truth) -> bool:
    """Whether the cube is between the fingers and they are on it."""
    on = abs(truth.closed - arm.holding) < SLACK
    return on and math.dist(truth.tool[:3], about(arm, truth.cube, truth.closed)) < NEAR * arm.cube_half


def labels(arm: Arm, truth: Truth) -> dict[str, float]:
    """The auxiliary targets, SI: the cube and the zone as the tool sees them, base axes; whether the cube is held."""
    x, y, z = truth.tool[:3]
    a, b, c = truth.cube
    u, v = (math.nan, math.nan) if arm.zones is None else truth.zone
    return {
        "cube_dx": a - x,
        "cube_dy": b - y,
        "cube_dz": c - z,
        "zone_dx": u - x,
        "zone_dy": v - y,
        "holding": float(holds(arm, truth)),
    }
