"""What upsets the work at random times, drawn from a seed: a partner's ways, the wood, lenses, the line, late actions. One table to tune.

Each upset comes on over ``rise`` s, lasts and goes as it came, so that it can be felt before it leads to anything. What the hand does
beyond ``hazards``, which begin at once, comes as a ``Strain`` on it. Nothing here is a reach of the free hand or a lean: those belong
to the separation study.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

import numpy as np

from adapters.mujoco import hazards, layout, veil
from adapters.mujoco.hazards import Hazard, Hazards, smooth
from engine.types import F32

SLOTS: Final = 2  #: upsets of a cell
NEVER: Final = -1.0
HAND_SPEED: Final = 1.8  #: m/s, peak, of a hand that lets go
FOR_EVER: Final = 1e6  #: s


class Kind(IntEnum):
    HESITATES = 0  #: the hand holds on where it is, ever more stiffly; size N/m
    LETS_GO = 1  #: the hand loosens, then leaves the handle; size 1
    PULLS_EARLY = 2  #: the hand pulls out of turn; size N
    PULLS_HARD = 3  #: a growing pull away from the robot; size N
    SHOVES = 4  #: a growing push towards the robot; size N
    LIFTS = 5  #: the hand lifts its end; size N
    JERKS = 6  #: the hand pushes across; size N, either side
    KNOT_BINDS = 7  #: the kerf closes on the blade; size 0..1
    DULLED = 8  #: the teeth cut less and rub more; size 0..1
    DIMMED = 9  #: a lens, or the light, goes dim; size 0..1 of the brightness lost
    OCCLUDED = 10  #: something moves in front of a lens; size 0..1 of the picture's width
    LINE_MOVES = 11  #: the projected line drifts and stays there; size m, either side
    LATE = 12  #: what the policy says arrives later; size s


NAMES: Final = tuple(kind.name.lower() for kind in Kind)
TWO_SIDED: Final = {Kind.JERKS, Kind.LINE_MOVES}
SOON: Final = 2.0  #: s
ALL: Final = len(layout.CAMERAS)  #: stands for every camera at once

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Way:
    """How often a kind is drawn, and between what bounds."""

    share: float  #: relative to the other kinds'
    size: Range  #: in the kind's unit
    rise: Range = (0.8, 2.5)  #: s
    stay: Range = (1.0, 4.0)  #: s


CALM: Final = 0.25  #: share of seeds that draw nothing
SECOND: Final = 0.35  #: share of the others that draw two
BEGINS: Final = (1.5, 12.0)  #: s after ``draw``; undisturbed, the work is done after 12 to 17 s
#: In the comments: what mostly comes of it, and from which size on. Failures of a kind are as frequent as its share times how much of its
#: range of sizes lies beyond that.
TABLE: Final = {
    Kind.HESITATES: Way(8.0, (200.0, 2500.0), stay=(1.0, 5.0)),  # collision, drop from 1300 on
    Kind.LETS_GO: Way(5.0, (1.0, 1.0), rise=(0.5, 2.0), stay=(0.0, 1.5)),  # drop from a stay of 0.7 s on
    Kind.PULLS_EARLY: Way(5.0, (15.0, 40.0), rise=(0.0, 0.0)),
    Kind.PULLS_HARD: Way(6.0, (30.0, 130.0), rise=(0.4, 1.2), stay=(0.3, 2.0)),  # collision from 80 on
    Kind.SHOVES: Way(6.0, (15.0, 80.0), stay=(0.3, 2.0)),  # collision from 60 on
    Kind.LIFTS: Way(6.0, (8.0, 40.0), stay=(0.3, 2.0)),  # drop from 25 on
    Kind.JERKS: Way(7.0, (8.0, 42.0), stay=(0.2, 1.5)),  # collision from 30 on
    Kind.KNOT_BINDS: Way(8.0, (0.3, 1.0), stay=(2.0, 7.0)),  # timeout from 0.7 on
    Kind.DULLED: Way(8.0, (0.55, 1.0), stay=(2.0, 7.0)),  # timeout from 0.85 on
    Kind.DIMMED: Way(8.0, (0.4, 0.97), stay=(1.0, 5.0)),
    Kind.OCCLUDED: Way(8.0, (0.3, 1.0), stay=(1.0, 5.0)),
    Kind.LINE_MOVES: Way(16.0, (0.004, 0.026), rise=(1.0, 2.5), stay=(FOR_EVER, FOR_EVER)),  # miss from 0.010 on
    Kind.LATE: Way(8.0, (0.1, 0.4), rise=(0.3, 1.0), stay=(2.0, 6.0)),
}


@dataclass(frozen=True, slots=True)
class Upset:
    """One of them."""

    kind: Kind = Kind.HESITATES
    at: float = NEVER  #: s of the cell's own time; NEVER where the slot is empty
    rise: float = 0.0  #: s
    stay: float = 0.0  #: s at its height
    size: float = 0.0  #: at its height, in the kind's unit
    lens: float = 0.0  #: index into CAMERAS, or ALL
    tone: float = 0.0  #: 0..1, how bright what stands before a lens is

    def level(self, time: float) -> float:
        """0..1, how far it has come on: smooth up, its height, and smooth down."""
        since = time - self.at
        if self.at < 0.0 or since < 0.0:
            return 0.0
        if since < self.rise:
            return smooth(since / self.rise)
        past = since - self.rise - self.stay
        if past < 0.0:
            return 1.0
        return smooth(1.0 - past / self.rise) if past < self.rise else 0.0


def _danger(upset: Upset) -> Hazard | None:
    """The hazard that an upset is, for those kinds that are one."""
    if upset.kind == Kind.LETS_GO and upset.at >= 0.0:
        return Hazard(hazards.Kind.LETS_GO, upset.at + upset.rise, stay=upset.stay, speed=HAND_SPEED)
    if upset.kind == Kind.PULLS_EARLY and upset.at >= 0.0:
        return Hazard(hazards.Kind.PULLS_EARLY, upset.at, stay=upset.stay, force=upset.size)
    return None


@dataclass(slots=True)
class Upsets:
    """The upsets of a cell, in the order of their beginnings, and how many have been told."""

    slots: list[Upset] = field(default_factory=lambda: [Upset()] * SLOTS)
    told: int = SLOTS

    def size(self, kind: Kind, time: float) -> float:
        """What upsets of this kind come to now, in its unit."""
        return sum(upset.size * upset.level(time) for upset in self.slots if upset.kind == kind)

    def take(self, drawn: tuple[Upset, ...], dangers: Hazards) -> None:
        """Put drawn ones, SLOTS at most, in the place of all; what is a hazard in the hazards too."""
        former = [_danger(upset) for upset in self.slots]
        dangers.slots = [hazards.EMPTY if hazard in former else hazard for hazard in dangers.slots]
        self.slots = [*drawn, *([Upset()] * (SLOTS - len(drawn)))]
        self.told = 0
        for hazard in map(_danger, drawn):
            if hazard is not None:
                dangers.add(hazard)

    def begun(self, time: float) -> list[Upset]:
        """Those that have begun since the last call."""
        found = []
        while self.told < SLOTS and 0.0 <= self.slots[self.told].at <= time:
            found.append(self.slots[self.told])
            self.told += 1
        return found


@dataclass(frozen=True, slots=True)
class Strain:
    """What upsets do to the hand and the teeth during a tick."""

    held_back: float  #: N/m
    loose: float  #: 0..1, of the hand's force lost
    along: float  #: N, away from the robot
    across: float  #: N
    up: float  #: N
    pinch: float  #: 0..1, of ``cutting.bite``
    dull: float  #: 0..1, of ``cutting.bite``


def strain(upsets: Upsets, time: float) -> Strain | None:
    """None where nothing goes on."""
    if not any(upset.level(time) > 0.0 for upset in upsets.slots):
        return None
    size = upsets.size
    return Strain(
        held_back=size(Kind.HESITATES, time),
        loose=min(1.0, size(Kind.LETS_GO, time)),
        along=size(Kind.PULLS_HARD, time) - size(Kind.SHOVES, time),
        across=size(Kind.JERKS, time),
        up=size(Kind.LIFTS, time),
        pinch=min(1.0, size(Kind.KNOT_BINDS, time)),
        dull=min(1.0, size(Kind.DULLED, time)),
    )


def before_lenses(upsets: Upsets, time: float) -> F32:
    """(C, 8) as ``veil`` lays it over the pictures: lenses dim; a patch comes in from the left."""
    now = veil.clear(ALL)
    for upset in upsets.slots:
        level = upset.level(time) if upset.kind in (Kind.DIMMED, Kind.OCCLUDED) else 0.0
        if level <= 0.0:
            continue
        lenses = slice(None) if upset.lens >= ALL else int(upset.lens)
        if upset.kind == Kind.DIMMED:
            now[lenses, veil.GAIN] *= 1.0 - upset.size * level
        else:
            now[lenses, veil.PATCH] = (0.0, 0.0, upset.size * level, 1.0)
            now[lenses, veil.COLOUR] = upset.tone
    return now


def draw(seed: int, now: float) -> tuple[Upset, ...]:
    """What goes wrong after ``now``, s of the cell's own time: nothing, one thing or two of different kinds, by their beginnings."""
    rng = np.random.default_rng([seed, 9])
    if rng.random() < CALM:
        return ()
    kinds = list(TABLE)
    shares = np.array([TABLE[kind].share for kind in kinds])
    count = 2 if rng.random() < SECOND else 1
    chosen = rng.choice(len(kinds), size=count, replace=False, p=shares / shares.sum())
    found = [_drawn(kinds[int(i)], now + float(rng.uniform(*BEGINS)), rng) for i in chosen]
    return tuple(sorted(found, key=lambda upset: upset.at))


def _drawn(kind: Kind, at: float, rng: np.random.Generator) -> Upset:
    way = TABLE[kind]
    side = -1.0 if kind in TWO_SIDED and rng.random() < 0.5 else 1.0
    return Upset(
        kind,
        at,
        rise=float(rng.uniform(*way.rise)),
        stay=float(rng.uniform(*way.stay)),
        size=side * float(rng.uniform(*way.size)),
        lens=float(rng.integers(ALL + 1)),
        tone=float(rng.uniform(0.0, 0.8)),
    )


def still_to_move(upsets: Upsets, time: float) -> float:
    """m that the line has yet to drift of the drifts that have begun or will within SOON, its sign the direction."""
    moves = [u for u in upsets.slots if u.kind == Kind.LINE_MOVES and 0.0 <= u.at <= time + SOON]
    return sum(u.size * (1.0 - u.level(time)) for u in moves)


def worst(upsets: Upsets, time: float) -> float:
    """0..1, share of the worst its kind can be, of what goes on now or begins within SOON."""
    near = [u for u in upsets.slots if 0.0 <= u.at <= time + SOON and time < u.at + 2.0 * u.rise + u.stay]
    return max((abs(u.size) / TABLE[u.kind].size[1] for u in near), default=0.0)


def told(upset: Upset) -> tuple[str, str]:
    """Its kind's name, and one clause."""
    size, unit, scale, does = abs(upset.size), *_SAID[upset.kind]
    amount = f" of {size * scale:.3g} {unit}" if unit else ""
    lasts = "" if upset.stay >= FOR_EVER else f", {upset.stay:.1f} s long"
    return NAMES[upset.kind], f"{does}{amount} within {upset.rise:.1f} s{lasts}"


_SAID: Final = {
    Kind.HESITATES: ("N/m", 1.0, "the partner holds the stroke back with a stiffness"),
    Kind.LETS_GO: ("", 1.0, "the partner loosens the grip and lets go"),
    Kind.PULLS_EARLY: ("N", 1.0, "the partner pulls out of turn with a force"),
    Kind.PULLS_HARD: ("N", 1.0, "the partner pulls away with a force"),
    Kind.SHOVES: ("N", 1.0, "the partner pushes towards the robot with a force"),
    Kind.LIFTS: ("N", 1.0, "the partner lifts the far end with a force"),
    Kind.JERKS: ("N", 1.0, "the partner pushes across with a force"),
    Kind.KNOT_BINDS: ("%", 100.0, "the kerf closes on the blade, a pinch"),
    Kind.DULLED: ("%", 100.0, "the teeth go blunt, a loss"),
    Kind.DIMMED: ("%", 100.0, "a lens goes dim, a loss"),
    Kind.OCCLUDED: ("%", 100.0, "something covers a lens, a part"),
    Kind.LINE_MOVES: ("mm", 1000.0, "the line drifts, a way"),
    Kind.LATE: ("s", 1.0, "actions arrive late, a delay"),
}
