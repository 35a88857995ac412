"""The work: what the blade is in, how deep, what the partner does; without a saw, the task."""

from typing import ClassVar

from console.draw import bar, signed_bar
from console.panel import Panel
from console.rows import Row, number, row
from console.view import View
from console.widgets.task import heads, task_rows, tool_row
from engine.types import Zone

ZONES = {Zone.AIR: "AIR", Zone.SOFT: "SOFT WOOD", Zone.KNOT: "KNOT", Zone.CRACKED: "CRACKED"}
PRESS_FULL = 50.0  #: N, a full bar


def cut_rows(view: View, width: int, height: int) -> list[Row]:
    if view.snapshot is None:
        return [row(("no robot yet", "dim"))]
    s = view.snapshot
    saw = s.saw
    if not saw.present:
        return task_rows(view, width, height)
    zone = ZONES.get(Zone(saw.zone), "?") if saw.zone in Zone else "?"
    hard = saw.zone in (Zone.KNOT, Zone.CRACKED)
    room = max(6, width - 24)
    place = "STUCK " + zone if saw.stuck else "in " + zone if saw.in_kerf else zone
    rows = [
        row(
            ("depth   ", "dim"),
            (number(saw.kerf_depth * 1e3, 6, 1), "value"),
            (" mm ", "dim"),
            (number(saw.stroke_depth * 1e3, 6, 1, sign=True), "text"),
            (" mm/stroke", "dim"),
        ),
        row(
            ("blade   ", "dim"),
            (f"{place:13.13}", "bad" if saw.stuck else "warn" if hard else "value"),
            ("phase" if width >= 36 else "φ", "dim"),
            (number(saw.phase_error, 6, 2, sign=True), "text"),
            (" rad", "dim"),
        ),
        row(
            ("press   ", "dim"),
            (number(saw.press_force, 6, 1), "value"),
            (" N  ", "dim"),
            *bar(saw.press_force / PRESS_FULL, room),
            (f" {PRESS_FULL:.0f} N", "dim"),
        ),
        row(
            ("partner ", "dim"),
            (number(saw.partner_force, 6, 1, sign=True), "value"),
            (" N  ", "dim"),
            *signed_bar(saw.partner_force, view.limits.hand_force_max, room),
            (" pull" if saw.partner_force >= 0 else " push", "dim"),
        ),
        row(
            ("line y  ", "dim"),
            (number(saw.cut_line_y, 6, 2, sign=True), "value"),
            (" m  ", "dim"),
            ("LOCKED" if saw.in_kerf else "free  ", "warn" if saw.in_kerf else "good"),
            ("  log ", "dim"),
            (number(saw.log_top_z, 4, 2), "value"),
            (" m", "dim"),
        ),
        row(
            ("wood    ", "dim"),
            (number(saw.cut_force, 6, 1), "text"),
            (" N  strokes", "dim"),
            (number(saw.stroke_count, 5, 0), "text"),
        ),
        *_stroke(view),
        tool_row(s),
    ]
    if s.run.simulated:
        rows.append(row(("hand    ", "dim"), (number(saw.free_hand_distance, 6, 2), "text"), (" m  free (sim's truth)", "dim")))
    rows += heads(s, width)
    return rows[:height]


def _stroke(view: View) -> list[Row]:
    """The last full stroke: the partner's force, and the work of both."""
    s, stroke = view.snapshot, view.history.stroke
    if s is None or stroke is None:
        return []
    return [
        row(
            ("force   ", "dim"),
            (number(stroke.force_rms, 6, 1), "text"),
            (" N rms  peak", "dim"),
            (number(stroke.force_peak, 6, 1), "text"),
            (" N", "dim"),
        ),
        row(
            ("work    ", "dim"),
            ("robot", "dim"),
            (number(s.saw.robot_work, 5, 1), "text"),
            (" J partner", "dim"),
            (number(s.saw.partner_work, 5, 1), "text"),
            (" J", "dim"),
        ),
    ]


class CutPanel(Panel):
    TITLE: ClassVar[str] = "CUT / PARTNER"

    def title(self, view: View) -> Row:
        saw = view.snapshot is None or view.snapshot.saw.present
        return row((self.TITLE if saw else "TASK", "title"))

    def content(self, view: View, width: int, height: int) -> list[Row]:
        return cut_rows(view, width, height)
