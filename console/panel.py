"""A framed panel that draws rows line by line and asks for a repaint of the changed columns only."""

from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from console.rows import Row, cut, one_cell_each, row, width_of
from console.theme import in_ascii, style_of
from console.view import View

if TYPE_CHECKING:
    from console.app import Sawhorse

Cells = tuple[str, tuple[str, ...]]  # characters, and the role of each

_JOIN = 5  #: unchanged cells cheaper to send again than to jump over


class Panel(Widget):
    """Subclasses give ``content``; ``show`` draws a view. Nothing is repainted unless a line has changed."""

    FRAMED: ClassVar[bool] = True
    TITLE: ClassVar[str] = ""

    app: "Sawhorse"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._shown: list[Row] = []  #: as they were shown last, unpadded
        self._lines: list[Cells] = []
        self._strips: dict[int, Strip] = {}
        self._fitted: Size | None = None  #: the size that all these are of
        self._view: View | None = None

    def content(self, view: View, width: int, height: int) -> list[Row]:
        """Rows inside the frame, for ``width`` x ``height`` cells."""
        return []

    def title(self, view: View) -> Row:
        """What stands in the frame's upper edge, left."""
        return row((self.TITLE, "title"))

    def note(self, view: View) -> Row:
        """What stands in the frame's upper edge, right; narrow panels drop it."""
        return ()

    def show(self, view: View) -> None:
        """Draw the view: compare with what is on the screen, repaint what differs."""
        self._view = view
        size = self.size
        if not size.width or not size.height:
            return
        if self._fitted != size:
            self._fit(view)
            self.refresh()
            return
        regions: list[Region] = []
        for y, new in enumerate(self._whole_rows(view, size)):
            if new != self._shown[y]:
                cells = _cells(new, size.width)
                regions += _changed(self._lines[y], cells, y)
                self._shown[y], self._lines[y] = new, cells
                self._strips.pop(y, None)
        if regions:
            self.refresh(*regions)

    def _fit(self, view: View) -> None:
        self._shown = self._whole_rows(view, self.size)
        self._lines = [_cells(spans, self.size.width) for spans in self._shown]
        self._strips.clear()
        self._fitted = self.size

    def _size_updated(self, size: Size, virtual_size: Size, container_size: Size, layout: bool = True) -> bool:
        """Nothing in a panel is laid out anew with its size, which would paint the whole screen once more."""
        return super()._size_updated(size, virtual_size, container_size, layout=False)

    def redraw(self) -> None:
        """Draw everything again: the theme is another."""
        self._fitted = None
        if self._view is not None:
            self.show(self._view)

    def render_lines(self, crop: Region) -> list[Strip]:
        """The lines themselves, past Textual's cache of styles: a panel has no border, padding or opacity to be added."""
        if self._view is not None and self._fitted != self.size:  # a new size: what is painted now should not be painted twice
            self._fit(self._view)
        strips = [self._strip(y) for y in crop.line_range]
        return strips if crop.width == self.size.width else [strip.crop(crop.x, crop.right) for strip in strips]

    def _strip(self, y: int) -> Strip:
        if y not in self._strips:
            self._strips[y] = self._strip_of(*(self._lines[y] if y < len(self._lines) else _cells((), self.size.width)))
        return self._strips[y]

    def _strip_of(self, text: str, roles: tuple[str, ...]) -> Strip:
        theme = self.app.palette
        if self.app.ascii_only:
            text = in_ascii(text)
        segments = []
        start = 0
        for i in range(1, len(roles) + 1):
            if i == len(roles) or roles[i] != roles[start]:
                segments.append(Segment(text[start:i], style_of(roles[start], theme)))
                start = i
        return Strip(segments, len(text))

    def _whole_rows(self, view: View, size: Size) -> list[Row]:
        """One for each line, the frame among them."""
        if not self.FRAMED:
            rows = self.content(view, size.width, size.height)[: size.height]
            return [*rows, *[()] * (size.height - len(rows))]
        inner_width, inner_height = max(0, size.width - 4), max(0, size.height - 2)
        rows = self.content(view, inner_width, inner_height)
        edge = row(("│", "frame"))
        lines = [_top(self.title(view), self.note(view), size.width)]
        for y in range(inner_height):
            inside = cut(rows[y], inner_width) if y < len(rows) else ()
            fill = " " * (inner_width - width_of(inside))
            lines.append((*edge, (" ", "text"), *inside, (fill + " ", "text"), *edge))
        return [*lines, row(("╰" + "─" * (size.width - 2) + "╯", "frame"))]


def _top(title: Row, note: Row, width: int) -> Row:
    """The frame's upper edge with its title left and its note right."""
    left = row(("╭─", "frame"), (" ", "text"), *title, (" ", "text")) if title else row(("╭", "frame"))
    right = row((" ", "text"), *note, (" ", "text"), ("─╮", "frame")) if note else row(("╮", "frame"))
    if width_of(left) + width_of(right) + 1 > width:
        right = row(("╮", "frame"))
        left = cut(left, width - 1)
    return (*left, ("─" * max(0, width - width_of(left) - width_of(right)), "frame"), *right)


def _cells(spans: Row, width: int) -> Cells:
    text = ""
    roles: list[str] = []
    for part, role in spans:
        text += one_cell_each(part)
        roles += [role] * len(part)
    if len(text) > width:
        return text[:width], tuple(roles[:width])
    return text + " " * (width - len(text)), (*roles, *["text"] * (width - len(roles)))


def _changed(old: Cells, new: Cells, y: int) -> list[Region]:
    """The columns of line ``y`` that differ, near ones joined."""
    if old == new:
        return []
    if len(old[0]) != len(new[0]):
        return [Region(0, y, max(len(old[0]), len(new[0])), 1)]
    regions: list[Region] = []
    start = last = -1
    for i in range(len(new[0])):
        if old[0][i] != new[0][i] or old[1][i] != new[1][i]:
            if start < 0:
                start = i
            elif i - last > _JOIN:
                regions.append(Region(start, y, last + 1 - start, 1))
                start = i
            last = i
    regions.append(Region(start, y, last + 1 - start, 1))
    return regions
