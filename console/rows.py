"""Rows of text with roles instead of colours: what every widget is made of, and what tests read without a terminal.

A span is (text, role); a row is a tuple of spans; a role names a meaning, and the theme gives it a style.
Numbers are formatted here, at a fixed width, so that nothing on the screen jitters in place.
"""

import math
import re
from collections.abc import Sequence
from functools import lru_cache

from rich.cells import cell_len

Span = tuple[str, str]
Row = tuple[Span, ...]

NONE = "—"

_UNIT = r"(?:m|mm|m/s|mm/s|m³|s|ms|N|N/m|N s/m|J|W|Hz|kB|MB|rad|%|°)(?![\w/])"
_BREAK = re.compile(rf"(?<!\d) +| +(?!{_UNIT})")  #: where a line may end: never between a number and its unit


def row(*spans: str | Span) -> Row:
    """Spans as given; plain strings take the role ``text``."""
    return tuple((span, "text") if isinstance(span, str) else span for span in spans)


def plain(rows: Sequence[Row]) -> list[str]:
    """The text alone, right-stripped."""
    return ["".join(text for text, _ in spans).rstrip() for spans in rows]


def width_of(spans: Row) -> int:
    """Cells a row takes before it is cut or padded."""
    return sum(len(text) for text, _ in spans)


def joined(left: Row, right: Row, width: int, between: str = "text") -> Row:
    """``left`` and ``right`` at the two ends of ``width`` cells, the role ``between`` them; where both do not fit, ``left`` is cut."""
    room = max(0, width - width_of(right))
    kept = cut(left, max(0, room - 1)) if right else cut(left, room)
    return (*kept, (" " * (room - width_of(kept)), between), *right)


def cut(spans: Row, width: int) -> Row:
    """At most ``width`` cells; an ellipsis marks what was cut."""
    if width_of(spans) <= width:
        return spans
    kept: list[Span] = []
    left = width
    for text, role in spans:
        if len(text) < left:
            kept.append((text, role))
            left -= len(text)
        else:
            kept.append((text[: max(0, left - 1)] + "…" if left > 0 else "", role))
            break
    return tuple(kept)


def beside(left: Sequence[Row], right: Sequence[Row], left_width: int, gap: int = 2) -> list[Row]:
    """Two columns; the left one padded or cut to ``left_width``."""
    rows = []
    for i in range(max(len(left), len(right))):
        first = cut(left[i], left_width) if i < len(left) else ()
        second = right[i] if i < len(right) else ()
        rows.append((*first, (" " * (left_width - width_of(first) + gap), "text"), *second))
    return rows


@lru_cache(maxsize=4096)
def one_cell_each(text: str) -> str:
    """The text with every character that does not take exactly one cell replaced, so that columns hold."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c.isprintable() and cell_len(c) == 1 else "?" for c in text)


def number(value: float, width: int, decimals: int, *, sign: bool = False) -> str:
    """Right-aligned in ``width`` cells; fewer decimals where it would not fit; a dash where there is no value."""
    if not math.isfinite(value):
        return ("∞" if value > 0 else NONE).rjust(width) if not math.isnan(value) else NONE.rjust(width)
    for places in range(decimals, -1, -1):
        text = f"{round(value, places) + 0.0:{'+' if sign else ''}.{places}f}"  # the sum turns -0 into 0
        if len(text) <= width:
            return text.rjust(width)
    return "#" * width


def compact(value: float, width: int = 6) -> str:
    """A number of unknown size in ``width`` cells."""
    if not math.isfinite(value):
        return NONE.rjust(width)
    if abs(value) >= 10 ** (width - 2) or 0 < abs(value) < 0.0005:
        text = f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e+")
        return text.rjust(width)[:width]
    return number(value, width, 3)


def age(seconds: float, width: int = 7) -> str:
    """An age with its unit: milliseconds up to 1 s, then seconds; at most 6 cells."""
    if not math.isfinite(seconds):
        return NONE.rjust(width)
    text = f"{round(seconds * 1e3)} ms" if seconds < 0.9995 else f"{min(seconds, 9999):.{2 if seconds < 9.995 else 0}f} s"
    return text.rjust(width)


def duration(seconds: float) -> str:
    """mm:ss, or h:mm:ss from an hour on."""
    whole = max(0, int(seconds)) if math.isfinite(seconds) else 0
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute:02d}:{second:02d}"


def words(text: str) -> list[str]:
    """What a line may end after: the words, a number together with its unit."""
    return [word for word in _BREAK.split(text) if word]


def wrapped(text: str, width: int) -> list[str]:
    """The text broken between its words into lines of at most ``width`` cells; longer words are cut."""
    lines: list[str] = []
    line = ""
    for word in words(text):
        taken = word[:width]
        if line and len(line) + 1 + len(taken) > width:
            lines.append(line)
            line = taken
        else:
            line = f"{line} {taken}" if line else taken
    if line:
        lines.append(line)
    return lines
