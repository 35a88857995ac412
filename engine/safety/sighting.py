"""What of the person's sensor is believed: when each part was last seen anew, and how fast it was when that was last told.

A part that moved farther between two exposures than a person does is a jump: it counts as not seen until an exposure comes that
agrees with the one before. A part that a new exposure shows in the very same place, to the last bit, comes from a picture that
stands still, for a sensor has noise: the exposure does not count, and the part grows old like one that is hidden. A sensor whose
places drift off in small steps is not found out.
"""

import math
from dataclasses import dataclass

from engine.limits import Limits
from engine.safety.layer import NAN
from engine.safety.validity import Seen
from engine.types import NAN36, PARTS, Inputs

JUMP = 0.1  #: m, that two exposures of a part at rest may differ by: noise of 28 mm an axis each at most
FASTEST = 2.0  #: times ``Limits.hand_speed``, that a part is taken to move at between two exposures


@dataclass(frozen=True, slots=True)
class Sighting:
    """As of the last tick whose person had the right shape."""

    place: tuple[float, ...] = NAN36  #: m, as told
    exposed_ns: tuple[int, ...] = (0,) * len(PARTS)  #: when each part was last seen anew; 0 = never, or it has jumped
    speed: tuple[float, ...] = (NAN,) * len(PARTS)  #: m/s, the last that was told; NaN = none ever was


def shaped(inputs: Inputs) -> bool:
    """Whether what is told of the person has the numbers of all PARTS, and no others."""
    return len(inputs.person_exposed_ns) == len(inputs.person_speed) == len(PARTS) and len(inputs.person_place) == 6 * len(PARTS)


def sighted(before: Sighting, seen: Seen, inputs: Inputs, limits: Limits) -> Sighting:
    """With this tick in it; ``seen`` is the tick before."""
    place, speed, stamps = inputs.person_place, inputs.person_speed, inputs.person_exposed_ns
    if not shaped(inputs):
        return before
    exposed = []
    for part, (then, earlier) in enumerate(zip(stamps, seen.person_exposed_ns, strict=True)):
        far = _moved(before.place, place, 6 * part)
        if far > JUMP + FASTEST * limits.hand_speed * ((then - earlier) / 1e9):
            exposed.append(0)
        elif far == 0.0 or then == earlier:
            exposed.append(before.exposed_ns[part])
        else:
            exposed.append(then)  # also where there is no number to compare with: separation refuses such a place
    told = tuple([now if 0.0 <= now < 1e6 else last for now, last in zip(speed, before.speed, strict=True)])
    return Sighting(place, tuple(exposed), told)


def _moved(before: tuple[float, ...], now: tuple[float, ...], at: int) -> float:
    """m, of the farther end of the part whose coordinates begin at ``at``; NaN where one is no number."""
    ax, ay, az = now[at] - before[at], now[at + 1] - before[at + 1], now[at + 2] - before[at + 2]
    bx, by, bz = now[at + 3] - before[at + 3], now[at + 4] - before[at + 4], now[at + 5] - before[at + 5]
    a, b = ax * ax + ay * ay + az * az, bx * bx + by * by + bz * bz
    return math.sqrt(a if a != a or a >= b else b)
