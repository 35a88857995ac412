"""Every key, generated from the table of bindings."""

from typing import ClassVar

from textual import events

from console.keymap import ARROWS, BINDINGS, Binding, Keymap, Scope, shown
from console.panel import Panel
from console.rows import Row, beside, row, wrapped
from console.screens.page import ROWS, Page
from console.view import View

KEYS = 16  #: cells for the keys, left of what they do
NOTES = (
    "A hold ends when the key is let go: HOLD where the terminal reports it (kitty, foot, Ghostty, iTerm2), REPEAT by a deadman of three "
    "repeats, at least 120 ms, STEP one small step a press. Arming measures which: hold Enter one second; where no repeats come, three "
    "presses of Enter arm, and the mode is STEP.",
    "In tmux, screen or mosh: armed, press a key every 20 s, or it stops.",
)


def help_rows(keymap: Keymap, scope: Scope, width: int, *, saw: bool = True) -> list[Row]:
    """Groups of keys with what each does, in two columns where there is room; without a saw nothing of it or a partner."""
    column = width if width < 110 else width // 2 - 2
    groups: dict[str, list[Row]] = {}
    for binding in BINDINGS:
        if scope not in binding.scopes or not (saw or applies(binding)):
            continue
        keys = " ".join(shown(key) for key in keymap.keys[binding.id])
        role = "bad" if binding.group == "Stop" else "key"
        lines = wrapped(binding.help if saw else without_saw(binding), column - KEYS - 2)
        block = groups.setdefault(binding.group if saw else binding.group.removeprefix("Cut and "), [])
        block.append(row((f"{keys:>{KEYS}}", role), f"  {lines[0]}"))
        block += [row(" " * (KEYS + 2) + line) for line in lines[1:]]
    blocks = [[row((f"{name.upper():>{KEYS}}", "title")), *rows, ()] for name, rows in groups.items()]
    if width < 110:
        return [line for block in blocks for line in block] + notes_rows(width)
    half = sum(map(len, blocks)) / 2
    left: list[Row] = []
    right: list[Row] = []
    for block in blocks:
        (left if len(left) < half else right).extend(block)
    return beside(left, right, column) + notes_rows(width)


def applies(binding: Binding) -> bool:
    """Whether a key does something for a robot without a saw."""
    return binding.group != "Partner" and binding.id != "recover"


def without_saw(binding: Binding) -> str:
    """What a key does for a robot without a saw."""
    said = binding.help.split(" · ", 1)[-1] if binding.id in ARROWS else binding.help
    for word, other in (("CUT", "TASK"), ("SAW", "TOOL"), ("JOINT", "JOINT, of a real arm MOTION"), ("the saw", "the tool")):
        said = said.replace(word, other)
    return said[0].upper() + said[1:]


def notes_rows(width: int) -> list[Row]:
    return [row(("  " + line, "dim")) for note in NOTES for line in wrapped(note, width - 2)]


class HelpPanel(Panel):
    TITLE: ClassVar[str] = "KEYS"

    def __init__(self, keymap: Keymap, scope: Scope, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._keymap = keymap
        self._scope = scope
        self.first = 0

    def content(self, view: View, width: int, height: int) -> list[Row]:
        saw = view.snapshot is None or view.snapshot.saw.present
        rows = help_rows(self._keymap, self._scope, width, saw=saw)
        self.first = max(0, min(self.first, len(rows) - height))
        return rows[self.first :]

    def note(self, view: View) -> Row:
        return row(("↑ ↓ PgUp PgDn", "key"), (" scroll   ", "dim"), ("Esc", "key"), (" closes", "dim"))


class HelpScreen(Page):
    SCOPE: ClassVar[Scope] = "help"
    POSSIBLE: ClassVar[frozenset[str]] = frozenset({"stop", "stop_off", "theme", "back"})

    def __init__(self, scope: Scope) -> None:
        self.help = HelpPanel(self.app.keymap, scope)
        super().__init__(self.help)

    def act(self, action: str, event: events.Key) -> None:
        if action in ROWS:
            self.help.first += ROWS[action]
        elif action == "help":
            self.app.back()
        else:
            super().act(action, event)
