"""What a terminal that is too small still shows: that it is, and the stop state."""

from typing import ClassVar

from console.panel import Panel
from console.places import SMALLEST
from console.rows import Row, row, wrapped
from console.view import View
from console.widgets.state import explanation, state_word


def small_rows(view: View, width: int, height: int) -> list[Row]:
    word, role = state_word(view)
    rows = [row((word[:width].ljust(width), role))]
    if height >= 3:
        rows += [row((line, "value")) for line in wrapped(explanation(view), width)][: height - 2]
    if height >= 2:
        rows.append(row(("SPACE = STOP  NOT SAFETY-RATED"[:width], "unrated")))
    if height >= 4 and len(rows) < height:
        rows.append(row((f"{width}×{height} is too small: {SMALLEST[0]}×{SMALLEST[1]} or more", "dim")))
    return rows[:height]


class TooSmall(Panel):
    FRAMED: ClassVar[bool] = False
    DEFAULT_CSS = "TooSmall { width: 1fr; }"

    def content(self, view: View, width: int, height: int) -> list[Row]:
        return small_rows(view, width, height)
