"""How an episode begins: where cube, zone and tool are, drawn from a seed."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from adapters.mujoco.person import Point
from adapters.mujoco.tabletop.arm import Area, Arm
from adapters.mujoco.tabletop.table import ZONE_RADIUS, turned
from adapters.mujoco.tabletop.truth import about, resting
from engine.control.pose import Floats

APART: Final = ZONE_RADIUS + 0.05  #: m, at least, from the cube's middle to the zone's
OFF: Final = 0.006  #: m, of open fingers from the cube in mid-task
NOWHERE: Final = (0.0, 0.0)  #: m, the zone of an arm that has none


@dataclass(frozen=True, slots=True)
class Setting:
    """A table at rest."""

    tool: Floats  #: (7,)
    closed: float  #: 0 open .. 1 closed
    cube: Point  #: m, its middle
    turn: float  #: rad, of the cube about the vertical
    zone: tuple[float, float]  #: m, its middle


def draw(arm: Arm, seed: int, spread: float = 1.0, midway: bool = False) -> Setting:
    """A setting of its own for every seed. ``spread`` above 1 puts the cube beyond where it lies otherwise, up to so many times as far
    from the middle. ``midway`` begins in mid-task: the cube held over the table, or between open fingers, or the tool just above it."""
    rng = np.random.default_rng([seed, 14])
    x, y = _place(rng, arm.cubes, spread)
    zone = NOWHERE
    if arm.zones is not None:
        zone = _place(rng, arm.zones, 1.0)
        while math.dist(zone, (x, y)) < APART:
            zone = _place(rng, arm.zones, 1.0)
    low, high = arm.starts
    tool = tuple(float(v) for v in rng.uniform(low, high))
    facing = arm.facing(x, y)
    turn = facing + float(rng.uniform(-arm.cube_turn, arm.cube_turn))
    cube, closed = (x, y, resting(arm)), 0.0
    if midway:
        kind = int(rng.integers(4))
        over = float(rng.uniform(0.0, arm.rise))
        if kind < 2:
            x, y = (x, y) if arm.zones is None else _between(rng, (x, y), zone)
            facing = turn = arm.facing(x, y)
            cube, closed = (x, y, resting(arm) + over), arm.holding
            tool = cube
        else:
            x, y, z = about(arm, cube, closed)
            off = rng.uniform(-OFF, OFF, 2)
            tool = (x + float(off[0]), y + float(off[1]), z + (over if kind == 2 else 0.0))
            facing = arm.facing(tool[0], tool[1])
    else:
        facing = arm.facing(tool[0], tool[1])
    return Setting((*tool, *turned(facing)), closed, cube, turn, zone)


def _between(rng: np.random.Generator, cube: tuple[float, float], zone: tuple[float, float]) -> tuple[float, float]:
    """(2,) m, somewhere on the cube's way."""
    share = float(rng.random())
    return cube[0] + share * (zone[0] - cube[0]), cube[1] + share * (zone[1] - cube[1])


def _place(rng: np.random.Generator, area: Area, spread: float) -> tuple[float, float]:
    """(2,) m: within the area, or beyond it and within ``spread`` times its size."""
    u = rng.uniform(-spread, spread, 2)
    while spread > 1.0 and np.abs(u).max() <= 1.0:
        u = rng.uniform(-spread, spread, 2)
    (x0, x1), (y0, y1) = area.x, area.y
    return 0.5 * (x0 + x1) + 0.5 * (x1 - x0) * float(u[0]), 0.5 * (y0 + y1) + 0.5 * (y1 - y0) * float(u[1])
