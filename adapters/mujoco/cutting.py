"""Saw teeth in wood: resistance, a kerf that only work deepens, walls that hold the blade, and binding. Plain floats, no simulator.

Model, per physics step (all state is in ``Wood``; the log's crown and the tooth line meet in one place, at height z):

- contact: the wood bears the teeth with N = k p + d p', p the penetration below the kerf's bottom (or the log's top where there
  is no kerf), so pressing alone never deepens anything;
- resistance along the stroke: F = mu(zone) N (1 + |v| / v_1), opposed to the motion, smooth through v = 0;
- cutting: of the work |F v| dt the share max(0, 1 - N_0 / N) makes chips, the rest is heat (below N_0 the teeth only rub).
  The kerf's volume grows by that work over the specific cutting energy u(zone); its depth by the volume over width and chord,
  chord = 2 sqrt(2 R d - d^2) of a log of radius R. The depth can therefore never shrink, nor grow without load and motion;
- walls: inside a kerf the blade has ``CLEARANCE`` each way, then a stiff spring that grows with depth; yaw and pitch likewise;
- binding: pressed past N_bind(zone, depth) while moving, the kerf closes on the blade (b rises from 0 to 1) and drags on it;
  at 1 the blade is stuck: a stiff hold, up to ``STUCK_FORCE``, that lets go when b has fallen below ``FREE_BELOW``. b falls when
  the press is light.

Orders of magnitude: hand saws take 10-60 MJ per cubic metre of kerf in softwood, 2 mm kerf, some 5-10 J a stroke.
"""

import math
from dataclasses import dataclass, field
from typing import Final

from adapters.mujoco import layout
from adapters.mujoco.zones import Grain, zone_at
from engine.types import Zone

CONTACT_STIFFNESS: Final = 20000.0  #: N/m
CONTACT_DAMPING: Final = 150.0  #: N s/m
KERF_WIDTH: Final = 0.002  #: m
CLEARANCE: Final = 0.0004  #: m, blade to wall, each side
WALL_STIFFNESS: Final = 20000.0  #: N/m at full depth
WALL_DAMPING: Final = 80.0  #: N s/m
WALL_FORCE: Final = 150.0  #: N
WALL_FULL_DEPTH: Final = 0.004  #: m, where the walls have their full stiffness
YAW_STIFFNESS: Final = 60.0  #: N m/rad at full depth
PITCH_STIFFNESS: Final = 15.0  #: N m/rad, teeth spread along the chord
CREEP_SPEED: Final = 0.012  #: m/s, below which friction fades
SPEED_SCALE: Final = 1.0  #: m/s, v_1
RUBBING_FORCE: Final = 3.0  #: N, N_0
DULL_RUB: Final = 0.5  #: share of the resistance that wholly blunt teeth add
SAME_KERF: Final = 0.0025  #: m, a blade this near to a kerf falls into it
NEW_KERF: Final = 1e-5  #: m, depth given to a kerf's first scratch
KERFS: Final = 4  #: kerfs kept; the shallowest is forgotten for a fifth

BIND_RISE: Final = 1.6  #: 1/s at twice the binding press
BIND_FALL: Final = 1.2  #: 1/s without press
BIND_DRAG: Final = 45.0  #: N at b = 1
BIND_DEPTH: Final = 0.06  #: m, over which the binding press halves
FREE_BELOW: Final = 0.4
STUCK_STIFFNESS: Final = 9000.0  #: N/m
STUCK_DAMPING: Final = 120.0  #: N s/m
STUCK_FORCE: Final = 140.0  #: N


@dataclass(frozen=True, slots=True)
class Material:
    friction: float  #: mu, resistance over press
    energy: float  #: J/m^3, specific cutting energy u
    bind_press: float  #: N, N_bind at the surface


MATERIALS: Final = {
    Zone.SOFT: Material(0.75, 20e6, 60.0),
    Zone.KNOT: Material(0.95, 32e6, 32.0),
    Zone.CRACKED: Material(0.60, 15e6, 48.0),
}


@dataclass(slots=True)
class Wood:
    """The log's state. ``kerf_y`` and ``kerf_depth`` are fixed-length lists; depth 0 = no kerf."""

    kerf_y: list[float] = field(default_factory=lambda: [0.0] * KERFS)
    kerf_depth: list[float] = field(default_factory=lambda: [0.0] * KERFS)
    active: int = -1  #: kerf the blade is at, -1 = none
    bind: float = 0.0  #: b
    stuck: bool = False
    anchor: float = 0.0  #: m, tool x where it stuck


@dataclass(frozen=True, slots=True)
class Blade:
    """The tooth line where it crosses the log: place (m), velocity (m/s), small turns (rad) and rates (rad/s)."""

    x: float
    y: float
    z: float
    vx: float
    vy: float
    vz: float
    pitch: float
    yaw: float
    pitch_rate: float
    yaw_rate: float


@dataclass(frozen=True, slots=True)
class Bite:
    """What the wood does to the blade in one step."""

    fx: float  #: N
    fy: float
    fz: float
    pitch_torque: float  #: N m, about y
    yaw_torque: float  #: N m, about z
    press: float  #: N, >= 0
    height: float  #: m, teeth above the kerf's bottom or the log's top
    zone: Zone
    in_kerf: bool
    deepened: float  #: m, in this step


def chord(depth: float) -> float:
    """m, length of the kerf's bottom along the blade at a depth; never below 6 mm, the first bite of a few teeth."""
    d = min(max(depth, 0.0), layout.LOG_RADIUS)
    return max(0.006, 2.0 * math.sqrt(2.0 * layout.LOG_RADIUS * d - d * d))


def kerf_at(wood: Wood, y: float) -> int:
    """Index of the kerf within SAME_KERF of y, or -1."""
    best, near = -1, SAME_KERF
    for i in range(KERFS):
        off = abs(wood.kerf_y[i] - y)
        if wood.kerf_depth[i] > 0.0 and off < near:
            best, near = i, off
    return best


def bind_press(material: Material, depth: float, pinch: float) -> float:
    """N, the press past which the kerf closes on the blade; a pinched knot (pinch in 0..1) takes up to 80 % of it."""
    return material.bind_press * (1.0 - 0.8 * pinch) / (1.0 + depth / BIND_DEPTH)


def bite(wood: Wood, grain: Grain, blade: Blade, log_top: float, pinch: float, dt: float, dull: float = 0.0) -> Bite:
    """The wood's answer to the blade, and the wood's own change over dt (``wood`` is updated in place).

    Teeth that are ``dull`` (0..1) make that share less of chips and rub by ``DULL_RUB`` of it more.
    """
    below = log_top - blade.z
    if wood.active < 0 or below <= 0.0:
        wood.active = kerf_at(wood, blade.y)
    held = wood.active
    depth = wood.kerf_depth[held] if held >= 0 else 0.0
    height = depth - below
    inside = held >= 0 and below > 0.0003 and depth > 0.0005
    zone = zone_at(grain, blade.y, depth) if below > 0.0 or height <= 0.0 else Zone.AIR
    if pinch > 0.0 and zone != Zone.AIR:
        zone = Zone.KNOT
    if zone == Zone.AIR:
        _relax(wood, 0.0, math.inf, dt)
        return Bite(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, height, zone, False, 0.0)

    press = max(0.0, -CONTACT_STIFFNESS * height - CONTACT_DAMPING * blade.vz) if height < 0.0 else 0.0
    material = MATERIALS[zone]
    fade = math.tanh(blade.vx / CREEP_SPEED)
    resistance = material.friction * grain.hardness * press * (1.0 + abs(blade.vx) / SPEED_SCALE) * (1.0 + DULL_RUB * dull)
    teeth = resistance * fade
    deepened = 0.0
    if press > 0.0:
        cutting = abs(teeth * blade.vx) * dt * max(0.0, 1.0 - RUBBING_FORCE / press)
        if wood.stuck:
            cutting = 0.0
        if cutting > 0.0:
            deepened = (1.0 - dull) * cutting / (material.energy * grain.hardness * KERF_WIDTH * chord(depth))
            held = _deepen(wood, held, blade.y, deepened)
    limit = bind_press(material, depth, pinch)
    _bind(wood, press, limit, blade.x, abs(blade.vx), inside, dt)
    along = -teeth
    if wood.stuck:
        pull = STUCK_STIFFNESS * (blade.x - wood.anchor)
        if abs(pull) > STUCK_FORCE:
            wood.anchor = blade.x - math.copysign(STUCK_FORCE / STUCK_STIFFNESS, pull)
            pull = math.copysign(STUCK_FORCE, pull)
        along = -pull - STUCK_DAMPING * blade.vx
    elif inside:
        along -= BIND_DRAG * wood.bind * wood.bind * fade
    side, turn = _walls(wood, held, blade, depth) if inside else (0.0, 0.0)
    tilt = -PITCH_STIFFNESS * min(1.0, press / 20.0) * blade.pitch - 0.1 * blade.pitch_rate if press > 0.0 else 0.0
    return Bite(along, side, press, tilt, turn, press, height, zone, inside, deepened)


def _deepen(wood: Wood, held: int, y: float, amount: float) -> int:
    if held < 0:
        held = min(range(KERFS), key=lambda i: wood.kerf_depth[i])
        wood.kerf_y[held], wood.kerf_depth[held], wood.active = y, NEW_KERF, held
    wood.kerf_depth[held] += amount
    return held


def _walls(wood: Wood, held: int, blade: Blade, depth: float) -> tuple[float, float]:
    share = min(1.0, depth / WALL_FULL_DEPTH)
    off = blade.y - wood.kerf_y[held]
    beyond = math.copysign(max(0.0, abs(off) - CLEARANCE), off)
    side = 0.0
    if beyond != 0.0:
        side = -WALL_STIFFNESS * share * beyond - WALL_DAMPING * share * blade.vy
        side = min(WALL_FORCE, max(-WALL_FORCE, side))
    return side, share * (-YAW_STIFFNESS * blade.yaw - 0.3 * blade.yaw_rate)


def _relax(wood: Wood, press: float, limit: float, dt: float) -> None:
    wood.bind = max(0.0, wood.bind - BIND_FALL * (1.0 - press / limit) * dt)
    if wood.stuck and wood.bind < FREE_BELOW:
        wood.stuck = False


def _bind(wood: Wood, press: float, limit: float, x: float, speed: float, inside: bool, dt: float) -> None:
    if press <= limit:
        _relax(wood, press, limit, dt)
        return
    if not inside or (speed < CREEP_SPEED and not wood.stuck):
        return
    wood.bind = min(1.0, wood.bind + BIND_RISE * (press / limit - 1.0) * dt)
    if wood.bind >= 1.0 and not wood.stuck:
        wood.stuck, wood.anchor = True, x
