"""The log of what happened, newest first."""

import math
import time
from typing import ClassVar

from console.panel import Panel
from console.rows import Row, cut, duration, number, one_cell_each, row, wrapped
from console.view import View
from engine.types import Event

KINDS = {
    "stop": ("■", "bad"),
    "fault": ("✖", "bad"),
    "clear": ("○", "good"),
    "arm": ("◆", "warn"),
    "disarm": ("○", "text"),
    "go": ("▶", "good"),
    "pause": ("‖", "text"),
    "score": ("▸", "warn"),
    "mark": ("●", "info"),
    "motion": ("▸", "info"),
    "hazard": ("✖", "warn"),
    "forecast": ("▲", "warn"),
    "disturbance": ("✖", "warn"),
    "failure": ("✖", "bad"),
    "success": ("✓", "good"),
    "system": ("·", "dim"),
}


def event_rows(event: Event, width: int) -> list[Row]:
    """One event in one line, or in up to three where its text is longer."""
    mark, role = KINDS.get(event.kind, ("·", "text"))
    moment = time.strftime("%H:%M:%S", time.localtime(event.wall)) + f".{int(event.wall * 100) % 100:02d}"
    stamp = moment if width >= 50 else moment[:8]
    text = one_cell_each(event.text)
    room = width - len(stamp) - 3
    if len(text) > room:
        text = text.replace(" category ", " cat ").replace(" protective:", ":")
    told = role if role != "dim" else "text"
    lines = wrapped(text, max(8, room)) or [""]
    rows = [row((f"{stamp} ", "dim"), (f"{mark} ", role), (lines[0], told))]
    rows += [row((" " * (len(stamp) + 3), "text"), (line, told)) for line in lines[1:3]]
    return rows


def events_rows(view: View, width: int, height: int) -> list[Row]:
    events = view.snapshot.events if view.snapshot is not None else ()
    if not events:
        return [row(("nothing has happened yet", "dim"))]
    rows: list[Row] = []
    for event in reversed(events[-height:] if height > 0 else ()):
        rows += event_rows(event, width)
    if len(rows) > height > 0 and rows[height][0][0].isspace():
        rows[height - 1] = cut((*rows[height - 1], (" …", "dim")), width)
    return rows[: max(0, height)]


def loop_note(view: View) -> Row:
    """How well the engine keeps its time, and the recording."""
    if view.snapshot is None:
        return ()
    loop = view.snapshot.loop
    spans = row((f"{number(loop.tick_hz, 5, 1)} Hz", "value"))
    if math.isfinite(loop.late_p99_ms):
        spans += row(
            (" p99", "dim"), (f" {number(loop.late_p99_ms, 4, 1)} ms", "value"), (f" ×{number(loop.real_time_factor, 4, 2)}", "dim")
        )
    return spans


def recorder_spans(view: View) -> Row:
    """The recorder in a few words."""
    if view.snapshot is None:
        return ()
    recorder = view.snapshot.recorder
    if recorder.fault:
        return row(("✖ " + recorder.fault, "bad"))
    if not recorder.on:
        return row(("○ not recording", "dim"))
    return row(("● ", "bad"), (f"rec {duration(recorder.seconds)} {recorder.megabytes:5.1f} MB", "text"))


class EventsPanel(Panel):
    TITLE: ClassVar[str] = "EVENTS"

    def content(self, view: View, width: int, height: int) -> list[Row]:
        return events_rows(view, width, height)

    def note(self, view: View) -> Row:
        return loop_note(view)
