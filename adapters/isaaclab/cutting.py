"""What a saw meets in a clamped block: resistance, a kerf that only work deepens, and walls that guide the blade. Pure functions of arrays.

The law is that of ``adapters.mujoco.cutting`` for a block of one grain and constant breadth, of many environments at once; it knows
neither knots nor binding. Each array is (E,), of numpy or of torch alike. Block axes: x along the stroke, y along the block, z up, the
block's top at z = 0. In each physics step:

- contact: the block bears the teeth with N = k p - d v_z, p the penetration below the kerf's bottom;
- resistance along the stroke: F = mu N (1 + |v| / v_1), against the motion, smooth through v = 0;
- cutting: of the work |F v| dt the share max(0, 1 - N_0 / N) makes chips, and the kerf's depth grows by it over specific cutting energy,
  width and breadth, so pressing alone deepens nothing; at the block's height it is cut through and gives way;
- walls: a kerf leaves the blade ``CLEARANCE`` each way, then bears it with a spring that grows with the depth in it.
"""

from dataclasses import dataclass
from typing import Any, Final

Array = Any  #: (E,) of numpy or of torch

HEIGHT: Final = 0.06  #: m, of the block
BREADTH: Final = 0.05  #: m, of the block along the stroke
BLADE_BACK: Final = 0.25  #: m, from the tool's frame back to the last tooth
BLADE_AHEAD: Final = 0.28  #: m, and ahead to the first

FRICTION: Final = 0.75  #: mu, of softwood, as are the energy and all below
ENERGY: Final = 20e6  #: J/m^3, specific cutting energy; hand saws take 10-60 MJ/m^3
KERF_WIDTH: Final = 0.002  #: m
STIFFNESS: Final = 20000.0  #: N/m, k
DAMPING: Final = 150.0  #: N s/m, d
RUBBING_FORCE: Final = 3.0  #: N, N_0
SPEED_SCALE: Final = 1.0  #: m/s, v_1
CREEP_SPEED: Final = 0.05  #: m/s, below which friction fades; slower, and a step of 5 ms would overshoot
CLEARANCE: Final = 0.0004  #: m, blade to wall, each side
WALL_STIFFNESS: Final = 20000.0  #: N/m at full depth
WALL_DAMPING: Final = 80.0  #: N s/m
WALL_FORCE: Final = 150.0  #: N
WALL_FULL_DEPTH: Final = 0.004  #: m, where the walls have their full stiffness
SAME_KERF: Final = 0.0025  #: m, a blade this near to the kerf falls into it
STROKE_SPEED: Final = 0.02  #: m/s, from which a way counts as a stroke's


@dataclass(frozen=True, slots=True)
class Cut:
    """The block's state."""

    depth: Array  #: m, of the kerf
    line: Array  #: m, the kerf's y
    held: Array  #: 1 where the blade is over or in the kerf, 0 where it stands on the block beside it
    strokes: Array  #: ways of the blade in the block, each to or fro
    way: Array  #: -1, 0, +1, of the last of them


@dataclass(frozen=True, slots=True)
class Blade:
    """The tooth line where it crosses the block's middle."""

    along: Array  #: m, that place on the blade, ahead of the tool's frame
    y: Array  #: m
    z: Array
    vx: Array  #: m/s
    vy: Array
    vz: Array


@dataclass(frozen=True, slots=True)
class Bite:
    """What the block does to the blade, N."""

    fx: Array
    fy: Array
    fz: Array  #: >= 0, the press


def uncut(like: Array) -> Cut:
    """A block without a kerf, in arrays like this one."""
    none = 0.0 * like
    return Cut(depth=none, line=none, held=none + 1.0, strokes=none, way=none)


def through(cut: Cut) -> Array:
    """(E,) bool, nothing is left to saw."""
    return cut.depth >= HEIGHT


def meet(cut: Cut, blade: Blade, dt: float) -> tuple[Cut, Bite]:
    """The block after dt s with the blade in this place, and its answer to the blade."""
    line = cut.line + (cut.depth <= 0.0) * (blade.y - cut.line)
    off = blade.y - line
    above = (blade.z >= 0.0) * 1.0
    held = above * (abs(off) <= SAME_KERF) + (1.0 - above) * cut.held
    there = (cut.depth < HEIGHT) * (blade.along >= -BLADE_BACK) * (blade.along <= BLADE_AHEAD)

    into = -cut.depth * held - blade.z
    press = (STIFFNESS * into - DAMPING * blade.vz).clip(min=0.0) * (into > 0.0) * there
    speed = abs(blade.vx)
    teeth = FRICTION * press * (1.0 + speed / SPEED_SCALE) * blade.vx * (blade.vx * blade.vx + CREEP_SPEED**2) ** -0.5
    chips = abs(teeth * blade.vx) * dt * (1.0 - RUBBING_FORCE / press.clip(min=RUBBING_FORCE))
    depth = (cut.depth + held * chips / (ENERGY * KERF_WIDTH * BREADTH)).clip(max=HEIGHT)

    share = ((-blade.z).clip(min=0.0) / WALL_FULL_DEPTH).clip(max=1.0) * held * there
    beyond = off - off.clip(-CLEARANCE, CLEARANCE)
    side = (-share * (WALL_STIFFNESS * beyond + WALL_DAMPING * blade.vy * (beyond != 0.0))).clip(-WALL_FORCE, WALL_FORCE)

    now = ((blade.vx > STROKE_SPEED) * 1.0 - (blade.vx < -STROKE_SPEED) * 1.0) * (press > RUBBING_FORCE)
    way = now + (now == 0.0) * cut.way
    after = Cut(depth=depth, line=line, held=held, strokes=cut.strokes + (way != cut.way) * 1.0, way=way)
    return after, Bite(fx=-teeth, fy=side, fz=press)
