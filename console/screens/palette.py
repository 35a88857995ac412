"""Every action that would do something now, found by its name."""

from typing import ClassVar

from textual import events

from console.keymap import ARROWS, BINDINGS, GRIPS, HOLDS, STOPS, Binding, Keymap, Scope, shown
from console.panel import Panel
from console.rows import Row, row
from console.screens.board import Board, is_repeat
from console.screens.page import ROWS, Page
from console.view import View

#: A stop is a key and no row; what is held, or closes this page, is nothing to choose.
UNLISTED = {*STOPS, *HOLDS, *GRIPS, *ARROWS, "confirm", "back", "palette"}


def found(possible: frozenset[str], scope: Scope, line: str) -> list[Binding]:
    """What may be chosen on a screen: all whose name or help contain every word of ``line``."""
    words = line.lower().split()
    return [
        binding
        for binding in BINDINGS
        if scope in binding.scopes
        and binding.id in possible
        and binding.id not in UNLISTED
        and all(word in f"{binding.id} {binding.label} {binding.help}".lower() for word in words)
    ]


def palette_rows(listed: list[Binding], chosen: int, line: str, typing: bool, keymap: Keymap, width: int, height: int) -> list[Row]:
    """The line that is typed, and a row an action, the chosen one in view."""
    if typing:
        head = row(("find ", "dim"), (line, "value"), ("▏", "brand"), ("" if line else "type a part of a name", "dim"))
    else:
        head = row(("Armed: ↑ ↓ and Enter choose; nothing can be typed.", "warn"))
    if not listed:
        return [head, (), row(("Nothing that is possible now is called that: Backspace takes a letter back.", "text"))]
    room = max(1, height - 2)
    first = max(0, min(chosen - room // 2, len(listed) - room))
    rows = []
    for i, binding in enumerate(listed[first : first + room], first):
        keys = " ".join(shown(key) for key in keymap.keys[binding.id])
        text = f" {binding.label:13.13} {binding.help}"
        if i == chosen:
            rows.append(row((f"{keys:>14} {text:{max(0, width - 15)}}", "selected")))
        else:
            rows.append(row((f"{keys:>14} ", "key"), text))
    return [head, (), *rows]


class PalettePanel(Panel):
    TITLE: ClassVar[str] = "FIND AN ACTION"
    screen: "PaletteScreen"

    def content(self, view: View, width: int, height: int) -> list[Row]:
        screen = self.screen
        return palette_rows(screen.listed, screen.chosen, screen.line, not self.app.armed, self.app.keymap, width, height)

    def note(self, view: View) -> Row:
        stops = (shown(key) for name in STOPS for key in self.app.keymap.keys[name] if len(shown(key)) == 1 or key == "space")
        return row((" and ".join(stops), "key"), (" stop here too   ", "dim"), ("Esc", "key"), (" closes", "dim"))


class PaletteScreen(Page):
    """Does what is chosen on ``board``, the screen it was opened on."""

    SCOPE: ClassVar[Scope] = "palette"
    POSSIBLE: ClassVar[frozenset[str]] = frozenset({"stop", "stop_off", "choose", "back"})

    def __init__(self, board: Board) -> None:
        self.board = board
        self.wanted = ""  #: id of the chosen action
        super().__init__(PalettePanel())
        self.typed()

    @property
    def typing(self) -> bool:
        return True

    def typed(self) -> None:
        self.wanted = next((binding.id for binding in self.listed), "")

    @property
    def listed(self) -> list[Binding]:
        return found(self.board.view().possible, self.board.SCOPE, self.line)

    @property
    def chosen(self) -> int:
        """The chosen action's row; -1 where it has become impossible: another one must not slip under the finger."""
        return next((i for i, binding in enumerate(self.listed) if binding.id == self.wanted), -1)

    def act(self, action: str, event: events.Key) -> None:
        listed, chosen = self.listed, self.chosen
        if action in ROWS and listed:
            self.wanted = listed[max(0, min(chosen + ROWS[action], len(listed) - 1))].id
        elif action == "choose":
            if chosen >= 0 and not is_repeat(event):
                self.app.back()
                self.board.act(self.wanted, event)
                self.board.draw()
        else:
            super().act(action, event)
