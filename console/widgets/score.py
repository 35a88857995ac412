"""The score, the layer that binds, and every layer's say with the age of what it read."""

from collections.abc import Sequence
from typing import ClassVar

from console.draw import digits, graph, marked_bar, spark
from console.panel import Panel
from console.rows import Row, age, beside, number, row, wrapped
from console.view import View
from engine.limits import Limits
from engine.types import LAYERS, Action, Decision, Reason

ACTIONS = {
    Action.CONTINUE: ("CONTINUE", "good"),
    Action.SLOW: ("SLOW", "warn"),
    Action.STOP: ("STOP", "bad"),
}


def score_role(score: float, limits: Limits) -> str:
    """good at or above the level that continues, bad below the level that stops."""
    if not score >= limits.stop_below:
        return "bad"
    return "good" if score >= limits.continue_above else "warn"


def score_rows(view: View, width: int, height: int) -> list[Row]:
    if view.snapshot is None:
        return [row(("no decision yet", "dim"))]
    decision = view.snapshot.decision
    scores = list(view.history.scores)
    if height >= 11:
        spare = height - 3 - len(layer_rows(decision, view.limits, width, height))
        rows = _large(decision, [] if spare >= 2 else scores, view.limits, width)
        rows += _curve(scores, width, min(6, spare)) if spare >= 2 else []
    else:
        rows = _small(decision, scores, view.limits, width)
    return (rows + layer_rows(decision, view.limits, width, max(0, height - len(rows))))[:height]


def _marks(limits: Limits) -> tuple[float, float, float]:
    return limits.stop_below, limits.slow_below, limits.continue_above


def _large(decision: Decision, scores: Sequence[float], limits: Limits, width: int) -> list[Row]:
    role = score_role(decision.score, limits)
    word, word_role = ACTIONS[Action(decision.action)]
    lines = digits(f"{decision.score:.2f}")
    room = max(8, width - len(lines[0]) - 3)
    right = [
        row((f" {word} ", f"state {word_role}"), ("  ◀ ", "dim"), (LAYERS[decision.binding], "value")),
        marked_bar(decision.score, room, _marks(limits), role),
        row(("60 s ", "dim"), (spark(_thinned(scores, room - 5), room - 5), role))
        if scores
        else row(
            ("raw", "dim"),
            (number(decision.score_raw, 5, 2), "text"),
            ("   published rule", "dim"),
            (number(decision.score_published, 5, 2), "text"),
        ),
    ]
    left = [row((line, role)) for line in lines]
    return beside(left, right, len(lines[0]) + 1)


def _small(decision: Decision, scores: Sequence[float], limits: Limits, width: int) -> list[Row]:
    role = score_role(decision.score, limits)
    word, word_role = ACTIONS[Action(decision.action)]
    head = row((f"{decision.score:.2f} ", role), (f" {word} ", f"state {word_role}"), (" ◀ ", "dim"), (LAYERS[decision.binding], "value"))
    room = max(8, (width - 6) // 2)
    return [
        head,
        row(
            *marked_bar(decision.score, width - room - 6, _marks(limits), role),
            (" 60 s ", "dim"),
            (spark(_thinned(scores, room), room), role),
        ),
    ]


def _thinned(scores: Sequence[float], cells: int) -> list[float]:
    """The lowest score of each of ``cells`` equal stretches of the past minute."""
    if cells <= 0 or not scores:
        return []
    stretch = max(1, -(-240 // cells))
    padded = list(scores)
    cut = len(padded) % stretch
    chunks = [padded[:cut]] if cut else []
    chunks += [padded[i : i + stretch] for i in range(cut, len(padded), stretch)]
    return [min(chunk) for chunk in chunks]


def _curve(scores: Sequence[float], width: int, height: int) -> list[Row]:
    lines = graph(_thinned(scores, 2 * (width - 5)), width - 5, height)
    labels = ["1.0 "] + ["    "] * (height - 2) + ["0.0 "]
    return [row((label, "dim"), (line, "info")) for label, line in zip(labels, lines, strict=True)]


def layer_rows(decision: Decision, limits: Limits, width: int, height: int) -> list[Row]:
    """The layer table: what fits of score, scale and age; layers without a source are named together."""
    scale, ages = width >= 30, width >= 38
    head = f"{'  layer':17}{'score':>6}" + (f"{'scale':>7}" if scale else "") + (f"{'age':>8}" if ages else "")
    rows = [row((head, "dim"))]
    silent = []
    for i, name in enumerate(LAYERS):
        if decision.layer_reason[i] == Reason.NOT_CONFIGURED:
            silent.append(f"{i + 1} {name}")
            continue
        binding = i == decision.binding
        role = score_role(decision.layer_score[i], limits) if binding or decision.layer_score[i] < limits.continue_above else "text"
        spans = [(("▶" if binding else " ") + f"{i + 1} {name}".ljust(16)[:16], "value" if binding else "text")]
        spans.append((number(decision.layer_score[i], 6, 2), role))
        if scale:
            spans.append((number(decision.layer_scale[i], 7, 2), "warn" if decision.layer_scale[i] < 1.0 else "text"))
        if ages:
            spans.append((age(decision.layer_age[i], 8), "dim"))
        rows.append(row(*spans))
    if silent:
        lines = wrapped(" · ".join(f"{name.replace(' ', '\xa0')}" for name in silent) + " · not\xa0configured", width - 1)
        rows += [row((" " + line.replace("\xa0", " "), "dim")) for line in lines]
    return rows[:height]


class ScorePanel(Panel):
    TITLE: ClassVar[str] = "SCORE"
    DEFAULT_CSS = "ScorePanel { min-width: 28; }"

    def content(self, view: View, width: int, height: int) -> list[Row]:
        return score_rows(view, width, height)

    def note(self, view: View) -> Row:
        return row((f"stop < {view.limits.stop_below:.2f}   go > {view.limits.continue_above:.2f}", "dim"))
