"""An app with everything around it in a test's hands, opened at any size on any snapshot."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fakes import Clock, FakeLink
from textual.app import App
from textual.pilot import Pilot

from console.app import Options, Sawhorse
from console.screens.live import LiveScreen
from engine.messages import WatchPicture
from engine.stop import StopPage
from engine.types import Snapshot

PATIENT = 60.0  #: s: a loaded machine must not make keys late
SIZES = [(80, 24), (120, 34), (160, 48)]


def text(app: App[int]) -> str:
    """What the screen that is up shows."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


class Bench:
    """The live screen, a link, a clock and a stop page."""

    def __init__(self, page: StopPage, options: Options) -> None:
        self.clock = Clock()
        self.link = FakeLink(self.clock)
        self.page = page
        self.app = Sawhorse(LiveScreen, link=self.link, stop_page=page, options=options, now=self.clock.now, wall=self.clock.wall)
        self.pilot: Pilot[int] | None = None

    async def show(self, snapshot: Snapshot) -> None:
        self.link.show(snapshot)
        self.app.history.observe(snapshot)
        await self.drawn()

    async def drawn(self) -> None:
        assert self.pilot is not None
        await self.pilot.pause()
        self.app.screen.draw()  # type: ignore[attr-defined]
        await self.pilot.pause()

    async def press(self, *keys: str) -> None:
        assert self.pilot is not None
        await self.pilot.press(*keys)
        await self.drawn()

    def text(self) -> str:
        return text(self.app)

    def said(self) -> list[object]:
        return [intent for intent in self.link.said if not isinstance(intent, WatchPicture)]


Open = Callable[..., AbstractAsyncContextManager[Bench]]
