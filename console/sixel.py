"""Pictures by sixel: a line of cells at a time, each a string of its own that fills whole cells and is sent only where it changed.

Sixels stand in cells like text does: what is written over them takes them away. The form is that of DEC's VT340, as
xterm's control sequences describe it: palette entries in percent, then bands of six pixel rows, a layer for each colour.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.messages import Picture

if TYPE_CHECKING:
    from console.pixels import Area

ASK_CELL = "\x1b[16t"
SIXEL = 4  #: among the attributes that a terminal names
CELL_MIN, CELL_MAX = 4, 64  #: pixels, of a cell that can be believed
SLICE = 2048  #: characters; a longer slice is sent in halves
_STEP = 51  #: between two of a channel's six levels
_KEPT = 34  #: a channel that moved less from its level keeps it, so a camera's noise sends nothing
_COLOURS = [f"#{n};2;{n // 36 * 20};{n // 6 % 6 * 20};{n % 6 * 20}" for n in range(216)]
_BITS = 1 << np.arange(6, dtype=np.uint8)
_RUN = re.compile(r"([?-~])\1{3,}")

Grid = NDArray[np.uint8]


def levels(picture: Picture, before: Grid | None) -> Grid:
    """The six levels of each channel, (height, width, 3), near to those ``before``."""
    rgb = np.frombuffer(picture.rgb, np.uint8).reshape(picture.height, picture.width, 3).astype(np.int16)
    nearest = ((rgb + _STEP // 2) // _STEP).astype(np.uint8)
    if before is None or before.shape != nearest.shape:
        return nearest
    return np.where(abs(rgb - before.astype(np.int16) * _STEP) < _KEPT, before, nearest)


def scaled(grid: Grid, width: int, height: int) -> Grid:
    """(height, width) of the nearest pixels."""
    rows, columns = grid.shape
    lines = np.take(grid, np.arange(height) * rows // height, axis=0)
    return np.take(lines, np.arange(width) * columns // width, axis=1)


def encoded(colours: Grid) -> str:
    """The string that draws (height, width) numbers of palette entries where the cursor stands."""
    height, width = colours.shape
    bands = []
    for top in range(0, height, 6):
        band = colours[top : top + 6]
        layers = ((number, (band == number).T @ _BITS[: len(band)] + 63) for number in np.unique(band))
        bands.append("$".join(f"#{number}" + layer.tobytes().decode().rstrip("?") for number, layer in layers))
    drawn = _RUN.sub(lambda run: f"!{len(run[0])}{run[1]}", "-".join(bands))
    palette = "".join(_COLOURS[number] for number in np.unique(colours))
    return f'\x1bP0;1;0q"1;1;{width};{height}{palette}{drawn}\x1b\\'


def slices(colours: Grid, x: int, y: int, cell: int) -> Iterator[str]:
    """Draw one line of cells from column ``x`` on, in strings of about ``SLICE`` characters; a cell is ``cell`` pixels wide."""
    whole = f"\x1b[{y + 1};{x + 1}H{encoded(colours)}"
    half = colours.shape[1] // cell // 2
    if len(whole) <= SLICE or not half:
        yield whole
    else:
        yield from slices(colours[:, : half * cell], x, y, cell)
        yield from slices(colours[:, half * cell :], x + half, y, cell)


@dataclass
class Sixel:
    """Keeps what stands in each line of cells, and sends the lines that differ."""

    cell: tuple[int, int]  #: width, height, pixels
    _area: "Area | None" = None
    _levels: Grid | None = None
    _standing: dict[int, bytes] = field(default_factory=dict)  #: pixels by the line they stand in

    def parts(self, picture: Picture, area: "Area") -> Iterator[str]:
        """Slices, from the upper line to the lower; those that stand there already are left out."""
        self._area, self._levels = area, levels(picture, self._levels)
        width, height = self.cell
        colours = scaled(self._levels @ np.array([36, 6, 1], np.uint8), area.columns * width, area.lines * height)
        for line in range(area.lines):
            y, pixels = area.y + line, colours[line * height : (line + 1) * height]
            if self._standing.get(y) == (wanted := pixels.tobytes()):
                continue
            self._standing.pop(y, None)
            yield from slices(pixels, area.x, y, width)
            self._standing[y] = wanted

    def gone(self) -> str:
        """Whoever the cells belong to then writes over them."""
        self._levels = None
        self._standing.clear()
        return ""

    def painted(self, spans: Iterable[tuple[int, int, int]]) -> bool:
        """Whether one of these went over the picture, whose lines are then to be sent anew."""
        if (area := self._area) is None:
            return False
        lost = {y for y, first, end in spans if first < area.x + area.columns and end > area.x and area.y <= y < area.y + area.lines}
        for y in lost:
            self._standing.pop(y, None)
        return bool(lost)
