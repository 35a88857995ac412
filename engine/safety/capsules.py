"""The shapes that separation measures between: the moving robot and the person as capsules, and the distance between two axes.

A capsule is all that lies within a radius of a straight axis; the distance between two is that of their axes less both radii.
Only + - x / sqrt, and a coordinate that is NaN makes the distance NaN.
"""

import math
from typing import NamedTuple

from engine.safety.cell import Cell
from engine.types import Inputs

Point = tuple[float, float, float]
#: where it begins, its direction and length as one vector, and that length squared
Segment = tuple[float, float, float, float, float, float, float]

SHORT = 1e-12  #: m^2, an axis whose squared length is less is a point
PARALLEL = 1e-12  #: sine squared of the angle, below which two axes count as parallel


def segment(px: float, py: float, pz: float, qx: float, qy: float, qz: float) -> Segment:
    """The axis from p to q, m."""
    ux, uy, uz = qx - px, qy - py, qz - pz
    return px, py, pz, ux, uy, uz, ux * ux + uy * uy + uz * uz


def distance(one: Segment, other: Segment) -> float:
    """m between the closest points of two axes (Ericson, Real-Time Collision Detection, 2005, section 5.1.9); NaN if any coordinate is.

    Each axis is p + s u with s in [0, 1]. The squared distance is a convex parabola in (s, t): its lowest point, then clamped
    along one axis and solved again along the other.
    """
    px, py, pz, ux, uy, uz, uu = one
    qx, qy, qz, vx, vy, vz, vv = other
    rx, ry, rz = px - qx, py - qy, pz - qz
    vr = vx * rx + vy * ry + vz * rz
    ur = ux * rx + uy * ry + uz * rz
    s = t = 0.0
    if uu <= SHORT:
        if vv > SHORT:
            t = _unit(vr / vv)
    elif vv <= SHORT:
        s = _unit(-ur / uu)
    else:
        uv = ux * vx + uy * vy + uz * vz
        across = uu * vv - uv * uv
        if across > PARALLEL * uu * vv:
            s = _unit((uv * vr - ur * vv) / across)
        t = (uv * s + vr) / vv
        if t < 0.0:
            t = 0.0
            s = _unit(-ur / uu)
        elif t > 1.0:
            t = 1.0
            s = _unit((uv - ur) / uu)
    dx, dy, dz = rx + s * ux - t * vx, ry + s * uy - t * vy, rz + s * uz - t * vz
    return math.sqrt(dx * dx + dy * dy + dz * dz)


def _unit(share: float) -> float:
    return 0.0 if share < 0.0 else 1.0 if share > 1.0 else share


def axes(pose: tuple[float, ...]) -> tuple[Point, Point]:
    """The tool's x and z axes in the base frame, from its quaternion (7,) pose; its length is divided out."""
    _, _, _, w, x, y, z = pose
    size = w * w + x * x + y * y + z * z
    two = 2.0 / size if size > 0.0 else math.nan
    ahead = (1.0 - two * (y * y + z * z), two * (x * y + w * z), two * (x * z - w * y))
    up = (two * (x * z + w * y), two * (y * z - w * x), 1.0 - two * (x * x + y * y))
    return ahead, up


class Shape(NamedTuple):
    """A capsule, and how far its surface reaches along x, m."""

    axis: Segment
    radius: float
    low: float
    high: float


def capsule(axis: Segment, radius: float) -> Shape:
    """The capsule around an axis."""
    begin, end = axis[0], axis[0] + axis[3]
    return Shape(axis, radius, (begin if begin < end else end) - radius, (end if begin < end else begin) + radius)


def robot(inputs: Inputs, cell: Cell) -> tuple[Shape, ...]:
    """The moving parts of the robot: the blade, with half its height around its middle line, then the links."""
    (ax, ay, az), (zx, zy, zz) = axes(inputs.pose)
    x, y, z = inputs.pose[0], inputs.pose[1], inputs.pose[2]
    half = 0.5 * cell.blade_height
    x, y, z = x + half * zx, y + half * zy, z + half * zz
    back, far = cell.blade_back, cell.blade_ahead
    parts = [capsule(segment(x - back * ax, y - back * ay, z - back * az, x + far * ax, y + far * ay, z + far * az), half)]
    for link, radius in enumerate(cell.link_radii):
        parts.append(capsule(segment(*inputs.links[3 * link : 3 * link + 6]), radius))
    return tuple(parts)


def clearance(axis: Segment, shapes: tuple[Shape, ...]) -> float:
    """m from an axis to the nearest surface; NaN if any that counts is.

    What is further off along x alone than the nearest found so far is not measured: that spares most of the work.
    """
    begin, end = axis[0], axis[0] + axis[3]
    low, high = (begin, end) if begin < end else (end, begin)
    nearest = math.inf
    for shape in shapes:
        if low - shape.high >= nearest or shape.low - high >= nearest:
            continue
        between = distance(axis, shape.axis) - shape.radius
        if nearest == nearest and not between >= nearest:
            nearest = between
    return nearest
