"""The panels that show a robot, and the pages over them: the same on the live screen and in replay."""

from typing import Literal

from textual import events

from console.panel import Panel
from console.places import Occasion
from console.screens.board import Board
from console.view import View
from console.widgets.asking import AskingPanel, asks
from console.widgets.camera import CameraPanel
from console.widgets.clearance import ClearancePanel, clears
from console.widgets.cut import CutPanel
from console.widgets.energy import EnergyPanel, WorkLine
from console.widgets.events import EventsPanel
from console.widgets.forecast import ForecastLine, ForecastPanel, configured
from console.widgets.gains import GainsPanel
from console.widgets.header import Header
from console.widgets.hold import HoldLine, HoldPanel
from console.widgets.layers import LayersPanel
from console.widgets.outlook import OutlookPage
from console.widgets.person import PersonLine, PersonPanel
from console.widgets.score import ScorePanel
from console.widgets.signals import BriefLine, SignalsPanel
from console.widgets.small import TooSmall
from console.widgets.state import StateBar
from console.widgets.stopped import StoppedPanel, stands
from console.widgets.why import WhyPanel

PageName = Literal["", "why", "layers", "outlook"]
PAGES: dict[str, PageName] = {"why": "why", "layers": "layers", "forecast": "outlook"}  #: by the action that turns them


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
        "forecast": ForecastPanel(id="forecast"),
        "camera": camera,
        "events": EventsPanel(id="events"),
        "hold": HoldPanel(id="hold"),
        "personline": PersonLine(id="personline"),
        "workline": WorkLine(id="workline"),
        "brief": BriefLine(id="brief"),
        "foreseen": ForecastLine(id="foreseen"),
        "holdline": HoldLine(id="holdline"),
        "stopped": StoppedPanel(id="stopped"),
        "asking": AskingPanel(id="asking"),
        "clearance": ClearancePanel(id="clearance"),
        "why": WhyPanel(id="why"),
        "layers": LayersPanel(id="layers"),
        "outlook": OutlookPage(id="outlook"),
        "small": TooSmall(id="small"),
    }
    return panels | others


class RobotBoard(Board):
    """A board of the robot's panels: at most one page lies over them; a stop explains itself, and a robot that asks is seen, unasked."""

    page: PageName = ""
    occasion = Occasion()

    def open_page(self, page: PageName) -> None:
        """Lay ``page`` over the panels; "" takes the present one away."""
        if page != self.page:
            self.page = page
            self.rearrange()

    def turn(self, page: PageName) -> None:
        """Open ``page``, or close it where it lies open."""
        self.open_page("" if self.page == page else page)

    def act(self, action: str, event: events.Key) -> None:
        if action in PAGES:
            self.turn(PAGES[action])
        else:
            super().act(action, event)

    def heed(self, view: View) -> None:
        snapshot = view.snapshot
        occasion = Occasion(stopped=stands(snapshot), forecast=configured(snapshot), asking=asks(snapshot), clearing=clears(snapshot))
        if occasion != self.occasion:
            self.occasion = occasion
            self.rearrange()
