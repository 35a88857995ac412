"""The score, the layer that binds, the past minute, and the table of layers."""

from collections.abc import Sequence
from typing import ClassVar

from console.draw import digits, graph, marked_bar, spark
from console.panel import Panel
from console.rows import Row, beside, number, row
from console.view import SCORE_SAMPLES, View
from console.widgets.layers import MARKS, layer_rows, score_role, slowest
from console.widgets.state import present
from engine.limits import Limits
from engine.types import LAYERS, Action, Decision

ACTIONS = {
    Action.CONTINUE: ("CONTINUE", "good"),
    Action.SLOW: ("SLOW", "warn"),
    Action.STOP: ("STOP", "bad"),
}
HEAD = 33  #: cells of score, action and the longest name of a layer
RAW = 28  #: cells of the score before smoothing and of the published rule
TABLE = 1 + len(LAYERS)  #: rows of the whole table of layers


def score_rows(view: View, width: int, height: int) -> list[Row]:
    if view.snapshot is None:
        return [row(("no decision yet", "dim"))]
    decision = view.snapshot.decision
    scores = list(view.history.scores)
    spare = height - TABLE
    if spare >= 5:
        rows = _large(view, decision, width)
        rows += _curve(scores, width, min(6, spare - 3))
    elif spare >= 3:
        rows = _large(view, decision, width)
    elif width >= 46:
        rows = [_line(view, decision, scores, width)]
    else:
        rows = _small(view, decision, scores, width)
    return (rows + layer_rows(view, decision, width, max(0, height - len(rows))))[:height]


def _marks(limits: Limits) -> tuple[float, float, float]:
    return limits.stop_below, limits.slow_below, limits.continue_above


def _large(view: View, decision: Decision, width: int) -> list[Row]:
    role = score_role(decision.score, view.limits)
    word, word_role = action_word(view, decision)
    lines = digits(f"{decision.score:.2f}")
    room = max(8, width - len(lines[0]) - 3)
    right = [
        row((f" {word:8} ", f"state {word_role}"), (f"  {MARKS['score']} ", "dim"), (LAYERS[decision.binding], "value")),
        (*marked_bar(decision.score, room - RAW if room >= RAW + 8 else room, _marks(view.limits), role), *_raw(decision, room)),
        _speed(decision),
    ]
    left = [row((line, role)) for line in lines]
    return beside(left, right, len(lines[0]) + 1)


def _raw(decision: Decision, room: int) -> Row:
    """The score before smoothing and the published rule's, where there is room for them beside the bar."""
    if room < RAW + 8:
        return ()
    return row(
        ("   raw", "dim"),
        (number(decision.score_raw, 5, 2), "text"),
        ("   published", "dim"),
        (number(decision.score_published, 5, 2), "text"),
    )


def action_word(view: View, decision: Decision) -> tuple[str, str]:
    """The action in capitals and its role; what no longer is present, and a robot whose score moves nothing, have words of their own."""
    if not present(view):
        return "OLD", "bad"
    if decision.stop_number:
        return "STOPPED", "bad"
    if not decision.armed:
        return "DISARMED", "idle"
    if decision.asking and view.snapshot is not None and not view.snapshot.inputs.jogging:
        return "ASKS", "warn"
    if not decision.going and view.snapshot is not None and not view.snapshot.inputs.jogging:
        return "STANDS", "idle"
    return ACTIONS[Action(decision.action)]


def _speed(decision: Decision) -> Row:
    """The speed that is permitted, and which layers keep it there."""
    names = " · ".join(LAYERS[i] for i in slowest(decision)) or "nothing"
    return row(
        ("≤", "dim"), (number(decision.speed_limit, 5, 2), "value"), (" m/s", "dim"), (f"  {MARKS['speed']} ", "dim"), (names, "value")
    )


def _head(view: View, decision: Decision) -> Row:
    word, word_role = action_word(view, decision)
    return row(
        (f"{decision.score:.2f} ", score_role(decision.score, view.limits)),
        (f" {word:8} ", f"state {word_role}"),
        (f" {MARKS['score']} ", "dim"),
        (LAYERS[decision.binding], "value"),
    )


def _line(view: View, decision: Decision, scores: Sequence[float], width: int) -> Row:
    """All of it in one line, with the past minute at its end."""
    room = width - HEAD
    head = _head(view, decision)
    fill = max(1, HEAD - sum(len(text) for text, _ in head))
    return (*head, (" " * fill, "text"), (spark(_thinned(scores, room), room), score_role(decision.score, view.limits)))


def _small(view: View, decision: Decision, scores: Sequence[float], width: int) -> list[Row]:
    role = score_role(decision.score, view.limits)
    room = max(8, (width - 6) // 2)
    return [
        _head(view, decision),
        _speed(decision),
        row(
            *marked_bar(decision.score, width - room - 6, _marks(view.limits), role),
            (" 60 s ", "dim"),
            (spark(_thinned(scores, room), room), role),
        ),
    ]


def _thinned(scores: Sequence[float], cells: int) -> list[float]:
    """The lowest score of each of ``cells`` equal stretches of the past minute."""
    if cells <= 0 or not scores:
        return []
    stretch = max(1, -(-SCORE_SAMPLES // cells))
    padded = list(scores)
    cut = len(padded) % stretch
    chunks = [padded[:cut]] if cut else []
    chunks += [padded[i : i + stretch] for i in range(cut, len(padded), stretch)]
    return [min(chunk) for chunk in chunks]


def _curve(scores: Sequence[float], width: int, height: int) -> list[Row]:
    lines = graph(_thinned(scores, 2 * (width - 5)), width - 5, height)
    labels = ["1.0 "] + ["    "] * (height - 2) + ["0.0 "]
    return [row((label, "dim"), (line, "info")) for label, line in zip(labels, lines, strict=True)]


class ScorePanel(Panel):
    TITLE: ClassVar[str] = "SCORE AND LAYERS"

    def content(self, view: View, width: int, height: int) -> list[Row]:
        return score_rows(view, width, height)

    def note(self, view: View) -> Row:
        return row((f"stop < {view.limits.stop_below:.2f}   go > {view.limits.continue_above:.2f}", "dim"))
