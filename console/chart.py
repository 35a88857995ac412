"""The project's one style of plotting: small charts as SVG text, dark like the screens they stand beside; data in, a string out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from console.theme import PALETTES

WIDTH, HEIGHT = 760, 380  #: px
LEFT, RIGHT, TOP, BOTTOM = 72, 24, 58, 58  #: px, around the plot
TICKS = 5  #: numbers along an axis, about
FONT = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"
_LOOK = PALETTES["dark"]
_DASHES = ("", "7 4", "2 3", "9 3 2 3")  #: lines are told apart without colour too


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One curve; ``role`` names a colour of the theme. Points that are not finite leave a gap."""

    name: str
    xs: Sequence[float]
    ys: Sequence[float]
    role: str = "info"
    dots: bool = False  #: each point is marked


@dataclass(frozen=True, slots=True)
class _Scale:
    """Data to pixels along one axis."""

    low: float
    high: float
    begin: float
    end: float

    def __call__(self, value: float) -> float:
        return self.begin + (value - self.low) / (self.high - self.low) * (self.end - self.begin)


def line_chart(title: str, x: str, y: str, lines: Sequence[Line], *, y_max: float | None = None) -> str:
    """Curves over one pair of axes, named with their units; y counts from 0, and ``y_max`` cuts what runs away.

    Raises ValueError where nothing is finite.
    """
    xs = [value for line in lines for value in line.xs]
    ys = [value if y_max is None else min(value, y_max) for line in lines for value in line.ys]
    across = _scale([*xs], LEFT, WIDTH - RIGHT)
    up = _scale([0.0, *ys], HEIGHT - BOTTOM, TOP)
    parts = [*_grid(across, up), *_names(x, y)]
    for i, line in enumerate(lines):
        dash = f' stroke-dasharray="{dashes}"' if (dashes := _DASHES[i % len(_DASHES)]) else ""
        parts += [
            f'<polyline points="{run}" fill="none" stroke="{_colour(line.role)}" stroke-width="2"{dash}/>'
            for run in _runs(line, across, up, y_max)
        ]
        if line.dots:
            places = [(x, y) for x, y in zip(line.xs, line.ys, strict=True) if math.isfinite(x) and math.isfinite(y)]
            parts += [f'<circle cx="{across(x):.1f}" cy="{up(y):.1f}" r="3" fill="{_colour(line.role)}"/>' for x, y in places]
    return _page(title, [*parts, *_legend([(line.name, line.role) for line in lines])])


def bar_chart(title: str, x: str, y: str, bars: Line, width: float) -> str:
    """A histogram: bars of ``width`` that begin at the xs, as high as the ys. Raises ValueError where nothing is finite."""
    across = _scale([*bars.xs, *(value + width for value in bars.xs)], LEFT, WIDTH - RIGHT)
    up = _scale([0.0, *bars.ys], HEIGHT - BOTTOM, TOP)
    parts = [*_grid(across, up), *_names(x, y)]
    for left, high in zip(bars.xs, bars.ys, strict=True):
        begin, top, end = across(left) + 1.0, up(high), across(left + width) - 1.0
        parts.append(
            f'<rect x="{begin:.1f}" y="{top:.1f}" width="{end - begin:.1f}" height="{up(0.0) - top:.1f}" fill="{_colour(bars.role)}"/>'
        )
    return _page(title, [*parts, *_legend([(bars.name, bars.role)])])


def ticks(low: float, high: float) -> list[float]:
    """Round numbers from ``low`` to ``high``: steps of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 12) for i in range(first, math.floor(high / step + 1e-9) + 1)]


def _scale(values: Sequence[float], begin: float, end: float) -> _Scale:
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        raise ValueError("A chart needs at least one finite number.")
    low, high = min(finite), max(finite)
    size = max(abs(low), abs(high), 1e-9)
    return _Scale(low, high if high - low > 1e-9 * size else low + size, begin, end)


def _grid(across: _Scale, up: _Scale) -> list[str]:
    parts = []
    for value in ticks(across.low, across.high):
        at = across(value)
        parts.append(f'<line x1="{at:.1f}" y1="{TOP}" x2="{at:.1f}" y2="{HEIGHT - BOTTOM}" stroke="{_LOOK.faint}" stroke-width="0.5"/>')
        parts.append(_text(at, HEIGHT - BOTTOM + 18, f"{value:g}", "middle", _LOOK.dim))
    for value in ticks(up.low, up.high):
        at = up(value)
        parts.append(f'<line x1="{LEFT}" y1="{at:.1f}" x2="{WIDTH - RIGHT}" y2="{at:.1f}" stroke="{_LOOK.faint}"/>')
        parts.append(_text(LEFT - 10, at + 4, f"{value:g}", "end", _LOOK.dim))
    return parts


def _names(x: str, y: str) -> list[str]:
    middle = (TOP + HEIGHT - BOTTOM) / 2
    upright = f'<g transform="rotate(-90 18 {middle:.0f})">{_text(18, middle, y, "middle", _LOOK.dim)}</g>'
    return [_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 16, x, "middle", _LOOK.dim), upright]


def _legend(names: Sequence[tuple[str, str]]) -> list[str]:
    """One entry a line, from the left under the title."""
    parts, at = [], float(LEFT)
    for i, (name, role) in enumerate(names):
        dash = f' stroke-dasharray="{dashes}"' if (dashes := _DASHES[i % len(_DASHES)]) else ""
        parts.append(f'<line x1="{at:.0f}" y1="44" x2="{at + 26:.0f}" y2="44" stroke="{_colour(role)}" stroke-width="2"{dash}/>')
        parts.append(_text(at + 32, 48, name, "start", _LOOK.text))
        at += 56 + 7.4 * len(name)
    return parts


def _runs(line: Line, across: _Scale, up: _Scale, y_max: float | None) -> list[str]:
    """The curve as point lists, broken where a value is missing and where it runs off the top."""
    runs: list[list[str]] = [[]]
    for x, y in zip(line.xs, line.ys, strict=True):
        if not (math.isfinite(x) and math.isfinite(y)):
            runs.append([])
        elif y_max is not None and y > y_max:
            if runs[-1]:
                runs[-1].append(f"{across(x):.1f},{up(y_max):.1f}")
                runs.append([])
        else:
            runs[-1].append(f"{across(x):.1f},{up(y):.1f}")
    return [" ".join(run) for run in runs if len(run) > 1]


def _text(x: float, y: float, text: str, anchor: str, colour: str, size: int = 12) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" font-size="{size}">{escape(text)}</text>'


def _colour(role: str) -> str:
    """A theme's colour by its role. Raises AttributeError for a role the theme lacks."""
    colour: str = getattr(_LOOK, role)
    return colour


def _page(title: str, parts: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'font-family="{FONT}" role="img" aria-label="{escape(title)}">'
    )
    ground = f'<rect width="{WIDTH}" height="{HEIGHT}" rx="8" fill="{_LOOK.background}"/>'
    return "\n".join((head, ground, _text(LEFT, 26, title, "start", _LOOK.title, 15), *parts, "</svg>", ""))
