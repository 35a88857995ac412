"""The person: how far the part that limits most is, how far it has to be, and the hand on the far handle."""

import math
from typing import ClassVar

from console.draw import marked_bar
from console.panel import Panel
from console.rows import Row, age, number, row, width_of, wrapped
from console.view import View
from console.widgets.layers import layer_sentence
from engine.types import LAYERS, PARTS, Decision, Reason, Snapshot

SEPARATION, CONTACT = LAYERS.index("separation"), LAYERS.index("contact")
GAUGE_AT = 47  #: cells before the gauge of the one line: the longest name of a part, both distances, and CLOSE
FULL = 1.5  #: m, a full gauge
UNSEEN = (Reason.NOT_CONFIGURED, Reason.NOT_SENSED)


def sensed(decision: Decision) -> bool:
    """Whether a sensor follows the person at all."""
    return decision.layer_reason[SEPARATION] not in UNSEEN


def measured(decision: Decision) -> bool:
    """Whether there is a distance to show."""
    return math.isfinite(decision.separation) and 0 <= decision.separation_part < len(PARTS)


def separation_role(decision: Decision) -> str:
    """bad where nothing may move so near, warn below what the wanted speed requires and within a fifth above it."""
    if too_close(decision):
        return "bad"
    return "good" if decision.separation >= 1.2 * decision.separation_needed else "warn"


def close(decision: Decision) -> bool:
    """Whether the person is nearer than the wanted speed needs, or nobody can say that they are not."""
    return not decision.separation >= decision.separation_needed


def too_close(decision: Decision) -> bool:
    """Whether the person is so near that nothing may move, and not only slower."""
    return close(decision) and not decision.layer_scale[SEPARATION] > 0.0


def closeness(decision: Decision) -> str:
    """What the distance does to the speed, in a word; "" where it does nothing."""
    return "CLOSE" if too_close(decision) else "SLOWS" if close(decision) else ""


def distance_row(decision: Decision, width: int) -> Row:
    """The part's name, its distance, and the distance that the wanted speed needs."""
    role, part = separation_role(decision), PARTS[decision.separation_part]
    here, need = f"{max(decision.separation, 0.0):.2f}", number(decision.separation_needed, 4, 2)
    between = ", needs " if len(part) + 20 <= width else " < " if close(decision) else " ≥ "
    unit = " m" if len(part) + 16 <= width else ""
    return row((f"{part} ", "value"), (here + unit, role), (between, "dim"), (need, "value"), (" m", "dim"))


def gauge(decision: Decision, width: int) -> Row:
    """The distance as a bar with a tick at what is required."""
    need = decision.separation_needed
    marks = (need / FULL,) if math.isfinite(need) else ()
    return marked_bar(decision.separation / FULL, width, marks, separation_role(decision))


def grip_force(s: Snapshot) -> float:
    """N, size of the person's force on the far handle; NaN where the handle has no sensor."""
    return math.sqrt(sum(force * force for force in s.inputs.grip))


def grip_row(view: View, width: int) -> Row:
    """The hand on the handle: held or not, its force, and the room between handle and cradle."""
    s = view.snapshot
    assert s is not None
    gap, least = s.saw.handle_gap * 1e3, view.limits.crush_gap * 1e3
    force = grip_force(s)
    spans = row(("hand ", "dim"), ("ON " if s.saw.partner_holding else "OFF", "good" if s.saw.partner_holding else "warn"))
    spans += row((number(force, 5, 0), "value"), (" N", "dim")) if math.isfinite(force) else row((" force not sensed", "dim"))
    if width >= 28:
        narrow = gap < least
        spans += row(("  gap", "dim"), (number(gap, 4, 0), "bad" if narrow else "value"), (f" mm <{least:.0f}" if narrow else " mm", "dim"))
    return spans


def person_rows(view: View, width: int, height: int) -> list[Row]:
    if view.snapshot is None:
        return [row(("nobody is looked for yet", "dim"))]
    d = view.snapshot.decision
    old = d.layer_age[SEPARATION]
    if not sensed(d):
        run = ", hold G" if view.limits.hold_to_run else ", hold to run" if view.snapshot.saw.present else ""
        lines = wrapped("not sensed: no sensor follows the person", width)
        rows = [row((line, "dim" if i else "warn")) for i, line in enumerate(lines)]
        rows += [row((line, "dim")) for line in wrapped(f"so at most {_slow(view)}{run}", width)]
    elif not measured(d):
        rows = [row((line, "bad")) for line in wrapped(layer_sentence(d, SEPARATION), width)]
    else:
        rows = [distance_row(d, width), gauge(d, width), _permits(view, d, old, width)]
    if view.snapshot.saw.present:
        rows.append(grip_row(view, width))
    contact = d.layer_reason[CONTACT]
    if contact not in (Reason.OK, *UNSEEN) or height > len(rows):
        lines = wrapped(f"contact: {layer_sentence(d, CONTACT)}", width)
        acts = contact not in (Reason.OK, *UNSEEN)
        if acts or len(rows) + len(lines) <= height:
            rows += [row((line, "warn" if acts else "dim")) for line in lines]
    return rows[:height]


def _slow(view: View) -> str:
    """The speed while no sensor follows the person, as the standard gives it."""
    return f"{1e3 * view.limits.speed_unsensed:.0f} mm/s"


def _permits(view: View, d: Decision, old: float, width: int) -> Row:
    """The reaction time in force, the age of the sensor's word, and the speed that the distance permits."""
    speed = d.layer_scale[SEPARATION] * view.limits.speed_max
    wide = width >= 42
    permits = "  permits" if wide else " ≤"
    spans = row(
        ("T_r", "dim"), (number(d.reaction, 5, 2), "text"), (" s" + permits, "dim"), (number(speed, 5, 2), "value"), (" m/s", "dim")
    )
    return (*spans, ("  seen" + age(old), "dim")) if wide else spans


def person_line(view: View, width: int) -> list[Row]:
    """The same in one line, for small screens."""
    if view.snapshot is None:
        return [row(("  nobody is looked for yet", "dim"))]
    s = view.snapshot
    d = s.decision
    if not sensed(d):
        run = ", hold G to run" if view.limits.hold_to_run else ""
        return [row(("  person not sensed", "warn"), (f": at most {_slow(view)}{run}", "dim"))]
    if not measured(d):
        said = layer_sentence(d, SEPARATION)
        return [row("  ", (said, "bad"))]
    told: Row = (("  ", "text"), *distance_row(d, 40), (f"  {closeness(d)}", separation_role(d)))
    reaction = row(("  T_r", "dim"), (number(d.reaction, 5, 2), "text"), (" s", "dim")) if width >= GAUGE_AT + 20 else ()
    room = width - GAUGE_AT - (25 if width >= 76 else 13 if reaction else 1)
    spans: Row = (*told, (" " * (GAUGE_AT - width_of(told)), "text"), *gauge(d, max(6, room)), *reaction)
    force = grip_force(s)
    if width >= 76 and math.isfinite(force):
        spans += row(("  grip", "dim"), (number(force, 4, 0), "value"), (" N", "dim"))
    return [spans]


class PersonPanel(Panel):
    TITLE: ClassVar[str] = "PERSON"

    def content(self, view: View, width: int, height: int) -> list[Row]:
        return person_rows(view, width, height)

    def note(self, view: View) -> Row:
        decision = view.snapshot.decision if view.snapshot is not None else None
        if decision is None or not (sensed(decision) and measured(decision)):
            return ()
        word = closeness(decision)
        return row((word, separation_role(decision))) if word else ()


class PersonLine(Panel):
    FRAMED: ClassVar[bool] = False

    def content(self, view: View, width: int, height: int) -> list[Row]:
        return person_line(view, width)
