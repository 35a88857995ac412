"""Pictures of whole screens, held as SVG: run with --snapshot-update after looking at what changed."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import recording
import scenes
from fakes import Clock, FakeLink
from textual.pilot import Pilot

from console.app import Options, Sawhorse
from console.screens.live import LiveScreen
from console.screens.replay import ReplayScreen
from engine.session.reader import Session
from engine.types import Snapshot

Compare = Callable[..., bool]


def live(snapshot: Snapshot | None, *, camera: str = "", theme: str = "dark", readonly: bool = False) -> Sawhorse:
    clock = Clock()
    link = FakeLink(clock)
    options = Options(camera=camera, theme=theme, readonly=readonly, key_age_max=60.0)
    app = Sawhorse(LiveScreen, link=link, options=options, now=clock.now, wall=clock.wall)
    if snapshot is None:
        link.state = "starting"
    else:
        app.history = scenes.past(snapshot)
        link.show(snapshot)
        app._seen = link.received
    return app


def after(*keys: str) -> Callable[[Pilot[int]], Awaitable[None]]:
    async def run(pilot: Pilot[int]) -> None:
        await pilot.pause()
        await pilot.press(*keys)
        for _ in range(2):
            pilot.app.screen.draw()  # type: ignore[attr-defined]
            await pilot.pause()

    return run


SMALL, DESIGN, LARGE = (80, 24), (120, 34), (160, 48)


@pytest.mark.parametrize("size", [SMALL, DESIGN, LARGE], ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("state", ["running", "stopped", "separated", "stuck"])
def test_live(snap_compare: Compare, size: tuple[int, int], state: str) -> None:
    assert snap_compare(live(getattr(scenes, state)()), terminal_size=size, run_before=after())


@pytest.mark.parametrize(
    ("state", "size", "keys"),
    [
        ("slowed", SMALL, ()),
        ("loading", DESIGN, ()),
        ("placeholder", SMALL, ()),
        ("disarmed", DESIGN, ("a",)),
        ("running", DESIGN, ("q",)),
        ("slowed", DESIGN, ("w",)),
        ("slowed", SMALL, ("w",)),
        ("separated", SMALL, ("l",)),
        ("separated", DESIGN, ("l",)),
        ("unsensed", SMALL, ()),
        ("running", DESIGN, ("question_mark",)),
        ("stopped", (40, 10), ()),
        ("running", (60, 20), ()),
    ],
    ids=[
        "slowed",
        "loading",
        "placeholder",
        "arming",
        "quitting",
        "why",
        "why-small",
        "layers-small",
        "layers",
        "unsensed",
        "help",
        "too-small",
        "smallest",
    ],
)
def test_states(snap_compare: Compare, state: str, size: tuple[int, int], keys: tuple[str, ...]) -> None:
    assert snap_compare(live(getattr(scenes, state)()), terminal_size=size, run_before=after(*keys))


def test_starting(snap_compare: Compare) -> None:
    assert snap_compare(live(None), terminal_size=SMALL, run_before=after())


@pytest.mark.parametrize("theme", ["light", "colour-blind"])
def test_themes(snap_compare: Compare, theme: str) -> None:
    assert snap_compare(live(scenes.slowed(), theme=theme), terminal_size=SMALL, run_before=after())


def test_picture(snap_compare: Compare) -> None:
    assert snap_compare(live(scenes.running(), camera="front"), terminal_size=DESIGN, run_before=after())


def test_replay(snap_compare: Compare, tmp_path: Path) -> None:
    session = Session.open(recording.recorded(tmp_path))
    app = Sawhorse(lambda: ReplayScreen(session), options=Options(camera="", key_age_max=60.0), now=Clock().now)
    assert snap_compare(app, terminal_size=DESIGN, run_before=after("m"))
