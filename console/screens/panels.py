"""The panels that show a robot, and the pages over them: the same on the live screen and in replay."""

from typing import Literal

from textual import events

from console.panel import Panel
from console.screens.board import Board
from console.view import View
from console.widgets.camera import CameraPanel
from console.widgets.cut import CutPanel
from console.widgets.energy import EnergyPanel, WorkLine
from console.widgets.events import EventsPanel
from console.widgets.gains import GainsPanel
from console.widgets.header import Header
from console.widgets.hold import HoldLine, HoldPanel
from console.widgets.layers import LayersPanel
from console.widgets.person import PersonLine, PersonPanel
from console.widgets.score import ScorePanel
from console.widgets.signals import BriefLine, SignalsPanel
from console.widgets.small import TooSmall
from console.widgets.state import StateBar
from console.widgets.stopped import StoppedPanel, stands
from console.widgets.why import WhyPanel

PageName = Literal["", "why", "layers"]


def robot_panels(camera: CameraPanel, **others: Panel) -> dict[str, Panel]:
    """Panels by id; ``camera`` is the caller's, who asks it for its size, and so are ``others``."""
    panels: dict[str, Panel] = {
        "header": Header(id="header"),
        "state": StateBar(id="state"),
        "score": ScorePanel(id="score"),
        "gains": GainsPanel(id="gains"),
        "person": PersonPanel(id="person"),
        "energy": EnergyPanel(id="energy"),
        "cut": CutPanel(id="cut"),
        "signals": SignalsPanel(id="signals"),
        "camera": camera,
        "events": EventsPanel(id="events"),
        "hold": HoldPanel(id="hold"),
        "personline": PersonLine(id="personline"),
        "workline": WorkLine(id="workline"),
        "brief": BriefLine(id="brief"),
        "holdline": HoldLine(id="holdline"),
        "stopped": StoppedPanel(id="stopped"),
        "why": WhyPanel(id="why"),
        "layers": LayersPanel(id="layers"),
        "small": TooSmall(id="small"),
    }
    return panels | others


class RobotBoard(Board):
    """A board of the robot's panels: at most one page lies over them, and a stop explains itself unasked."""

    page: PageName = ""
    stopped = False  #: a stop is being explained

    def open_page(self, page: PageName) -> None:
        """Lay ``page`` over the panels; "" takes the present one away."""
        if page != self.page:
            self.page = page
            self.rearrange()

    def turn(self, page: PageName) -> None:
        """Open ``page``, or close it where it lies open."""
        self.open_page("" if self.page == page else page)

    def act(self, action: str, event: events.Key) -> None:
        if action == "why" or action == "layers":
            self.turn(action)
        else:
            super().act(action, event)

    def heed(self, view: View) -> None:
        stopped = stands(view.snapshot)
        if stopped != self.stopped:
            self.stopped = stopped
            self.rearrange()
