"""What the ensemble says of its own doubt: value, nominal quantile, validity, age and recent past of every signal."""

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
TIGHT = {
    "divergence": "diverging",
    "lat. drift": "drift",
    "from train": "off train",
    "sens. mean": "sens mean",
    "sens. max": "sens max",
    "joint room": "joints",
}
TIGHTEST = 41  #: cells that three columns of names and quantiles take
ROOMY = 60  #: cells of the panel from which its frame has room for all that is said in it
LATER = 1e-3  #: s by which a signal must be older than the inference for its age to be shown
CURVE_MIN = 4  #: cells
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


def age_text(inference: InferenceBrief, index: int) -> str:
    """How long ago a signal was last computed, where that was before this inference; "" where it was with it, or never."""
    old = inference.signal_age[index]
    if not old > inference.age + LATER:
        return ""
    return f"{old:.1f} s" if old < 9.95 else f"{min(old, 999.0):.0f} s"


def signal_row(view: View, inference: InferenceBrief, index: int, width: int, mark: str = "") -> Row:
    """One signal in ``width`` cells: name, value, quantile after its ``mark``, curve.

    A signal that is older than the inference has its age beside the curve, or in its place where there is no room for both.
    """
    names, name_width, value_width, gap = (SHORTEST, 10, 6, 1) if width < 32 else (SHORT, 14, 7, 2) if width < 48 else (SIGNALS, 22, 7, 2)
    name = names[index].ljust(name_width)
    old = age_text(inference, index)
    if not inference.valid[index]:
        room = width - name_width - value_width
        said = f" INVALID for {old}" if old else " INVALID"
        said = (said if len(said) <= room else " INVALID").ljust(room)
        return row((name, "dim"), ("—".rjust(value_width), "dim"), (said, "warn"))
    room = max(0, width - name_width - value_width - len(mark) - 4 - gap)
    left = room - len(old) - 1 if old else room
    curve_room = left if left >= CURVE_MIN or not old else 0
    quantile = inference.quantile[index]
    role = quantile_role(quantile)
    known = math.isfinite(quantile)
    curve = ""
    if curve_room:
        curve = spark(view.history.quantile(index), curve_room) if known else scaled_spark(view.history.signal(index), curve_room)
    usual = role == "info"
    return row(
        (name, "text"),
        (compact(inference.signals[index], value_width - 1).rjust(value_width), "value"),
        (f" {mark if known else ' ' * len(mark)}{quantile_text(quantile)}", "text" if usual else role),
        (" " * gap, "text"),
        (curve, "curve" if usual else role),
        (old.rjust(room - curve_room)[: room - curve_room], "dim"),
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
    if TIGHTEST <= width < 70 and height < 9:
        return tight_rows(inference, width)[:height]
    columns = 1 if width < 52 or (width < 70 and height >= len(SIGNALS)) else 2 if height >= 9 else 3
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


def tight_rows(inference: InferenceBrief, width: int) -> list[Row]:
    """All of them in three columns of names and quantiles, where the curves have no room."""
    each = (width - 2) // 3
    cells = [tight_row(inference, index, each) for index in range(len(SIGNALS))]
    third = len(cells) // 3
    return beside(beside(cells[:third], cells[third : 2 * third], each, 1), cells[2 * third :], 2 * each + 1, 1)


def tight_row(inference: InferenceBrief, index: int, width: int) -> Row:
    """Name and nominal quantile, or that it is invalid."""
    name = TIGHT.get(SHORTEST[index], SHORTEST[index])
    if not inference.valid[index]:
        return row((f"{name:{width - 4}.{width - 4}}", "dim"), (" INV", "warn"))
    quantile = inference.quantile[index]
    role = quantile_role(quantile)
    return row((f"{name:{width - 4}.{width - 4}}", "text"), (f" {quantile_text(quantile)}", "value" if role == "info" else role))


def stage_rows(inference: InferenceBrief, width: int) -> list[Row]:
    """Latency by stage."""
    spans = [("stages  ", "dim")]
    for name, value in inference.stage_ms.items():
        spans += [(f"{name} ", "dim"), (f"{value:.0f} ms   ", "text")]
    return [row(*spans)]


def is_slow(inference: InferenceBrief) -> bool:
    """Whether inferences come too seldom."""
    return inference.rate_hz < RATE_MIN


def is_old(view: View, inference: InferenceBrief) -> bool:
    """Whether the newest inference is past its age limit."""
    return inference.age > view.limits.inference_age_max


def inference_note(view: View, *, narrow: bool = False) -> Row:
    """Latency, rate and age of the newest inference; a rate or an age past its limit says so in words, ``narrow`` in place of the rest."""
    inference = view.snapshot.inference if view.snapshot is not None else None
    if inference is None:
        return ()
    slow, old = is_slow(inference), is_old(view, inference)
    gap = (" " if narrow else " · ", "dim")
    latency = row((f"{inference.latency_ms:4.0f} ms", "value"), gap)
    rate = row((f"{inference.rate_hz:4.1f}/s" + (f" below {RATE_MIN:.0f}" if slow else ""), "warn" if slow else "value"), gap)
    aged = row(("age", "dim"), (age(inference.age) + (" STALE" if old else ""), "bad" if old else "value"))
    return (*(() if narrow and (slow or old) else latency), *(() if narrow and old else rate), *aged)


def brief_rows(view: View, width: int) -> list[Row]:
    """One line for small screens: the signal that tells most, latency, rate, and the age of inference and picture."""
    snapshot = view.snapshot
    inference = snapshot.inference if snapshot is not None else None
    if snapshot is None or inference is None:
        return [row(("  no inference yet", "dim"))]
    old = is_old(view, inference)
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
        """Members, confidence in the target, and what the columns are, unless the room is needed for what is wrong with the inference."""
        policy = view.snapshot.run.policy if view.snapshot is not None else None
        inference = view.snapshot.inference if view.snapshot is not None else None
        if policy is None or inference is None:
            return row(("ENSEMBLE", "title"), (f" ×{policy.members}" if policy else "", "dim"))
        if 0 < self.size.width < ROOMY:
            return row(("ENSEMBLE", "title"))
        sure = quantile_text(inference.confidence)
        columns = "" if is_slow(inference) or is_old(view, inference) else " · value, of nominal"
        return row(
            ("ENSEMBLE", "title"),
            (f" ×{policy.members}", "dim"),
            (" · confidence ", "dim") if sure.strip() else ("", "dim"),
            (sure.strip(), "value"),
            (columns, "dim"),
        )

    def note(self, view: View) -> Row:
        return inference_note(view, narrow=0 < self.size.width < ROOMY)


class BriefLine(Panel):
    """The ensemble in one line."""

    FRAMED: ClassVar[bool] = False

    def content(self, view: View, width: int, height: int) -> list[Row]:
        return brief_rows(view, width)
