"""The forecast's page: the table, when something is done, the alarm's past, and the signals that it is made of."""

from typing import ClassVar

from console.panel import Panel
from console.rows import Row, beside, row, wrapped
from console.view import View
from console.widgets.forecast import PAST, absent, alarm_spark, because_rows, forecast_of, past_rows, state_note, table_rows
from console.widgets.signals import signals_rows
from engine.safety.forecast import UNPROVEN
from engine.types import Snapshot

LONG = 25  #: rows from which the alarm's past is a curve and not in the frame
TABLE = 60  #: cells of the table at most
REASONS = 26  #: cells of what stands beside it at least


def page_rows(view: View, width: int, height: int) -> list[Row]:
    """From top to bottom what is foreseen and why, what is done about it, and the signals; the signals give way first."""
    s, inference = view.snapshot, forecast_of(view.snapshot)
    if s is None or inference is None:
        return [row((line, "text")) for line in wrapped(absent(view), width)][:height]
    left = min(TABLE, width - REASONS)
    rows = beside(table_rows(view, s, inference, left), because_rows(inference, width - left - 3), left, 3)
    rows += [(), *(row((line, "dim")) for line in wrapped(_rule(view, s), width))]
    if height >= LONG:
        rows += [(), *past_rows(view, width, 4)]
    room = height - len(rows) - 1
    if room >= 6:
        rows += [(), *signals_rows(view, width, room)]
    return rows[:height]


def _rule(view: View, s: Snapshot) -> str:
    """When something is done."""
    if s.inputs.forecast_state == UNPROVEN:
        note = s.run.policy.forecast_note if s.run.policy is not None else ""
        return f"Unproven for this task: it is shown, and nothing is done about it. {note}"
    limits = view.limits
    return (
        f"The bar is full at the alarm. An alarm that lasts {limits.forecast_persistence:.2f} s acts; it is over below"
        f" {100 * limits.forecast_release:.0f} % of it. At most one retry or question every {limits.forecast_cooldown:.0f} s."
    )


class OutlookPage(Panel):
    TITLE: ClassVar[str] = "FORECAST"

    def content(self, view: View, width: int, height: int) -> list[Row]:
        return page_rows(view, width, height)

    def title(self, view: View) -> Row:
        past = "" if self.size.height - 2 >= LONG else alarm_spark(view, 2 * PAST)
        return row((self.TITLE, "title"), (f" {past}" if past else "", "curve"))

    def note(self, view: View) -> Row:
        said = state_note(view)
        return row(*said, *((("   ", "dim"),) if said else ()), ("Z", "key"), (" closes", "dim"))
