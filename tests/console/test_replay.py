"""The replay screen on a session that the real recorder wrote."""

from pathlib import Path

import numpy as np
import pytest
import recording
from textual.pilot import Pilot

from console.app import Options, Sawhorse
from console.screens.replay import ReplayScreen
from engine.picture import resized
from engine.session.reader import Session


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recording.recorded(tmp_path_factory.mktemp("store"))


def text(app: Sawhorse) -> str:
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


async def pressed(pilot: Pilot[int], *keys: str) -> str:
    app = pilot.app
    assert isinstance(app, Sawhorse)
    await pilot.press(*keys)
    app.screen.draw()  # type: ignore[attr-defined]
    await pilot.pause()
    return text(app)


@pytest.fixture
def time_of() -> list[float]:
    return [50.0]


def replaying(session: Path, time_of: list[float]) -> Sawhorse:
    opened = Session.open(session)
    return Sawhorse(lambda: ReplayScreen(opened), options=Options(key_age_max=60.0), now=lambda: time_of[0])


@pytest.mark.parametrize("size", [(80, 24), (120, 34), (160, 48)])
async def test_a_recording_plays_on_the_live_widgets(session: Path, time_of: list[float], size: tuple[int, int]) -> None:
    app = replaying(session, time_of)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        shown = await pressed(pilot, "full_stop")
        for fact in ("RECORDED", "NOT SAFETY-RATED", "tick      1 / 599", "RUNNING", "K across", "PAUSED", "1 stop "):
            assert fact in shown, fact
        assert "SPACE = STOP" not in shown, "there is no robot to stop"


async def test_steps_seeks_and_stops(session: Path, time_of: list[float]) -> None:
    app = replaying(session, time_of)
    async with app.run_test(size=(120, 34)) as pilot:
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, ReplayScreen)
        shown = await pressed(pilot, "n")
        assert screen.player.tick == recording.STOP_AT
        assert "LATCHED 12" in shown
        assert "STOP 12 cat 1 latched" in shown
        assert "WHY IT STOPPED" in shown
        await pressed(pilot, "comma")
        assert screen.player.tick == recording.STOP_AT - 1
        await pressed(pilot, "right_square_bracket")
        assert screen.player.tick == recording.STOP_AT
        await pressed(pilot, "left_square_bracket")
        assert screen.player.tick == recording.STOP_AT - recording.EVERY
        await pressed(pilot, "right")
        assert screen.player.tick == recording.STOP_AT - recording.EVERY + 100
        await pressed(pilot, "end")
        assert screen.player.tick == recording.TICKS - 1
        assert "no stop after" in await pressed(pilot, "n")


async def test_marks_are_found_counted_and_read(session: Path, time_of: list[float]) -> None:
    app = replaying(session, time_of)
    async with app.run_test(size=(120, 34)) as pilot:
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, ReplayScreen)
        assert "2 marks" in text(app)
        shown = await pressed(pilot, "j")
        assert screen.player.tick == recording.MARKS[0]
        assert f"Mark 1 of 2: mark at tick {recording.MARKS[0]}" in shown
        await pressed(pilot, "j")
        assert screen.player.tick == recording.MARKS[1]
        assert "no mark after" in await pressed(pilot, "j")
        await pressed(pilot, "h")
        assert screen.player.tick == recording.MARKS[0]
        assert "no mark before" in await pressed(pilot, "h")


async def test_it_plays_by_the_viewer_s_clock_at_the_chosen_speed(session: Path, time_of: list[float]) -> None:
    app = replaying(session, time_of)
    async with app.run_test(size=(120, 34)) as pilot:
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, ReplayScreen)
        screen.play()
        await pressed(pilot, "enter", "equals_sign")
        time_of[0] += 1.0
        screen.play()
        assert screen.player.tick == 200
        assert "×2" in await pressed(pilot, "enter")
        time_of[0] += 1.0
        screen.play()
        assert screen.player.tick == 200


async def test_why_and_cameras_work_on_a_recording(session: Path, time_of: list[float]) -> None:
    app = replaying(session, time_of)
    async with app.run_test(size=(120, 34)) as pilot:
        await pilot.pause()
        assert "CAMERA front" in await pressed(pilot, "right")
        assert "▀▀▀" in text(app)
        assert "CAMERA top" in await pressed(pilot, "v")
        assert "CAMERA off" in await pressed(pilot, "v")
        assert "what the binding layer read" in await pressed(pilot, "w")


async def test_the_past_is_the_recording_s_own_after_a_seek(session: Path, time_of: list[float]) -> None:
    app = replaying(session, time_of)
    async with app.run_test(size=(120, 34)) as pilot:
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, ReplayScreen)
        await pressed(pilot, "end")
        assert max(screen.history.scores) == pytest.approx(0.92)
        assert max(screen.history.scores) == pytest.approx(0.92)
        assert len(screen.history.signals) == recording.TICKS // recording.EVERY
        await pressed(pilot, "home")
        assert list(screen.history.scores) == [pytest.approx(0.86)]
        await pressed(pilot, "enter")
        for _ in range(20):
            time_of[0] += 0.1
            screen.play()
            screen.draw()
        assert len(screen.history.signals) == 200 // recording.EVERY + 1


async def test_the_ledger_and_the_trends_are_there_after_a_seek_too(session: Path, time_of: list[float]) -> None:
    app = replaying(session, time_of)
    async with app.run_test(size=(160, 48)) as pilot:
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, ReplayScreen)
        assert "no full stroke" in await pressed(pilot, "home")
        screen.player.seek(recording.STOP_AT - 1)
        assert "damping" in await pressed(pilot)
        assert len(screen.history.layers) > 8
        assert screen.history.stroke is not None


def test_pictures_are_averaged_down() -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    image[:2, :2] = 100
    image[0, 0] = 200
    assert resized(image, 2, 2)[0, 0].tolist() == [125, 125, 125]
    assert resized(image, 3, 3).shape == (3, 3, 3)
    assert resized(image, 8, 8)[:3, 0, 0].tolist() == [200, 200, 100]
