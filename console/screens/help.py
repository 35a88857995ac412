"""Every key, generated from the table of bindings."""

from dataclasses import replace
from typing import ClassVar

from textual import events

from console.keymap import BINDINGS, Keymap, Scope, shown
from console.panel import Panel
from console.places import Place, fits
from console.rows import Row, beside, row
from console.screens.board import Board
from console.screens.live import LiveScreen
from console.view import History, View
from console.widgets.footer import Footer
from console.widgets.header import Header
from console.widgets.small import TooSmall
from console.widgets.state import StateBar

NOTES = (
    "A hold ends when the key is let go: HOLD where the terminal reports it (kitty, foot, Ghostty, iTerm2), REPEAT by a",
    "deadman of three repeats, at least 120 ms, STEP one small step a press. Arming measures which: hold Enter one second;",
    "where no repeats come, three presses of Enter arm, and the mode is STEP.",
)


def help_rows(keymap: Keymap, scope: Scope, width: int) -> list[Row]:
    """Groups of keys with what each does, in two columns where there is room."""
    groups: dict[str, list[Row]] = {}
    for binding in BINDINGS:
        if binding.scope not in (scope, "everywhere"):
            continue
        keys = " ".join(shown(key) for key in keymap.keys[binding.id])
        role = "bad" if binding.group == "Stop" else "key"
        groups.setdefault(binding.group, []).append(row((f"{keys:>16}", role), f"  {binding.help}"))
    blocks = [[row((f"{name.upper():>16}", "title")), *rows, ()] for name, rows in groups.items()]
    if width < 110:
        return [line for block in blocks for line in block] + notes_rows(width)
    half = sum(map(len, blocks)) / 2
    left: list[Row] = []
    right: list[Row] = []
    for block in blocks:
        (left if len(left) < half else right).extend(block)
    return beside(left, right, width // 2 - 2) + notes_rows(width)


def notes_rows(width: int) -> list[Row]:
    return [row(("  " + note, "dim")) for note in NOTES if len(note) + 2 <= width]


class HelpPanel(Panel):
    TITLE: ClassVar[str] = "KEYS"
    DEFAULT_CSS = "HelpPanel { min-width: 60; }"

    def __init__(self, keymap: Keymap, scope: Scope, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._keymap = keymap
        self._scope = scope
        self.first = 0

    def content(self, view: View, width: int, height: int) -> list[Row]:
        rows = help_rows(self._keymap, self._scope, width)
        self.first = max(0, min(self.first, len(rows) - height))
        return rows[self.first :]

    def note(self, view: View) -> Row:
        return row(("↑ ↓", "key"), (" scroll   ", "dim"), ("Esc", "key"), (" closes", "dim"))


class HelpScreen(Board):
    """Covers the live panels, never the state, the stop line or the stop keys."""

    SCOPE: ClassVar[Scope] = "sessions"

    def __init__(self, scope: Scope) -> None:
        super().__init__({"header": Header(id="header"), "state": StateBar(id="state"), "small": TooSmall(id="small")})
        self.help = HelpPanel(self.app.keymap, scope, id="help")
        self.panels |= {"help": self.help, "footer": Footer("sessions", self.app.keymap, id="footer")}

    def places(self, width: int, height: int) -> dict[str, Place]:
        if not fits(width, height):
            return {"small": Place(0, 0, width, height)}
        return {
            "header": Place(0, 0, width, 1),
            "state": Place(0, 1, width, 2),
            "help": Place(0, 3, width, height - 4),
            "footer": Place(0, height - 1, width, 1),
        }

    def view(self) -> View:
        return replace(below(self), possible=frozenset({"stop", "stop_off", "theme"}))

    def act(self, action: str, event: events.Key) -> None:
        if action in ("row_up", "row_down"):
            self.help.first += 1 if action == "row_down" else -1
        elif action in ("back", "help", "quit"):
            self.app.back()
        elif action == "theme":
            self.app.next_theme()


def below(screen: Board) -> View:
    """The view of the live screen under this one, so that state and stop stay true; an empty one where there is none."""
    for other in reversed(screen.app.screen_stack):
        if isinstance(other, LiveScreen):
            return other.view()
    return View(snapshot=None, history=History(), wall=screen.app.wall(), link="recorded", stoppable=False)
