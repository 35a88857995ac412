"""It asks for help: what it foresees, how likely and how soon, why, and the answers; on screen unasked for as long as it waits."""

from console.panel import Panel
from console.rows import Row, row, width_of, wrapped
from console.view import View
from console.widgets.forecast import forecast_of, percent, reasons, risks, soonest, told
from console.widgets.hold import modes
from console.widgets.signals import SHORT
from engine.types import FAILURES, SIGNALS, Mode, Snapshot

Answer = tuple[str, str]  # key, what it does


def asks(snapshot: Snapshot | None) -> bool:
    """Whether it waits for the operator's answer."""
    return snapshot is not None and snapshot.decision.asking and not snapshot.decision.stop_number


def foreseen_sentence(s: Snapshot) -> str:
    """What it foresees, how likely and how soon."""
    failure, inference = s.decision.foreseen, forecast_of(s)
    if inference is None or not told(s):
        return "It stands and waits for you."
    probability, seconds = soonest(risks(inference, failure))
    return f"{FAILURES[failure].capitalize()} foreseen: {percent(probability)} % within {seconds:.1f} s."


def why_lines(s: Snapshot, width: int, height: int) -> list[str]:
    """The signals that moved it, in points of probability: as many as ``height`` lines hold."""
    inference = forecast_of(s)
    found = [reasons(inference, names) for names in (SIGNALS, SHORT)] if inference is not None else [[]]
    if not found[0]:
        return wrapped("Why: no single signal stands out.", width)[:height]
    tried = (wrapped(f"Why: {', '.join(said[:count])} points.", width) for count in range(len(found[0]), 0, -1) for said in found)
    return next((lines for lines in tried if len(lines) <= height), [])


def answers(view: View, s: Snapshot) -> list[Answer]:
    """What the operator can do, each with its key; in a jog mode the way back to where G works."""
    task = modes(s)[Mode.CUT]
    if s.operator.mode == Mode.CUT:
        return [("G", "goes on as before"), ("Tab", "then an arrow held jogs it"), ("D", "disarms")]
    return [("arrow", "held jogs it"), ("Tab", f"back to {task}, then G goes on"), ("D", "disarms")]


def answer_rows(view: View, s: Snapshot, width: int, height: int) -> list[Row]:
    """One answer a line where there is room, else all behind each other; none where this screen gives none."""
    if view.link == "recorded":
        return [row(("It waited: go on, jog, or disarm.", "dim"))]
    if view.readonly:
        return [row(("Another console answers; this one may stop it.", "dim"))]
    offered = answers(view, s)
    if height >= len(offered):
        return [row((f"{key:6}", "key"), (text, "text")) for key, text in offered]
    spans: Row = ()
    for key, text in offered:
        spans += row((key, "key"), (f" {text}   ", "text"))
    if width_of(spans) - 3 <= width:
        return [spans]
    return [row((f"{key} ", "key"), (text, "text")) for key, text in offered]


def asking_rows(view: View, width: int, height: int) -> list[Row]:
    s = view.snapshot
    if s is None or not asks(s):
        return [row(("it asks nothing", "dim"))]
    said = [row((line, "value")) for line in wrapped(foreseen_sentence(s), width)]
    can = answer_rows(view, s, width, height - len(said) - 1)
    rows = [*said, *(row((line, "text")) for line in why_lines(s, width, height - len(said) - len(can)))]
    if height > len(rows) + len(can):
        rows.append(())
    return [*rows, *can][:height]


class AskingPanel(Panel):
    def content(self, view: View, width: int, height: int) -> list[Row]:
        return asking_rows(view, width, height)

    def title(self, view: View) -> Row:
        return row((" IT ASKS FOR HELP ", "state warn"))
