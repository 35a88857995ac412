"""The camera picture, in pixels or in half blocks, with its age; a picture older than its limit is taken away."""

import math
from typing import ClassVar

from console.draw import advanced, half_blocks, luminance, quantised
from console.panel import Panel
from console.pixels import SIDE, Area
from console.rows import Row, age, row
from console.view import View
from engine.messages import Picture

PICTURE_AGE_MAX = 2.0  #: s since exposure; older pictures are removed
CELL = 40  #: bytes that a cell of two colours takes at most


def picture_size(width: int, height: int) -> tuple[int, int]:
    """Pixels to ask for, for ``width`` x ``height`` cells inside the frame: square pictures, two pixels a cell upright."""
    side = min(width, 2 * height) // 2 * 2
    return (side, side) if side >= 8 else (0, 0)


def area(width: int, height: int) -> Area:
    """Where in ``width`` x ``height`` cells a square picture stands."""
    side, _ = picture_size(width, height)
    return Area((width - side) // 2, (height - side // 2) // 2, side, side // 2)


def fresh(view: View) -> bool:
    """Whether there is a picture that may be shown."""
    return view.picture is not None and view.picture.camera == view.camera and view.picture_age <= PICTURE_AGE_MAX


def whole(picture: Picture) -> bool:
    """Whether every pixel is there."""
    return len(picture.rgb) == picture.width * picture.height * 3


def empty_rows(view: View, width: int, height: int) -> list[Row]:
    """What stands where no picture does."""
    if not view.camera:
        lines = ["no picture", "V chooses a camera"]
    elif view.picture is None or view.picture.camera != view.camera or fresh(view):
        lines = [f"waiting for {view.camera}"]
    else:
        shown = "—" if math.isnan(view.picture_age) else f"{min(view.picture_age, 999):.0f} s"
        lines = ["picture removed", f"{shown} old, limit {PICTURE_AGE_MAX:.0f} s"]
    above = max(0, (height - len(lines)) // 2)
    return [()] * above + [row((line.center(width), "dim")) for line in lines]


class CameraPanel(Panel):
    TITLE: ClassVar[str] = "CAMERA"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._pixels: bytes | None = None
        self._drawn = False  #: by the terminal, in pixels
        self._rows: list[Row] = []
        self._next = 0

    def asked(self) -> tuple[int, int]:
        """Pixels of the picture to ask for; where the terminal draws them itself a cell holds more than two."""
        side, _ = picture_size(self.size.width - 4, self.size.height - 2)
        return (SIDE, SIDE) if side and self.app.canvas.ready and self.app.coloured else (side, side)

    def show(self, view: View) -> None:
        """Draw the view; a picture that the terminal draws itself only wants its place kept empty."""
        canvas, picture, before = self.app.canvas, view.picture, self._drawn
        self._drawn = canvas.ready and view.coloured and picture is not None and fresh(view) and whole(picture)
        super().show(view)
        if before and not self._drawn:
            self.refresh()  # its cells were blank all along to Textual, which would not send them
        if self._drawn and picture is not None and self.size.width > 4:
            inner = area(self.size.width - 4, self.size.height - 2)
            corner = self.region.offset
            if inner.columns:
                canvas.want(picture, Area(corner.x + 2 + inner.x, corner.y + 1 + inner.y, inner.columns, inner.lines))

    def content(self, view: View, width: int, height: int) -> list[Row]:
        picture = view.picture
        if self._drawn:
            self._rows = []
            return []
        if picture is None or not fresh(view) or not whole(picture) or (picture.width, picture.height) != picture_size(width, height):
            self._pixels, self._rows = None, []
            return empty_rows(view, width, height)
        self._pixels = quantised(picture.rgb, self._pixels)
        draw = half_blocks if view.coloured else luminance
        left = max(0, (width - picture.width) // 2)
        above = max(0, (height - picture.height // 2) // 2)
        rows: list[Row] = [((" " * left, "text"), *spans) for spans in draw(self._pixels, picture.width, picture.height)]
        room = self.app.picture_room / (CELL * picture.width)
        self._rows, self._next = advanced(self._rows, rows, self._next, int(min(max(1.0, room), len(rows))))
        return [()] * above + self._rows

    def title(self, view: View) -> Row:
        return row(("CAMERA", "title"), (f" {view.camera or 'off'}", "value"))

    def note(self, view: View) -> Row:
        if view.snapshot is None:
            return ()
        fps = view.snapshot.loop.camera_fps
        return row((age(view.snapshot.frame_age, 6), "value"), (f" {fps:3.0f}/s", "dim"))
