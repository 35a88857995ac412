"""A stop: numbered, graver or milder, how it holds and when it may end; and what standstill means while it does.

Categories as in IEC 60204-1: 2 stands with the drives on, watched; 1 brakes and takes the power off where it stands; 0 takes it
off at once. A stop that is not at rest within ``rest_within``, or that creeps away from where it rested, becomes a latched one of
category 1; if that is not at rest within another ``rest_within`` either, or creeps on, of category 0. Along the stroke a
person's hand may move the saw at up to ``Limits.stroke_yield``, which is what a held stroke axis gives way to on purpose, and at up to
``STROKE_DRAG`` if the handle feels that hand pull that way with more than the axis holds. Not where separation is lost: a blade that
somebody may reach must not give way to that person's other hand, so such a stop is of category 1 and ends on the brakes.
"""

import math
from dataclasses import dataclass, replace

from engine.limits import Limits
from engine.safety.layer import Layer
from engine.types import Inputs, Reason, StopCategory, StopKind

STROKE_DRAG = 0.25  #: m/s at which a hand that pulls hard may drag the saw along the stroke
DRAG_ASIDE = 0.03  #: m/s across and vertical meanwhile
DRAG_PULL = 30.0  #: N along the stroke from which on a hand pulls hard: what the held axis resists before it slips
TURN_REST = 0.10  #: rad/s
CREEP = 0.01  #: m, across and vertical, from the place where it came to rest

#: what a program cannot judge to be over: cleared by its number
_LATCHING = (Reason.ENGINE_FAULT, Reason.NOT_AT_REST, Reason.STOP_POWER_OFF)


@dataclass(frozen=True, slots=True)
class Stop:
    """The stop that holds, or the last one that did."""

    number: int
    kind: StopKind
    category: StopCategory
    reason: Reason
    layer: int  #: index into LAYERS
    since_ns: int  #: when the first of an unbroken row of stops began
    rest_ns: int  #: when the robot was last at rest; when its category began until it first is
    margin: float
    age: float
    causes: tuple[int, ...]  #: every layer that asked for it
    place: tuple[float, float] | None = None  #: m, (y, z) of the tool where it stood once it had to be at rest
    crept: float = 0.0  #: m, from there


def at_rest(inputs: Inputs, valid: bool, limits: Limits) -> bool:
    """Standstill, as IEC 60204-1 category 2 monitors it: a trusted reading, across and vertical within ``rest_speed``.

    Where the stroke axis yields to a partner on purpose, it counts as resting up to the speed at which it may.
    """
    if not valid:
        return False
    x, y, z, a, b, c = inputs.twist
    slow = math.sqrt(y * y + z * z) <= limits.rest_speed and abs(x) <= max(limits.stroke_yield, limits.rest_speed)
    return slow and math.sqrt(a * a + b * b + c * c) <= TURN_REST


def dragged(inputs: Inputs, valid: bool) -> bool:
    """Whether a hand that is felt on the handle pulls the saw along the stroke, and nothing else moves much.

    The pull goes the way of the motion, so the hand does the work and no drive does. To close the brakes on it would set it
    against a wall; the held stroke axis resists it and gives way.
    """
    if not (valid and inputs.holds):
        return False
    x, y, z, a, b, c = inputs.twist
    pulled = inputs.grip[0] >= DRAG_PULL if x > 0.0 else inputs.grip[0] <= -DRAG_PULL
    along = abs(x) <= STROKE_DRAG and math.sqrt(y * y + z * z) <= DRAG_ASIDE
    return pulled and along and math.sqrt(a * a + b * b + c * c) <= TURN_REST


def raised(
    before: Stop | None,
    number: int,
    causes: tuple[int, ...],
    verdict: Layer,
    *,
    latched: bool,
    t_ns: int,
    category: StopCategory = StopCategory.CAT2,
) -> Stop:
    """A new stop on top of the one that holds, if any: the later number, never a milder kind or category.

    ``verdict`` is that of the first of ``causes``; ``category`` the mildest that will do, a latched stop's being 1 at least.
    """
    reason, layer = verdict.reason, causes[0]
    latches = latched or reason in _LATCHING
    kind = StopKind.LATCHED if latches else StopKind.PROTECTIVE
    category = min(category, StopCategory.CAT1) if latches else category
    if before is None:
        return Stop(number, kind, category, reason, layer, t_ns, t_ns, verdict.margin, verdict.age, causes)
    both = (*before.causes, *(cause for cause in causes if cause not in before.causes))
    if before.kind > kind:
        return replace(before, number=number, causes=both)
    if category >= before.category:
        category, rest_ns, place, crept = before.category, before.rest_ns, before.place, before.crept
    else:
        rest_ns, place, crept = t_ns, None, 0.0
    return Stop(number, kind, category, reason, layer, before.since_ns, rest_ns, verdict.margin, verdict.age, both, place, crept)


def watched(stop: Stop, inputs: Inputs, resting: bool, valid: bool, limits: Limits) -> Stop:
    """The stop with its standstill noted: when the robot last rested, where, and how far it has crept from there.

    A robot of category 2 counts as resting while it is ``dragged``.
    """
    if not (resting or (stop.category == StopCategory.CAT2 and dragged(inputs, valid))):
        return stop
    at = (inputs.pose[1], inputs.pose[2])
    if stop.place is None:
        due = (inputs.t_ns - stop.since_ns) / 1e9 >= limits.rest_within
        return replace(stop, rest_ns=inputs.t_ns, place=at if due else None)
    y, z = at[0] - stop.place[0], at[1] - stop.place[1]
    return replace(stop, rest_ns=inputs.t_ns, crept=math.sqrt(y * y + z * z))


def failing(stop: Stop, t_ns: int, limits: Limits) -> StopCategory:
    """The graver category that a robot calls for which does not stand: never came to rest, moves, or crept away. NONE = it stands."""
    if stop.category == StopCategory.CAT0:
        return StopCategory.NONE
    moved = not (t_ns - stop.rest_ns) / 1e9 <= limits.rest_within
    if not moved and stop.crept <= CREEP:
        return StopCategory.NONE
    return StopCategory.CAT1 if stop.category == StopCategory.CAT2 else StopCategory.CAT0


def mended(stop: Stop, resting: bool, persists: bool, t_ns: int, limits: Limits) -> bool:
    """Whether a protective stop ends by itself: cause gone, at rest, and the time to come to rest is over."""
    lasted = (t_ns - stop.since_ns) / 1e9 >= limits.rest_within
    return stop.kind == StopKind.PROTECTIVE and resting and lasted and not persists
