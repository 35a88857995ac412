"""A motion that asks for something to be confirmed: its sentence and what is missing, on screen for as long as it is chosen."""

from console.panel import Panel
from console.rows import Row, row, wrapped
from console.view import View
from engine.chosen import CONFIRMED_FOR
from engine.control.playing import PLAY
from engine.types import Mode, OperatorState, Snapshot


def clears(snapshot: Snapshot | None) -> bool:
    """Whether the motion that is chosen asks for something to be confirmed."""
    if snapshot is None or snapshot.decision.stop_number:
        return False
    return snapshot.operator.mode == Mode.MOTION and bool(snapshot.operator.clearance)


def plays(operator: OperatorState) -> bool:
    """Whether the key that plays the motion is held."""
    return operator.grant_axis == PLAY and operator.grant_left > 0.0


def missing(s: Snapshot) -> str:
    """What the operator has yet to do before it is played."""
    o = s.operator
    if not s.decision.armed:
        return f"A arms first; then Y confirms this, and ↑ held plays {o.motion}."
    if plays(o):
        return f"{o.motion} is played while ↑ is held; let go, it needs Y again."
    if o.clearance_left > 0.0:
        return f"Confirmed: hold ↑ within {o.clearance_left:.0f} s. It holds for one press."
    again = f"It stands in step {o.motion_step} of {o.motion_steps}: " if o.motion_step > 0 and not finished(o) else ""
    return f"{again}Y confirms this; then hold ↑ within {CONFIRMED_FOR:.0f} s."


def finished(operator: OperatorState) -> bool:
    """Whether the motion has come to its end."""
    return operator.motion_step == operator.motion_steps and operator.motion_share >= 1.0


def clearance_rows(view: View, width: int, height: int) -> list[Row]:
    """The sentence whole, and below it what is missing."""
    s = view.snapshot
    if s is None or not s.operator.clearance:
        return [row(("nothing is to be confirmed", "dim"))]
    if view.link == "recorded":
        told = "It was confirmed." if s.operator.clearance_left > 0.0 or plays(s.operator) else "It was not confirmed at this moment."
    elif view.readonly:
        told = "Another console confirms it; this one may stop."
    else:
        told = missing(s)
    role = "good" if s.operator.clearance_left > 0.0 or plays(s.operator) else "warn"
    said = [row((line, "value")) for line in wrapped(s.operator.clearance, width)]
    lines = [row((line, role)) for line in wrapped(told, width)]
    gap: list[Row] = [()] if height > len(said) + len(lines) else []
    return [*said, *gap, *lines][:height]


class ClearancePanel(Panel):
    def content(self, view: View, width: int, height: int) -> list[Row]:
        return clearance_rows(view, width, height)

    def title(self, view: View) -> Row:
        name = view.snapshot.operator.motion if view.snapshot is not None else ""
        return row((f" CONFIRM BEFORE {name.upper()} ", "state warn"))
