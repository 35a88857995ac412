"""The camera picture in half blocks, with its age; a picture older than its limit is taken away."""

import math
from typing import ClassVar

from console.draw import half_blocks, luminance, quantised
from console.panel import Panel
from console.rows import Row, age, row
from console.view import View


def picture_size(width: int, height: int) -> tuple[int, int]:
    """Pixels to ask for, for ``width`` x ``height`` cells inside the frame: square pictures, two pixels a cell upright."""
    side = min(width, 2 * height) // 2 * 2
    return (side, side) if side >= 8 else (0, 0)


def fresh(view: View) -> bool:
    """Whether there is a picture that may be shown."""
    return view.picture is not None and view.picture.camera == view.camera and view.picture_age <= view.picture_age_max


def empty_rows(view: View, width: int, height: int) -> list[Row]:
    """What stands where no picture does."""
    if not view.camera:
        lines = ["no picture", "V chooses a camera"]
    elif view.picture is None or view.picture.camera != view.camera:
        lines = [f"waiting for {view.camera}"]
    else:
        shown = "—" if math.isnan(view.picture_age) else f"{min(view.picture_age, 999):.0f} s"
        lines = ["picture removed", f"{shown} old, limit {view.picture_age_max:.0f} s"]
    above = max(0, (height - len(lines)) // 2)
    return [()] * above + [row((line.center(width), "dim")) for line in lines]


class CameraPanel(Panel):
    TITLE: ClassVar[str] = "CAMERA"
    DEFAULT_CSS = "CameraPanel { min-width: 20; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._pixels: bytes | None = None

    def content(self, view: View, width: int, height: int) -> list[Row]:
        picture = view.picture
        if picture is None or not fresh(view) or len(picture.rgb) != picture.width * picture.height * 3:
            self._pixels = None
            return empty_rows(view, width, height)
        self._pixels = quantised(picture.rgb, self._pixels)
        draw = half_blocks if view.coloured else luminance
        left = max(0, (width - picture.width) // 2)
        above = max(0, (height - picture.height // 2) // 2)
        return [()] * above + [((" " * left, "text"), *spans) for spans in draw(self._pixels, picture.width, picture.height)]

    def title(self, view: View) -> Row:
        return row(("CAMERA", "title"), (f" {view.camera or 'off'}", "value"))

    def note(self, view: View) -> Row:
        if view.snapshot is None:
            return ()
        fps = view.snapshot.loop.camera_fps
        return row((age(view.snapshot.frame_age, 6), "value"), (f" {fps:3.0f}/s", "dim"))
