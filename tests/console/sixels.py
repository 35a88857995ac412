"""A terminal's side of sixel, as far as pictures need it: what stands in its cells after some output, text among it."""

import re
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

_TOKEN = re.compile(
    r"\x1bP0;1;0q(?P<sixel>[^\x1b]*)\x1b\\|\x1b[P\]X^_][^\x1b\x07]*(?:\x1b\\|\x07)"
    r"|\x1b\[(?P<y>\d+);(?P<x>\d+)H|\x1b\[[0-?]*[ -/]*[@-~]|\x1b[ -/]*[0-~]|(?P<text>[^\x1b\x00-\x1f]+)",
    re.DOTALL,
)
_DRAWN = re.compile(r"#(\d+)(?:;2;(\d+);(\d+);(\d+))?|!(\d+)([?-~])|([?-~])|([$-])")


@dataclass
class Sixels:
    """``cells`` holds the pixels of the cells that hold any, (height, width, 3) by (column, line)."""

    cell: tuple[int, int]  #: width, height, pixels
    cells: dict[tuple[int, int], Pixels] = field(default_factory=dict)
    longest: int = 0  #: characters of the longest string
    _at: tuple[int, int] = (0, 0)

    def feed(self, text: str) -> None:
        """Take whole output in; asserts that every picture fills whole cells of one line."""
        for found in _TOKEN.finditer(text):
            if found["x"]:
                self._at = int(found["x"]) - 1, int(found["y"]) - 1
            elif found["text"]:
                x, y = self._at
                for column in range(x, x + len(found["text"])):
                    self.cells.pop((column, y), None)
                self._at = x + len(found["text"]), y
            elif found["sixel"]:
                self.longest = max(self.longest, len(found[0]))
                self._place(drawn(found["sixel"]))

    def _place(self, pixels: Pixels) -> None:
        width, height = self.cell
        assert pixels.shape[0] == height
        assert pixels.shape[1] % width == 0
        for column in range(pixels.shape[1] // width):
            self.cells[self._at[0] + column, self._at[1]] = pixels[:, column * width : (column + 1) * width]

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Column, line, columns and lines around all cells that hold pixels."""
        columns, lines = zip(*self.cells, strict=True)
        return min(columns), min(lines), max(columns) - min(columns) + 1, max(lines) - min(lines) + 1

    @property
    def picture(self) -> Pixels:
        """The pixels of the cells that hold any; asserts that these are a rectangle."""
        x, y, columns, lines = self.box
        assert len(self.cells) == columns * lines
        return np.vstack([np.hstack([self.cells[x + column, y + line] for column in range(columns)]) for line in range(lines)])


def drawn(sixel: str) -> Pixels:
    """What a string draws; asserts that it draws every pixel of its size, in colours that it names, and none beyond."""
    size, data = re.fullmatch(r'"1;1;(\d+;\d+)(.*)', sixel, re.DOTALL).groups()  # type: ignore[union-attr]
    width, height = map(int, size.split(";"))
    pixels, done = np.zeros((height, width, 3), np.uint8), np.zeros((height, width), bool)
    colours: dict[int, list[int]] = {}
    number, x, top, end = -1, 0, 0, 0
    for found in _DRAWN.finditer(data):
        assert found.start() == end
        end = found.end()
        if found[1]:
            number = int(found[1])
            if found[2]:
                colours[number] = [round(int(part) * 2.55) for part in found.group(2, 3, 4)]
        elif found[8]:
            x, top = 0, top + 6 * (found[8] == "-")
        else:
            count, bits = int(found[5] or 1), ord(found[6] or found[7]) - 63
            for row in (top + bit for bit in range(6) if bits >> bit & 1):
                assert row < height
                pixels[row, x : x + count], done[row, x : x + count] = colours[number], True
            x += count
            assert x <= width
    assert end == len(data)
    assert done.all()
    return pixels
