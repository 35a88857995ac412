"""The energy tank that pays for changes of the spring, and the ledger of the last stroke."""

import math
from typing import ClassVar

from console.draw import marked_bar, signed_bar
from console.panel import Panel
from console.rows import Row, cut, number, row, wrapped
from console.stroke import Stroke
from console.view import View
from console.widgets.cut import ZONES
from console.widgets.servos import feed_rows, feed_spans, measured
from console.widgets.task import task_spans
from engine.account import CLOSED
from engine.limits import Limits
from engine.types import Energy, Snapshot, Zone

WHOLE = 0.995  #: share of a wanted change from which on the tank does not limit it
LEDGER_FULL = 20.0  #: J, a full bar
NO_TANK = "This robot keeps no account: its servos follow positions, as stiff as they are."


def empty(energy: Energy, limits: Limits) -> bool:
    """Whether the tank pays for nothing: what raises energy waits, softening does not."""
    return not energy.tank > limits.tank_min * 1.001


def tank_role(energy: Energy, limits: Limits) -> str:
    if empty(energy, limits):
        return "bad"
    return "warn" if energy.share < WHOLE else "bar"


def gauge(energy: Energy, limits: Limits, width: int) -> Row:
    """How full, with a tick at the least that the tank keeps."""
    return marked_bar(energy.tank / limits.tank_max, width, (limits.tank_min / limits.tank_max,), tank_role(energy, limits))


def tank_row(view: View, s: Snapshot, width: int) -> Row:
    full = f" of {view.limits.tank_max:.0f} J"
    room = max(4, width - 11 - len(full))
    return row(("tank", "dim"), (number(s.energy.tank, 5, 1), "value"), (" ", "text"), *gauge(s.energy, view.limits, room), (full, "dim"))


def share_row(view: View, s: Snapshot) -> Row:
    """λ, the share of a wanted change that the tank lets through, and the power granted to it for the task."""
    share = s.energy.share
    limits = not share >= WHOLE
    said = "EMPTY: only softens" if empty(s.energy, view.limits) else "TANK LIMITS" if limits else ""
    spans = row(("λ", "dim"), (number(share, 5, 2), "warn" if limits else "text"))
    if said:
        return (*spans, ("  " + said, "bad" if said.startswith("EMPTY") else "warn"))
    return (*spans, ("  granted", "dim"), (number(s.command.task_power, 5, 1), "text"), (" W", "dim"))


def closure_row(stroke: Stroke) -> Row:
    closes = stroke.closure < CLOSED
    return row(
        ("= kept ", "dim"),
        (number(stroke.kept, 6, 1, sign=True), "text"),
        (" J ", "dim"),
        ("closes" if closes else "OPEN", "good" if closes else "bad"),
        (number(100.0 * stroke.closure, 5, 1), "value" if closes else "bad"),
        (" %", "dim"),
    )


def energy_rows(view: View, width: int, height: int) -> list[Row]:
    s = view.snapshot
    if s is None:
        return [row(("no account yet", "dim"))]
    if measured(s):
        return feed_rows(s, width, height)
    if not s.energy.present:
        return [row((line, "dim")) for line in wrapped(NO_TANK, width)][:height]
    rows = [tank_row(view, s, width), share_row(view, s)]
    if not s.saw.present:
        return [*rows, *_sums(s.energy)][:height]
    stroke = view.history.stroke
    if stroke is None:
        return [*rows, row(("no full stroke watched yet", "dim"))][:height]
    if height < 8:
        rows += [
            _pair(("partner", stroke.partner), ("grant", stroke.grant)),
            _pair(("wood", -stroke.wood), ("damping", -stroke.damping)),
            closure_row(stroke),
        ]
        return rows[:height]
    rows.append(row((f"the last stroke, {stroke.seconds:.1f} s", "dim")))
    terms = (("partner", stroke.partner), ("grant", stroke.grant), ("wood", -stroke.wood), ("damping", -stroke.damping))
    rows += [
        row(
            (f"{name:8}", "dim"),
            (number(value, 6, 1, sign=True), "text"),
            (" J ", "dim"),
            *signed_bar(value, LEDGER_FULL, max(6, width - 17)),
        )
        for name, value in terms
    ]
    return [*rows, closure_row(stroke)][:height]


def _sums(energy: Energy) -> list[Row]:
    """What has flowed since the robot was connected, where no stroke divides the run."""
    terms = (("granted", energy.grant), ("damping", -energy.damping), ("paid", energy.paid), ("stored", energy.stored))
    return [_pair(*terms[:2]), _pair(*terms[2:])]


def _pair(first: tuple[str, float], second: tuple[str, float]) -> Row:
    spans = [((f"{name:7}", "dim"), (number(value, 6, 1, sign=True), "text")) for name, value in (first, second)]
    return row(*spans[0], "  ", *spans[1], (" J", "dim"))


def work_line(view: View, width: int) -> list[Row]:
    """Tank, ledger and cut in one line, for small screens."""
    s = view.snapshot
    if s is None:
        return [row(("  no account yet", "dim"))]
    if not s.energy.present:
        if measured(s):  # the instruction has no room: the state tells it
            return [cut((*feed_spans(s), *task_spans(s)[:-1]), width)]
        return [cut(row(("  no energy tank", "dim"), *task_spans(s)), width)]
    share = s.energy.share
    zone = ZONES.get(Zone(s.saw.zone), "?") if s.saw.zone in Zone else "?"
    spans: Row = row(("  tank", "dim"), (number(s.energy.tank, 5, 1), "value"), (f"/{view.limits.tank_max:.0f} J ", "dim"))
    spans += gauge(s.energy, view.limits, 8 if width >= 76 else 5)
    if share < WHOLE or empty(s.energy, view.limits):
        said = "EMPTY" if empty(s.energy, view.limits) else "tank limits"
        spans += row((f" λ{number(share, 5, 2)} {said}", "warn"))
    elif width >= 76 and s.saw.present:
        stroke = view.history.stroke
        closure = stroke.closure if stroke is not None else math.nan
        spans += row((" ledger", "dim"), (number(100 * closure, 5, 1), "text" if not closure >= CLOSED else "bad"), (" %", "dim"))
    if not s.saw.present:
        return [cut(row(*spans, *task_spans(s)), width)]
    spans += row(("  cut", "dim"), (number(s.saw.kerf_depth * 1e3, 6, 1), "value"), (" mm", "dim"))
    spans += row(("  STUCK " if s.saw.stuck else "  ", "bad"), (zone, "value"))
    return [spans]


class EnergyPanel(Panel):
    TITLE: ClassVar[str] = "ENERGY"

    def content(self, view: View, width: int, height: int) -> list[Row]:
        return energy_rows(view, width, height)

    def title(self, view: View) -> Row:
        servos = view.snapshot is not None and measured(view.snapshot)
        return row(("SERVOS" if servos else self.TITLE, "title"))

    def note(self, view: View) -> Row:
        stroke = view.history.stroke
        saw = view.snapshot is not None and view.snapshot.saw.present
        return row((f"stroke {stroke.number}", "dim")) if stroke is not None and saw else ()


class WorkLine(Panel):
    FRAMED: ClassVar[bool] = False

    def content(self, view: View, width: int, height: int) -> list[Row]:
        return work_line(view, width)
