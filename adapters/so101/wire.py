"""What six servos answered to one sync read, told apart in the bytes that came: whole, damaged or missing.

A status packet is 0xFF 0xFF, id, length, alarm bits, length - 2 data, and the inverted sum of all but the header (Feetech protocol 0).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

HEADER: Final = b"\xff\xff"
OVERHEAD: Final = 6  #: bytes of a status packet that are not data


@dataclass(slots=True)
class Replies:
    """By servo id."""

    whole: dict[int, tuple[int, bytes]] = field(default_factory=dict)  #: alarm bits and data of the length asked for
    other: dict[int, int] = field(default_factory=dict)  #: length of data that answers another request
    waste: int = 0  #: bytes that belong to no whole packet


def parse(data: bytes, size: int) -> Replies:
    """The packets in ``data``; those with ``size`` bytes of data answer the request, and a servo's last one counts."""
    found = Replies()
    at = 0
    while at < len(data):
        packet = _packet(data, at)
        if packet is None:
            found.waste += 1
            at += 1
            continue
        number, alarms, content = packet
        if len(content) == size:
            found.whole[number] = (alarms, content)
        else:
            found.other[number] = len(content)
        at += OVERHEAD + len(content)
    return found


def _packet(data: bytes, at: int) -> tuple[int, int, bytes] | None:
    """(id, alarm bits, data) of the whole packet that begins at ``at``."""
    if data[at : at + 2] != HEADER or at + OVERHEAD > len(data):
        return None
    number, length, alarms = data[at + 2], data[at + 3], data[at + 4]
    end = at + 4 + length
    if number > 253 or length < 2 or end > len(data) or (sum(data[at + 2 : end - 1]) + data[end - 1]) & 0xFF != 0xFF:
        return None
    return number, alarms, data[at + 5 : end - 1]


def missing(found: Replies, asked: Sequence[int]) -> tuple[int, ...]:
    """Ids that did not answer in full, in the order of the chain."""
    return tuple(number for number in asked if number not in found.whole)
