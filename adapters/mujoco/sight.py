"""The sensor that follows the person, between the simulation and the engine, which never sees the truth; and the handle's own sensor.

Every ``PERIOD`` s it exposes all six parts: each end of each axis with noise of ``SIGMA`` an axis (bounded at 3.5 of them, in whole
``GRAIN``s), delivered ``LATENCY`` ± ``JITTER`` s later. It stands beside the person at ``PLACE``; a part whose middle lies behind
the log, the robot's arm or the person's own trunk is not seen in that exposure and keeps its last place, whose exposure
grows old. Now and then it gives nothing for a period or two. The speeds of head and trunk are the slopes over the last ``SPAN``
exposures that saw them (least squares); those of the arms it does not tell. The handle feels a hand's touch and force through a low pass.
All state is in ``Sight``, flat floats in the plant's vector.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from adapters.mujoco import layout, noise
from adapters.mujoco.hazards import Hazards, Kind
from engine.types import PARTS, Person

Point = tuple[float, float, float]
Capsule = tuple[Point, Point]

PERIOD: Final = 0.02  #: s
LATENCY: Final = 0.055  #: s, from exposure to delivery; the next tick of the engine takes it up
JITTER: Final = 0.008  #: s, each way
SIGMA: Final = 0.008  #: m, an axis
GRAIN: Final = 1.0 / 2048.0  #: m, the sensor's resolution
PLACE: Final = (1.15, -1.30, 2.10)  #: m
DROP_CHANCE: Final = 0.004  #: that an exposure begins a short drop-out
DROP_MOST: Final = 2  #: exposures of a short drop-out
FLIGHT: Final = 5  #: exposures on their way at most
SPAN: Final = 6  #: exposures a speed is measured over: 0.1 s
MEASURED: Final = 2  #: parts whose speed is measured: head and trunk
TOUCH_TIME: Final = 0.02  #: s, low pass of the handle's sensor

NOWHERE: Final = 1e9  #: s, when an exposure arrives that is not on its way
_TRUNK: Final = PARTS.index("torso")
_ENDS: Final = 6 * len(PARTS)
_PAST: Final = 1 + 6 * MEASURED
_NEVER: Final = -1e3  #: s


@dataclass(slots=True)
class Sight:
    """What the sensors know, and what is on its way."""

    random: float = 0.0  #: state of the noise
    due: float = 0.0  #: s of the cell's time, of the next exposure
    dropped: int = 0  #: exposures still to be missed
    count: int = 0  #: deliveries so far
    delivered: float = 0.0  #: s, the last one
    place: list[float] = field(default_factory=lambda: [0.0] * _ENDS)  #: m, as delivered
    exposed: list[float] = field(default_factory=lambda: [_NEVER] * len(PARTS))  #: s, when each part was last seen, as delivered
    past: list[float] = field(default_factory=lambda: [_NEVER] * (SPAN * _PAST))  #: time and ends of the measured parts, oldest first
    arrives: list[float] = field(default_factory=lambda: [NOWHERE] * FLIGHT)  #: s, of each exposure in flight; NOWHERE where there is none
    taken: list[float] = field(default_factory=lambda: [0.0] * FLIGHT)  #: s, when it was exposed
    seen: list[int] = field(default_factory=lambda: [0] * FLIGHT)  #: bit i: part i is in it
    flight: list[float] = field(default_factory=lambda: [0.0] * (FLIGHT * _ENDS))  #: m
    touch: float = 1.0  #: 0..1, hand on the handle
    grip: list[float] = field(default_factory=lambda: [0.0] * 3)  #: N


def begin(sight: Sight, seed: int, body: Sequence[Capsule]) -> None:
    """A sensor that has been watching a person at rest for a while."""
    sight.random = noise.start(seed, 7)
    sight.due = 0.5 * PERIOD
    for i in range(SPAN + 3, 0, -1):
        _expose(sight, body, (1 << len(PARTS)) - 1, sight.due - i * PERIOD)
        _deliver(sight, 0.0)


def feel(sight: Sight, force: Point, held: bool, dt: float) -> None:
    """Let the handle's sensor read one physics step: the hand's force on it, N, base axes."""
    share = dt / TOUCH_TIME
    sight.touch += ((1.0 if held else 0.0) - sight.touch) * share
    sight.grip = [old + (new - old) * share for old, new in zip(sight.grip, force, strict=True)]


def watch(sight: Sight, hazards: Hazards, body: Sequence[Capsule], links: Sequence[Point], log_top: float, time: float) -> None:
    """Let the sensor work up to ``time``: expose when it is due, deliver what has arrived. ``body`` and ``links`` are of that time."""
    if time >= sight.due - 1e-9:
        sight.due += PERIOD
        sight.random, chance = noise.uniform(sight.random)
        if sight.dropped > 0:
            sight.dropped -= 1
        elif chance < DROP_CHANCE:
            sight.dropped = int(chance / DROP_CHANCE * DROP_MOST)
        elif hazards.active(Kind.SENSOR_DROPS, time) is None:
            _expose(sight, body, _visible(hazards, body, links, log_top, time), time)
    _deliver(sight, time)


def person(sight: Sight, time: float, t_ns: int, last: Person | None) -> Person:
    """What the sensor has told by now; ``last`` is what this gave before, if anything.

    Stamps are put on once a delivery, from the engine's ``t_ns`` of the cell's ``time`` (s), and never go back: the engine's
    clock and the cell's do not run in step.
    """
    if last is not None and last.seq == sight.count:
        return last
    speeds = [_speed(sight, part) for part in range(MEASURED)] + [math.nan] * (len(PARTS) - MEASURED)
    exposed = [max(1, t_ns - round((time - at) * 1e9)) for at in sight.exposed]
    received = max(1, t_ns - round((time - sight.delivered) * 1e9))
    if last is not None:
        exposed = [max(now, before) for now, before in zip(exposed, last.exposed_ns, strict=True)]
        received = max(received, last.t_ns)
    return Person(
        seq=sight.count,
        t_ns=received,
        exposed_ns=tuple(exposed),
        place=np.array(sight.place).reshape(len(PARTS), 2, 3),
        speed=np.array(speeds),
    )


def holds(sight: Sight) -> bool:
    """Whether the handle feels a hand."""
    return sight.touch > 0.5


# --- exposures ---


def _expose(sight: Sight, body: Sequence[Capsule], seen: int, time: float) -> None:
    """Put an exposure on its way."""
    slot = sight.arrives.index(max(sight.arrives))
    sight.random, late = noise.uniform(sight.random)
    sight.arrives[slot] = time + LATENCY + JITTER * (2.0 * late - 1.0)
    sight.taken[slot], sight.seen[slot] = time, seen
    at = slot * _ENDS
    for axis in body:
        for end in axis:
            for value in end:
                sight.random, error = noise.normal(sight.random)
                sight.flight[at] = round((value + SIGMA * error) / GRAIN) * GRAIN
                at += 1


def _deliver(sight: Sight, time: float) -> None:
    """Take over what has arrived, in the order of exposure."""
    while True:
        slot = min((i for i in range(FLIGHT) if sight.arrives[i] <= time + 1e-9), key=lambda i: sight.taken[i], default=-1)
        if slot < 0:
            return
        sight.arrives[slot] = NOWHERE
        sight.count += 1
        sight.delivered = time
        ends = sight.flight[slot * _ENDS : (slot + 1) * _ENDS]
        for part in range(len(PARTS)):
            if sight.seen[slot] >> part & 1:
                sight.exposed[part] = sight.taken[slot]
                sight.place[6 * part : 6 * part + 6] = ends[6 * part : 6 * part + 6]
        if sight.seen[slot] & 3 == 3:
            sight.past = [*sight.past[_PAST:], sight.taken[slot], *ends[: 6 * MEASURED]]


def _speed(sight: Sight, part: int) -> float:
    """m/s of a part's faster end, by least squares over the last exposures; NaN before there are enough."""
    times = [sight.past[i * _PAST] for i in range(SPAN)]
    if times[0] == _NEVER:
        return math.nan
    middle = sum(times) / SPAN
    spread = sum((t - middle) ** 2 for t in times)
    fastest = 0.0
    for end in (0, 1):
        squares = 0.0
        for axis in range(3):
            at = 1 + 6 * part + 3 * end + axis
            slope = sum((t - middle) * sight.past[i * _PAST + at] for i, t in enumerate(times)) / spread
            squares += slope * slope
        fastest = max(fastest, math.sqrt(squares))
    return fastest


# --- what hides what ---


def _visible(hazards: Hazards, body: Sequence[Capsule], links: Sequence[Point], log_top: float, time: float) -> int:
    """Bit i where nothing stands between the sensor and the middle of part i."""
    x, z = layout.STROKE_X, log_top - layout.LOG_RADIUS
    walls = [((x, -layout.LOG_HALF, z), (x, layout.LOG_HALF, z), layout.LOG_RADIUS)]
    walls += [(links[i], links[i + 1], radius) for i, radius in enumerate(layout.LINK_RADII)]
    seen = 0
    hidden = hazards.active(Kind.SENSOR_OCCLUDED, time)
    for part, (start, end) in enumerate(body):
        if hidden is not None and hidden.part == part:
            continue
        middle = (0.5 * (start[0] + end[0]), 0.5 * (start[1] + end[1]), 0.5 * (start[2] + end[2]))
        trunk = [(*body[_TRUNK], layout.PART_RADII[_TRUNK])] if part != _TRUNK else []
        if all(_clear(middle, a, b, radius) for a, b, radius in walls + trunk):
            seen |= 1 << part
    return seen


def _clear(point: Point, start: Point, end: Point, radius: float) -> bool:
    """Whether the line from the sensor to a point passes a capsule (Ericson, Real-Time Collision Detection, 5.1.9)."""
    d1 = (point[0] - PLACE[0], point[1] - PLACE[1], point[2] - PLACE[2])
    d2 = (end[0] - start[0], end[1] - start[1], end[2] - start[2])
    r = (PLACE[0] - start[0], PLACE[1] - start[1], PLACE[2] - start[2])
    a, e, f = _dot(d1, d1), _dot(d2, d2), _dot(d2, r)
    b, c = _dot(d1, d2), _dot(d1, r)
    denominator = a * e - b * b
    s = min(1.0, max(0.0, (b * f - c * e) / denominator)) if denominator > 1e-12 else 0.0
    t = min(1.0, max(0.0, (b * s + f) / e)) if e > 1e-12 else 0.0
    s = min(1.0, max(0.0, (b * t - c) / a))
    gap = [r[i] + s * d1[i] - t * d2[i] for i in range(3)]
    return gap[0] * gap[0] + gap[1] * gap[1] + gap[2] * gap[2] >= radius * radius


def _dot(a: Point, b: Point) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
