"""What happened, in words: the difference between two decisions, as events for the log."""

from engine.safety.reasons import sentence
from engine.types import LAYERS, Action, Decision, Reason, StopKind

Found = tuple[str, str]  # kind, text


def between(before: Decision, now: Decision) -> list[Found]:
    """The events that lead from one tick's decision to the next one's."""
    found: list[Found] = []
    if now.stop_count > before.stop_count:
        kind = "latched" if now.stop_kind == StopKind.LATCHED else "protective"
        found.append(
            ("stop", f"STOP {now.stop_number} category {now.stop_category} {kind}: {_why(now, now.stop_layer, now.stop_reason)}")
        )
    elif before.stop_number and not now.stop_number:
        found.append(("clear", f"CLEAR stop {before.stop_number}: {sentence(Reason(before.stop_reason), float('nan'))}"))
    if now.armed and not before.armed:
        found.append(("arm", "ARMED"))
    if before.armed and not now.armed and now.stop_count == before.stop_count:
        found.append(("disarm", "DISARMED"))
    if now.going != before.going and now.armed and before.armed:
        found.append(("go", "GO") if now.going else ("pause", "PAUSE"))
    if now.going and before.going and now.action != before.action:
        if now.action == Action.SLOW:
            found.append(("score", f"SLOW {now.score:.2f}: {LAYERS[now.binding]}: {_why(now, now.binding, now.layer_reason[now.binding])}"))
        elif now.action == Action.CONTINUE:
            found.append(("score", f"CONTINUE {now.score:.2f}"))
    return found


def _why(decision: Decision, layer: int, reason: int) -> str:
    return sentence(Reason(reason), decision.layer_margin[layer])
