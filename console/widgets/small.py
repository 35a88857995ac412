"""What a terminal that is too small still shows: that it is, and the stop state."""

from typing import ClassVar

from console.panel import Panel
from console.places import SMALLEST
from console.rows import Row, row, wrapped
from console.view import View
from console.widgets.state import explanation, state_word

STOP = "SPACE = STOP  NOT SAFETY-RATED"


def small_rows(view: View, width: int, height: int) -> list[Row]:
    word, role = state_word(view)
    stop = [STOP] if len(STOP) <= width else [line for part in STOP.split("  ") for line in wrapped(part, width)]
    said = wrapped(explanation(view), width)[: max(0, height - 1 - len(stop))]
    size = wrapped(f"{width}×{height} is too small: {SMALLEST[0]}×{SMALLEST[1]} or more", width)
    shown = [(word[:width].ljust(width), role)]
    for lines, role in ((said, "value"), (stop, "unrated"), (size, "dim")):
        shown += [(line, role) for line in lines]
    return [row(span) for span in shown[:height]]


class TooSmall(Panel):
    FRAMED: ClassVar[bool] = False

    def content(self, view: View, width: int, height: int) -> list[Row]:
        return small_rows(view, width, height)
