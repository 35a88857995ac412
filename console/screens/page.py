"""A page of one panel that covers the live panels, never the state, the stop line or the stop keys."""

from dataclasses import replace
from typing import ClassVar

from textual import events

from console.keymap import STOPS, Scope
from console.panel import Panel
from console.places import Place, page_places
from console.screens.board import Board
from console.screens.live import LiveScreen
from console.view import View
from console.widgets.footer import Footer
from console.widgets.header import Header
from console.widgets.small import TooSmall
from console.widgets.state import StateBar

LINE_MAX = 40  #: characters
ROWS = {"row_up": -1, "row_down": 1, "page_up": -10, "page_down": 10}  #: rows that an action moves a list by


class Page(Board):
    """``line`` is what was typed while ``typing``, which is never while the robot is armed; a stop key stops there too."""

    SCOPE: ClassVar[Scope]
    POSSIBLE: ClassVar[frozenset[str]] = frozenset({"stop", "stop_off", "help", "back", "quit"})

    def __init__(self, panel: Panel) -> None:
        super().__init__({"header": Header(id="header"), "state": StateBar(id="state"), "small": TooSmall(id="small"), "page": panel})
        panel.id = "page"
        self.panels["footer"] = Footer(self.SCOPE, self.app.keymap, id="footer")
        self.line = ""

    def places(self, width: int, height: int) -> dict[str, Place]:
        return page_places(width, height)

    def view(self) -> View:
        """The view of the live screen under this one, so that state and stop stay true; an empty one where there is none."""
        for other in reversed(self.app.screen_stack):
            if isinstance(other, LiveScreen):
                return replace(other.view(), possible=self.POSSIBLE)
        return replace(super().view(), possible=self.POSSIBLE)

    @property
    def typing(self) -> bool:
        """Whether letters are text now."""
        return False

    def typed(self) -> None:
        """``line`` has changed."""

    def on_key(self, event: events.Key) -> None:
        line = edited(self.line, event) if self.typing and not self.app.armed else None
        if line is None or self.app.keymap.action(event.key, self.SCOPE) in STOPS:
            super().on_key(event)
            return
        event.stop()
        event.prevent_default()
        if not self.app.too_late(event):
            self.line = line
            self.typed()
        self.draw()


def edited(line: str, event: events.Key) -> str | None:
    """The line after a key; None for a key that types nothing."""
    if event.key == "backspace":
        return line[:-1]
    return (line + event.character)[:LINE_MAX] if event.character and event.character.isprintable() else None
