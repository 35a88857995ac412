"""The lines whose place never moves: what the robot may do now, why, and what the operator can do about it."""

from collections.abc import Sequence
from typing import ClassVar

from console.draw import merged
from console.panel import Panel
from console.places import state_lines
from console.rows import Row, Span, cut, joined, one_cell_each, row, width_of, words
from console.view import View
from console.widgets.asking import asks
from console.widgets.forecast import told
from console.widgets.header import imported
from console.widgets.hold import modes
from console.widgets.layers import FORECAST, layer_sentence, slowest, speed_sentence
from console.widgets.stopped import stop_sentence, stopped_last
from engine.limits import Limits
from engine.safety.reasons import advice
from engine.types import LAYERS, Action, Intervention, Mode, ModelState, Reason, Snapshot, StopKind

SPINNER = "⣾⣽⣻⢿⡿⣟⣯⣷"
FREEING = ("lighten", "reverse", "resume")  #: the steps of freeing a stuck saw
LOADING_BEHIND = 15.0  #: s without news while imports hold the engine up, before that counts as frozen
STOP_ASKED = 1.0  #: s a stop that was asked for is shown at most, until the engine's own word arrives
ANSWERED = 0.25  #: s within which a snapshot that arrives may still be one from before the stop


def spinner(turn: int) -> str:
    """What moves while something is under way."""
    return SPINNER[turn % len(SPINNER)]


def state_word(view: View) -> tuple[str, str]:
    """The state in capitals with its mark, and its role."""
    snapshot = view.snapshot
    if view.link == "ended":
        return "■ ENGINE ENDED", "state idle"
    if view.link == "lost":
        return "✖ ENGINE LOST", "state bad"
    if snapshot is None and view.link == "recorded":
        return "○ NO ENGINE", "state idle"
    if snapshot is None:
        return f"{spinner(view.spinner)} STARTING ENGINE", "state idle"
    if imported(snapshot):
        return "○ IMPORTED", "state idle"
    if frozen(view, snapshot):
        return f"✖ FROZEN {min(view.behind, 999):.0f} s", "state bad"
    decision = snapshot.decision
    if decision.stop_number:
        kind = "LATCHED" if decision.stop_kind == StopKind.LATCHED else "STOPPED"
        return f"■ {kind} {decision.stop_number} · cat {max(decision.stop_category, 0)}", "state bad"
    if view.stop_asked < min(STOP_ASKED, view.behind + ANSWERED):
        return "■ STOP ASKED", "state bad"
    if not decision.armed:
        if snapshot.run.model_state == ModelState.LOADING:
            return f"{spinner(view.spinner)} LOADING MODEL", "state idle"
        return "○ DISARMED", "state idle"
    if snapshot.inputs.jogging and snapshot.operator.mode != Mode.CUT:
        return "▶ PLAYING" if snapshot.operator.mode == Mode.MOTION else "▶ JOGGING", "state good"
    if decision.asking:
        return "◆ ASKS FOR HELP", "state warn"
    if not decision.going:
        return ("◆ ARMED · RAMPING", "state warn") if decision.ramp < 1.0 else ("◆ ARMED", "state warn")
    if decision.intervention == Intervention.RETRY:
        return "▶ RETRYING", "state warn"
    if decision.action == Action.CONTINUE:
        return "▶ RUNNING", "state good"
    if decision.action == Action.SLOW:
        return "▶ RUNNING SLOW", "state warn"
    return "■ HELD BY " + LAYERS[decision.binding].upper(), "state bad"


def present(view: View) -> bool:
    """Whether what the screen shows may be taken for the present, or for the moment of a recording that it shows."""
    return view.link == "recorded" or (view.link == "connected" and view.snapshot is not None and not frozen(view, view.snapshot))


def frozen(view: View, snapshot: Snapshot) -> bool:
    """Whether what the screen shows is too old to be taken for the present."""
    return view.behind > (LOADING_BEHIND if snapshot.run.model_state == ModelState.LOADING else 1.0)


def reason_sentence(snapshot: Snapshot, limits: Limits) -> str:
    """Why, in a sentence: the stop's cause while one holds, else what the layer says that limits most."""
    decision, mode = snapshot.decision, snapshot.operator.mode
    if decision.stop_number:
        return stop_sentence(snapshot)
    if not decision.armed and stopped_last(snapshot):
        return f"stop {decision.stop_count} disarmed it: {stop_sentence(snapshot)}"
    layer = decision.binding
    reason = decision.layer_reason[layer]
    if told(snapshot) and (asks(snapshot) or (layer == FORECAST and decision.intervention != Intervention.NONE)):
        return f"forecast: {told(snapshot)}"
    if reason in (Reason.NOT_GOING, Reason.LET_GO) and mode != Mode.CUT:
        return f"{modes(snapshot)[Mode(mode)]}: it stands until a key is held"
    if reason == Reason.OK or (decision.action == Action.CONTINUE and layer not in slowest(decision)):
        return speed_sentence(decision, limits)
    said = layer_sentence(decision, layer)
    return said if said.startswith(LAYERS[layer]) else f"{LAYERS[layer]}: {said}"


def explanation(view: View) -> str:
    """The sentence beside the state."""
    snapshot = view.snapshot
    if view.link == "ended":
        return view.ended or "The engine has ended."
    if view.link == "lost":
        return "The line to the engine is gone; by itself it stops the robot. q leaves; `sawhorse attach` comes back."
    if snapshot is None and view.link == "recorded":
        return "recorded sessions; no robot is attached"
    if snapshot is None:
        return view.starting or "the engine process is coming up; the robot is at rest"
    if imported(snapshot):
        return "from a data set: decisions, limits and forces are not known"
    if frozen(view, snapshot):
        return "Nothing new arrives: what stands below is old. Space still stops."
    if snapshot.run.model_state == ModelState.LOADING and not snapshot.decision.stop_number:
        return snapshot.run.model_note or "the model is being loaded"
    if snapshot.run.model_state == ModelState.FAILED and not snapshot.decision.armed and not snapshot.decision.stop_number:
        return snapshot.run.model_note or "The model could not be loaded."
    return reason_sentence(snapshot, view.limits) or "every layer is content"


def next_step(view: View) -> str:
    """What the operator can do now."""
    snapshot = view.snapshot
    if view.message:
        return view.message
    if view.link == "ended":
        return "Q leaves."
    if snapshot is None or view.link != "connected" or frozen(view, snapshot):
        return ""
    decision = snapshot.decision
    if decision.stop_number:
        if decision.stop_kind != StopKind.LATCHED:
            return advice(decision.stop_reason)
        return f"C clears stop {decision.stop_number}, then A arms."
    if snapshot.operator.refused:
        return snapshot.operator.refused
    if not decision.armed and view.readonly:
        return "O takes control." if "handover" in view.possible else "Another console controls; this one may stop."
    if not decision.armed:
        return "A names what would be armed; Enter held one second arms it."
    if asks(snapshot) and view.readonly:
        return "Another console answers; this one may stop."
    if snapshot.operator.mode != Mode.CUT:
        return _jogs(view, snapshot)
    if asks(snapshot):
        return "G goes on, Tab and an arrow jog it, D disarms."
    if not decision.going:
        return "Hold G: it moves only while G is held." if view.limits.hold_to_run else "G lets it move. Armed is not moving."
    if snapshot.operator.recovering:
        steps = " → ".join(step.upper() if step == snapshot.operator.recovering else step for step in FREEING)
        return f"Freeing the saw: {steps}. Space stops."
    if snapshot.saw.stuck:
        return "The saw is stuck: E frees it (lighten, reverse, resume)."
    layer_reason = Reason(decision.layer_reason[decision.binding])
    return advice(layer_reason) if layer_reason is not Reason.OK and decision.action != Action.CONTINUE else snapshot.run.instruction


def _jogs(view: View, snapshot: Snapshot) -> str:
    """What moves an armed robot in a jog mode."""
    saw = snapshot.saw.present
    back = "Tab back to CUT to saw." if saw else "Tab back to TASK to go on."
    operator = snapshot.operator
    if operator.mode == Mode.MOTION and operator.clearance:
        return f"{operator.motion} needs its clearance, each time. [ ] choose. {back}"
    if operator.mode == Mode.MOTION:
        return f"↑ held plays {operator.motion}; let go, it stands. [ ] choose. {back}"
    if operator.mode != Mode.JOG_JOINT:
        return f"An arrow, PgUp or PgDn held moves it. {back}"
    moved = f"turns joint {view.joint}" if view.joint else f"levels the {'saw' if saw else 'tool'}"
    return f"An arrow held {moved}, [ ] choose. {back}"


def state_rows(view: View, width: int) -> list[Row]:
    """State and cause beside each other, then the operator's next step; sentences too long for that flow on."""
    word, role = state_word(view)
    filled = role == "state bad"
    ground = role if filled else "text"
    if not view.stoppable:
        stop = row((" ", ground))
    else:
        stop = row(("SPACE = STOP ", role)) if filled else row(("SPACE", "key"), (" = STOP ", "bad"))
    state = row((" ", ground), (f" {word} ", role), ("  ", ground))
    told, step = one_cell_each(explanation(view)), one_cell_each(next_step(view))
    urgent = bool(view.message or (view.snapshot is not None and view.snapshot.operator.refused))
    rooms = (max(1, width - width_of(state) - width_of(stop) - 3), *[width - 3] * (state_lines(width) - 1))
    first, *others = _poured(told, step, rooms, urgent=urgent)
    beside = row(("".join(text for text, _ in first), role)) if filled else first
    rows = [joined((*state, *beside), stop, width, ground), *(row("  ", *line) for line in others)]
    room = width - width_of(rows[-1]) - 3
    behind = _behind(view)
    facts = next((facts for keys in (*_keys(view), ()) if width_of(facts := (*keys, *behind)) <= room), ())
    return [*rows[:-1], joined(rows[-1], facts, width)]


def _poured(told: str, step: str, rooms: Sequence[int], *, urgent: bool) -> list[Row]:
    """Cause and step in as many lines as ``rooms`` has cells for: the step on its own where it fits, else behind the cause.

    Where both are too long together, an urgent step stands alone; any other is cut.
    """
    cause = [(word, "value") for word in words(told)]
    after = [(word, "warn" if urgent else "dim") for word in words(step)]
    for taken in range(1, len(rooms)):
        lines = _flowed(cause, rooms[:taken]) + _flowed(after, rooms[taken:])
        if _fit(lines, rooms):
            return lines
    lines = _flowed([*cause, *([("·", "dim")] if after else []), *after], rooms)
    if urgent and not _fit(lines, rooms):
        lines = _flowed(after, rooms)
    return [cut(line, room) for line, room in zip(lines, rooms, strict=True)]


def _flowed(words: Sequence[Span], rooms: Sequence[int]) -> list[Row]:
    """The words in one line for each of ``rooms``; what does not fit stays on the last one."""
    lines: list[list[Span]] = [[] for _ in rooms]
    at = 0
    for word, role in words:
        while at < len(rooms) - 1 and width_of(tuple(lines[at])) + bool(lines[at]) + len(word) > rooms[at]:
            at += 1
        lines[at].append((" " + word if lines[at] else word, role))
    return [merged(line) for line in lines]


def _fit(lines: Sequence[Row], rooms: Sequence[int]) -> bool:
    return all(width_of(line) <= room for line, room in zip(lines, rooms, strict=True))


def _keys(view: View) -> list[Row]:
    """What the keyboard was measured to do, and the same without its interval for where that has no room."""
    interval = f" {view.repeat_interval * 1e3:.0f} ms" if view.repeat_interval else ""
    said = [view.key_mode + interval, view.key_mode] if view.key_mode else []
    return [row(("keys ", "dim"), (text, "value"), "   ") for text in said]


def _behind(view: View) -> Row:
    """How far behind the screen is."""
    if view.link != "connected" or view.snapshot is None:
        return ()
    late = "bad" if view.behind > 1.0 else "value"
    return row(("screen ", "dim"), (f"{min(view.behind, 999.9):4.1f} s", late), (" behind ", "dim"))


class StateBar(Panel):
    FRAMED: ClassVar[bool] = False

    def content(self, view: View, width: int, height: int) -> list[Row]:
        return state_rows(view, width)
