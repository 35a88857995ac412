"""What goes wrong in the cell, as data: who reaches, leans, pulls or lets go, when and how fast, and when the person's sensor fails.

The figures keep people within what a person does: a hand no faster than 2.0 m/s, the trunk no faster than 0.6 m/s, every movement
from rest to rest with a minimum-jerk profile (Flash & Hogan 1985), whose peak speed is 1.875 times the mean and whose peak
acceleration is 5.77 times distance over time squared.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Final

import numpy as np

SLOTS: Final = 6  #: hazards a cell can hold
NEVER: Final = -1.0
SCENE: Final = 15.0  #: s, of a drawn scene


class Kind(IntEnum):
    HAND_REACHES = 0  #: the free hand, to the blade and back
    HANDLE_HAND_REACHES = 1  #: the hand on the handle lets go, reaches for the blade, and takes hold again
    LETS_GO = 2  #: the hand leaves the handle for the hip, and takes hold again
    LEANS_IN = 3  #: chest and head, over the blade and back
    PULLS_HARD = 4  #: a strong hand pulls away from the robot
    PULLS_EARLY = 5  #: the hand pulls out of turn
    HESITATES = 6  #: the hand holds on where it is
    KNOT_BINDS = 7  #: the kerf closes on the blade
    SENSOR_DROPS = 8  #: the person's sensor gives no exposure
    SENSOR_OCCLUDED = 9  #: something stands between the sensor and one part of the person


@dataclass(frozen=True, slots=True)
class Hazard:
    """One of them; which numbers count depends on its kind."""

    kind: Kind
    at: float  #: s of the cell's own time; NEVER where the slot is empty
    stay: float = 1.5  #: s at the goal, or that it lasts
    along: float = 0.75  #: m, goal of a reach, base frame x
    across: float = -0.08  #: m, from where the person stands
    up: float = 0.035  #: m, above the log's top
    speed: float = 1.2  #: m/s, peak of the hand, or of head and chest
    depth: float = 0.30  #: m, how far the chest leans in
    force: float = 150.0  #: N
    part: int = 3  #: index into PARTS, of what is occluded


NAMED: Final = {
    "hand_reaches": Hazard(Kind.HAND_REACHES, NEVER),
    "handle_hand_reaches": Hazard(Kind.HANDLE_HAND_REACHES, NEVER, along=0.85, across=-0.05, speed=1.0),
    "lets_go": Hazard(Kind.LETS_GO, NEVER, stay=2.4),
    "leans_in": Hazard(Kind.LEANS_IN, NEVER, speed=0.5),
    "pulls_hard": Hazard(Kind.PULLS_HARD, NEVER, stay=2.0),
    "pulls_early": Hazard(Kind.PULLS_EARLY, NEVER, stay=3.0, force=30.0),
    "hesitates": Hazard(Kind.HESITATES, NEVER, stay=3.0),
    "knot_binds": Hazard(Kind.KNOT_BINDS, NEVER, stay=5.0),
    "sensor_drops": Hazard(Kind.SENSOR_DROPS, NEVER, stay=0.6),
    "sensor_occluded": Hazard(Kind.SENSOR_OCCLUDED, NEVER, stay=1.0),
}  #: what the demonstration and the tests start by name
NAMES: Final = tuple(NAMED)
EMPTY: Final = Hazard(Kind.HAND_REACHES, NEVER)

_BODY: Final = {
    Kind.HAND_REACHES: 1,
    Kind.LEANS_IN: 1,
    Kind.HANDLE_HAND_REACHES: 3,
    Kind.LETS_GO: 2,
}  #: 1 trunk, 2 handle's arm
_PULL: Final = {Kind.PULLS_HARD, Kind.PULLS_EARLY, Kind.HESITATES}


@dataclass(slots=True)
class Hazards:
    """The hazards of a cell."""

    slots: list[Hazard] = field(default_factory=lambda: [EMPTY] * SLOTS)

    def add(self, hazard: Hazard) -> None:
        """Take one in, in the place of an empty slot or else of the one that began first."""
        oldest = min(range(SLOTS), key=lambda i: self.slots[i].at)
        self.slots[oldest] = hazard

    def start(self, name: str, at: float) -> None:
        """Let a hazard of ``NAMES`` begin at a time. Raises ValueError for a name that is none."""
        if name not in NAMED:
            raise ValueError(f"there is no hazard {name!r}; the cell knows {', '.join(NAMES)}")
        self.add(replace(NAMED[name], at=at))

    def begun(self, kind: Kind, time: float) -> Hazard | None:
        """The one of this kind that began last."""
        found = None
        for hazard in self.slots:
            if 0.0 <= hazard.at <= time and hazard.kind == kind and (found is None or hazard.at > found.at):
                found = hazard
        return found

    def active(self, kind: Kind, time: float) -> Hazard | None:
        """The one of this kind that goes on now, for those that last for ``stay``."""
        hazard = self.begun(kind, time)
        return hazard if hazard is not None and time - hazard.at < hazard.stay else None


def smooth(share: float) -> float:
    """Minimum-jerk profile: 0 before 0, 1 from 1 on."""
    s = min(1.0, max(0.0, share))
    return s * s * s * (10.0 + s * (6.0 * s - 15.0))


def draw(seed: int) -> tuple[Hazard, ...]:
    """The hazards of a scene of ``SCENE`` s: one to three of the person, and often a failing sensor beside them.

    No limb is asked to do two things at once; everything else may coincide.
    """
    rng = np.random.default_rng([seed, 8])
    found: list[Hazard] = []
    weights = np.array([4.0, 2.0, 1.0, 2.0, 2.0, 1.0, 0.5, 1.0])
    for _ in range(int(rng.integers(1, 4))):
        kind = Kind(int(rng.choice(8, p=weights / weights.sum())))
        hazard = _drawn(kind, float(rng.uniform(2.5, 10.5)), rng)
        if not any(_clash(hazard, other) for other in found):
            found.append(hazard)
    if rng.random() < 0.25:
        found.append(Hazard(Kind.SENSOR_DROPS, _beside(found, rng), stay=float(rng.uniform(0.1, 1.0))))
    if rng.random() < 0.35:
        part = int(rng.choice([0, 1, 2, 3, 3, 5]))
        found.append(Hazard(Kind.SENSOR_OCCLUDED, _beside(found, rng), stay=float(rng.uniform(0.1, 2.5)), part=part))
    return tuple(sorted(found, key=lambda hazard: hazard.at))


def _drawn(kind: Kind, at: float, rng: np.random.Generator) -> Hazard:
    along = float(rng.uniform(0.62, 0.98))
    least = 0.02 if along < 0.74 else -0.02
    return Hazard(
        kind,
        at,
        stay=float(rng.uniform(0.3, 2.5) if kind in _BODY else rng.uniform(0.8, 4.0)),
        along=along,
        across=float(rng.uniform(-0.07, 0.03)),
        up=float(rng.uniform(least, 0.10)),
        speed=float(rng.uniform(0.25, 0.5) if kind == Kind.LEANS_IN else rng.uniform(0.4, 2.0)),
        depth=float(rng.uniform(0.10, 0.40)),
        force=float(rng.uniform(20.0, 40.0) if kind == Kind.PULLS_EARLY else rng.uniform(60.0, 130.0)),
    )


def _clash(one: Hazard, other: Hazard) -> bool:
    """Whether both move the same of the body, or both are a way of pulling, or both are the same."""
    same = _BODY.get(one.kind, 0) & _BODY.get(other.kind, 0) != 0
    return same or (one.kind in _PULL and other.kind in _PULL) or one.kind == other.kind


def _beside(found: Sequence[Hazard], rng: np.random.Generator) -> float:
    """s: shortly before or after one of the others, where a failing sensor does most harm."""
    other = found[int(rng.integers(len(found)))]
    return max(0.5, other.at + float(rng.uniform(-0.5, 1.0)))
