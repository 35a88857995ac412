"""A page of one panel that covers the live panels, never the state, the stop line or the stop keys."""

from typing import ClassVar

from console.keymap import Scope
from console.panel import Panel
from console.places import Place, fits, state_lines
from console.screens.board import Board
from console.screens.live import LiveScreen
from console.view import View
from console.widgets.footer import Footer
from console.widgets.header import Header
from console.widgets.small import TooSmall
from console.widgets.state import StateBar


class Page(Board):
    SCOPE: ClassVar[Scope] = "sessions"

    def __init__(self, panel: Panel) -> None:
        super().__init__({"header": Header(id="header"), "state": StateBar(id="state"), "small": TooSmall(id="small"), "page": panel})
        panel.id = "page"
        self.panels["footer"] = Footer("sessions", self.app.keymap, id="footer")

    def places(self, width: int, height: int) -> dict[str, Place]:
        if not fits(width, height):
            return {"small": Place(0, 0, width, height)}
        top = 1 + state_lines(width)
        return {
            "header": Place(0, 0, width, 1),
            "state": Place(0, 1, width, top - 1),
            "page": Place(0, top, width, height - 1 - top),
            "footer": Place(0, height - 1, width, 1),
        }

    def view(self) -> View:
        """The view of the live screen under this one, so that state and stop stay true; an empty one where there is none."""
        for other in reversed(self.app.screen_stack):
            if isinstance(other, LiveScreen):
                return other.view()
        return super().view()
