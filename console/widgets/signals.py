"""What the ensemble says of its own doubt: value, nominal quantile, validity and recent past of every signal."""

import math
from typing import ClassVar

from console.draw import scaled_spark, spark
from console.panel import Panel
from console.rows import Row, age, beside, compact, row
from console.view import View
from engine.types import SIGNALS, InferenceBrief

RATE_MIN = 5.0  #: inferences a second below which the screen says so

SHORT = (
    "epistemic",
    "aleatoric",
    "flow disagree",
    "member var.",
    "overlap",
    "entropy",
    "magnitude",
    "jerk",
    "reversal",
    "divergence",
    "epist. trend",
    "epist. peak",
    "latent drift",
    "train distance",
    "sens. mean",
    "sens. max",
    "exec mismatch",
    "joint margin",
)
SHORTEST = (
    "epistemic",
    "aleatoric",
    "flow gap",
    "variance",
    "overlap",
    "entropy",
    "magnitude",
    "jerk",
    "reversal",
    "divergence",
    "ep. trend",
    "ep. peak",
    "lat. drift",
    "from train",
    "sens. mean",
    "sens. max",
    "mismatch",
    "joint room",
)
BRIEF_PAST = 8  #: inferences by whose largest quantile the signal of the one line is chosen, so that it does not flicker


def quantile_role(quantile: float) -> str:
    """How unusual: bad from the 99 % quantile of nominal inferences on, warn from 95 %."""
    if not math.isfinite(quantile):
        return "info"
    return "bad" if quantile >= 0.99 else "warn" if quantile >= 0.95 else "info"


def quantile_text(quantile: float) -> str:
    """Three cells: the quantile without its zero, 1.0 from where it rounds to one; blank where there is none."""
    if not math.isfinite(quantile):
        return "   "
    return "1.0" if quantile >= 0.995 else f"{quantile:.2f}"[1:]


def signal_row(view: View, inference: InferenceBrief, index: int, width: int, mark: str = "") -> Row:
    """One signal in ``width`` cells: name, value, quantile after its ``mark``, curve."""
    names, name_width, value_width, gap = (SHORTEST, 10, 6, 1) if width < 30 else (SHORT, 14, 7, 2) if width < 48 else (SIGNALS, 22, 7, 2)
    name = names[index].ljust(name_width)
    room = max(0, width - name_width - value_width - len(mark) - 4 - gap)
    if not inference.valid[index]:
        return row((name, "dim"), ("—".rjust(value_width), "dim"), (" INVALID".ljust(width - name_width - value_width), "warn"))
    quantile = inference.quantile[index]
    role = quantile_role(quantile)
    known = math.isfinite(quantile)
    curve = spark(view.history.quantile(index), room) if known else scaled_spark(view.history.signal(index), room)
    usual = role == "info"
    return row(
        (name, "text"),
        (compact(inference.signals[index], value_width - 1).rjust(value_width), "value"),
        (f" {mark if known else ' ' * len(mark)}{quantile_text(quantile)}", "text" if usual else role),
        (" " * gap, "text"),
        (curve, "curve" if usual else role),
    )


def most_telling(view: View, inference: InferenceBrief) -> int:
    """Index of the valid signal whose quantile has been largest of late; the first one where no quantile is known."""

    recent = [*list(view.history.quantiles)[-BRIEF_PAST:], inference.quantile]

    def largest(index: int) -> float:
        if not inference.valid[index]:
            return -math.inf
        return max((values[index] for values in recent if math.isfinite(values[index])), default=-1.0)

    return max(range(len(SIGNALS)), key=largest)


def signals_rows(view: View, width: int, height: int) -> list[Row]:
    inference = view.snapshot.inference if view.snapshot is not None else None
    if inference is None:
        note = view.snapshot.run.model_note if view.snapshot is not None else ""
        return [row(("no inference yet", "dim")), row((note, "dim"))][:height]
    columns = 1 if width < 70 else 2 if height >= 9 else 3
    gap = 3 if columns == 2 else 2
    each = (width - gap * (columns - 1)) // columns
    per_column = -(-len(SIGNALS) // columns)
    rows: list[Row] = []
    for first in range(0, len(SIGNALS), per_column):
        column = [signal_row(view, inference, i, each) for i in range(first, first + per_column)]
        rows = beside(rows, column, first // per_column * (each + gap) - gap, gap) if rows else column
    if height > len(rows) + 1:
        rows += [(), *stage_rows(inference, width)]
    return rows[:height]


def stage_rows(inference: InferenceBrief, width: int) -> list[Row]:
    """Latency by stage."""
    spans = [("stages  ", "dim")]
    for name, value in inference.stage_ms.items():
        spans += [(f"{name} ", "dim"), (f"{value:.0f} ms   ", "text")]
    return [row(*spans)]


def inference_note(view: View) -> Row:
    """Latency, rate and age of the newest inference; a rate or an age past its limit says so in words."""
    inference = view.snapshot.inference if view.snapshot is not None else None
    if inference is None:
        return ()
    slow = inference.rate_hz < RATE_MIN
    old = inference.age > view.limits.inference_age_max
    return row(
        (f"{inference.latency_ms:4.0f} ms", "value"),
        (" · ", "dim"),
        (f"{inference.rate_hz:4.1f}/s" + (f" below {RATE_MIN:.0f}" if slow else ""), "warn" if slow else "value"),
        (" · age", "dim"),
        (age(inference.age) + (" STALE" if old else ""), "bad" if old else "value"),
    )


def brief_rows(view: View, width: int) -> list[Row]:
    """One line for small screens: the signal that tells most, latency, rate, and the age of inference and picture."""
    snapshot = view.snapshot
    inference = snapshot.inference if snapshot is not None else None
    if snapshot is None or inference is None:
        return [row(("  no inference yet", "dim"))]
    old = inference.age > view.limits.inference_age_max
    wide = width >= 76
    spans: Row = (("  ", "text"), *signal_row(view, inference, most_telling(view, inference), 34 if wide else 27, "q"))
    spans += (
        ("  ", "text"),
        (f"{inference.latency_ms:4.0f} ms {inference.rate_hz:4.1f}/s", "value"),
        ("  age", "dim"),
        (age(inference.age, 7), "bad" if old else "value"),
    )
    if wide:
        spans += (("  frame", "dim"), (age(snapshot.frame_age, 7), "value"))
    return [spans]


class SignalsPanel(Panel):
    TITLE: ClassVar[str] = "ENSEMBLE"

    def content(self, view: View, width: int, height: int) -> list[Row]:
        return signals_rows(view, width, height)

    def title(self, view: View) -> Row:
        policy = view.snapshot.run.policy if view.snapshot is not None else None
        columns = " · value, quantile, past" if view.snapshot is not None and view.snapshot.inference is not None else ""
        return row(("ENSEMBLE", "title"), (f" {policy.members} members{columns}" if policy else "", "dim"))

    def note(self, view: View) -> Row:
        return inference_note(view)


class BriefLine(Panel):
    """The ensemble in one line."""

    FRAMED: ClassVar[bool] = False

    def content(self, view: View, width: int, height: int) -> list[Row]:
        return brief_rows(view, width)
