"""The plant vector: everything the simulation holds, as one float array, and back again without loss.

Order: cell time, q (7), dq (7), the solver's warm start (7), then every field of ``Cell`` in the order of its classes.
Whatever the physics step recomputes from these (torques, applied forces) is not stored.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from itertools import islice
from operator import attrgetter
from typing import Any

import numpy as np

from adapters.mujoco import layout, noise, partner, zones
from adapters.mujoco.cutting import Wood
from adapters.mujoco.hazards import Hazards
from adapters.mujoco.partner import Hand, Temper
from adapters.mujoco.sight import Sight
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


Writer = Callable[[list[float], Any], None]


def _written(like: Any, path: str) -> Iterator[tuple[str, Writer]]:
    """Every number, and every list of them, below a dataclass shaped as ``like``: where it is, and what appends it to a list."""
    for name in (f.name for f in fields(like)):
        value, at = getattr(like, name), f"{path}{name}"
        if is_dataclass(value):
            yield from _written(value, f"{at}.")
        elif not isinstance(value, (list, tuple)):
            yield at, list.append
        elif is_dataclass(value[0]):
            yield at, _extender(attrgetter(*(f.name for f in fields(value[0]))))
        else:
            yield at, list.extend


def _extender(get: Callable[[Any], tuple[float, ...]]) -> Writer:
    def extend(out: list[float], items: Any) -> None:
        for item in items:
            out += get(item)

    return extend


def _reader(like: Any) -> Callable[[Iterator[float]], Any]:
    """What takes a value shaped as ``like`` from a stream of floats; put together once, since training unpacks by the 100,000."""
    if isinstance(like, (list, tuple)) and like and all(isinstance(item, float) for item in like):
        many, kind = len(like), type(like)
        return lambda source: kind(islice(source, many))
    if isinstance(like, float):
        return next
    if is_dataclass(like) or isinstance(like, (list, tuple)):
        items = [getattr(like, f.name) for f in fields(like)] if is_dataclass(like) else like
        readers = [_reader(item) for item in items]
        if isinstance(like, (list, tuple)):
            whole = type(like)
            return lambda source: whole([read(source) for read in readers])
        made: Any = type(like)
        return lambda source: made(*[read(source) for read in readers])
    value = type(like)
    return lambda source: value(next(source))


_TEMPLATE = fresh(0)
_READ_CELL = _reader(_TEMPLATE)
_WRITTEN = tuple(_written(_TEMPLATE, ""))  # put together once, since every control tick packs a plant
_GET: Callable[[Cell], tuple[Any, ...]] = attrgetter(*(path for path, _ in _WRITTEN))
_WRITERS = tuple(write for _, write in _WRITTEN)
_HEAD = 22


def _numbers(cell: Cell, out: list[float]) -> list[float]:
    """``out`` with a cell's numbers at its end."""
    for write, value in zip(_WRITERS, _GET(cell), strict=True):
        write(out, value)
    return out


SIZE: int = _HEAD + len(_numbers(_TEMPLATE, []))  #: P


def pack(plant: Plant) -> F64:
    """(P,) of a plant."""
    head: list[float] = [plant.time, *plant.q.tolist(), *plant.dq.tolist(), *plant.warm.tolist()]
    return np.array(_numbers(plant.cell, head), np.float64)


def unpack(vector: F64) -> Plant:
    """The plant of a (P,) vector. Raises ValueError for another length."""
    if vector.shape != (SIZE,):
        raise ValueError(f"a plant vector of shape {vector.shape} is not this cell's ({SIZE},); it was recorded by another version of it")
    v = np.asarray(vector, dtype=np.float64)
    cell: Cell = _READ_CELL(iter(v[_HEAD:].tolist()))
    return Plant(float(v[0]), v[1:8].copy(), v[8:15].copy(), v[15:22].copy(), cell)


def line_speed_limited(now: float, wanted: float, speed: float, dt: float) -> float:
    """The drive's next place: towards the wanted one, no faster than ``speed``."""
    step = speed * dt
    return now + min(step, max(-step, wanted - now))


def move_drives(drives: Drives, dt: float) -> None:
    """Let dt pass for the projector and the cradle."""
    drives.line_y = line_speed_limited(drives.line_y, drives.line_y_d, layout.LINE_SPEED, dt)
    drives.log_top = line_speed_limited(drives.log_top, drives.log_top_d, layout.CRADLE_SPEED, dt)
