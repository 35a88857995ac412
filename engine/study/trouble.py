"""What else goes wrong in a scene beside the person: stop requests, bad readings, blind cameras, a model that hangs or strays."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np


class Kind(StrEnum):
    STOP_REQUESTED = "stop requested"  #: from another shell
    THREAD_LATE = "thread late"  #: the watchdog finds one
    PAUSED = "paused"
    DISARMED = "disarmed"
    READINGS_OLD = "readings old"  #: the robot repeats its last reading; the person's sensor is another device and goes on
    READINGS_NAN = "readings not numbers"
    PICTURES_BLACK = "pictures black"
    PICTURES_OLD = "pictures old"
    CAMERA_KNOCKED = "camera knocked"  #: the pictures are shifted
    CAMERA_GLARED = "camera glared"  #: half of every picture is washed out
    MODEL_HANGS = "model hangs"
    MODEL_STRAYS = "model strays"  #: its chunks lead away in one direction


#: s from the beginning after which what the engine has is no longer good enough to move on
BAD_AFTER = {
    Kind.READINGS_OLD: 0.1,
    Kind.READINGS_NAN: 0.0,
    Kind.PICTURES_BLACK: 0.3,
    Kind.PICTURES_OLD: 0.6,
    Kind.MODEL_HANGS: 0.8,
}
DIRECTIONS = ((-1.0, 0.0, 0.0), (-1.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, 1.0))


@dataclass(frozen=True)
class Trouble:
    kind: Kind
    at: float  #: s since the beginning
    lasts: float = 0.0  #: s
    shift: int = 0  #: pixels of 128 that a knocked camera is turned by
    away: tuple[float, float, float] = (0.0, 0.0, 0.0)  #: m, to where chunks stray

    @property
    def ends(self) -> float:
        return self.at + self.lasts

    def __str__(self) -> str:
        return f"{self.kind} at {self.at:.1f} s" + (f" for {self.lasts:.1f} s" if self.lasts else "")


def draw(seed: int, seconds: float) -> tuple[Trouble, ...]:
    """Two or three troubles of a scene, one after the other; a model that strays comes last, for it may lead out of the workspace."""
    rng = np.random.default_rng([seed, 21])
    count = int(rng.integers(2, 4))
    weights = np.array([3.0 if kind == Kind.MODEL_STRAYS else 1.0 for kind in Kind])  # two layers have nothing else to answer for
    chosen = rng.choice(list(Kind), count, replace=False, p=weights / weights.sum())
    kinds = sorted((Kind(str(kind)) for kind in chosen), key=Kind.MODEL_STRAYS.__eq__)
    slot = (seconds - 3.5) / count
    return tuple(_drawn(kind, 2.5 + i * slot + float(rng.uniform(0.0, 0.3)) * slot, rng) for i, kind in enumerate(kinds))


def _drawn(kind: Kind, at: float, rng: np.random.Generator) -> Trouble:
    lasts = float(rng.uniform(1.5, 2.5))
    shift = int(rng.integers(8, 32)) * int(rng.choice([-1, 1]))
    away = DIRECTIONS[int(rng.integers(len(DIRECTIONS)))]
    reach = float(rng.uniform(0.25, 0.45))
    if kind in (Kind.STOP_REQUESTED, Kind.PAUSED, Kind.DISARMED):
        return Trouble(kind, at)
    if kind == Kind.CAMERA_KNOCKED:
        return Trouble(kind, at, lasts, shift=shift)
    if kind == Kind.MODEL_STRAYS:
        return Trouble(kind, at, lasts, away=(reach * away[0], reach * away[1], reach * away[2]))
    return Trouble(kind, at, lasts)
