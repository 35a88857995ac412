"""The lines whose place never moves: what the robot may do now, why, and what the operator can do about it."""

from typing import ClassVar

from console.panel import Panel
from console.places import state_lines
from console.rows import Row, cut, joined, one_cell_each, row, width_of, wrapped
from console.view import View
from console.widgets.stopped import stopped_last
from engine.safety.reasons import advice, sentence
from engine.types import LAYERS, Action, Decision, ModelState, Reason, Snapshot, StopKind

SPINNER = "⣾⣽⣻⢿⡿⣟⣯⣷"
FREEING = ("lighten", "reverse", "resume")  #: the steps of freeing a stuck saw
LOADING_BEHIND = 15.0  #: s without news while imports hold the engine up, before that counts as frozen
STOP_ASKED = 1.0  #: s a stop that was asked for is shown until the engine's own word arrives


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
        return f"{SPINNER[view.spinner % 8]} STARTING ENGINE", "state idle"
    patience = LOADING_BEHIND if snapshot.run.model_state == ModelState.LOADING else 1.0
    if view.behind > patience:
        return f"✖ FROZEN {min(view.behind, 999):.0f} s", "state bad"
    decision = snapshot.decision
    if decision.stop_number:
        kind = "LATCHED" if decision.stop_kind == StopKind.LATCHED else "STOPPED"
        return f"■ {kind} {decision.stop_number} · cat {max(decision.stop_category, 0)}", "state bad"
    if view.stop_asked < STOP_ASKED:
        return "■ STOP ASKED", "state bad"
    if not decision.armed:
        if snapshot.run.model_state == ModelState.LOADING:
            return f"{SPINNER[view.spinner % 8]} LOADING MODEL", "state idle"
        return "○ DISARMED", "state idle"
    if not decision.going:
        return ("◆ ARMED · RAMPING", "state warn") if decision.ramp < 1.0 else ("◆ ARMED", "state warn")
    if decision.action == Action.CONTINUE:
        return "▶ RUNNING", "state good"
    if decision.action == Action.SLOW:
        return "▶ RUNNING SLOW", "state warn"
    return "■ HELD BY " + LAYERS[decision.binding].upper(), "state bad"


def reason_sentence(snapshot: Snapshot) -> str:
    """Why, in a sentence: the stop's cause while one holds, else what the binding layer says."""
    decision = snapshot.decision
    if decision.stop_number:
        return _stop_sentence(decision)
    if not decision.armed and stopped_last(snapshot):
        return f"stop {decision.stop_count} disarmed it: {_stop_sentence(decision)}"
    layer = decision.binding
    if decision.layer_reason[layer] == Reason.OK:
        return ""
    said = sentence(decision.layer_reason[layer], decision.layer_margin[layer], decision.layer_age[layer], layer)
    return said if said.startswith(LAYERS[layer]) else f"{LAYERS[layer]}: {said}"


def _stop_sentence(decision: Decision) -> str:
    return sentence(decision.stop_reason, decision.stop_margin, decision.stop_age, decision.stop_layer)


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
        return "the engine process is coming up; the robot is at rest"
    patience = LOADING_BEHIND if snapshot.run.model_state == ModelState.LOADING else 1.0
    if view.behind > patience:
        return "Nothing new arrives: what stands below is old. Space still stops."
    if snapshot.run.model_state == ModelState.LOADING and not snapshot.decision.stop_number:
        return snapshot.run.model_note or "the model is being loaded"
    if snapshot.run.model_state == ModelState.FAILED and not snapshot.decision.armed and not snapshot.decision.stop_number:
        return snapshot.run.model_note or "The model could not be loaded."
    return reason_sentence(snapshot) or "every layer is content"


def next_step(view: View) -> str:
    """What the operator can do now."""
    snapshot = view.snapshot
    if view.message:
        return view.message
    if snapshot is None or view.link != "connected":
        return ""
    decision = snapshot.decision
    if snapshot.operator.refused:
        return snapshot.operator.refused
    if decision.stop_number:
        if decision.stop_kind != StopKind.LATCHED:
            return advice(decision.stop_reason)
        return f"C clears stop {decision.stop_number}, then A arms."
    if not decision.armed:
        return "A names what would be armed; Enter held one second arms it."
    if not decision.going:
        return "G lets it move. Armed is not moving."
    if snapshot.operator.recovering:
        steps = " → ".join(step.upper() if step == snapshot.operator.recovering else step for step in FREEING)
        return f"Freeing the saw: {steps}. Space stops."
    if snapshot.saw.stuck:
        return "The saw is stuck: E frees it (lighten, reverse, resume)."
    layer_reason = Reason(decision.layer_reason[decision.binding])
    return advice(layer_reason) if layer_reason is not Reason.OK and decision.action != Action.CONTINUE else snapshot.run.instruction


def state_rows(view: View, width: int) -> list[Row]:
    """Two lines, or three where the state and its two sentences would not fit beside each other."""
    word, role = state_word(view)
    filled = role == "state bad"
    ground = role if filled else "text"
    if not view.stoppable:
        stop = row((" ", ground))
    else:
        stop = row(("SPACE = STOP ", role)) if filled else row(("SPACE", "key"), (" = STOP ", "bad"))
    state = row((" ", ground), (f" {word} ", role))
    told, step = one_cell_each(explanation(view)), one_cell_each(next_step(view))
    step_role = "warn" if view.message or (view.snapshot is not None and view.snapshot.operator.refused) else "dim"
    facts = _facts(view, width)
    if state_lines(width) == 2:
        upper = joined(cut((*state, ("  ", ground), (told, role if filled else "value")), width - 14), stop, width, ground)
        kept = facts if len(step) + 3 + width_of(facts) <= width else ()
        return [upper, joined(row("  ", (step, step_role)), kept, width)]
    room = width - width_of(state) - width_of(stop) - 2
    plain_facts = row(("".join(text for text, _ in facts), role)) if filled else facts
    upper = joined((*state, ("  ", ground), *(plain_facts if width_of(facts) <= room else ())), stop, width, ground)
    lines = [(line, step_role) for line in wrapped(step, width - 3)]
    if len(lines) < 2:
        told_lines = [(line, "value") for line in wrapped(told, width - 3)]
        lines = told_lines[: 2 - len(lines)] + lines
    return [upper, *(row("  ", line) for line in lines[:2])]


def _facts(view: View, width: int) -> Row:
    """What the keyboard was measured to do, and how far behind the screen is."""
    facts: Row = ()
    if view.key_mode:
        interval = f" {view.repeat_interval * 1e3:.0f} ms" if view.repeat_interval and width >= 100 else ""
        facts += row(("keys ", "dim"), (view.key_mode + interval, "value"), "   ")
    if view.link == "connected" and view.snapshot is not None:
        late = "bad" if view.behind > 1.0 else "value"
        facts += row(("screen ", "dim"), (f"{min(view.behind, 999.9):4.1f} s", late), (" behind ", "dim"))
    return facts


class StateBar(Panel):
    FRAMED: ClassVar[bool] = False
    DEFAULT_CSS = "StateBar { width: 1fr; }"

    def content(self, view: View, width: int, height: int) -> list[Row]:
        return state_rows(view, width)
