"""The panels that show a robot: the same on the live screen and in replay."""

from console.panel import Panel
from console.widgets.camera import CameraPanel
from console.widgets.cut import CutPanel
from console.widgets.events import EventsPanel
from console.widgets.gains import GainsPanel
from console.widgets.header import Header
from console.widgets.hold import HoldLine, HoldPanel
from console.widgets.score import ScorePanel
from console.widgets.signals import BriefLine, SignalsPanel
from console.widgets.small import TooSmall
from console.widgets.state import StateBar
from console.widgets.why import WhyPanel


def robot_panels(camera: CameraPanel, **others: Panel) -> dict[str, Panel]:
    """Panels by id; ``camera`` is the caller's, who asks it for its size, and so are ``others``."""
    panels: dict[str, Panel] = {
        "header": Header(id="header"),
        "state": StateBar(id="state"),
        "score": ScorePanel(id="score"),
        "gains": GainsPanel(id="gains"),
        "cut": CutPanel(id="cut"),
        "signals": SignalsPanel(id="signals"),
        "camera": camera,
        "events": EventsPanel(id="events"),
        "hold": HoldPanel(id="hold"),
        "brief": BriefLine(id="brief"),
        "holdline": HoldLine(id="holdline"),
        "why": WhyPanel(id="why"),
        "small": TooSmall(id="small"),
    }
    return panels | others
