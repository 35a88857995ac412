"""What goes wrong at the table, as data: what it is, when it begins, how strong it becomes and how long it lasts.

``RATES`` is the knob: how often each kind is drawn in a task, and how strong it is there; ``SPANS`` are the usual sizes and times.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, NamedTuple

import numpy as np

from adapters.mujoco.tabletop.arm import Arm
from adapters.mujoco.tabletop.setting import draw as drawn_setting
from adapters.mujoco.tabletop.truth import Truth

SLOTS: Final = 3  #: disturbances that a course can hold
NEVER: Final = -1.0
NONE: Final = 0.30  #: of the seeds draw nothing
SECOND: Final = 0.35  #: of the others draw a second one
FROM: Final = 0.3  #: s, from the drawing to the earliest beginning
UNTIL: Final = {"pickplace": 6.5, "lift": 4.5, "reach": 4.0}  #: s, to the latest; a go comes within 3 s, the work takes 2 to 5 s more
KEEP: Final = (0.0, 8.0)  #: s, between which ``patience`` is drawn
APART: Final = 2.6  #: of the cube's size, least distance of a decoy from the cube


class Kind(IntEnum):
    """``size`` is told beside each."""

    SLICK = 0  #: oil between fingers and cube; s in which a held cube slides out
    HEAVY = 1  #: the cube weighs more; so many times
    PUSHED = 2  #: a push along the table; m that a lying cube slides
    CUBE_MOVES = 3  #: somebody slides the lying cube along; m
    ZONE_MOVES = 4  #: and the zone; m
    OCCLUDED = 5  #: something hides part of the cameras' pictures; share of their width
    DIMMED = 6  #: the light fails; share of it that is lost
    DISTRACTOR = 7  #: a block that looks like the cube is put beside it; m from the cube
    OBSTACLE = 8  #: a post is put where the hand is going; m beside its way
    DELAYED = 9  #: what the policy says comes late; s
    HINDERED = 10  #: the joints bind; share of their greatest torque
    EDGE = 11  #: the cube lies beyond where it was trained; how many times as far from the middle


class Span(NamedTuple):
    """Between what a disturbance is drawn."""

    size: tuple[float, float]
    ramp: tuple[float, float]  #: s in which it comes about, and goes
    stay: tuple[float, float]  #: s that it lasts, from its beginning to when it begins to go


class Rate(NamedTuple):
    """How often a kind is drawn in a task, relative to the others, and between which sizes where not those of SPANS."""

    chance: float
    size: tuple[float, float] | None = None


ONCE: Final = (0.01, 0.01)
LASTS: Final = (60.0, 60.0)
SPANS: Final[Mapping[Kind, Span]] = {
    Kind.SLICK: Span((0.5, 2.0), (0.2, 0.6), (2.0, 6.0)),
    Kind.HEAVY: Span((2.0, 6.0), ONCE, LASTS),
    Kind.PUSHED: Span((0.02, 0.08), ONCE, (0.1, 0.4)),
    Kind.CUBE_MOVES: Span((0.03, 0.12), ONCE, (0.3, 1.5)),
    Kind.ZONE_MOVES: Span((0.03, 0.12), ONCE, (0.3, 1.5)),
    Kind.OCCLUDED: Span((0.4, 0.9), (0.3, 1.0), (1.5, 5.0)),
    Kind.DIMMED: Span((0.6, 0.96), (0.5, 2.0), (1.5, 5.0)),
    Kind.DISTRACTOR: Span((0.05, 0.12), (0.4, 1.2), LASTS),
    Kind.OBSTACLE: Span((0.0, 0.06), (0.6, 1.5), LASTS),
    Kind.DELAYED: Span((0.08, 0.2), ONCE, (2.0, 6.0)),  # later still, a chunk outlives the engine's limit of its age, and it stops
    Kind.HINDERED: Span((0.1, 0.8), (0.5, 2.0), (1.5, 6.0)),
    Kind.EDGE: Span((1.2, 1.7), ONCE, LASTS),
}


def _but(*absent: Kind) -> dict[Kind, Rate]:
    """Every other kind as often as the next."""
    return {kind: Rate(1.0) for kind in Kind if kind not in absent}


WEAK: Final = (0.15, 0.5)  #: of binding joints: servos that stall altogether wind up to the torque at which the engine stops them
#: the rates of each arm and task; a kind that is not named is not drawn
RATES: Final[Mapping[str, Mapping[Kind, Rate]]] = {
    "franka/pickplace": _but()
    | {
        Kind.OCCLUDED: Rate(2.0, (0.6, 1.0)),
        Kind.DIMMED: Rate(1.5),
        Kind.EDGE: Rate(1.5, (1.4, 1.8)),
        Kind.HINDERED: Rate(0.7),
        Kind.OBSTACLE: Rate(3.0, (0.0, 0.03)),
    },
    "franka/lift": _but(Kind.ZONE_MOVES) | {Kind.SLICK: Rate(1.5, (0.3, 1.2))},
    "franka/reach": _but(Kind.ZONE_MOVES, Kind.SLICK, Kind.HEAVY),
    "so101/lift": _but(Kind.ZONE_MOVES)
    | {
        Kind.SLICK: Rate(1.2, (0.2, 1.0)),
        Kind.CUBE_MOVES: Rate(2.0, (0.05, 0.12)),
        Kind.OCCLUDED: Rate(2.0, (0.6, 1.0)),
        Kind.OBSTACLE: Rate(2.0, (0.0, 0.03)),
        Kind.EDGE: Rate(1.5, (1.4, 1.8)),
        Kind.HINDERED: Rate(2.0, (0.3, 0.6)),
    },
    "so101/reach": _but(Kind.ZONE_MOVES, Kind.SLICK, Kind.HEAVY)
    | {
        Kind.OBSTACLE: Rate(3.0, (0.0, 0.03)),
        Kind.HINDERED: Rate(1.0, WEAK),
        Kind.EDGE: Rate(1.5, (1.4, 1.8)),
        Kind.DISTRACTOR: Rate(1.5),
        Kind.OCCLUDED: Rate(1.5, (0.6, 1.0)),
    },
}


@dataclass(frozen=True, slots=True)
class Disturbance:
    """One of them; which numbers count depends on its kind."""

    kind: Kind
    at: float  #: s of the table's own clock; NEVER where the slot is empty
    ramp: float = 0.5
    stay: float = 1.0
    size: float = 0.0
    along: float = 0.0  #: m, of a place on the table; or of a direction, of length 1; or of a hidden part's left edge, share of the width
    across: float = 0.0
    camera: int = -1  #: index into CAMERAS that is hidden or dimmed; -1 = all

    def strength(self, time: float) -> float:
        """0..1, how much of it is there."""
        since = time - self.at
        if self.at < 0.0 or since < 0.0:
            return 0.0
        return max(0.0, min(1.0, since / self.ramp, 1.0 - (since - self.stay) / self.ramp))

    def lasts(self, time: float) -> bool:
        """Whether it acts, for those that come and go at once."""
        return 0.0 <= self.at <= time < self.at + self.stay


EMPTY: Final = Disturbance(Kind.SLICK, NEVER)


@dataclass(slots=True)
class Course:
    """What goes wrong at one table."""

    slots: list[Disturbance] = field(default_factory=lambda: [EMPTY] * SLOTS)
    told: list[float] = field(default_factory=lambda: [0.0] * SLOTS)  #: 1 where its beginning has been told
    keep: float = 0.0  #: s that the task's end has to last longer than usual

    @property
    def empty(self) -> bool:
        return all(one.at < 0.0 for one in self.slots)

    def strongest(self, kind: Kind, time: float) -> tuple[float, Disturbance]:
        """The one of a kind that is most there, and how much: (0, EMPTY) for none."""
        found = 0.0, EMPTY
        for one in self.slots:
            if one.kind == kind and (strength := one.strength(time)) > found[0]:
                found = strength, one
        return found


def patience(seed: int) -> float:
    """s that the task's end has to last longer than usual, so that the clock tells little of how far the work has come."""
    return float(np.random.default_rng([seed, 25]).uniform(*KEEP))


def draw(seed: int, arm: Arm, task: str, truth: Truth, now: float) -> list[Disturbance]:
    """What goes wrong from ``now`` s of the table's clock on, where things stand as they do; in the order of their beginnings."""
    rng = np.random.default_rng([seed, 24])
    if rng.random() < NONE:
        return []
    rates = RATES[f"{arm.name}/{task}"]
    kinds, chances = list(rates), np.array([rate.chance for rate in rates.values()])
    many = min(len(kinds), 2 if rng.random() < SECOND else 1)
    picked = rng.choice(len(kinds), size=many, replace=False, p=chances / chances.sum())
    found = [_drawn(kinds[int(i)], rng, arm, task, truth, now, seed) for i in picked]
    return sorted(found, key=lambda one: one.at)


def _drawn(kind: Kind, rng: np.random.Generator, arm: Arm, task: str, truth: Truth, now: float, seed: int) -> Disturbance:
    span, own = SPANS[kind], RATES[f"{arm.name}/{task}"][kind].size
    size, ramp, stay = (float(rng.uniform(*between)) for between in (own or span.size, span.ramp, span.stay))
    at = now if kind == Kind.EDGE else now + float(rng.uniform(FROM, UNTIL[task] + patience(seed)))
    turn = float(rng.uniform(-math.pi, math.pi))
    along, across, camera = math.cos(turn), math.sin(turn), -1
    if kind in (Kind.OCCLUDED, Kind.DIMMED) and rng.random() < 0.5:
        camera = int(rng.integers(3))
    if kind == Kind.OCCLUDED:
        along, across = float(rng.uniform(0.0, 1.0 - size)), float(rng.uniform(0.0, 0.5))
    elif kind == Kind.EDGE:
        along, across, _ = drawn_setting(arm, seed, size).cube
    elif kind == Kind.DISTRACTOR:
        away = max(size, APART * arm.cube_half)
        along, across = truth.cube[0] + away * along, truth.cube[1] + away * across
    elif kind == Kind.OBSTACLE:
        along, across = _in_the_way(arm, task, truth, size * (1.0 if rng.random() < 0.5 else -1.0), float(rng.uniform(0.3, 0.8)))
    return Disturbance(kind, at, ramp, stay, size, along, across, camera)


def _in_the_way(arm: Arm, task: str, truth: Truth, beside: float, share: float) -> tuple[float, float]:
    """(2,) m, so far beside a share of the way from cube to zone, or from tool to cube where there is no zone to go to."""
    (x, y), (a, b) = (truth.cube[:2], truth.zone) if task == "pickplace" else (truth.tool[:2], truth.cube[:2])
    length = max(math.hypot(a - x, b - y), 1e-6)
    u, v = (a - x) / length, (b - y) / length
    return x + share * (a - x) - beside * v, y + share * (b - y) + beside * u


_UNITS: Final = {
    Kind.SLICK: "oil on the fingers, a held cube slides out in {:.1f} s",
    Kind.HEAVY: "the cube weighs {:.1f} times as much",
    Kind.PUSHED: "the cube is pushed, {:.2f} m where it lies free",
    Kind.CUBE_MOVES: "the cube is moved by {:.2f} m",
    Kind.ZONE_MOVES: "the zone is moved by {:.2f} m",
    Kind.OCCLUDED: "{:.0%} of a picture's width is hidden",
    Kind.DIMMED: "{:.0%} of the light is lost",
    Kind.DISTRACTOR: "a second block lies {:.2f} m from the cube",
    Kind.OBSTACLE: "a post is put {:.2f} m beside the way",
    Kind.DELAYED: "the policy is heard {:.2f} s later",
    Kind.HINDERED: "the joints bind with {:.0%} of their torque",
    Kind.EDGE: "the cube lies {:.1f} times as far out as usual",
}


def told(one: Disturbance) -> str:
    """One clause with its number."""
    return _UNITS[one.kind].format(one.size)
