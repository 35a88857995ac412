"""The arbiter's nine layers: score, trend, speed, force, margin with its unit, age of the oldest input, and what each says."""

import math
from typing import ClassVar

from console.panel import Panel
from console.rows import NONE, Row, Span, age, number, row, wrapped
from console.view import View
from engine.limits import Limits
from engine.safety.reasons import advice, sentence
from engine.types import LAYERS, Decision, Reason

NUMBERED = 41  #: cells from which a layer's name stands with its number
SAYS_FROM = 104  #: cells from which each layer's sentence stands beside its numbers
LATCH = LAYERS.index("latch/watchdog")
FORECAST = LAYERS.index("forecast")
SILENT = {Reason.NOT_CONFIGURED: "not configured", Reason.FORECAST_UNPROVEN: "unproven"}  #: without a margin of their own
MARKS = {"score": "▶", "speed": "▷"}  #: of the layer that binds the score, and of those that keep the speed lowest
TRENDS = {1: ("↑", "good"), 0: ("→", "dim"), -1: ("↓", "warn")}

# How a margin is shown: factor, unit, decimals.
Unit = tuple[float, str, int]
SECONDS: Unit = (1e3, "ms", 0)
METRES: Unit = (1.0, "m", 2)
NOMINAL: Unit = (1.0, "×", 2)
NEWTONS: Unit = (1.0, "N", 0)
SPEED: Unit = (1.0, "m/s", 2)

BY_REASON: dict[int, Unit] = {
    Reason.JOINT_POSITION: (1.0, "rad", 2),
    Reason.JOINT_VELOCITY: (100.0, "%", 0),
    Reason.JOINT_TORQUE: (100.0, "%", 0),
    Reason.WORKSPACE: (1e3, "mm", 0),
    Reason.SINGULARITY: (1.0, "m³", 3),
    Reason.TOOL_SPEED: SPEED,
    Reason.SEPARATION: METRES,
    Reason.GRIP_FORCE: NEWTONS,
    Reason.CONTACT_SPEED: SPEED,
    Reason.CRUSH: (1e3, "mm", 0),
    Reason.NOT_SENSED: SPEED,
    Reason.VISION_DISABLED: SPEED,
    Reason.VISION_STALE: SECONDS,
    Reason.VISION_PERSON: (100.0, "%", 0),
    Reason.VISION_STUCK: (100.0, "%", 0),
    Reason.FORECAST_STALE: SECONDS,
}
BY_LAYER: dict[int, Unit] = {0: SECONDS, 1: SECONDS, 3: METRES, 4: NEWTONS, 5: NOMINAL, FORECAST: (100.0, "%", 0), 7: METRES, 8: SECONDS}


def score_role(score: float, limits: Limits) -> str:
    """good at or above the level that continues, bad below the level that stops."""
    if not score >= limits.stop_below:
        return "bad"
    return "good" if score >= limits.continue_above else "warn"


def margin_text(decision: Decision, layer: int, width: int = 9) -> str:
    """How far the layer is from its limit, in its own unit; a dash where it gives no margin."""
    reason, margin = decision.layer_reason[layer], decision.layer_margin[layer]
    unit = BY_REASON.get(reason) or BY_LAYER.get(layer)
    if reason in SILENT or unit is None or not math.isfinite(margin):
        return NONE.rjust(width)
    if layer == LATCH and decision.stop_number:
        return NONE.rjust(width)  # what it holds then is the margin of the layer that stopped, as it was
    factor, name, decimals = unit
    return f"{number(margin * factor, width - len(name) - 1, decimals, sign=margin < 0)} {name}"


def layer_sentence(decision: Decision, layer: int) -> str:
    """What a layer says at this tick, with its margin, its age and, for the separation, the part of the person."""
    margin, old = decision.layer_margin[layer], decision.layer_age[layer]
    return sentence(decision.layer_reason[layer], margin, old, layer, decision.separation_part, decision.separation, decision.foreseen)


def slowest(decision: Decision) -> tuple[int, ...]:
    """The layers that keep the speed lowest: those with the smallest scale; none at full speed.

    The one that binds alone, where nothing may move, and where the action that its score asks for is slower than any layer.
    """
    scales = [scale if math.isfinite(scale) else 0.0 for scale in decision.layer_scale]
    least = min(scales)
    if not least > 0.0 or decision.speed_scale < least:
        return (decision.binding,)
    return tuple(i for i, scale in enumerate(scales) if scale == least) if least < 1.0 else ()


def speed_sentence(decision: Decision, limits: Limits) -> str:
    """Which layers keep the speed down, why, and to how much; "" at full speed."""
    layers = slowest(decision)
    if not layers:
        return ""
    first = layers[0]
    cap = f"at most {decision.speed_limit:.2f} m/s"
    if decision.speed_scale < decision.layer_scale[first]:
        return f"{LAYERS[first]}: score {decision.score:.2f}, full speed above {limits.continue_above:.2f}, {cap}"
    names = " · ".join(LAYERS[i] for i in layers)
    if len(layers) == 1 and decision.layer_reason[first] not in (Reason.OK, Reason.NOT_CONFIGURED):
        return f"{names}: {layer_sentence(decision, first)}"
    silent = all(decision.layer_reason[i] == Reason.NOT_CONFIGURED for i in layers)
    return f"{names}{' not configured' if silent else ''}: {cap}"


def layer_row(view: View, decision: Decision, layer: int, width: int) -> Row:
    """What fits of one layer: name and score always, then age, margin, speed, trend and force."""
    limits = view.limits
    binding = layer == decision.binding
    slows = layer in slowest(decision)
    mark = MARKS["score"] if binding else MARKS["speed"] if slows else " "
    scale, force = decision.layer_scale[layer], decision.layer_force[layer]
    score = decision.layer_score[layer]
    told = score_role(score, limits) if binding or not score >= limits.continue_above else "text"
    spans: list[Span] = [
        (mark + _name(layer, width), "value" if binding or slows else "text"),
        (number(score, 5, 2), told),
    ]
    if width >= 24:
        spans.append(TRENDS[view.history.trend(layer)])
    if width >= 47:
        spans.append((number(scale * limits.speed_max, 6, 2), "value" if slows else "warn" if not scale >= 1.0 else "dim"))
    if width >= 53:
        spans.append((number(force, 5, 0), "dim" if math.isinf(force) else "warn"))
    if width >= 38 and (silent := SILENT.get(Reason(decision.layer_reason[layer]))):
        spans.append((f"{silent:>17}", "dim"))
    elif width >= 38:
        spans.append((margin_text(decision, layer), "value" if binding else "text"))
        spans.append((age(_old(decision, layer), 8), "dim"))
    elif width >= 32:
        spans.append((age(_old(decision, layer), 8), "dim"))
    if width >= SAYS_FROM:
        spans.append(("  " + layer_sentence(decision, layer), "value" if binding else "dim"))
    return tuple(spans)


def _old(decision: Decision, layer: int) -> float:
    """s, age of the layer's oldest input; while a stop holds the latch has none of its own."""
    return math.nan if layer == LATCH and decision.stop_number else decision.layer_age[layer]


def _name(layer: int, width: int) -> str:
    return f"{layer + 1} {LAYERS[layer]}".ljust(16) if width >= NUMBERED else LAYERS[layer].ljust(14)


def head_row(width: int) -> Row:
    """The names of the columns that ``layer_row`` gives at this width."""
    columns = (("m/s ≤", 6, 47), ("N ≤", 5, 53), ("margin", 9, 38), ("age", 8, 32))
    text = f" {'layer':{len(_name(0, width))}}{'score':>5}" + " " * (width >= 24)
    text += "".join(f"{name:>{cells}}" for name, cells, least in columns if width >= least)
    return row((text + "  says" * (width >= SAYS_FROM), "dim"))


def order(decision: Decision) -> list[int]:
    """Layers from the one that limits most to the one that limits least."""
    return sorted(
        range(len(LAYERS)),
        key=lambda i: (i != decision.binding, decision.layer_reason[i] == Reason.NOT_CONFIGURED, decision.layer_score[i], i),
    )


def layer_rows(view: View, decision: Decision, width: int, height: int) -> list[Row]:
    """The table where nine rows fit; less room shows the layers that limit most, and layers without a source in one line."""
    if height > len(LAYERS):
        return [head_row(width), *(layer_row(view, decision, i, width) for i in range(len(LAYERS)))]
    silent = [i for i in range(len(LAYERS)) if decision.layer_reason[i] == Reason.NOT_CONFIGURED]
    rows = [layer_row(view, decision, i, width) for i in order(decision) if i not in silent]
    room = max(0, height - bool(silent))
    if height > len(rows) + bool(silent):
        rows = [head_row(width), *(layer_row(view, decision, i, width) for i in range(len(LAYERS)) if i not in silent)]
    shown = rows[:room]
    if silent:
        slows = not set(silent).isdisjoint(slowest(decision))
        mark, role = (MARKS["speed"], "value") if slows else (" ", "dim")
        told = f"{mark}not configured: {' · '.join(LAYERS[i] for i in silent)}"
        shown.append(row((told if len(told) <= width else f"{mark}{len(silent)} not configured", role)))
    return shown[:height]


def page_rows(view: View, width: int, height: int) -> list[Row]:
    """The whole table, the sentences of the layers that limit, and the advice of the one that binds."""
    if view.snapshot is None:
        return [row(("nothing has been decided yet", "dim"))]
    decision = view.snapshot.decision
    rows = [*layer_rows(view, decision, width, max(10, height)), ()]
    for layer in order(decision):
        reason, binding = decision.layer_reason[layer], layer == decision.binding
        if binding or (reason not in (Reason.OK, Reason.NOT_CONFIGURED) and width < SAYS_FROM):
            said = f"{LAYERS[layer]}: {layer_sentence(decision, layer)}"
            rows.append(row(("▶ " if binding else "  ", "value"), (said, "value" if binding else "text")))
        if binding and reason != Reason.OK:
            rows += [row(("  " + line, "dim")) for line in wrapped(advice(reason), width - 2)]
    legend = (
        f"m/s ≤, N ≤: the most this layer permits, of {view.limits.speed_max:.2f} m/s; ∞ sets none.",
        f"{MARKS['score']} sets the score, {MARKS['speed']} the speed.",
        "margin: distance to the limit. age: of the oldest input. ↑ ↓: over 4 s.",
    )
    rows += [(), *(row((line, "dim")) for text in legend for line in wrapped(text, width))]
    return rows[:height]


class LayersPanel(Panel):
    TITLE: ClassVar[str] = "LAYERS"

    def content(self, view: View, width: int, height: int) -> list[Row]:
        return page_rows(view, width, height)

    def note(self, view: View) -> Row:
        return row(("L", "key"), (" closes", "dim"))
