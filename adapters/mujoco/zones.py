"""The wood along the log: where knots and cracks lie, drawn from a seed, and which zone a place belongs to."""

from dataclasses import dataclass

import numpy as np

from adapters.mujoco import layout
from engine.types import Zone

KNOTS = 5
CRACKS = 4


@dataclass(frozen=True, slots=True)
class Knot:
    y: float  #: m, middle
    half: float  #: m, half its length along the log; 0 = none
    top: float  #: m below the log's top, where it begins
    bottom: float  #: m below the log's top, where it ends


@dataclass(frozen=True, slots=True)
class Crack:
    y: float  #: m, middle
    half: float  #: m, half its length along the log; 0 = none; it goes all the way down


@dataclass(frozen=True, slots=True)
class Grain:
    """One log's knots and cracks, and how hard its wood is."""

    hardness: float  #: factor on resistance and energy, about 1
    knots: tuple[Knot, ...]  #: KNOTS of them
    cracks: tuple[Crack, ...]  #: CRACKS of them


def draw(seed: int) -> Grain:
    """A log of its own for every seed: one to five knots, up to four cracks, in slots of the log so that knots stay apart."""
    rng = np.random.default_rng([seed, 1])
    slots = rng.permutation(np.linspace(-0.44, 0.44, KNOTS + CRACKS))
    spread = 0.88 / (KNOTS + CRACKS - 1)
    knot_count, crack_count = int(rng.integers(1, KNOTS + 1)), int(rng.integers(0, CRACKS + 1))
    knots = []
    for i in range(KNOTS):
        half = float(rng.uniform(0.014, 0.026)) if i < knot_count else 0.0
        top = float(max(0.0, rng.uniform(-0.003, 0.003)))
        y = float(slots[i] + rng.uniform(-0.2, 0.2) * spread)
        knots.append(Knot(y, half, top, top + float(rng.uniform(0.006, 0.02))))
    cracks = []
    for i in range(CRACKS):
        half = float(rng.uniform(0.02, 0.04)) if i < crack_count else 0.0
        cracks.append(Crack(float(slots[KNOTS + i] + rng.uniform(-0.2, 0.2) * spread), half))
    return Grain(float(rng.uniform(0.9, 1.1)), tuple(knots), tuple(cracks))


def zone_at(grain: Grain, y: float, depth: float) -> Zone:
    """What the teeth meet at y, ``depth`` m below the log's top; a knot hides a crack."""
    if not -layout.LOG_HALF <= y <= layout.LOG_HALF:
        return Zone.AIR
    for knot in grain.knots:
        if abs(y - knot.y) < knot.half and knot.top <= depth < knot.bottom:
            return Zone.KNOT
    for crack in grain.cracks:
        if abs(y - crack.y) < crack.half:
            return Zone.CRACKED
    return Zone.SOFT
