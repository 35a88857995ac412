"""How far a limb is from the toothed blade, exactly, in the tool frame: x along the blade, z up from the tooth line."""

import math
from collections.abc import Sequence
from typing import Final

from adapters.mujoco import layout

Point = tuple[float, float, float]
HALVINGS: Final = 24  #: of a limb's axis: to well under a micrometre


def to_blade(start: Point, end: Point) -> tuple[float, Point]:
    """(m, the blade's nearest point) of a segment in the tool frame. The squared distance is convex along it, so its slope is halved in."""
    d = (end[0] - start[0], end[1] - start[1], end[2] - start[2])
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        t = 0.5 * (low + high)
        p = (start[0] + t * d[0], start[1] + t * d[1], start[2] + t * d[2])
        b = _on_blade(p)
        if (p[0] - b[0]) * d[0] + (p[1] - b[1]) * d[1] + (p[2] - b[2]) * d[2] > 0.0:
            high = t
        else:
            low = t
    return math.dist(p, b), b


def at_least(start: Point, end: Point) -> float:
    """m, a lower bound of the distance: that of the boxes around both."""
    gaps = (
        max(0.0, min(start[0], end[0]) - layout.BLADE_AHEAD, -layout.BLADE_BACK - max(start[0], end[0])),
        max(0.0, min(start[1], end[1]), -max(start[1], end[1])),
        max(0.0, min(start[2], end[2]) - layout.BLADE_HEIGHT, -max(start[2], end[2])),
    )
    return math.hypot(*gaps)


def level(body: Sequence[tuple[Point, Point]], tool: Point, part: int) -> float:
    """m, from the surface of a part of the person (base frame) to the blade, taken as level, with the tool frame at ``tool``."""
    x, y, z = tool
    start, end = ((p[0] - x, p[1] - y, p[2] - z) for p in body[part])
    return to_blade(start, end)[0] - layout.PART_RADII[part]


def _on_blade(p: Point) -> Point:
    return (
        min(layout.BLADE_AHEAD, max(-layout.BLADE_BACK, p[0])),
        0.0,
        min(layout.BLADE_HEIGHT, max(0.0, p[2])),
    )
