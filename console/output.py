"""Screen updates in as few bytes as they can be: only the changed columns, and only the part of a style that changes.

Textual sends a changed line from its widget's left edge and spells out every segment's whole style. At 10 Hz over a
thin link that is most of the traffic, so the compositor here crops to the changed columns and writes style differences.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain

from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, Compositor, LayoutUpdate
from textual.strip import Strip

_PLAIN = Style()


class FrugalCompositor(Compositor):
    """Textual's compositor with a smaller way of writing what it composed."""

    def render_full_update(self, simplify: bool = False) -> LayoutUpdate:
        full = super().render_full_update(simplify)
        for widget in self.visible_widgets:
            widget._exchange_repaint_regions()  # painted now, and not once more with the next change
        return _FrugalFull(full.strips, full.region)

    def render_partial_update(self) -> ChopsUpdate | None:
        update = super().render_partial_update()
        return None if update is None else _FrugalPart(update.chops, update.spans, update.chop_ends)


class _FrugalFull(LayoutUpdate):
    def render_segments(self, console: Console) -> str:
        lines = enumerate(self.strips, self.region.y)
        return encoded(((self.region.x, y, chain.from_iterable(line)) for y, line in lines), console)


class _FrugalPart(ChopsUpdate):
    def render_segments(self, console: Console) -> str:
        return encoded(self._pieces(), console)

    def _pieces(self) -> Iterator[tuple[int, int, Iterable[Segment]]]:
        for y, first, last in self.spans:
            for end, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                if strip is None or x >= last or end <= first:
                    continue
                left, right = max(x, first), min(end, last)
                yield left, y, _between(strip, left - x, right - x)


def _between(strip: Strip, first: int, last: int) -> Iterator[Segment]:
    """The part of a strip between two columns; every character takes one cell."""
    at = 0
    for text, style, control in strip:
        end = at + len(text)
        if at < last and end > first:
            yield Segment(text[max(0, first - at) : last - at], style, control)
        at = end


def encoded(pieces: Iterable[tuple[int, int, Iterable[Segment]]], console: Console) -> str:
    """Cursor moves, style differences and text for segments at (x, y)."""
    system = None if console.no_color else console._color_system
    out: list[str] = []
    style = _PLAIN
    at = (-1, -1)
    for x, y, segments in pieces:
        if at != (x, y):
            out.append(f"\x1b[{y + 1};{x + 1}H")
        for text, wanted, control in segments:
            if control or not text:
                continue
            wanted = wanted or _PLAIN
            if wanted is not style:
                out.append(_difference(style, wanted, system))
                style = wanted
            out.append(text)
            x += len(text)
        at = (x, y)
    if out:
        out.append("\x1b[0m")
    return "".join(out)


@lru_cache(maxsize=16384)
def _parts(style: Style, system: ColorSystem | None) -> tuple[str, str, str]:
    """SGR codes of a style's attributes, foreground and background."""
    attributes = ";".join(
        code
        for on, code in (
            (style.bold, "1"),
            (style.dim, "2"),
            (style.underline, "4"),
            (style.reverse, "7"),
        )
        if on
    )
    if system is None:
        return attributes, "", ""
    front = ";".join(style.color.downgrade(system).get_ansi_codes()) if style.color else "39"
    back = ";".join(style.bgcolor.downgrade(system).get_ansi_codes(foreground=False)) if style.bgcolor else "49"
    return attributes, front, back


@lru_cache(maxsize=32768)
def _difference(before: Style, after: Style, system: ColorSystem | None) -> str:
    """The shortest SGR sequence from one style to the next; the terminal's own colours count as 39 and 49."""
    unset = ("", "39", "49") if system is not None else ("", "", "")
    old = unset if before is _PLAIN else _parts(before, system)
    new = _parts(after, system)
    codes = []
    if old[0] != new[0]:
        if old[0]:
            codes.append("0")
            old = unset
        if new[0]:
            codes.append(new[0])
    codes += [part for part, was in ((new[1], old[1]), (new[2], old[2])) if part != was]
    return f"\x1b[{';'.join(codes)}m" if codes else ""
