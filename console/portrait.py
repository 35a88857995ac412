"""Pictures of the screens as SVG, drawn from a recorded session by the app itself, at any size and without a terminal."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from console.app import Options, Sawhorse
from console.doctor import Check
from console.past import fill_past, inference_times, recorded_picture
from console.screens.board import Board
from console.screens.doctor import DoctorScreen
from console.screens.live import LiveScreen
from console.screens.replay import ReplayScreen
from console.screens.sessions import SessionsScreen
from console.view import LinkState
from engine.messages import Ended, Intent, Picture, WatchPicture
from engine.session.reader import Session
from engine.types import Snapshot

NOW = 1000.0  #: s, what the app's clock says
TRIP = 0.012  #: s in which the terminal answers that a page is drawn for


class RecordedMoment:
    """A link that shows one tick of a recording, as live telemetry showed it."""

    state: LinkState = "connected"
    ended: Ended | None = None
    received = 1

    def __init__(self, session: Session, tick: int, now: float) -> None:
        self._session = session
        found = session.snapshot(tick)
        recorder, run = found.recorder, found.run  # as they were then
        self._snapshot = msgspec.structs.replace(
            found, recorder=msgspec.structs.replace(recorder, on=True), run=msgspec.structs.replace(run, controller="console")
        )
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

    def alive(self, now: float, age: float) -> None:
        """A recording needs no sign of life."""


def live_svg(session: Session, tick: int, width: int, height: int, *keys: str) -> str:
    """The live screen at row ``tick`` after these keys. Raises SessionError."""
    return asyncio.run(_drawn(_live(session, tick), width, height, None, *keys))


def _live(session: Session, tick: int) -> Sawhorse:
    link = RecordedMoment(session, tick, NOW)
    wall = link.newest().wall
    app = Sawhorse(LiveScreen, link=link, options=Options(limits=session.header.limits), now=lambda: NOW, wall=lambda: wall)
    fill_past(app.history, session, tick, inference_times(session))
    return app


def replay_svg(session: Session, tick: int, width: int, height: int) -> str:
    """The replay screen at row ``tick``. Raises SessionError."""

    def first() -> Board:
        screen = ReplayScreen(session)
        screen.player.seek(tick)
        return screen

    return asyncio.run(_drawn(Sawhorse(first, now=lambda: NOW), width, height))


def sessions_svg(session: Session, tick: int, store: Path, width: int, height: int) -> str:
    """The table of the sessions in ``store`` over the live screen at row ``tick``; the first of them is verified. Raises SessionError."""
    return asyncio.run(_drawn(_live(session, tick), width, height, lambda: SessionsScreen(store), "v"))


def doctor_svg(session: Session, tick: int, found: Sequence[Check], width: int, height: int) -> str:
    """What the doctor ``found``, over the live screen at row ``tick``, in a terminal that reports releases. Raises SessionError."""
    app = _live(session, tick)
    app.releases = True
    app.proof.question(NOW - TRIP)
    app.proof.answered(NOW)
    return asyncio.run(_drawn(app, width, height, lambda: DoctorScreen(lambda: Found(found))))


@dataclass(frozen=True)
class Found:
    """Checks that have been made."""

    checks: Sequence[Check]

    def __iter__(self) -> Iterator[Check | str]:
        return iter(self.checks)

    def close(self) -> None:
        """Nothing is under way."""


async def _drawn(app: Sawhorse, width: int, height: int, page: Callable[[], Board] | None = None, *keys: str) -> str:
    async with app.run_test(size=(width, height)) as pilot:
        await pilot.pause()
        if page is not None:
            await app.push_screen(page())
            await app.workers.wait_for_complete()
        await pilot.press(*keys)
        await app.workers.wait_for_complete()
        for _ in range(2):
            if isinstance(app.screen, Board):
                app.screen.draw()
            await pilot.pause()
        return app.export_screenshot(title=f"sawhorse {width}×{height}")
