"""Pictures in real pixels by the kitty graphics protocol, where the terminal has it: asked for once, sent in small parts.

A picture is transmitted in chunks between which the screen's text may go out, so telemetry never waits for it: each frame
takes one ration along, and the picture appears when its last chunk is there, in place of the one before.
"""

import re
import zlib
from base64 import b64encode
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from engine.messages import Picture

QUERY = "\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\"
SIDE = 128  #: pixels asked for: what the policies see
CHUNK = 1024  #: characters of base64 in one sequence
RATION = 4  #: sequences a frame at most
ANSWER = re.compile(rb"\x1b_Gi=31[^;\x1b]*;OK\x1b\\")
_IDS = (7101, 7102)  #: of the picture that stands and of the one that replaces it, in turn
_COARSE = bytes(min(255, (value & 0xF8) + 4) for value in range(256))  #: a camera's noise need not be sent


@dataclass
class Offer:
    """Reads off the raw bytes of a terminal whether it takes pictures."""

    taken: bool = False
    _tail: bytes = b""

    def feed(self, data: bytes) -> bool:
        """Whether it has said so by now."""
        if not self.taken:
            self._tail += data
            self.taken = ANSWER.search(self._tail) is not None
            self._tail = self._tail[-64:]
        return self.taken


@dataclass(frozen=True, slots=True)
class Area:
    """Cells that a picture fills, from the screen's upper left corner."""

    x: int
    y: int
    columns: int
    lines: int


def transmission(picture: Picture, number: int) -> Iterator[str]:
    """Sequences that bring the picture into the terminal under a number, and show nothing yet."""
    data = b64encode(zlib.compress(picture.rgb.translate(_COARSE))).decode()
    head = f"a=t,f=24,o=z,s={picture.width},v={picture.height},i={number},"
    for at in range(0, len(data), CHUNK):
        yield f"\x1b_G{head}q=2,m={int(at + CHUNK < len(data))};{data[at : at + CHUNK]}\x1b\\"
        head = ""


def placed(area: Area, number: int, before: int) -> str:
    """Show one picture in an area, and forget the one ``before``; the cursor stays."""
    put = f"\x1b[{area.y + 1};{area.x + 1}H\x1b_Ga=p,i={number},p=1,c={area.columns},r={area.lines},C=1,q=2\x1b\\"
    return put + removed(before)


def removed(number: int) -> str:
    """Take a picture away and forget it."""
    return f"\x1b_Ga=d,d=I,i={number},q=2\x1b\\"


@dataclass
class Canvas:
    """What the terminal shows of pictures, brought step by step to what the screen wants at each frame."""

    ready: bool = False  #: the terminal takes pictures
    _wanted: tuple[Picture, Area] | None = None
    _shown: tuple[Picture, Area] | None = None  #: that stands there
    _coming: tuple[Picture, Area] | None = None  #: that is being sent
    _parts: deque[str] = field(default_factory=deque)
    _turn: int = 0

    def clear(self) -> None:
        """A frame begins: nothing is wanted until a panel wants it."""
        self._wanted = None

    def want(self, picture: Picture, area: Area) -> None:
        """The frame has a place for this picture."""
        self._wanted = (picture, area)

    def step(self, room: float) -> str:
        """What to write after this frame, of a picture about ``room`` bytes but always something; "" where nothing is due."""
        wanted = self._wanted
        gone = self.leave() if wanted is None or any(one and one[1] != wanted[1] for one in (self._shown, self._coming)) else ""
        if wanted is None:
            return gone
        if self._coming is None and (self._shown is None or self._shown[0].rgb != wanted[0].rgb):
            self._coming = wanted
            self._turn = 1 - self._turn
            self._parts.extend(transmission(wanted[0], _IDS[self._turn]))
        drawn = "".join(self._parts.popleft() for _ in range(min(max(1, int(min(room / CHUNK, RATION))), len(self._parts))))
        if self._coming is not None and not self._parts:
            drawn += placed(self._coming[1], _IDS[self._turn], _IDS[1 - self._turn])
            self._shown, self._coming = self._coming, None
        return gone + drawn

    def leave(self) -> str:
        """Take away what stands there, and end what is under way."""
        if self._shown is None and self._coming is None:
            return ""
        ended = "\x1b_Gm=0,q=2;\x1b\\" if self._parts else ""
        self._shown = self._coming = None
        self._parts.clear()
        return ended + "".join(removed(number) for number in _IDS)
