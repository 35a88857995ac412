"""Pictures in real pixels where the terminal has a way for them: asked for at the start, sent in small parts.

A picture goes out in parts between which the screen's text may go, so telemetry never waits for it: each frame takes a
few along. By kitty graphics it appears when its last part is there, in place of the one before; by sixel line by line.
"""

import re
import zlib
from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from console.proof import ASK_NAME
from console.sixel import ASK_CELL, CELL_MAX, CELL_MIN, SIXEL, Sixel
from engine.messages import Picture

QUERY = "\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\"
QUESTIONS = QUERY + ASK_CELL + ASK_NAME  #: the name among the attributes, which say whether there is sixel
SIDE = 128  #: pixels asked for: what the policies see
CHUNK = 1024  #: characters of base64 in one sequence
_ANSWER = re.compile(
    rb"\x1b_Gi=31[^;\x1b]*;(?P<kitty>OK)\x1b\\|\x1b\[\?(?P<attributes>[\d;]*)c|\x1b\[6;(?P<height>\d{1,4});(?P<width>\d{1,4})t"
)
_IDS = (7101, 7102)  #: of the picture that stands and of the one that replaces it, in turn
_COARSE = bytes(min(255, (value & 0xF8) + 4) for value in range(256))  #: a camera's noise need not be sent


@dataclass(frozen=True, slots=True)
class Area:
    """Cells that a picture fills, from the screen's upper left corner."""

    x: int
    y: int
    columns: int
    lines: int


class Way(Protocol):
    """How a terminal is brought to show one picture and then another."""

    def parts(self, picture: Picture, area: Area) -> Iterator[str]:
        """What brings it there in place of the one before; text may go between two parts. A part is asked for when the last one is out."""

    def gone(self) -> str:
        """Take away what stands there, and end what is under way."""

    def painted(self, spans: Iterable[tuple[int, int, int]]) -> bool:
        """Text was written over cells (line, first column, end): whether something of a picture went away with it."""


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
class Kitty:
    """By kitty graphics: a picture is sent under a number of its own, and then takes the place of the other."""

    _turn: int = 0
    _midway: bool = False  #: a picture has begun to be sent

    def parts(self, picture: Picture, area: Area) -> Iterator[str]:
        """Its sequences; the last one shows it."""
        self._turn = 1 - self._turn
        *chunks, last = transmission(picture, _IDS[self._turn])
        for chunk in chunks:
            yield chunk
            self._midway = True
        yield last + placed(area, _IDS[self._turn], _IDS[1 - self._turn])
        self._midway = False

    def gone(self) -> str:
        ended, self._midway = "\x1b_Gm=0,q=2;\x1b\\" if self._midway else "", False
        return ended + "".join(removed(number) for number in _IDS)

    def painted(self, spans: Iterable[tuple[int, int, int]]) -> bool:
        """Text leaves it where it is."""
        return False


@dataclass
class Offer:
    """Reads off the raw bytes of a terminal in which way it takes pictures."""

    kitty: bool = False
    sixel: bool = False
    cell: tuple[int, int] | None = None  #: width, height, pixels; without them a sixel has no known size
    way: Way | None = None
    _tail: bytes = b""

    def feed(self, data: bytes) -> Way | None:
        """The way by now; None = none."""
        self._tail += data
        end = 0
        for found in _ANSWER.finditer(self._tail):
            end = found.end()
            if found["kitty"]:
                self.kitty = True
            elif found["width"]:
                cell = int(found["width"]), int(found["height"])
                self.cell = cell if all(CELL_MIN <= side <= CELL_MAX for side in cell) else None
            else:
                self.sixel = b"%d" % SIXEL in found["attributes"].split(b";")
            self._choose()
        self._tail = self._tail[end:][-64:]
        return self.way

    def resized(self) -> None:
        """A cell may be of another size: how large it was is forgotten."""
        self.cell = None
        self._choose()

    def _choose(self) -> None:
        if self.kitty:
            self.way = self.way if isinstance(self.way, Kitty) else Kitty()
        elif not self.sixel or self.cell is None:
            self.way = None
        elif not isinstance(self.way, Sixel) or self.way.cell != self.cell:
            self.way = Sixel(self.cell)


@dataclass
class Canvas:
    """What the terminal shows of pictures, brought step by step to what the screen wants at each frame."""

    way: Way | None = None  #: in which the terminal takes pictures; None = in none
    _by: Way | None = None  #: in which what stands there came
    _wanted: tuple[Picture, Area] | None = None
    _shown: tuple[Picture, Area] | None = None  #: that stands there
    _coming: tuple[Picture, Area] | None = None  #: that is being sent
    _parts: Iterator[str] = field(default_factory=lambda: iter(()))
    _part: str = ""  #: that goes out next

    @property
    def ready(self) -> bool:
        """Whether the terminal takes pictures."""
        return self.way is not None

    def clear(self) -> None:
        """A frame begins: nothing is wanted until a panel wants it."""
        self._wanted = None

    def want(self, picture: Picture, area: Area) -> None:
        """The frame has a place for this picture."""
        self._wanted = (picture, area)

    def step(self, room: float) -> str:
        """What to write after this frame, of a picture at most ``room`` characters but always a part; "" where nothing is due."""
        wanted, way = self._wanted, self.way
        moved = wanted is not None and any(one and one[1] != wanted[1] for one in (self._shown, self._coming))
        drawn = self.leave() if wanted is None or way is not self._by or moved else ""
        if wanted is None or way is None:
            return drawn
        self._by = way
        if self._coming is None and (self._shown is None or self._shown[0].rgb != wanted[0].rgb):
            self._coming, self._parts = wanted, way.parts(*wanted)
            self._part = next(self._parts, "")
        sent = 0
        while self._part and (not sent or sent + len(self._part) <= room):
            drawn += self._part
            sent += len(self._part)
            self._part = next(self._parts, "")
        if self._coming is not None and not self._part:
            self._shown, self._coming = self._coming, None
        return drawn

    def painted(self, spans: Iterable[tuple[int, int, int]]) -> None:
        """Text was written over cells (line, first column, end); what it took away of the picture is to be sent anew."""
        if self._by is not None and self._by.painted(spans):
            self._forget()

    def leave(self) -> str:
        """Take away what stands there, and end what is under way."""
        by, self._by = self._by, None
        self._forget()
        return by.gone() if by is not None else ""

    def _forget(self) -> None:
        self._shown = self._coming = None
        self._parts, self._part = iter(()), ""
