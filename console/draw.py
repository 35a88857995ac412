"""Small drawings made of characters: bars, sparklines, filled graphs, large digits, a picture in half blocks."""

import math
from collections.abc import Sequence

from console.rows import Row, Span

BLOCKS = "▁▂▃▄▅▆▇█"
LUMINANCE = " .:-=+*#%@"

# Left and right column of a braille cell, filled from the bottom by 0 to 4 dots.
_BRAILLE_LEFT = (0x00, 0x40, 0x44, 0x46, 0x47)
_BRAILLE_RIGHT = (0x00, 0x80, 0xA0, 0xB0, 0xB8)

_DIGITS = {
    "0": ("┏━┓", "┃ ┃", "┗━┛"),
    "1": ("╺┓ ", " ┃ ", "╺┻╸"),
    "2": ("┏━┓", "┏━┛", "┗━╸"),
    "3": ("┏━┓", " ━┫", "┗━┛"),
    "4": ("╻ ╻", "┗━┫", "  ╹"),
    "5": ("┏━╸", "┗━┓", "┗━┛"),
    "6": ("┏━╸", "┣━┓", "┗━┛"),
    "7": ("┏━┓", "  ┃", "  ╹"),
    "8": ("┏━┓", "┣━┫", "┗━┛"),
    "9": ("┏━┓", "┗━┫", "╺━┛"),
    ".": (" ", " ", "▪"),
    "—": ("   ", "╺━╸", "   "),
}


def bar(share: float, width: int, role: str = "bar") -> tuple[Span, Span]:
    """A thin bar ``share`` full; clipped to 0..1, empty where there is no value."""
    filled = 0.0 if not math.isfinite(share) else min(max(share, 0.0), 1.0) * width
    whole = int(filled)
    half = filled - whole >= 0.5
    text = "━" * whole + ("╸" if half else "")
    return (text, role), ("─" * (width - len(text)), "track")


def marked_bar(share: float, width: int, marks: Sequence[float], role: str) -> tuple[Span, ...]:
    """A bar with a tick at each mark (0..1)."""
    (full, _), (rest, _) = bar(share, width)
    ticks = {min(width - 1, round(mark * width)) for mark in marks}
    spans: list[Span] = []
    for i, character in enumerate(full + rest):
        mark = i in ticks
        kind = role if i < len(full) else ("mark" if mark else "track")
        spans.append(("┿" if mark and i < len(full) else "┼" if mark else character, kind))
    return merged(spans)


def signed_bar(value: float, limit: float, width: int) -> tuple[Span, ...]:
    """A bar that grows left or right from its middle; full at ``limit``."""
    left = (width - 1) // 2
    right = width - 1 - left
    share = min(max(value / limit, -1.0), 1.0) if math.isfinite(value) and limit > 0 else 0.0
    if share < 0:
        filled = round(-share * left)
        return ("─" * (left - filled), "track"), ("━" * filled, "bar"), ("┼", "mark"), ("─" * right, "track")
    filled = round(share * right)
    return ("─" * left, "track"), ("┼", "mark"), ("━" * filled, "bar"), ("─" * (right - filled), "track")


def merged(spans: Sequence[Span]) -> tuple[Span, ...]:
    """Neighbours of one role made one span."""
    result: list[Span] = []
    for text, role in spans:
        if result and result[-1][1] == role:
            result[-1] = (result[-1][0] + text, role)
        else:
            result.append((text, role))
    return tuple(result)


def spark(values: Sequence[float], width: int, low: float = 0.0, high: float = 1.0) -> str:
    """The newest ``width`` values as one line of blocks, newest right; a gap where there is no value."""
    recent = list(values)[-width:]
    span = high - low
    drawn = []
    for value in recent:
        if not math.isfinite(value):
            drawn.append(" ")
        else:
            share = (value - low) / span if span > 0 else 0.5
            drawn.append(BLOCKS[min(7, int(min(max(share, 0.0), 1.0) * 8)) if math.isfinite(share) else 0])
    return "".join(drawn).rjust(width)


def scaled_spark(values: Sequence[float], width: int) -> str:
    """A sparkline scaled to the values it shows."""
    recent = [value for value in values[-width:] if math.isfinite(value)]
    if not recent:
        return " " * width
    low, high = min(recent), max(recent)
    margin = max(1e-12, 0.05 * max(abs(low), abs(high)))
    return spark(values, width, low - margin, high + margin)


def graph(values: Sequence[float], width: int, height: int) -> list[str]:
    """Values from 0 to 1 as a filled braille graph, two a cell, four dots a cell high, newest right; ``height`` lines from the top."""
    samples = list(values)[-2 * width :]
    samples = [math.nan] * (2 * width - len(samples)) + samples
    dots = [0 if not math.isfinite(v) else min(4 * height, max(1, round(v * 4 * height))) for v in samples]
    lines = []
    for line in range(height):
        base = 4 * (height - 1 - line)
        cells = []
        for i in range(width):
            left = min(4, max(0, dots[2 * i] - base))
            right = min(4, max(0, dots[2 * i + 1] - base))
            bits = _BRAILLE_LEFT[left] | _BRAILLE_RIGHT[right]
            cells.append(chr(0x2800 + bits) if bits else " ")
        lines.append("".join(cells))
    return lines


def digits(text: str) -> tuple[str, str, str]:
    """Three lines of large digits."""
    glyphs = [_DIGITS.get(character, ("   ", "   ", "   ")) for character in text]
    top, middle, bottom = ("".join(glyph[line] for glyph in glyphs) for line in range(3))
    return top, middle, bottom


def half_blocks(rgb: bytes, width: int, height: int) -> list[Row]:
    """A picture of ``width`` x ``height`` pixels, two pixels a cell: each cell's role is ``#rrggbb/rrggbb`` (upper/lower)."""
    rows: list[Row] = []
    for y in range(0, height - 1, 2):
        upper = rgb[y * width * 3 : (y + 1) * width * 3]
        lower = rgb[(y + 1) * width * 3 : (y + 2) * width * 3]
        spans = [("▀", f"#{upper[i : i + 3].hex()}/{lower[i : i + 3].hex()}") for i in range(0, width * 3, 3)]
        rows.append(merged(spans))
    return rows


def advanced(shown: Sequence[Row], wanted: Sequence[Row], start: int, count: int) -> tuple[list[Row], int]:
    """``shown`` with up to ``count`` rows brought to what is ``wanted``, from row ``start`` on and around; and where to go on."""
    rows = list(shown) if len(shown) == len(wanted) else [()] * len(wanted)
    for step in range(len(rows)):
        at = (start + step) % len(rows)
        if rows[at] != wanted[at]:
            if count <= 0:
                return rows, at
            rows[at] = wanted[at]
            count -= 1
    return rows, start


def luminance(rgb: bytes, width: int, height: int) -> list[Row]:
    """The same picture by brightness alone, in ASCII, for screens without colour."""
    rows: list[Row] = []
    for y in range(0, height - 1, 2):
        line = []
        for x in range(width):
            total = 0
            for offset in ((y * width + x) * 3, ((y + 1) * width + x) * 3):
                total += 2 * rgb[offset] + 5 * rgb[offset + 1] + rgb[offset + 2]
            line.append(LUMINANCE[min(9, total * 10 // (16 * 256))])
        rows.append((("".join(line), "text"),))
    return rows


def quantised(rgb: bytes, before: bytes | None) -> bytes:
    """Colours coarse enough that equal neighbours merge; a pixel that moved less than a step keeps its colour, so noise sends nothing."""
    if before is None or len(before) != len(rgb):
        return bytes(min(255, (value & 0xF0) + 8) for value in rgb)
    return bytes(old if abs(value - old) <= 14 else min(255, (value & 0xF0) + 8) for value, old in zip(rgb, before, strict=True))
