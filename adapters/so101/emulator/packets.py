"""Feetech's packet protocol 0 as a servo speaks it: instructions put together from a stream of bytes, and status packets.

FF FF id length instruction parameters… checksum; length counts from the instruction on, and the checksum is the inverted low byte
of the sum from the id on. A status packet has its error bits in the place of the instruction.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

HEADER: Final = b"\xff\xff"
BROADCAST: Final = 0xFE
LONGEST: Final = 250  #: bytes, of a packet with its header and checksum
FRAME: Final = 4  #: bytes before the instruction


class Instruction(IntEnum):
    PING = 1
    READ = 2
    WRITE = 3
    SYNC_READ = 0x82
    SYNC_WRITE = 0x83


@dataclass(frozen=True, slots=True)
class Packet:
    """An instruction to the servo of an id, or to all."""

    id: int
    instruction: int
    parameters: bytes
    size: int  #: bytes on the wire


def checksum(body: bytes | bytearray) -> int:
    """0..255 of a packet from its id to its last parameter."""
    return ~sum(body) & 0xFF


def status(id: int, error: int, data: bytes = b"") -> bytes:
    """What a servo answers, ready for the wire."""
    body = bytes((id, len(data) + 2, error)) + data
    return HEADER + body + bytes((checksum(body),))


class Parser:
    """Finds whole instructions in bytes that arrive in pieces; noise and packets with a wrong checksum are passed over, as servos do."""

    def __init__(self) -> None:
        self._left = bytearray()

    def feed(self, data: bytes) -> Iterator[Packet]:
        """The instructions that ``data`` completes, in order."""
        left = self._left
        left += data
        while (start := left.find(HEADER)) >= 0:
            del left[:start]
            if len(left) < FRAME:
                return
            id, length = left[2], left[3]
            if id == 0xFF or not 2 <= length <= LONGEST - FRAME:  # FF FF FF: the header begins one byte later
                del left[0]
                continue
            size = FRAME + length
            if len(left) < size:
                return
            if left[size - 1] == checksum(left[2 : size - 1]):
                yield Packet(id, left[FRAME], bytes(left[FRAME + 1 : size - 1]), size)
                del left[:size]
            else:
                del left[:2]
        del left[: max(0, len(left) - 1)]

    def reset(self) -> None:
        """Forget the beginning of a packet whose rest will not come."""
        self._left.clear()
