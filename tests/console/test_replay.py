"""The replay screen on a session that the real recorder wrote."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
import recording
from bench import text
from textual.pilot import Pilot

from console.app import Options, Sawhorse
from console.past import fill_past
from console.screens.replay import ReplayScreen
from console.view import History
from engine.picture import resized
from engine.session.reader import Session


class Viewer:
    """The screen under a pilot, and the viewer's clock."""

    def __init__(self, session: Session) -> None:
        self.clock = 50.0
        self.app = Sawhorse(lambda: ReplayScreen(session), options=Options(key_age_max=60.0), now=lambda: self.clock)
        self.pilot: Pilot[int] | None = None

    @property
    def screen(self) -> ReplayScreen:
        assert isinstance(self.app.screen, ReplayScreen)
        return self.app.screen

    async def press(self, *keys: str) -> str:
        """What is shown once the keys are done."""
        assert self.pilot is not None
        await self.pilot.press(*keys)
        self.screen.draw()
        await self.pilot.pause()
        return text(self.app)


@asynccontextmanager
async def replaying(session: Path, size: tuple[int, int] = (120, 34)) -> AsyncIterator[Viewer]:
    viewer = Viewer(Session.open(session))
    async with viewer.app.run_test(size=size) as viewer.pilot:
        await viewer.pilot.pause()
        yield viewer


@pytest.mark.parametrize("size", [(80, 24), (120, 34), (160, 48)])
async def test_a_recording_plays_on_the_live_widgets(session: Path, size: tuple[int, int]) -> None:
    async with replaying(session, size) as viewer:
        shown = await viewer.press("full_stop")
        for fact in ("RECORDED", "NOT SAFETY-RATED", "tick      1 / 599", "RUNNING", "K across", "PAUSED", "1 stop "):
            assert fact in shown, fact
        assert "SPACE = STOP" not in shown, "there is no robot to stop"


async def test_steps_seeks_and_stops(session: Path) -> None:
    async with replaying(session) as viewer:
        screen = viewer.screen
        shown = await viewer.press("n")
        assert screen.player.tick == recording.STOP_AT
        assert "LATCHED 12" in shown
        assert "STOP 12 cat 1 latched" in shown
        assert "WHY IT STOPPED" in shown
        await viewer.press("comma")
        assert screen.player.tick == recording.STOP_AT - 1
        await viewer.press("right_square_bracket")
        assert screen.player.tick == recording.STOP_AT
        await viewer.press("left_square_bracket")
        assert screen.player.tick == recording.STOP_AT - recording.EVERY
        await viewer.press("right")
        assert screen.player.tick == recording.STOP_AT - recording.EVERY + 100
        await viewer.press("end")
        assert screen.player.tick == recording.TICKS - 1
        assert "no stop after" in await viewer.press("n")


async def test_marks_are_found_counted_and_read(session: Path) -> None:
    async with replaying(session) as viewer:
        screen = viewer.screen
        assert "2 marks" in text(viewer.app)
        shown = await viewer.press("j")
        assert screen.player.tick == recording.MARKS[0]
        assert f"Mark 1 of 2: mark at tick {recording.MARKS[0]}" in shown
        await viewer.press("j")
        assert screen.player.tick == recording.MARKS[1]
        assert "no mark after" in await viewer.press("j")
        await viewer.press("h")
        assert screen.player.tick == recording.MARKS[0]
        assert "no mark before" in await viewer.press("h")


async def test_it_plays_by_the_viewer_s_clock_at_the_chosen_speed(session: Path) -> None:
    async with replaying(session) as viewer:
        screen = viewer.screen
        await viewer.press("enter", "equals_sign")
        viewer.clock += 1.0
        screen.draw()
        assert screen.player.tick == 200
        assert "×2" in await viewer.press("enter")
        viewer.clock += 1.0
        screen.draw()
        assert screen.player.tick == 200


async def test_why_and_cameras_work_on_a_recording(session: Path) -> None:
    async with replaying(session) as viewer:
        assert "CAMERA front" in await viewer.press("right")
        assert "▀▀▀" in text(viewer.app)
        assert "CAMERA top" in await viewer.press("v")
        assert "CAMERA off" in await viewer.press("v")
        assert "what the binding layer read" in await viewer.press("w")


async def test_the_past_is_the_recording_s_own_after_a_seek(session: Path) -> None:
    async with replaying(session) as viewer:
        screen = viewer.screen
        await viewer.press("end")
        assert max(screen.history.scores) == pytest.approx(0.92)
        assert len(screen.history.signals) == recording.TICKS // recording.EVERY
        await viewer.press("home")
        assert list(screen.history.scores) == [pytest.approx(0.86)]
        await viewer.press("enter")
        for _ in range(20):
            viewer.clock += 0.1
            screen.draw()
        assert len(screen.history.signals) == 200 // recording.EVERY + 1


async def test_pausing_adds_nothing_to_the_past(session: Path) -> None:
    async with replaying(session) as viewer:
        await viewer.press(*["right"] * 2)
        past = repr(viewer.screen.history)
        for _ in range(30):
            viewer.screen.draw()
        assert repr(viewer.screen.history) == past


@pytest.mark.parametrize("faster", [3, 4])
async def test_playing_fast_leaves_the_past_that_a_seek_gives(session: Path, faster: int) -> None:
    async with replaying(session) as viewer:
        screen = viewer.screen
        await viewer.press(*["equals_sign"] * faster, "enter")
        for _ in range(2):
            viewer.clock += 0.2
            screen.draw()
            past = History()
            fill_past(past, screen.session, screen.player.tick, screen.player.inferences)
            assert repr(screen.history) == repr(past)


@pytest.mark.parametrize("block", ["tick/score/c.0", "inference/signals/c.0.0"])
async def test_a_damaged_block_is_told_of_in_a_sentence_and_leaves_the_screen_up(session: Path, tmp_path: Path, block: str) -> None:
    damaged = shutil.copytree(session, tmp_path / session.name)
    (damaged / block).write_bytes(b"")
    async with replaying(damaged) as viewer:
        assert "is damag" in await viewer.press("n")
        assert viewer.app.is_running


async def test_the_ledger_and_the_trends_are_there_after_a_seek_too(session: Path) -> None:
    async with replaying(session, (160, 48)) as viewer:
        screen = viewer.screen
        assert "no full stroke" in await viewer.press("home")
        screen.player.seek(recording.STOP_AT - 1)
        assert "damping" in await viewer.press()
        assert len(screen.history.layers) > 8
        assert screen.history.stroke is not None


def test_pictures_are_averaged_down() -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    image[:2, :2] = 100
    image[0, 0] = 200
    assert resized(image, 2, 2)[0, 0].tolist() == [125, 125, 125]
    assert resized(image, 3, 3).shape == (3, 3, 3)
    assert resized(image, 8, 8)[:3, 0, 0].tolist() == [200, 200, 100]
