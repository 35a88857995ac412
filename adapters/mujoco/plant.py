"""The plant vector: everything the simulation holds, as one float array, and back again without loss.

Order: cell time, q (7), dq (7), the solver's warm start (7), then every field of ``Cell`` in the order of its classes.
Whatever the physics step recomputes from these (torques, applied forces) is not stored.
"""

from dataclasses import dataclass, field

import numpy as np

from adapters.mujoco import layout, noise, partner, zones
from adapters.mujoco.cutting import Wood
from adapters.mujoco.failing import Watch
from adapters.mujoco.hazards import Hazards
from adapters.mujoco.packing import Packing
from adapters.mujoco.partner import Hand, Temper
from adapters.mujoco.sight import Sight
from adapters.mujoco.upsets import Upsets
from adapters.mujoco.zones import Grain
from engine.control.pose import Floats
from engine.control.tank import Spring
from engine.types import F64


@dataclass(slots=True)
class Drives:
    """The cradle's and the projector's motors."""

    line_y: float = 0.0  #: m
    line_y_d: float = 0.0
    log_top: float = 0.55  #: m
    log_top_d: float = 0.55


@dataclass(slots=True)
class Account:
    """The impedance drive's energy, J, since the cell was set up; ``engine.types.Energy`` says what each is."""

    tank: float = 0.0
    share: float = 1.0  #: 0..1, least in this tick
    partner: float = 0.0
    grant: float = 0.0
    wood: float = 0.0
    damping: float = 0.0
    paid: float = 0.0
    refill: float = 0.0
    fallen: float = 0.0  #: potential of the weight gained while only the brakes carried it


@dataclass(slots=True)
class Control:
    """The command in force, the spring that has come of it, and the robot's own stop."""

    goal: Spring = field(default_factory=Spring)  #: at the end of the tick
    twist_d: Floats = (0.0,) * 6
    task_power: float = 0.0  #: W
    spring: Spring = field(default_factory=Spring)  #: in effect
    stretch: Floats = (0.0,) * 6  #: m, rad, of that spring
    stored: float = 0.0  #: J, in that spring
    account: Account = field(default_factory=Account)
    hand_force: float = 0.0  #: N, keyboard partner along x
    hand_press: float = 0.0  #: N, keyboard partner along -z
    yielding: bool = True  #: the stroke axis yields (Command.hold)
    age: float = 0.0  #: s since the last command
    own_hold: bool = True  #: the robot holds by itself: time-out, its own stop, or not yet commanded
    own_stop: int = -1  #: category of the stop the robot itself is in, -1 = none
    stopping: float = 0.0  #: s in that stop
    resting: bool = False  #: it has come to rest and holds there
    braked: bool = False  #: power off, on the brakes
    brake_q: list[float] = field(default_factory=lambda: [0.0] * 7)  #: rad, where the brakes closed


@dataclass(slots=True)
class Meter:
    """The cell's process sensors: filtered wrench, and the account of the strokes."""

    tau: list[float] = field(default_factory=lambda: [0.0] * 7)  #: N m, applied last
    wrench: list[float] = field(default_factory=lambda: [0.0] * 6)  #: N, N m, on the tool, low-passed
    press: float = 0.0  #: N
    cut_force: float = 0.0  #: N
    zone: int = 0
    height: float = 1.0  #: m
    in_kerf: bool = False
    holding: bool = True
    heading: int = 0  #: +1 towards the partner, -1 towards the robot, 0 before the first stroke
    turn_x: float = 0.0  #: m, farthest place since the last turn
    strokes: int = 0
    depth_before: float = 0.0  #: m, when the running stroke began
    robot_sum: float = 0.0  #: J, in the running stroke
    partner_sum: float = 0.0
    stroke_depth: float = 0.0  #: m, of the last full stroke
    robot_work: float = 0.0  #: J
    partner_work: float = 0.0


@dataclass(slots=True)
class Cell:
    """All that is not the arm."""

    grain: Grain
    temper: Temper
    drives: Drives = field(default_factory=Drives)
    wood: Wood = field(default_factory=Wood)
    hand: Hand = field(default_factory=Hand)
    hazards: Hazards = field(default_factory=Hazards)
    control: Control = field(default_factory=Control)
    meter: Meter = field(default_factory=Meter)
    sight: Sight = field(default_factory=Sight)
    upsets: Upsets = field(default_factory=Upsets)
    watch: Watch = field(default_factory=Watch)


@dataclass(slots=True)
class Plant:
    time: float  #: s, the cell's own
    q: F64  #: (7,) rad
    dq: F64  #: (7,) rad/s
    warm: F64  #: (7,) rad/s^2, the solver's warm start
    cell: Cell


def fresh(seed: int) -> Cell:
    """A cell as a seed draws it: its log, its person, everything at rest."""
    cell = Cell(grain=zones.draw(seed), temper=partner.draw(seed))
    cell.hand.random = noise.start(seed, 3)
    cell.hand.phase = 0.0
    return cell


_PACKING = Packing(fresh(0))
_HEAD = 22

SIZE: int = _HEAD + _PACKING.size  #: P
_CALM: list[float] = Packing(Upsets()).append([], Upsets()) + Packing(Watch()).append([], Watch())  #: the end of an undisturbed one
UNWATCHED: int = SIZE - len(_CALM)  #: length of a vector recorded before anything went wrong at random


def pack(plant: Plant) -> F64:
    """(P,) of a plant."""
    head: list[float] = [plant.time, *plant.q.tolist(), *plant.dq.tolist(), *plant.warm.tolist()]
    return np.array(_PACKING.append(head, plant.cell), np.float64)


def unpack(vector: F64) -> Plant:
    """The plant of a (P,) vector, or of an UNWATCHED one. Raises ValueError for another length."""
    if vector.shape == (UNWATCHED,):
        vector = np.append(vector, _CALM)
    if vector.shape != (SIZE,):
        raise ValueError(f"a plant vector of shape {vector.shape} is not this cell's ({SIZE},); it was recorded by another version of it")
    v = np.asarray(vector, dtype=np.float64)
    return Plant(float(v[0]), v[1:8].copy(), v[8:15].copy(), v[15:22].copy(), _PACKING.read(v[_HEAD:].tolist()))


def line_speed_limited(now: float, wanted: float, speed: float, dt: float) -> float:
    """The drive's next place: towards the wanted one, no faster than ``speed``."""
    step = speed * dt
    return now + min(step, max(-step, wanted - now))


def move_drives(drives: Drives, dt: float) -> None:
    """Let dt pass for the projector and the cradle."""
    drives.line_y = line_speed_limited(drives.line_y, drives.line_y_d, layout.LINE_SPEED, dt)
    drives.log_top = line_speed_limited(drives.log_top, drives.log_top_d, layout.CRADLE_SPEED, dt)
