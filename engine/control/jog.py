"""Jogging: from the axes that are granted now to a target just ahead of the reference.

A grant runs for ``step / speed`` seconds: the reference speeds up and brakes at the same rate, so it then moves one step.
"""

import math

from engine.control.pose import Floats, Vector, floats
from engine.limits import Limits

_AXES = {"x": 0, "y": 1, "z": 2}


def direction(axes: tuple[str, ...]) -> Floats:
    """(3,) unit vector of the granted axes ("+x", "-z", ...); zeros where they cancel or none is given."""
    summed = [0.0, 0.0, 0.0]
    for axis in axes:
        if len(axis) == 2 and axis[0] in "+-" and axis[1] in _AXES:
            summed[_AXES[axis[1]]] += 1.0 if axis[0] == "+" else -1.0
    length = math.sqrt(sum(value * value for value in summed))
    return tuple(value / length for value in summed) if length > 0.0 else (0.0, 0.0, 0.0)


def target(pose: Vector, axes: tuple[str, ...], speed: float, dt: float, limits: Limits) -> Floats | None:
    """(7,) a pose ahead of the reference ``pose`` (7,), as far as makes the reference move at ``speed`` m/s; None where nothing is granted.

    A step that leads out of the workspace, or further out of it, is left out of the target; one that leads back in is kept.
    """
    way = direction(axes)
    if not (speed > 0.0 and math.isfinite(speed)) or not any(way):
        return None
    a = limits.acceleration_max
    ahead = max(speed * (speed + a * dt) / (2.0 * a), speed * dt)
    here = floats(pose)
    there = list(here)
    for i in range(3):
        step = ahead * way[i]
        kept_below = step <= 0.0 or here[i] + step <= limits.workspace_max[i]
        kept_above = step >= 0.0 or here[i] + step >= limits.workspace_min[i]
        if kept_below and kept_above:
            there[i] += step
    return tuple(there) if tuple(there) != here else None
