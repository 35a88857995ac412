"""Why it stopped, what holds now, and the way back step by step; on screen by itself from a stop until the robot is armed again."""

import math
from typing import ClassVar

from console.panel import Panel
from console.rows import Row, beside, number, row, wrapped
from console.view import View
from console.widgets.gains import measured_speed
from console.widgets.layers import layer_sentence
from engine.events import why_stopped
from engine.limits import Limits
from engine.safety.reasons import advice, sentence
from engine.types import LAYERS, Mode, Reason, Snapshot, StopKind

DONE, NOW, LATER = ("✓", "good"), ("▶", "warn"), ("·", "dim")
TOLD = (Reason.STOP_POWER_OFF, Reason.LATCHED)  #: their advice is the way back itself
BESIDE = 70  #: cells from which cause and way back stand beside each other


def stopped_last(snapshot: Snapshot) -> bool:
    """Whether it was a stop that disarmed the robot, and nothing has been armed since."""
    return next((event.kind == "stop" for event in reversed(snapshot.events) if event.kind in ("stop", "arm", "disarm")), False)


def stands(snapshot: Snapshot | None) -> bool:
    """Whether there is a stop to explain: one holds, or the last one disarmed the robot."""
    if snapshot is None:
        return False
    decision = snapshot.decision
    return bool(decision.stop_number) or (not decision.armed and decision.stop_count > 0 and stopped_last(snapshot))


def persists(snapshot: Snapshot, limits: Limits) -> bool:
    """Whether the layer that stopped it would stop it now."""
    return snapshot.decision.stop_layer in blocking(snapshot, limits)


def blocking(snapshot: Snapshot, limits: Limits) -> list[int]:
    """The layers whose score is a stop now: each of them refuses arming."""
    return [i for i, score in enumerate(snapshot.decision.layer_score) if not score >= limits.stop_below]


def stop_sentence(snapshot: Snapshot) -> str:
    """Why the last stop came, with its numbers at that moment and in the words of the log."""
    d = snapshot.decision
    return why_stopped(snapshot.events, d.stop_count) or sentence(
        d.stop_reason, d.stop_margin, d.stop_age, d.stop_layer, foreseen=d.foreseen
    )


def cause_rows(s: Snapshot, limits: Limits, width: int) -> list[Row]:
    """Number, category, kind; the cause with its numbers at that moment; what holds now."""
    d = s.decision
    kind = "LATCHED" if d.stop_kind == StopKind.LATCHED else "PROTECTIVE"
    told = f"category {d.stop_category} · {kind}" if d.stop_number else "is over"
    rows = [row((f"STOP {d.stop_number or d.stop_count} ", "bad"), (told, "value"))]
    why = f"{LAYERS[d.stop_layer]}: {stop_sentence(s)}"
    rows += [row((line, "value")) for line in wrapped(why, width)]
    rows += [row((line, "text")) for line in wrapped(f"now: {holds(s, limits)}", width)]
    if math.isfinite(s.inputs.gripper):
        rows.append(row((f"gripper stays at {100.0 * s.inputs.gripper:.0f} %", "text")))
    return rows


def holds(s: Snapshot, limits: Limits) -> str:
    """What the robot does at this moment, in figures."""
    if s.command.brakes and s.energy.present:
        return "on its brakes where it stands, power off"
    if not (s.command.hold or s.command.brakes) or measured_speed(s) > max(limits.stroke_yield, limits.rest_speed):
        return f"not at rest,{number(measured_speed(s), 5, 2)} m/s"
    k = s.spring.stiffness
    if not s.energy.present:
        return "every axis holds, by its servos" + (": the power stays on" if s.command.brakes else "")
    if not limits.yields:
        return f"every axis holds, at {k[0]:.0f} N/m and up to {s.spring.force_max:.0f} N"
    return f"stroke yields at {k[0]:.0f} N/m up to {s.spring.force_max:.0f} N; across holds at {k[1]:.0f} N/m"


def way_back(s: Snapshot, limits: Limits) -> list[tuple[tuple[str, str], str]]:
    """The steps back to work in their order, each with its mark: done, to be done now, or later."""
    d = s.decision
    lasting, moving = persists(s, limits), not measured_speed(s) <= limits.rest_speed
    first = "cause gone, robot at rest"
    if d.stop_number and lasting:
        first = f"cause not gone: {layer_sentence(d, d.stop_layer)}"
    elif d.stop_number and moving:
        first = f"cause gone; not at rest:{number(measured_speed(s), 5, 2)} m/s"
    clears = f"C clears stop {d.stop_number}" if d.stop_kind == StopKind.LATCHED else "the stop ends by itself"
    arms = "A, then Enter held 1 s, arms"
    if not d.stop_number and not d.armed and (obstacles := blocking(s, limits)):
        arms = f"arming is refused now: {LAYERS[obstacles[0]]}: {layer_sentence(d, obstacles[0])}"
    go = "G held lets it move" if limits.hold_to_run else "G lets it move"
    moves = go if s.operator.mode == Mode.CUT else "an arrow held moves it"
    texts = [first, clears if d.stop_number else "the stop is over", arms, moves]
    done = [not d.stop_number or not (lasting or moving), not d.stop_number, d.armed, d.going]
    at = next((i for i, is_done in enumerate(done) if not is_done), len(done))
    return [(DONE if i < at else NOW if i == at else LATER, text) for i, text in enumerate(texts)]


def way_rows(s: Snapshot, limits: Limits, width: int) -> list[Row]:
    rows: list[Row] = []
    for step, ((mark, role), text) in enumerate(way_back(s, limits), 1):
        lines = wrapped(text, width - 4)
        rows.append(row((f"{step} ", "key"), (mark + " ", role), (lines[0], "dim" if role == "dim" else "value")))
        rows += [row(("    " + line, "value")) for line in lines[1:]]
    return rows


def stopped_rows(view: View, width: int, height: int) -> list[Row]:
    s = view.snapshot
    if s is None or not stands(s):
        return [row(("nothing has stopped it", "dim"))]
    half = width // 2 - 1 if width >= BESIDE else width
    told = [] if s.decision.stop_reason in TOLD else [row((line, "dim")) for line in wrapped(advice(s.decision.stop_reason), half)]
    if width >= BESIDE:
        left, right = cause_rows(s, view.limits, half), way_rows(s, view.limits, width - half - 2)
        if height >= len(right) + len(told):
            right += told
        return beside(left, right, half)[:height]
    rows = cause_rows(s, view.limits, width)
    back = way_rows(s, view.limits, width)
    if height > len(rows) + len(back):
        rows.append(())
    return (rows[: max(0, height - len(back))] + back)[:height]


class StoppedPanel(Panel):
    TITLE: ClassVar[str] = "WHY IT STOPPED"

    def content(self, view: View, width: int, height: int) -> list[Row]:
        return stopped_rows(view, width, height)

    def title(self, view: View) -> Row:
        return row((self.TITLE, "bad"))

    def note(self, view: View) -> Row:
        return row(("the way back", "title"))
