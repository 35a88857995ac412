"""Where the person's body is: the truth from which the person is drawn, sensed, and judged to be harmed or not.

The person kneels or stands behind the far handle, bent forward and turned, the shoulder of the handle's arm ahead and the free hand
on the hip: so everything but the handle's arm is far enough from the blade that separation leaves a sawing speed
(``tests/adapters/test_geometry.py``). Reaching beyond the arm's length takes the trunk along. All places are in the base frame,
m; heights follow the log's top, and the person walks along the log with the saw.
"""

import math
from dataclasses import dataclass
from typing import Final

from adapters.mujoco import layout
from adapters.mujoco.hazards import Hazard, Hazards, Kind, smooth
from adapters.mujoco.plant import Cell

Point = tuple[float, float, float]
Capsule = tuple[Point, Point]

UPPER_ARM: Final = 0.31  #: m
FOREARM: Final = 0.30  #: m, to the middle of the fist
FINGERS: Final = 0.03  #: m, from there to the end of an open hand's axis
SHOULDER_X: Final = 1.42  #: m, between the shoulders, at mid-stroke
SHOULDER_UP: Final = 0.44  #: m over the log's top
SHOULDER_HALF: Final = 0.19  #: m
TURN: Final = 0.70  #: rad, how far the handle's shoulder is ahead of the free one
SWAY: Final = 0.2  #: share of the stroke that the trunk follows
HIPS: Final = (0.16, 0.02, -0.02)  #: m, from below the shoulders; z above the log's top
HIPS_FOLLOW: Final = 0.45  #: share of a lean that the hips go forward
HEAD: Final = (-0.03, 0.0, 0.22)  #: m, from between the shoulders
NOD: Final = (-0.35, 0.0, -0.50)  #: m of the head for every m of leaning in
CHEST: Final = (0.03, 0.0, -0.10)  #: m, from between the shoulders to the upper end of the trunk's axis
LEAN: Final = (-0.94, 0.0, -0.3412)  #: direction in which the shoulders go when the trunk leans
LEAN_MAX: Final = 0.42  #: m
FREE_REST: Final = (1.68, -0.27, 0.02)  #: m, free hand on the hip: x; from where the person stands; above the log's top
HANDLE_REST: Final = (1.46, 0.30, 0.02)  #: m, the other hand, when it has let go
REACH: Final = 0.97 * (UPPER_ARM + FOREARM)  #: m, beyond which the trunk comes along
OPENING: Final = 0.15  #: s, from letting go to the hand's first motion
ARC: Final = {Kind.HAND_REACHES: 0.06, Kind.HANDLE_HAND_REACHES: 0.12, Kind.LETS_GO: 0.05}  #: m, a moving hand lifts by
PEAK: Final = 1.875  #: peak over mean speed of a minimum-jerk movement
PEAK_ACCELERATION: Final = 5.7735  #: of it, over distance and time squared
HAND_ACCELERATION: Final = 12.0  #: m/s^2
TRUNK_SPEED: Final = 0.5  #: m/s


@dataclass(frozen=True, slots=True)
class Posture:
    """Joints of the person."""

    shoulders: Point
    turn: float  #: rad
    hips: Point
    head: Point
    free: tuple[Point, Point, Point]  #: shoulder, elbow, hand
    handle: tuple[Point, Point, Point]


@dataclass(frozen=True, slots=True)
class Movement:
    """How far along its way out a hand is: 0 at its rest, 1 at its goal."""

    goal: Point
    lean: float  #: m, the trunk's share of the whole reach
    out: float  #: s, one way
    total: float  #: s, there and back
    share: float
    arc: float  #: m


def body(cell: Cell, time: float, grip: Point) -> tuple[Capsule, ...]:
    """(6, 2, 3) m: the axis of the capsule of each of PARTS (radii ``layout.PART_RADII``), with the handle's middle at ``grip``."""
    p = posture(cell, time, grip)
    (x, y, z), (hx, hy, hz) = p.head, p.hips
    chest = _add(p.shoulders, CHEST)
    return (
        ((x, y, z - 0.03), (x, y, z + 0.03)),
        ((hx, hy, hz + 0.05), chest),
        (p.free[0], p.free[1]),
        (p.free[1], _beyond(p.free[1], p.free[2], FINGERS)),
        (p.handle[0], p.handle[1]),
        (p.handle[1], p.handle[2]),
    )


def posture(cell: Cell, time: float, grip: Point) -> Posture:
    """The person's joints at a time, with the handle's middle at ``grip``."""
    y, top, hazards = cell.hand.stand_y, cell.drives.log_top, cell.hazards
    free, handle, bow = _free(hazards, y, top, time), _handle(hazards, y, top, time), _bow(hazards, time)
    turn = TURN * (1.0 - (free.share if free else 0.0))
    lean = max(bow, free.share * free.lean if free else 0.0, handle.share * handle.lean if handle else 0.0)
    sway = SWAY * (grip[0] - layout.STROKE_X - layout.HANDLE_AHEAD)
    shoulders = _between((SHOULDER_X + sway, y, top + SHOULDER_UP), lean)
    hips = (SHOULDER_X + HIPS[0] - HIPS_FOLLOW * lean, y + HIPS[1], top + HIPS[2])
    head = _add(_add(shoulders, HEAD), (NOD[0] * bow, NOD[1] * bow, NOD[2] * bow))
    rest = (FREE_REST[0] - HIPS_FOLLOW * lean, y + FREE_REST[1], top + FREE_REST[2])
    hand = _on_the_way(rest, free) if free else rest
    held = _on_the_way(grip, handle) if handle else grip
    bent = free.share if free else 0.0
    outward = (0.8 - 0.45 * bent, -0.6 - 0.2 * bent, -0.1 - 0.65 * bent)
    left, right = _shoulder(shoulders, turn, 1.0), _shoulder(shoulders, turn, -1.0)
    return Posture(
        shoulders=shoulders,
        turn=turn,
        hips=hips,
        head=head,
        free=(left, elbow(left, hand, outward), hand),
        handle=(right, elbow(right, held, (0.35, 0.8, -0.75)), held),
    )


def holds(cell: Cell, time: float) -> bool:
    """Whether the hand is on the handle."""
    return _handle(cell.hazards, cell.hand.stand_y, cell.drives.log_top, time) is None


def elbow(shoulder: Point, hand: Point, outward: Point) -> Point:
    """(3,) m: where the arm bends, on the ``outward`` side; an arm too short is straight (law of cosines)."""
    dx, dy, dz = hand[0] - shoulder[0], hand[1] - shoulder[1], hand[2] - shoulder[2]
    length = math.sqrt(dx * dx + dy * dy + dz * dz) or 1e-9
    dx, dy, dz = dx / length, dy / length, dz / length
    reach = min(length, 0.999 * (UPPER_ARM + FOREARM))
    along = (UPPER_ARM * UPPER_ARM - FOREARM * FOREARM + reach * reach) / (2.0 * reach)
    dot = outward[0] * dx + outward[1] * dy + outward[2] * dz
    ox, oy, oz = outward[0] - dot * dx, outward[1] - dot * dy, outward[2] - dot * dz
    side = math.sqrt(max(0.0, UPPER_ARM * UPPER_ARM - along * along)) / (math.sqrt(ox * ox + oy * oy + oz * oz) or 1e-9)
    return shoulder[0] + along * dx + side * ox, shoulder[1] + along * dy + side * oy, shoulder[2] + along * dz + side * oz


# --- movements ---


def _free(hazards: Hazards, y: float, top: float, time: float) -> Movement | None:
    """What the free hand is about."""
    hazard = hazards.begun(Kind.HAND_REACHES, time)
    if hazard is None:
        return None
    goal = (hazard.along, y + hazard.across, top + hazard.up)
    start = (FREE_REST[0], y + FREE_REST[1], top + FREE_REST[2])
    shoulder = (SHOULDER_X, y - SHOULDER_HALF, top + SHOULDER_UP)
    return _movement(hazard, start, goal, _needed(shoulder, goal), time - hazard.at)


def _handle(hazards: Hazards, y: float, top: float, time: float) -> Movement | None:
    """What the hand of the handle is about while it is not on it."""
    reaches, leaves = hazards.begun(Kind.HANDLE_HAND_REACHES, time), hazards.begun(Kind.LETS_GO, time)
    start = (layout.STROKE_X + layout.HANDLE_AHEAD, y, top + layout.HANDLE_UP)
    for hazard in (reaches, leaves):
        if hazard is None:
            continue
        goal = (HANDLE_REST[0], y + HANDLE_REST[1], top + HANDLE_REST[2])
        lean = 0.0
        if hazard.kind == Kind.HANDLE_HAND_REACHES:
            goal = (hazard.along, y + hazard.across, top + hazard.up)
            lean = _needed(_shoulder((SHOULDER_X, y, top + SHOULDER_UP), TURN, -1.0), goal)
        found = _movement(hazard, start, goal, lean, max(0.0, time - hazard.at - OPENING))
        if found is not None:
            return found
    return None


def _movement(hazard: Hazard, start: Point, goal: Point, lean: float, since: float) -> Movement | None:
    """Out with a minimum-jerk profile, a stay, and back with the same; None once it is over."""
    arc = ARC[hazard.kind]
    way = math.dist(start, goal) + 4.0 * arc
    out = max(PEAK * way / hazard.speed, PEAK * lean / TRUNK_SPEED, math.sqrt(PEAK_ACCELERATION * way / HAND_ACCELERATION))
    total = 2.0 * out + hazard.stay
    if since >= total:
        return None
    share = smooth(since / out) - smooth((since - out - hazard.stay) / out)
    return Movement(goal, lean, out, total, share, arc)


def _bow(hazards: Hazards, time: float) -> float:
    """m, how far the chest leans in of itself."""
    hazard = hazards.begun(Kind.LEANS_IN, time)
    if hazard is None:
        return 0.0
    way = hazard.depth * math.dist((0.0, 0.0, 0.0), _add(LEAN, NOD))
    out = PEAK * way / hazard.speed
    since = time - hazard.at
    return hazard.depth * (smooth(since / out) - smooth((since - out - hazard.stay) / out))


def _needed(shoulder: Point, goal: Point) -> float:
    """m, how far the trunk must lean so that the goal comes within ``REACH`` of the shoulder."""
    d = (goal[0] - shoulder[0], goal[1] - shoulder[1], goal[2] - shoulder[2])
    along = d[0] * LEAN[0] + d[1] * LEAN[1] + d[2] * LEAN[2]
    aside = d[0] * d[0] + d[1] * d[1] + d[2] * d[2] - along * along
    return min(LEAN_MAX, max(0.0, along - math.sqrt(max(0.0, REACH * REACH - aside))))


def _on_the_way(start: Point, movement: Movement) -> Point:
    s, goal = movement.share, movement.goal
    lift = movement.arc * 4.0 * s * (1.0 - s)
    return (
        start[0] + s * (goal[0] - start[0]),
        start[1] + s * (goal[1] - start[1]),
        start[2] + s * (goal[2] - start[2]) + lift,
    )


def _shoulder(middle: Point, turn: float, side: float) -> Point:
    """The free shoulder (side 1) or the handle's (side -1)."""
    return middle[0] + side * SHOULDER_HALF * math.sin(turn), middle[1] - side * SHOULDER_HALF * math.cos(turn), middle[2]


def _between(place: Point, lean: float) -> Point:
    return place[0] + lean * LEAN[0], place[1] + lean * LEAN[1], place[2] + lean * LEAN[2]


def _beyond(start: Point, end: Point, more: float) -> Point:
    """The point ``more`` m past ``end``."""
    share = 1.0 + more / (math.dist(start, end) or 1e-9)
    return start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1]), start[2] + share * (end[2] - start[2])


def _add(place: Point, more: Point) -> Point:
    return place[0] + more[0], place[1] + more[1], place[2] + more[2]
