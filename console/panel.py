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
        self._lines: list[Cells] = []
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
        if not self.size.width or not self.size.height:
            return
        lines = self._compose_lines(view, self.size)
        if not self._fits:
            self._lines = lines
            self.refresh()
            return
        regions = [region for y, (old, new) in enumerate(zip(self._lines, lines, strict=True)) for region in _changed(old, new, y)]
        self._lines = lines
        if regions:
            self.refresh(*regions)

    @property
    def _fits(self) -> bool:
        """Whether the lines at hand are of the panel's size."""
        return len(self._lines) == self.size.height and all(len(text) == self.size.width for text, _ in self._lines[:1])

    def _size_updated(self, size: Size, virtual_size: Size, container_size: Size, layout: bool = True) -> bool:
        """Nothing in a panel is laid out anew with its size, which would paint the whole screen once more."""
        return super()._size_updated(size, virtual_size, container_size, layout=False)

    def redraw(self) -> None:
        """Draw everything again: the theme is another."""
        self._lines = []
        if self._view is not None:
            self.show(self._view)

    def render_line(self, y: int) -> Strip:
        theme, ascii_only = self.app.palette, self.app.ascii_only
        if not self._fits and self._view is not None:  # the size is new, and what is painted now should not be painted twice
            self._lines = self._compose_lines(self._view, self.size)
        if y >= len(self._lines):
            return Strip([Segment(" " * self.size.width, style_of("text", theme))], self.size.width)
        text, roles = self._lines[y]
        if ascii_only:
            text = in_ascii(text)
        segments = []
        start = 0
        for i in range(1, len(roles) + 1):
            if i == len(roles) or roles[i] != roles[start]:
                segments.append(Segment(text[start:i], style_of(roles[start], theme)))
                start = i
        return Strip(segments, len(text))

    def _compose_lines(self, view: View, size: Size) -> list[Cells]:
        if not self.FRAMED:
            rows = self.content(view, size.width, size.height)
            return [_cells(rows[y] if y < len(rows) else (), size.width) for y in range(size.height)]
        inner_width, inner_height = max(0, size.width - 4), max(0, size.height - 2)
        rows = self.content(view, inner_width, inner_height)
        edge = row(("│", "frame"))
        lines = [_cells(_top(self.title(view), self.note(view), size.width), size.width)]
        for y in range(inner_height):
            inside = cut(rows[y], inner_width) if y < len(rows) else ()
            fill = " " * (inner_width - width_of(inside))
            lines.append(_cells((*edge, (" ", "text"), *inside, (fill + " ", "text"), *edge), size.width))
        lines.append(_cells(row(("╰" + "─" * (size.width - 2) + "╯", "frame")), size.width))
        return lines


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
