"""What happened, in words: the difference between two decisions, as events for the log."""

from collections.abc import Sequence

import msgspec

from engine.safety.reasons import refusal, sentence
from engine.types import LAYERS, Action, Decision, Event, Intervention, Reason, StopKind

Found = tuple[str, str]  # kind, text


class StopEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One stop, for the summary of a run and for a session's page."""

    tick: int
    t_s: float
    category: int
    kind: str
    layer: str
    reason: str


def stop(decision: Decision, tick: int, dt: float) -> StopEvent:
    return StopEvent(
        tick=tick,
        t_s=round(tick * dt, 2),
        category=decision.stop_category,
        kind=StopKind(decision.stop_kind).name.lower(),
        layer=LAYERS[decision.stop_layer],
        reason=Reason(decision.stop_reason).name.lower(),
    )


def binding(decision: Decision) -> str:
    """The layer that limits most, and why."""
    layer = decision.binding
    why = sentence(
        decision.layer_reason[layer],
        decision.layer_margin[layer],
        decision.layer_age[layer],
        layer,
        decision.separation_part,
        decision.separation,
        decision.foreseen,
    )
    return why if why.startswith(LAYERS[layer]) else f"{LAYERS[layer]}: {why}"


def between(before: Decision, now: Decision) -> list[Found]:
    """The events that lead from one tick's decision to the next one's."""
    found: list[Found] = []
    if now.stop_count > before.stop_count:
        kind = "latched" if now.stop_kind == StopKind.LATCHED else "protective"
        where = (now.stop_layer, now.separation_part, now.separation, now.foreseen)
        why = sentence(now.stop_reason, now.stop_margin, now.stop_age, *where)
        found.append(("stop", f"STOP {now.stop_number} category {now.stop_category} {kind}: {why}"))
    elif before.stop_number and not now.stop_number:
        cleared = before.stop_kind == StopKind.LATCHED  # which nothing but the operator's word ends
        told = f"CLEAR stop {before.stop_number} by the operator" if cleared else f"OVER stop {before.stop_number}: cause gone"
        found.append(("clear", told))
    if now.armed and not before.armed:
        found.append(("arm", "ARMED"))
    if before.armed and not now.armed and now.stop_count == before.stop_count:
        found.append(("disarm", "DISARMED"))
    found += _foreseen(before, now)
    if now.going != before.going and now.armed and before.armed and not (now.asking and not before.asking):
        found.append(("go", "GO") if now.going else ("pause", "PAUSE"))
    if now.refused and now.refused != before.refused:
        found.append(("refused", f"REFUSED: {refusal(now.refused).partition('. ')[0]}"))
    if now.going and before.going and now.action != before.action:
        if now.action == Action.SLOW:
            found.append(("score", f"SLOW {now.score:.2f}: {binding(now)}"))
        elif now.action == Action.CONTINUE:
            found.append(("score", f"CONTINUE {now.score:.2f}"))
    return found


def _foreseen(before: Decision, now: Decision) -> list[Found]:
    """What is done about a failure that is foreseen, that it is over, and what the operator answered."""
    if before.asking and not now.asking:
        answer = "go" if now.going else "disarmed" if now.stop_count == before.stop_count else "stopped"
        return [("forecast", f"ANSWERED: {answer}")]
    same = (now.intervention, now.foreseen) == (before.intervention, before.foreseen)
    if same or now.intervention == Intervention.STOP or before.intervention == Intervention.STOP:
        return []  # a stop tells of itself
    if now.intervention == Intervention.NONE:
        return [("forecast", f"OVER: {Intervention(before.intervention).name}")] if before.intervention else []
    return [("forecast", f"{Intervention(now.intervention).name}: {sentence(Reason.FORECAST, foreseen=now.foreseen)}")]


def why_stopped(events: Sequence[Event], number: int) -> str:
    """Why stop ``number`` came, in the words with which it was logged; "" where the log no longer has it."""
    said = next((event.text for event in reversed(events) if event.kind == "stop" and event.text.startswith(f"STOP {number} ")), "")
    return said.partition(": ")[2]
