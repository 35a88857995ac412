"""A strip above the footer that asks: arm, or stop and quit. It is no dialog: everything else stays on screen and every stop key works."""

from typing import ClassVar, Literal

from console.draw import bar
from console.panel import Panel
from console.rows import Row, joined, number, row
from console.view import View
from console.widgets.header import emulated
from engine.types import ModelState, StopKind

Question = Literal["", "arm", "quit"]
HEIGHT = 5
FULL = 100  #: cells from which the session is named in full


def arm_rows(view: View, width: int) -> list[Row]:
    """Names what would be armed, and shows how far Enter has been held."""
    s = view.snapshot
    if s is None:
        return [row(("There is nothing to arm yet.", "warn"))]
    policy = s.run.policy
    loads = policy is None and s.run.model_state == ModelState.LOADING
    name = f"{policy.name}×{policy.members} {policy.device}" if policy else "loading" if loads else "NONE"
    role = "warn" if loads else "bad" if policy is None or policy.placeholder else "value"
    recording = s.recorder.session.rsplit("/" if width >= FULL else "-", 1)[-1] if s.recorder.on else "NOT RECORDED"
    first = row(
        ("robot ", "dim"),
        (f"{s.run.robot} ({'simulated' if s.run.simulated else 'EMULATED' if emulated(s) else 'REAL'})", "value"),
        ("   policy ", "dim"),
        (name, role),
        ("   largest force", "dim"),
        (number(view.limits.force_max, 4, 0), "value"),
        (" N", "dim"),
    )
    told = row((f"{s.run.task} ", "dim"), (s.run.instruction, "value"))
    second = joined(told, row((" session ", "dim"), (recording, "value" if s.recorder.on else "warn")), width)
    if s.decision.stop_number and s.decision.stop_kind == StopKind.LATCHED:
        third = row((f"Stop {s.decision.stop_number} is latched: Esc, then C clears it, then A arms.", "warn"))
    elif view.armed_progress >= 1.0:
        third = row(("ARM sent.", "good"))
    else:
        room = min(24, max(8, width - 60))
        presses = f"  {view.arm_presses} of 3 presses" if view.arm_presses else ""
        third = row(
            ("Hold Enter", "key"),
            (" one second to arm ", "text"),
            *bar(view.armed_progress, room, "warn"),
            (presses, "dim"),
            ("   Esc", "key"),
            (" leaves it", "dim"),
        )
    return [first, second, third]


def quit_rows(view: View) -> list[Row]:
    return [
        row(("The robot is armed, so leaving is refused.", "warn")),
        row(("Q", "key"), (" again stops it and quits.   ", "text"), ("Esc", "key"), (" stays.", "text")),
    ]


class Strip(Panel):
    """One question at a time; the screen sets ``question``."""

    question: Question = ""
    TITLES: ClassVar[dict[str, str]] = {"arm": "ARM", "quit": "QUIT"}

    def content(self, view: View, width: int, height: int) -> list[Row]:
        return quit_rows(view) if self.question == "quit" else arm_rows(view, width)

    def title(self, view: View) -> Row:
        return row((self.TITLES.get(self.question, ""), "title"))
