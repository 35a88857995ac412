"""A controller that pumps energy into a mass through its spring, with the energy tank and without: who pays for stiffening.

The mass moves on one axis and nobody touches it. The pump softens the spring while it stretches and stiffens it while it shortens, so
each swing gains more than the damping takes; the spring's limit is out of the way. Motion is exact between steps of 2 ms.
"""

from dataclasses import dataclass

import numpy as np

from engine.control import tank
from engine.control.impedance import spring as force
from engine.control.pose import Floats
from engine.limits import Limits
from engine.types import F64

MASS = 6.0  #: kg, about the arm's at the tool
DAMPING = 16.0  #: N s/m, a sixth of critical
SOFT, STIFF = 200.0, 800.0  #: N/m, the ends of the map from score to stiffness
LIMIT = 1e6  #: N
START = 0.05  #: m, first stretch
DT = 0.002  #: s


@dataclass(frozen=True, slots=True)
class Pumped:
    """One run, a row every step."""

    name: str
    time: F64  #: (N,) s
    energy: F64  #: (N,) J, of the motion and in the spring
    place: F64  #: (N,) m
    tank: F64  #: (N,) J
    bound: F64  #: (N,) J, what spring and tank held at first


def pump(seconds: float = 10.0) -> tuple[Pumped, Pumped]:
    """(without the tank, with the tank)."""
    return _run("without the tank", seconds, bounded=False), _run("with the tank", seconds, bounded=True)


def _run(name: str, seconds: float, bounded: bool) -> Pumped:
    limits = Limits()
    place, speed, level = 0.0, 0.0, limits.tank_max
    now = _spring(SOFT)
    stretch = (START, 0.0, 0.0, 0.0, 0.0, 0.0)
    stored = tank.potential(stretch, now.stiffness, now.force, now.torque)
    first = stored + level
    rows = []
    for step in range(round(seconds / DT)):
        goal = _spring(STIFF if stretch[0] * speed >= 0.0 else SOFT)
        if bounded:
            change = tank.change(level, now, stretch, stored, goal, 1.0, _pose(place), limits, DT)
            now, stored, level = change.spring, change.stored, level - change.cost
        else:
            now = goal
            stored = tank.potential(stretch, now.stiffness, now.force, now.torque)
        pull, drag = force(stretch, now.stiffness, now.force, now.torque)[0], DAMPING * speed
        rate = (pull - drag) / MASS
        shift = speed * DT + 0.5 * rate * DT * DT
        place, speed = place + shift, speed + rate * DT
        stretch = (START - place, 0.0, 0.0, 0.0, 0.0, 0.0)
        before, stored = stored, tank.potential(stretch, now.stiffness, now.force, now.torque)
        if bounded:
            level = tank.settled(level, drag * shift, pull * shift + stored - before, False, limits)[0]
        rows.append((step * DT, stored + 0.5 * MASS * speed * speed, place, level, first))
    columns = np.array(rows).T
    return Pumped(name, *columns)


def _spring(stiffness: float) -> tank.Spring:
    return tank.Spring(_pose(START), (stiffness, 0.0, 0.0, 0.0, 0.0, 0.0), LIMIT, 0.0)


def _pose(place: float) -> Floats:
    return (place, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0)
