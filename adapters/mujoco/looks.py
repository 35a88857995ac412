"""How an episode looks: paints, light and small errors of the cameras' places, as one vector to randomise pictures by.

(L,) = brightness (1), one RGB factor a paint (3 each), the key light's and the fill light's direction (3 each), and per camera a shift
in m (3) and a turn in rad (3). ``nominal()`` changes nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from engine.types import F32

KEY: Final = (-0.35, 0.45, -1.0)
FILL: Final = (0.6, -0.5, -0.55)
SPREAD: Final = 0.4  #: of a paint's brightness, either way
_TINTS: Final = 1


class Looks:
    """The looks of one scene: its ``paints`` in their order, its number of ``cameras``, and the ``spreads`` of paints that must stay
    recognisable."""

    def __init__(self, paints: Sequence[str], cameras: int, spreads: Mapping[str, float]) -> None:
        self.paints = tuple(paints)
        self._spreads = [spreads.get(paint, SPREAD) for paint in self.paints]
        self._cameras = cameras
        self._lights = _TINTS + 3 * len(self.paints)
        self._places = self._lights + 6
        self.size = self._places + 6 * cameras  #: L

    def nominal(self) -> F32:
        """(L,) the look of the live scene."""
        look = np.zeros(self.size, np.float32)
        look[: self._lights] = 1.0
        look[self._lights : self._lights + 3], look[self._lights + 3 : self._places] = KEY, FILL
        return look

    def draw(self, seed: int, strength: float = 1.0) -> F32:
        """(L,) a look of its own for every seed; strength 0 is nominal."""
        rng = np.random.default_rng([seed, 6])
        look = self.nominal()
        look[0] = 1.0 + strength * rng.uniform(-0.25, 0.15)
        for i, spread in enumerate(self._spreads):
            grey, tint = rng.uniform(-spread, spread), rng.uniform(-0.5 * spread, 0.5 * spread, 3)
            look[_TINTS + 3 * i : _TINTS + 3 * i + 3] = 1.0 + strength * (grey + tint)
        look[self._lights : self._places] += strength * rng.uniform(-0.25, 0.25, 6)
        for i in range(self._cameras):
            at = self._places + 6 * i
            look[at : at + 3] = strength * rng.normal(0.0, 0.006, 3).clip(-0.015, 0.015)
            look[at + 3 : at + 6] = strength * rng.normal(0.0, 0.005, 3).clip(-0.012, 0.012)
        return look

    def tints(self, looks: F32) -> F32:
        """(N, paints, 3) of looks (N, L), brightness included."""
        factors: F32 = looks[:, _TINTS : self._lights].reshape(len(looks), len(self.paints), 3) * looks[:, :1, None]
        return factors

    def lights(self, looks: F32) -> F32:
        """(N, 2, 3) unit directions of the key and the fill light."""
        directions = looks[:, self._lights : self._places].reshape(len(looks), 2, 3)
        unit: F32 = directions / np.linalg.norm(directions, axis=2, keepdims=True)
        return unit

    def jitter(self, looks: F32) -> tuple[F32, F32]:
        """(N, cameras, 3) shifts in m and (N, cameras, 3) turns in rad, camera axes."""
        both = looks[:, self._places :].reshape(len(looks), self._cameras, 6)
        return both[:, :, :3], both[:, :, 3:]
