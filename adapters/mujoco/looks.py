"""How an episode looks: paints, light and small errors of the cameras' places, as one vector to randomise pictures by.

(L,) = brightness (1), one RGB factor a paint (3 each, order of ``world.PAINTS``, then the robot's), the key light's and the fill
light's direction (3 each), and per camera a shift in m (3) and a turn in rad (3). ``nominal()`` changes nothing.
"""

from typing import Final

import numpy as np

from adapters.mujoco import layout, world
from engine.types import F32

PAINTS: Final = (*world.PAINTS, "robot")
KEY: Final = (-0.35, 0.45, -1.0)
FILL: Final = (0.6, -0.5, -0.55)
_TINTS: Final = 1
_LIGHTS: Final = _TINTS + 3 * len(PAINTS)
_CAMERAS: Final = _LIGHTS + 6
SIZE: Final = _CAMERAS + 6 * len(layout.CAMERAS)  #: L


def nominal() -> F32:
    """(L,) the look of the live cell."""
    look = np.zeros(SIZE, np.float32)
    look[:_LIGHTS] = 1.0
    look[_LIGHTS : _LIGHTS + 3], look[_LIGHTS + 3 : _CAMERAS] = KEY, FILL
    return look


def draw(seed: int, strength: float = 1.0) -> F32:
    """(L,) a look of its own for every seed; strength 0 is nominal. The line, knots and cracks keep most of their contrast."""
    rng = np.random.default_rng([seed, 6])
    look = nominal()
    look[0] = 1.0 + strength * rng.uniform(-0.25, 0.15)
    for i, paint in enumerate(PAINTS):
        spread = {"line": 0.15, "knot": 0.2, "crack": 0.1, "wood": 0.15, "robot": 0.1}.get(paint, 0.4)
        grey, tint = rng.uniform(-spread, spread), rng.uniform(-0.5 * spread, 0.5 * spread, 3)
        look[_TINTS + 3 * i : _TINTS + 3 * i + 3] = 1.0 + strength * (grey + tint)
    look[_LIGHTS:_CAMERAS] += strength * rng.uniform(-0.25, 0.25, 6)
    for i in range(len(layout.CAMERAS)):
        at = _CAMERAS + 6 * i
        look[at : at + 3] = strength * rng.normal(0.0, 0.006, 3).clip(-0.015, 0.015)
        look[at + 3 : at + 6] = strength * rng.normal(0.0, 0.005, 3).clip(-0.012, 0.012)
    return look


def tints(looks: F32) -> F32:
    """(N, paints, 3) of looks (N, L), brightness included."""
    factors: F32 = looks[:, _TINTS:_LIGHTS].reshape(len(looks), len(PAINTS), 3) * looks[:, :1, None]
    return factors


def lights(looks: F32) -> F32:
    """(N, 2, 3) unit directions of the key and the fill light."""
    directions = looks[:, _LIGHTS:_CAMERAS].reshape(len(looks), 2, 3)
    unit: F32 = directions / np.linalg.norm(directions, axis=2, keepdims=True)
    return unit


def jitter(looks: F32) -> tuple[F32, F32]:
    """(N, cameras, 3) shifts in m and (N, cameras, 3) turns in rad, camera axes."""
    both = looks[:, _CAMERAS:].reshape(len(looks), len(layout.CAMERAS), 6)
    return both[:, :, :3], both[:, :, 3:]
