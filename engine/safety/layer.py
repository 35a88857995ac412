"""What a layer of the arbiter says, and the comparisons they share: written so that NaN never passes."""

import math
from dataclasses import dataclass

from engine.types import Reason

NAN = math.nan
SCORE_MIN = 0.1
SCORE_MAX = 1.0
FUTURE = 0.02  #: s, a stamp may be this much later than the tick's own: another thread took it while the tick was under way


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer's verdict on one tick. Every field can only reduce what the others permit."""

    score: float = SCORE_MAX  #: [0.1, 1]
    scale: float = 1.0  #: of ``Limits.speed_max``
    force: float = math.inf  #: N, upper limit
    reason: Reason = Reason.OK
    #: distance to the limit in the reason's own unit, negative beyond it; while all is well s (latch, validity), rad (robot limits),
    #: m (separation, vision), N (contact), ratio (uncertainty), share of the alarm's threshold (forecast)
    margin: float = NAN
    age: float = NAN  #: s, of the oldest input


def stopping(reason: Reason, margin: float = NAN, age: float = NAN) -> Layer:
    """The verdict that lets nothing move."""
    return Layer(score=SCORE_MIN, scale=0.0, reason=reason, margin=margin, age=age)


def clip(value: float, low: float, high: float) -> float:
    """``value`` within [low, high]; NaN is ``low``."""
    if not value > low:
        return low
    return value if value < high else high


def age(now_ns: int, then_ns: int) -> float:
    """s between two stamps of the engine's clock; NaN where the earlier one was never taken."""
    return (now_ns - then_ns) / 1e9 if then_ns > 0 else NAN


def fresh(seconds: float, limit: float) -> bool:
    """Whether an age is a believable one and within its limit."""
    return -FUTURE <= seconds <= limit


def finite(values: tuple[float, ...]) -> bool:
    """Whether all are numbers of a size that anything measured here can have."""
    for value in values:  # noqa: SIM110 a hundred numbers a tick, and a generator would cost twice as much
        if not -1e6 < value < 1e6:
            return False
    return True


def unit(pose: tuple[float, ...]) -> bool:
    """Whether a pose is one (7,) and holds an attitude: a quaternion of unit length."""
    if len(pose) != 7:
        return False
    _, _, _, w, x, y, z = pose
    return 0.98 <= w * w + x * x + y * y + z * z <= 1.02


def graded(share: float) -> float:
    """Score of a margin that is ``share`` of the width over which slowing happens: 1 at the width, 0.5 at none, 0.1 beyond."""
    if not share > 0.0:
        return SCORE_MIN
    return clip(0.5 + 0.5 * share, 0.5, SCORE_MAX)


def scale_of(score: float) -> float:
    """Speed scale that goes with a score: nothing below 0.5, then 0.1 rising to 1 at 0.8, where *continue* is regained."""
    if not score >= 0.5:
        return 0.0
    return clip(0.1 + 3.0 * (score - 0.5), 0.1, 1.0)
