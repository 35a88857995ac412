"""Pictures of the screens as SVG, drawn from a recorded session by the app itself, at any size and without a terminal."""

import asyncio

import msgspec

from console.app import Options, Sawhorse
from console.past import fill_past, inference_times, recorded_picture
from console.screens.board import Board
from console.screens.live import LiveScreen
from console.screens.replay import ReplayScreen
from console.view import LinkState
from engine.messages import Ended, Intent, Picture, WatchPicture
from engine.session.reader import Session
from engine.types import Snapshot


class RecordedMoment:
    """A link that shows one tick of a recording, as live telemetry showed it."""

    name = ""
    state: LinkState = "connected"
    ended: Ended | None = None
    received = 1

    def __init__(self, session: Session, tick: int, now: float) -> None:
        self._session = session
        found = session.snapshot(tick)
        self._snapshot = msgspec.structs.replace(found, recorder=msgspec.structs.replace(found.recorder, on=True))  # it was, then
        self._now = now
        self.name = self._snapshot.run.controller
        self._picture: Picture | None = None

    def newest(self) -> Snapshot:
        return self._snapshot

    def newest_at(self) -> float:
        return self._now

    def picture(self) -> tuple[Picture, float] | None:
        return None if self._picture is None else (self._picture, self._now)

    def refusals(self) -> list[str]:
        return []

    def send(self, intent: Intent) -> bool:
        if isinstance(intent, WatchPicture) and intent.camera in self._session.cameras:
            self._picture, _ = recorded_picture(self._session, intent.camera, self._snapshot.inputs.t_ns, intent.width)
        return True

    def alive(self, now: float) -> None:
        """A recording needs no sign of life."""

    def close(self) -> None:
        """Nothing is open."""


def live_svg(session: Session, tick: int, width: int, height: int, *, theme: str = "dark", keys: tuple[str, ...] = ()) -> str:
    """The live screen at row ``tick``, after ``keys`` were pressed. Raises SessionError."""
    now = 1000.0
    link = RecordedMoment(session, tick, now)
    wall = link.newest().wall
    app = Sawhorse(LiveScreen, link=link, options=Options(theme=theme, limits=session.header.limits), now=lambda: now, wall=lambda: wall)
    fill_past(app.history, session, tick, inference_times(session))
    return asyncio.run(_drawn(app, width, height, keys))


def replay_svg(session: Session, tick: int, width: int, height: int, *, theme: str = "dark", keys: tuple[str, ...] = ()) -> str:
    """The replay screen at row ``tick``. Raises SessionError."""

    def first() -> Board:
        screen = ReplayScreen(session)
        screen.player.seek(tick)
        return screen

    app = Sawhorse(first, options=Options(theme=theme), now=lambda: 1000.0)
    return asyncio.run(_drawn(app, width, height, keys))


async def _drawn(app: Sawhorse, width: int, height: int, keys: tuple[str, ...]) -> str:
    async with app.run_test(size=(width, height)) as pilot:
        await pilot.pause()
        await pilot.press(*keys)
        for _ in range(2):
            if isinstance(app.screen, Board):
                app.screen.draw()
            await pilot.pause()
        return app.export_screenshot(title=f"sawhorse {width}×{height}")
