"""The scripted expert in the policy's action space: Markov, from the table's truth to the next 16 poses relative to the present one.

What to do next is a rule of where tool, fingers, cube and zone are now. The chunk is that rule followed through its own forecast: the
tool goes where it is sent, the fingers close at their speed, and a held cube comes along. So plans that arrive late still fit.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

import numpy as np

from adapters.mujoco.person import Point
from adapters.mujoco.tabletop import truth as table_truth
from adapters.mujoco.tabletop.arm import Arm
from adapters.mujoco.tabletop.arms import arm as named
from adapters.mujoco.tabletop.kinematics import Kinematics
from adapters.mujoco.tabletop.table import turned
from adapters.mujoco.tabletop.tasks import lies_in_zone
from adapters.mujoco.tabletop.truth import Truth, resting
from engine.control import pose as poses
from engine.types import F32, F64

HORIZON: Final = 16
STEP_S: Final = 0.05
SPEED: Final = 0.20  #: m/s, across
CLIMB: Final = 0.14  #: m/s, up and down
GAIN: Final = 4.0  #: 1/s, near the goal
CLOSING: Final = 1.6  #: 1/s, of the fingers, rather too slow than too fast: they must be on the cube before it is raised
OPENING: Final = 1.5  #: 1/s: a squeezing drive has to come back first
OVER: Final = 0.035  #: m, from the cube's middle to where the tool may move across it
FUNNEL: Final = (0.008, 0.035)  #: m, off the cube's axis at which the tool is down at the cube, and at which it is ``OVER`` and more
AT: Final = 0.008  #: m, near enough to the cube's axis for the fingers to close
DEEP: Final = 0.4  #: of the cube's half, near enough to its middle's height
KEPT: Final = 0.013  #: m, near enough for fingers already closing to go on
OPEN: Final = 0.12  #: 0..1, fingers that close no more than this are open
CARRY: Final = 0.06  #: m, height of a carried cube's middle over where it lay
SET_DOWN: Final = 0.012  #: m, from the zone's middle at which the cube is lowered


@dataclass(frozen=True, slots=True)
class Wish:
    """Where the tool shall go, and how far the fingers shall close."""

    place: Point
    grip: float


def wish(arm: Arm, task: str, now: Truth) -> Wish:
    """What the rule wants now."""
    if task == "reach":
        return Wish(_over(now.tool[:3], table_truth.target(arm, now)), 0.0)
    if task == "pickplace" and lies_in_zone(arm, now):
        return _leave(arm, now)
    if table_truth.holds(arm, now):
        return Wish(_carried(arm, task, now), 1.0)
    return _fetch(arm, now)


def _over(tool: Sequence[float], goal: Point) -> Point:
    """The way to a place over the cube: never through it."""
    x, y, z = tool
    if z < goal[2] - 0.02 and math.dist((x, y), goal[:2]) > FUNNEL[0]:
        return x, y, goal[2] + 0.02
    return goal


def _fetch(arm: Arm, now: Truth) -> Wish:
    """Over the cube, down with open fingers, and close."""
    x, y, z = now.tool[:3]
    a, b, c = table_truth.about(arm, now.cube, now.closed)
    off, up = math.dist((x, y), (a, b)), z - c
    if (abs(up) < DEEP * arm.cube_half and off < AT) or (table_truth.between(arm, now, KEPT) and now.closed > OPEN):
        return Wish((a, b, c), 1.0)
    over = c + arm.cube_half + OVER
    if up < arm.cube_half + 0.5 * OVER and (off > FUNNEL[1] or (now.closed > OPEN and off > AT)):
        return Wish((x, y, over), 0.0)
    narrow, wide = FUNNEL
    high = min(1.0, max(0.0, (off - narrow) / (wide - narrow)))
    if now.closed > OPEN:
        high = 1.0
    return Wish((a, b, c + high * (arm.cube_half + OVER)), 0.0)


def _carried(arm: Arm, task: str, now: Truth) -> Point:
    """Where the tool shall go with the cube it holds."""
    x, y, z = now.tool[:3]
    height = now.cube[2] - resting(arm)
    if task == "lift":
        return x, y, z + arm.rise - height
    a, b = now.zone[0] - now.cube[0], now.zone[1] - now.cube[1]
    far = math.hypot(a, b)
    if far < SET_DOWN:
        return x + a, y + b, z - height
    risen = min(1.0, max(0.0, (height - 0.4 * CARRY) / (0.4 * CARRY)))
    return x + risen * a, y + risen * b, z + CARRY - height


def _leave(arm: Arm, now: Truth) -> Wish:
    """Let the cube go where it lies and rise from it."""
    x, y, z = now.tool[:3]
    near = math.dist(now.tool[:3], now.cube) < 2.0 * arm.cube_half
    if near and now.closed > OPEN:
        return Wish((x, y, z), 0.0)
    return Wish((x, y, resting(arm) + arm.rise), 0.0)


def follow(arm: Arm, now: Truth, wanted: Wish) -> Truth:
    """The forecast: the table one step later."""
    x, y, z = now.tool[:3]
    dx, dy, dz = (goal - at for goal, at in zip(wanted.place, (x, y, z), strict=True))
    across = math.hypot(dx, dy)
    part = min(GAIN, SPEED / max(across, 1e-9)) * STEP_S
    rise = min(CLIMB, max(-CLIMB, GAIN * dz)) * STEP_S
    tool = (x + part * dx, y + part * dy, z + rise)
    held = table_truth.holds(arm, now)
    most = arm.holding if held or table_truth.between(arm, now, KEPT) else 1.0
    closed = now.closed + min(CLOSING * STEP_S, max(-OPENING * STEP_S, wanted.grip - now.closed))
    closed = min(closed, max(most, now.closed if held else 0.0))
    a, b, c = now.cube
    if held and wanted.grip > 0.5:
        a, b, c = a + tool[0] - x, b + tool[1] - y, c + tool[2] - z
    elif closed >= most:
        a, b = tool[:2]
    return replace(now, tool=(*tool, *now.tool[3:]), closed=closed, cube=(a, b, c))


def chunk_from(arm: Arm, task: str, now: Truth) -> F32:
    """(16, 7) actions from a table's truth: displacement m, rotation vector rad, grip 0 open .. 1 closed, relative to its tool pose."""
    level = poses.error((0.0, 0.0, 0.0, *turned(arm.facing(*now.cube[:2]))), (0.0, 0.0, 0.0, *now.tool[3:]))[3:]
    chunk = np.empty((HORIZON, 7), np.float32)
    chunk[:, 3:6] = level
    later = now
    for row in chunk:
        wanted = wish(arm, task, later)
        later = follow(arm, later, wanted)
        row[:3] = [there - here for there, here in zip(later.tool[:3], now.tool[:3], strict=True)]
        row[6] = wanted.grip
    return chunk


@cache
def _kinematics(name: str) -> Kinematics:
    return Kinematics(named(name))


def expert_chunk(name: str, task: str, plant: F64) -> F32:
    """The same from a plant vector (P,) of the arm of a name."""
    arm = named(name)
    places = table_truth.places(arm, plant)
    tool = _kinematics(name).pose(places[: arm.joints])
    speeds = table_truth.speeds(arm, plant)
    return chunk_from(arm, task, table_truth.truth_of(arm, tool, places, speeds, table_truth.zone(arm, plant)))
