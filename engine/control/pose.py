"""Poses and quaternions as plain floats: (x, y, z, qw, qx, qy, qz), m; rotation vectors in base axes, rad.

Seven floats are too few for numpy to pay: plain Python is five times as fast here, so everything returns tuples.
"""

import math
from collections.abc import Sequence

import numpy as np

from engine.types import F64

Floats = tuple[float, ...]
Vector = Sequence[float] | F64


def floats(vector: Vector) -> Floats:
    """The vector's components as Python floats."""
    if isinstance(vector, np.ndarray):
        return tuple(vector.tolist())
    return tuple(map(float, vector))


def length(vector: Vector) -> float:
    """In the vector's own unit."""
    return math.sqrt(sum(v * v for v in floats(vector)))


def normalised(quaternion: Vector) -> Floats:
    """(4,) of unit length with qw >= 0, the shorter of the two turns. Raises ValueError where the length is 0 or not finite."""
    w, x, y, z = floats(quaternion)
    size = math.sqrt(w * w + x * x + y * y + z * z)
    if not 1e-9 < size < math.inf:
        raise ValueError(f"the quaternion ({w}, {x}, {y}, {z}) has no direction; give one of unit length")
    scale = 1.0 / size if w >= 0.0 else -1.0 / size
    return (w * scale, x * scale, y * scale, z * scale)


def product(left: Vector, right: Vector) -> Floats:
    """(4,) Hamilton product: first ``right``, then ``left``, both about base axes."""
    a, b, c, d = floats(left)
    w, x, y, z = floats(right)
    return (
        a * w - b * x - c * y - d * z,
        a * x + b * w + c * z - d * y,
        a * y - b * z + c * w + d * x,
        a * z + b * y - c * x + d * w,
    )


def turned(quaternion: Vector, vector: Vector) -> Floats:
    """(3,) the vector turned by a unit quaternion: v + w t + q x t with t = 2 q x v."""
    w, a, b, c = floats(quaternion)
    x, y, z = floats(vector)
    u, v, s = 2.0 * (b * z - c * y), 2.0 * (c * x - a * z), 2.0 * (a * y - b * x)
    return (x + w * u + b * s - c * v, y + w * v + c * u - a * s, z + w * s + a * v - b * u)


def from_rotation_vector(vector: Vector) -> Floats:
    """(4,) unit quaternion of a turn by ``|vector|`` rad about ``vector``'s direction."""
    x, y, z = floats(vector)
    angle = math.sqrt(x * x + y * y + z * z)
    scale = math.sin(angle / 2.0) / angle if angle > 1e-8 else 0.5
    return (math.cos(angle / 2.0), x * scale, y * scale, z * scale)


def rotation_vector(quaternion: Vector) -> Floats:
    """(3,) rad, at most pi long: the inverse of ``from_rotation_vector``."""
    w, x, y, z = floats(quaternion)
    if w < 0.0:
        w, x, y, z = -w, -x, -y, -z
    sine = math.sqrt(x * x + y * y + z * z)
    scale = 2.0 * math.atan2(sine, w) / sine if sine > 1e-8 else 2.0
    return (x * scale, y * scale, z * scale)


def error(desired: Vector, measured: Vector) -> Floats:
    """(6,) what takes the measured pose to the desired one: metres, then the rotation vector in base axes."""
    x, y, z, a, b, c, d = floats(desired)
    u, v, w, e, f, g, h = floats(measured)
    turn = rotation_vector(
        (a * e + b * f + c * g + d * h, b * e - a * f - c * h + d * g, c * e - a * g + b * h - d * f, d * e - a * h - b * g + c * f)
    )
    return (x - u, y - v, z - w, *turn)


def moved(pose: Vector, delta: Vector) -> Floats:
    """(7,) the pose displaced by ``delta`` (6,), base axes: the inverse of ``error`` in its first argument."""
    p, d = floats(pose), floats(delta)
    turn = normalised(product(from_rotation_vector(d[3:6]), p[3:]))
    return (p[0] + d[0], p[1] + d[1], p[2] + d[2], *turn)
