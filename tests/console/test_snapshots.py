"""Pictures of whole screens, held as SVG: run with --snapshot-update after looking at what changed."""

import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import scenes
from bench import SIZES
from fakes import Clock, FakeLink
from textual.pilot import Pilot

from console.app import Options, Sawhorse
from console.doctor import Check
from console.portrait import Found
from console.screens.board import Board
from console.screens.doctor import DoctorScreen
from console.screens.live import LiveScreen
from console.screens.replay import ReplayScreen
from engine.limits import Limits
from engine.messages import Ended
from engine.session.reader import Session
from engine.tasks import KINDS
from engine.types import Snapshot

Compare = Callable[..., bool]
Patch = Callable[[Sawhorse, FakeLink, Clock], None]

SMALL, DESIGN, LARGE = SIZES


def nothing(app: Sawhorse, link: FakeLink, clock: Clock) -> None: ...


def fallen_behind(app: Sawhorse, link: FakeLink, clock: Clock) -> None:
    clock.t += 3.2


def slow_link(app: Sawhorse, link: FakeLink, clock: Clock) -> None:
    app._slow_at = clock.t


def lost(app: Sawhorse, link: FakeLink, clock: Clock) -> None:
    link.state = "lost"


def ended(app: Sawhorse, link: FakeLink, clock: Clock) -> None:
    link.state, link.ended = "ended", Ended(reason="The robot's simulation diverged.", exit_code=3)


#: What the live screen may have to show: a scene, and what has become of the link.
STATES: dict[str, tuple[Callable[[], Snapshot | None], Patch]] = {
    "starting": (lambda: None, nothing),
    "loading": (scenes.loading, nothing),
    "idle": (scenes.disarmed, nothing),
    "armed": (scenes.armed, nothing),
    "running": (scenes.running, nothing),
    "slowed": (scenes.slowed, nothing),
    "stuck": (scenes.stuck, nothing),
    "separated": (scenes.separated, nothing),
    "stopped": (scenes.stopped, nothing),
    "fault": (scenes.faulted, nothing),
    "placeholder": (scenes.placeholder, nothing),
    "behind": (scenes.running, fallen_behind),
    "link-slow": (scenes.running, slow_link),
    "engine-lost": (scenes.running, lost),
    "engine-ended": (scenes.running, ended),
    "clearance": (scenes.clearance, nothing),
    "forecast-quiet": (scenes.outlook_quiet, nothing),
    "forecast-acting": (scenes.outlook_acting, nothing),
    "forecast-asking": (scenes.outlook_asking, nothing),
    "forecast-unproven": (scenes.outlook_unproven, nothing),
    "so101": (scenes.arm, nothing),
    "so101-warm": (scenes.arm_warm, nothing),
}


def live(state: str, *, camera: str = "", theme: str = "dark", ascii_only: bool = False, store: Path | None = None) -> Sawhorse:
    make, patch = STATES[state] if state in STATES else (getattr(scenes, state), nothing)
    snapshot = make()
    clock = Clock()
    link = FakeLink(clock)
    limits = Limits(**KINDS["so101"].limits) if state.startswith("so101") else Limits()
    options = Options(camera=camera, theme=theme, ascii_only=ascii_only, store=store, key_age_max=60.0, limits=limits)
    app = Sawhorse(LiveScreen, link=link, options=options, now=clock.now, wall=clock.wall)
    if snapshot is None:
        link.state = "starting"
    else:
        app.history = scenes.past(snapshot)
        link.show(snapshot)
        app._seen = link.received
    patch(app, link, clock)
    return app


def after(*keys: str) -> Callable[[Pilot[int]], Awaitable[None]]:
    """Press the keys, wait for what they begin, and draw."""

    async def run(pilot: Pilot[int]) -> None:
        await pilot.pause()
        await pilot.press(*keys)
        await pilot.app.workers.wait_for_complete()
        for _ in range(2):
            assert isinstance(pilot.app.screen, Board)
            pilot.app.screen.draw()
            await pilot.pause()

    return run


def sized(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


@pytest.mark.parametrize("size", SIZES, ids=sized)
@pytest.mark.parametrize("state", STATES)
def test_live(snap_compare: Compare, size: tuple[int, int], state: str) -> None:
    assert snap_compare(live(state), terminal_size=size, run_before=after())


@pytest.mark.parametrize("size", SIZES, ids=sized)
@pytest.mark.parametrize(
    ("state", "key"),
    [("idle", "a"), ("running", "q"), ("slowed", "w"), ("separated", "l"), ("forecast-acting", "z")],
    ids=["arming", "quitting", "why", "layers", "forecast"],
)
def test_what_a_key_opens(snap_compare: Compare, state: str, key: str, size: tuple[int, int]) -> None:
    assert snap_compare(live(state), terminal_size=size, run_before=after(key))


@pytest.mark.parametrize(
    ("state", "size"),
    [
        pytest.param("unsensed", SMALL, id="unsensed"),
        pytest.param("table", DESIGN, id="table"),
        pytest.param("servos", SMALL, id="servos"),
        pytest.param("stopped", (40, 10), id="too-small"),
        pytest.param("running", (60, 20), id="smallest"),
    ],
)
def test_states(snap_compare: Compare, state: str, size: tuple[int, int]) -> None:
    assert snap_compare(live(state), terminal_size=size, run_before=after())


@pytest.mark.parametrize("theme", ["light", "colour-blind", "monochrome"])
def test_themes(snap_compare: Compare, theme: str) -> None:
    assert snap_compare(live("slowed", theme=theme), terminal_size=SMALL, run_before=after())


def test_ascii(snap_compare: Compare) -> None:
    assert snap_compare(live("slowed", ascii_only=True), terminal_size=DESIGN, run_before=after())


@pytest.mark.parametrize("theme", ["colour-blind", "monochrome"])
def test_a_forecast_in_other_themes(snap_compare: Compare, theme: str) -> None:
    assert snap_compare(live("forecast-asking", theme=theme), terminal_size=DESIGN, run_before=after())


def test_picture(snap_compare: Compare) -> None:
    assert snap_compare(live("running", camera="front"), terminal_size=DESIGN, run_before=after())


@pytest.mark.parametrize("size", SIZES, ids=sized)
@pytest.mark.parametrize(("page", "key"), [("help", "question_mark"), ("palette", "colon")])
def test_pages(snap_compare: Compare, size: tuple[int, int], page: str, key: str) -> None:
    assert snap_compare(live("idle"), terminal_size=size, run_before=after(key)), page


@pytest.mark.parametrize("size", SIZES, ids=sized)
def test_replay(snap_compare: Compare, session: Path, size: tuple[int, int]) -> None:
    opened = Session.open(session)
    app = Sawhorse(lambda: ReplayScreen(opened), options=Options(camera="", key_age_max=60.0), now=Clock().now)
    assert snap_compare(app, terminal_size=size, run_before=after("n"))


@pytest.mark.parametrize("size", SIZES, ids=sized)
def test_sessions(snap_compare: Compare, session: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]) -> None:
    monkeypatch.chdir(tmp_path)
    store = Path("sessions")
    for number in range(1, 7):
        shutil.copytree(session, store / f"2025112{number}-160231-0c4{number}")
    (store / "20251123-160231-0c43" / "commit.json").write_text("{}")
    assert snap_compare(live("idle", store=store), terminal_size=size, run_before=after("s", "down", "v"))


def test_an_empty_store(snap_compare: Compare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert snap_compare(live("idle", store=Path("sessions")), terminal_size=SMALL, run_before=after("s"))


#: What checks of a machine may find.
CHECKS = tuple(
    Check(check=check, status=status, found=found, advice=advice)
    for check, status, found, advice in (
        ("python", "ok", "3.12.11, Linux 6.8 x86_64", ""),
        ("packages", "ok", "torch 2.10.0, mujoco 3.5.0, zarr 3.1.5, textual 8.2.8", ""),
        ("disk", "ok", "212 GB free, 410 MB/s", ""),
        ("policy", "ok", "compact, 5 members, 5.5 M parameters, every hash as listed", ""),
        (
            "inference",
            "warn",
            "231 ms a pass on cpu, 4.3 a second",
            "Above 200 ms the cut slows: close what else loads this machine, or use --device cuda.",
        ),
        ("scheduling", "ok", "wakes 0.2 ms late (p99), real-time scheduling permitted", ""),
        ("servo ports", "fail", "/dev/ttyUSB0 may not be opened by this user", "Add the user to the group dialout and log in again."),
    )
)


@pytest.mark.parametrize("size", SIZES, ids=sized)
def test_doctor(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]) -> None:
    for variable in ("TMUX", "STY", "ZELLIJ", "TERM_PROGRAM", "SSH_CONNECTION", "SSH_TTY", "NO_COLOR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")

    async def look(pilot: Pilot[int]) -> None:
        await pilot.pause()
        await pilot.app.push_screen(DoctorScreen(lambda: Found(CHECKS)))
        await after()(pilot)

    assert snap_compare(live("idle"), terminal_size=size, run_before=look)
