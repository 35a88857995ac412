"""A stop: numbered, graver or milder, how it holds and when it may end."""

import math
from dataclasses import dataclass, replace

from engine.limits import Limits
from engine.safety.layer import Layer
from engine.types import Inputs, Reason, StopCategory, StopKind

STROKE_YIELD = 0.10  #: m/s at which the stroke axis may give way to a person's hand while the robot stands
TURN_REST = 0.10  #: rad/s

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
    rest_ns: int  #: when the robot was last at rest; ``since_ns`` until it first is
    margin: float
    age: float
    causes: tuple[int, ...]  #: every layer that asked for it


def at_rest(inputs: Inputs, valid: bool, limits: Limits) -> bool:
    """Standstill, as IEC 60204-1 category 2 monitors it: a trusted reading, across and vertical within ``rest_speed``.

    The stroke axis yields to the partner on purpose, so it counts as resting up to the speed at which it may yield.
    """
    if not valid:
        return False
    x, y, z, a, b, c = inputs.twist
    slow = math.sqrt(y * y + z * z) <= limits.rest_speed and abs(x) <= STROKE_YIELD
    return slow and math.sqrt(a * a + b * b + c * c) <= TURN_REST


def raised(before: Stop | None, number: int, causes: tuple[int, ...], verdict: Layer, *, latched: bool, t_ns: int) -> Stop:
    """A new stop on top of the one that holds, if any: the later number, never a milder kind or category.

    ``verdict`` is that of the first of ``causes``.
    """
    reason, layer = verdict.reason, causes[0]
    latches = latched or reason in _LATCHING
    kind = StopKind.LATCHED if latches else StopKind.PROTECTIVE
    category = StopCategory.CAT1 if latches else StopCategory.CAT2
    if before is None:
        return Stop(number, kind, category, reason, layer, t_ns, t_ns, verdict.margin, verdict.age, causes)
    both = (*before.causes, *(cause for cause in causes if cause not in before.causes))
    if before.kind > kind:
        return replace(before, number=number, causes=both)
    category = min(category, before.category)
    return Stop(number, kind, category, reason, layer, before.since_ns, before.rest_ns, verdict.margin, verdict.age, both)


def watched(stop: Stop, resting: bool, t_ns: int) -> Stop:
    """The stop with its standstill noted."""
    return replace(stop, rest_ns=t_ns) if resting else stop


def overdue(stop: Stop, t_ns: int, limits: Limits) -> bool:
    """Whether the robot has moved for longer than a stop may take: never came to rest, or crept away from it."""
    return stop.category == StopCategory.CAT2 and not (t_ns - stop.rest_ns) / 1e9 <= limits.rest_within


def mended(stop: Stop, resting: bool, persists: bool, t_ns: int, limits: Limits) -> bool:
    """Whether a protective stop ends by itself: cause gone, at rest, and the time to come to rest is over."""
    lasted = (t_ns - stop.since_ns) / 1e9 >= limits.rest_within
    return stop.kind == StopKind.PROTECTIVE and resting and lasted and not persists
