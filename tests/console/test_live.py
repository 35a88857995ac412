"""The live screen under a pilot: keys become intents, stops raise the page, nothing is lost at any size."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import msgspec
import pytest
import scenes
from fakes import Clock, FakeLink
from textual import events
from textual.pilot import Pilot

from console.app import Options, Sawhorse
from console.screens.live import LiveScreen
from console.screens.sessions import SessionsScreen
from engine.messages import (
    AdjustForce,
    Arm,
    ClearStop,
    Disarm,
    Ended,
    Go,
    Hold,
    KeyTiming,
    MoveLine,
    Pause,
    SetJog,
    SetMode,
    Shutdown,
    WatchPicture,
)
from engine.stop import StopPage
from engine.types import Mode, Reason, Snapshot, Writer

PATIENT = 60.0  #: s: a loaded machine must not make keys late
SIZES = [(80, 24), (120, 34), (160, 48)]


class Bench:
    """An app with everything around it in a test's hands."""

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
        return "\n".join(strip.text for strip in self.app.screen._compositor.render_strips())

    def said(self) -> list[object]:
        return [intent for intent in self.link.said if not isinstance(intent, WatchPicture)]


Open = Callable[..., AbstractAsyncContextManager[Bench]]


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    @asynccontextmanager
    async def bench(snapshot: Snapshot | None, size: tuple[int, int] = (120, 34), options: Options | None = None) -> AsyncIterator[Bench]:
        with StopPage(tmp_path / "stop", create=True) as page:
            bench = Bench(page, options or Options(store=tmp_path, key_age_max=PATIENT))
            async with bench.app.run_test(size=size) as pilot:
                bench.pilot = pilot
                if snapshot is not None:
                    await bench.show(snapshot)
                else:
                    bench.link.state = "starting"
                    await bench.drawn()
                yield bench

    return bench


@pytest.mark.parametrize("size", SIZES)
async def test_the_required_figures_are_on_screen_at_every_size(opened: Open, size: tuple[int, int]) -> None:
    async with opened(scenes.slowed(), size) as bench:
        shown = bench.text()
    for fact in ("NOT SAFETY-RATED", "SPACE = STOP", "SLOW", "uncertainty", "0.62", "K XY", "572", "N/m", "47.3", "m/s", "61 ms", "82 ms"):
        assert fact in shown, fact
    for fact in ("8.3/s", "34.2 mm", "rec 03:12", "CONTINUE 0.83", "138 ms", "epistemic"):
        assert fact in shown, fact


@pytest.mark.parametrize("size", [(120, 34), (160, 48)])
async def test_larger_screens_show_the_picture(opened: Open, size: tuple[int, int]) -> None:
    async with opened(scenes.running(), size) as bench:
        await bench.drawn()
        assert "▀▀▀▀" in bench.text()
        bench.clock.t += 2.0
        await bench.show(scenes.running())
        assert "picture removed" in bench.text()
        assert "▀▀▀▀" not in bench.text()


async def test_the_first_frame_does_not_wait_for_the_engine(opened: Open) -> None:
    async with opened(None) as bench:
        assert "STARTING ENGINE" in bench.text()
        bench.link.state = "connected"
        await bench.show(scenes.loading())
        assert "LOADING MODEL" in bench.text()
        assert "importing torch" in bench.text()
        assert "PLACEHOLDER" in bench.text()


@pytest.mark.parametrize(
    ("size", "before"),
    [*((size, ()) for size in SIZES), *(((80, 24), (key,)) for key in ("a", "w", "question_mark", "q", "s"))],
)
async def test_space_stops_in_every_screen_and_strip(opened: Open, size: tuple[int, int], before: tuple[str, ...]) -> None:
    snapshot = scenes.disarmed() if before == ("s",) else scenes.running()
    async with opened(snapshot, size) as bench:
        await bench.press(*before)
        await bench.press("space")
        assert bench.page.counts()[Writer.CONSOLE] == 1
        assert bench.page.latching()[Writer.CONSOLE] == 0
        await bench.press("x")
        assert bench.page.latching()[Writer.CONSOLE] == 1
        assert "STOP ASKED" in bench.text()


async def test_space_stops_in_a_terminal_that_is_too_small(opened: Open) -> None:
    async with opened(scenes.stopped(), (58, 18)) as bench:
        assert "LATCHED 12" in bench.text()
        assert "58×18 is too small" in bench.text()
        await bench.press("space")
        assert bench.page.counts()[Writer.CONSOLE] == 1


async def test_resizing_to_almost_nothing_and_back_keeps_the_state(opened: Open) -> None:
    async with opened(scenes.running()) as bench:
        assert bench.pilot is not None
        for size in ((20, 5), (80, 24), (60, 20), (160, 48)):
            await bench.pilot.resize_terminal(*size)
            await bench.drawn()
            assert "RUNNING" in bench.text(), size


async def test_keys_become_intents(opened: Open) -> None:
    async with opened(scenes.disarmed()) as bench:
        await bench.press("g", "p", "d", "u", "m", "r", "tab", "left", "pageup")
        assert bench.said() == [
            Go(),
            Pause(),
            Disarm(),
            AdjustForce(delta=5.0),
            AdjustForce(delta=-5.0),
            AdjustForce(delta=0.0),
            SetMode(mode=Mode.JOG_XYZ),
            MoveLine(dy=-0.05, dz=0.0),
            MoveLine(dy=0.0, dz=0.02),
        ]


async def test_arrows_act_in_the_present_mode_only(opened: Open) -> None:
    snapshot = scenes.running()
    operator = msgspec.structs.replace(snapshot.operator, mode=Mode.JOG_XYZ)
    async with opened(msgspec.structs.replace(snapshot, operator=operator)) as bench:
        await bench.press("up", "equals_sign", "full_stop")
        hold, step, speed = bench.said()
        assert isinstance(hold, Hold)
        assert (hold.axis, hold.down) == ("+x", True)
        assert (step, speed) == (SetJog(step=0.02), SetJog(speed=0.1))
        await bench.show(snapshot)
        await bench.press("right", "left_square_bracket", "right_square_bracket")
        assert bench.said()[3:] == [MoveLine(dy=0.05, dz=0.0)]


async def test_holds_are_numbered_upwards_and_repeats_marked(opened: Open) -> None:
    async with opened(scenes.running()) as bench:
        await bench.press("k", "k", "j")
        holds = [intent for intent in bench.said() if isinstance(intent, Hold)]
        assert [(hold.axis, hold.repeat) for hold in holds] == [("pull", False), ("pull", True), ("push", False)]
        assert holds[0].seq < holds[1].seq < holds[2].seq


async def test_losing_the_focus_ends_every_hold(opened: Open) -> None:
    async with opened(scenes.running()) as bench:
        await bench.press("k")
        bench.app.post_message(events.AppBlur())
        await bench.drawn()
        last = bench.said()[-1]
        assert isinstance(last, Hold)
        assert (last.axis, last.down) == ("pull", False)


async def test_a_key_that_waited_too_long_is_dropped_and_a_stop_is_not(opened: Open) -> None:
    async with opened(scenes.running()) as bench:
        for key in ("k", "g", "space"):
            late = events.Key(key, None)
            late.time -= 2 * PATIENT
            bench.app.post_message(late)
        await bench.drawn()
        assert bench.said() == []
        assert bench.page.counts()[Writer.CONSOLE] == 1
        assert "dropped" in bench.text()


async def enter_held(bench: Bench, seconds: float, interval: float = 0.04) -> None:
    """Enter as a keyboard repeats it, on the keys' own clock."""
    first = events.Key("enter", "\r")
    begin = first.time - seconds
    moments = [0.0, 0.4]
    while moments[-1] + interval <= seconds:
        moments.append(moments[-1] + interval)
    bench.app.heard(bench.clock.t, typed=True)
    screen = bench.app.screen
    assert isinstance(screen, LiveScreen)
    for moment in moments:
        if screen.gesture is not None:
            screen.gesture.press(begin + moment)
    await bench.drawn()


async def test_arming_names_what_it_arms_and_takes_a_held_enter(opened: Open) -> None:
    async with opened(scenes.disarmed()) as bench:
        await bench.press("a")
        for fact in ("cosaw (simulated)", "compact×5 cpu", "60 N", "20251124T160231-0c41"):
            assert fact in bench.text()
        await bench.press("enter")
        assert bench.said() == [], "one press arms nothing"
        await bench.press("escape", "a")
        await enter_held(bench, 1.05)
        timing, arm = bench.said()
        assert isinstance(timing, KeyTiming)
        assert timing.key_mode == "REPEAT"
        assert arm == Arm(robot="cosaw")
        assert "REPEAT" in bench.text()
        assert "Hold Enter" not in bench.text(), "the strip is closed"


async def enter_pressed_a_second_ago(bench: Bench) -> None:
    """The arming strip, with Enter down for long enough in a terminal that reports releases, and not drawn since."""
    bench.app.releases = True
    await bench.press("a")
    bench.app.heard(bench.clock.t, typed=True)
    screen = bench.app.screen
    assert isinstance(screen, LiveScreen)
    assert screen.gesture is not None
    screen.gesture.press(events.Key("enter", "\r").time - 1.1)


async def test_enter_held_where_releases_are_reported_arms(opened: Open) -> None:
    async with opened(scenes.disarmed()) as bench:
        await enter_pressed_a_second_ago(bench)
        await bench.drawn()
        assert bench.said()[-1] == Arm(robot="cosaw")


@pytest.mark.parametrize("key", ["space", "x"])
async def test_a_stop_key_withdraws_the_arming_gesture(opened: Open, key: str) -> None:
    async with opened(scenes.disarmed()) as bench:
        await enter_pressed_a_second_ago(bench)
        await bench.press(key)
        await bench.drawn()
        assert bench.said() == []


async def test_a_stop_that_only_the_input_thread_saw_withdraws_it_too(opened: Open) -> None:
    async with opened(scenes.disarmed()) as bench:
        await enter_pressed_a_second_ago(bench)
        bench.app.raise_stop(latched=False)
        await bench.drawn()
        assert bench.said() == []


async def test_losing_the_focus_withdraws_the_arming_gesture(opened: Open) -> None:
    async with opened(scenes.disarmed()) as bench:
        await enter_pressed_a_second_ago(bench)
        bench.app.on_app_blur(events.AppBlur())
        await bench.drawn()
        assert bench.said() == []


async def test_a_screen_on_top_withdraws_the_arming_gesture(opened: Open) -> None:
    async with opened(scenes.disarmed()) as bench:
        await enter_pressed_a_second_ago(bench)
        bench.app.show_help("live")
        await bench.drawn()
        await bench.press("escape")
        assert isinstance(bench.app.screen, LiveScreen)
        assert bench.said() == []


async def test_a_terminal_that_fell_silent_after_the_press_arms_nothing(opened: Open) -> None:
    async with opened(scenes.disarmed()) as bench:
        await enter_pressed_a_second_ago(bench)
        bench.clock.t += 0.6
        await bench.drawn()
        assert bench.said() == []
        assert "fell silent" in bench.text()
        bench.app.heard(bench.clock.t, typed=True)
        await bench.drawn()
        assert bench.said() == [], "coming back does not arm either"


async def test_a_stop_key_ends_every_hold(opened: Open) -> None:
    async with opened(scenes.running()) as bench:
        await bench.press("k", "space")
        last = bench.said()[-1]
        assert isinstance(last, Hold)
        assert (last.axis, last.down) == ("pull", False)


async def test_the_help_page_tells_of_multiplexers_even_on_a_small_screen(opened: Open) -> None:
    async with opened(scenes.running(), (80, 24)) as bench:
        await bench.press("question_mark", *["down"] * 60)
        assert "tmux" in bench.text()


async def test_behind_a_multiplexer_the_screen_asks_for_a_key_while_armed(opened: Open) -> None:
    async with opened(scenes.running(), (80, 24)) as bench:
        bench.app.multiplexer = "tmux"
        bench.app.heard(bench.clock.t, typed=True)
        bench.clock.t += 12.0
        bench.app.heard(bench.clock.t, typed=False)
        await bench.show(scenes.running())
        assert "Press any key" in bench.text()
        await bench.show(scenes.disarmed())
        assert "Press any key" not in bench.text()


@pytest.mark.parametrize("size", SIZES)
async def test_telemetry_that_stops_on_an_open_line_is_shown_as_frozen(opened: Open, size: tuple[int, int]) -> None:
    async with opened(scenes.running(), size) as bench:
        bench.clock.t += 1.0
        bench.app.poll()
        await bench.drawn()
        assert "FROZEN" not in bench.text()
        bench.clock.t += 1.3
        bench.app.poll()
        assert bench.pilot is not None
        await bench.pilot.pause()
        assert "FROZEN 2 s" in bench.text()
        assert "2.3 s behind" in bench.text()
        await bench.show(scenes.running())
        assert "FROZEN" not in bench.text()


async def test_a_refusal_says_why_and_what_to_do(opened: Open) -> None:
    snapshot = scenes.disarmed()
    async with opened(snapshot) as bench:
        asked = msgspec.structs.replace(snapshot.inputs, arm_request=snapshot.inputs.arm_request + 1)
        decision = msgspec.structs.replace(snapshot.decision, refused=Reason.NOT_AT_REST)
        await bench.show(msgspec.structs.replace(snapshot, inputs=asked, decision=decision))
        assert "Not done: the robot is not at rest." in bench.text()
        bench.clock.t += 5.0
        await bench.show(msgspec.structs.replace(snapshot, inputs=asked, decision=decision))
        assert "Not done" not in bench.text()


async def test_escape_leaves_the_strip_and_never_a_running_robot(opened: Open) -> None:
    async with opened(scenes.disarmed()) as bench:
        await bench.press("a", "escape")
        assert "Hold Enter" not in bench.text()
        await bench.show(scenes.running())
        await bench.press("escape", "escape")
        assert bench.app.is_running
        assert bench.said() == []


async def test_clearing_names_the_stop_on_screen(opened: Open) -> None:
    async with opened(scenes.stopped()) as bench:
        await bench.press("c")
        assert bench.said() == [ClearStop(number=12)]


async def test_quit_is_refused_while_armed_and_offers_to_stop_first(opened: Open) -> None:
    async with opened(scenes.running()) as bench:
        await bench.press("q")
        assert "leaving is refused" in bench.text()
        assert bench.said() == []
        await bench.press("q")
        assert bench.page.counts()[Writer.CONSOLE] == 1
        assert bench.said() == [], "it waits for the robot to be disarmed"
        await bench.show(scenes.stopped())
        assert bench.said() == [Shutdown()]
    assert bench.app.return_value == 4


async def test_quit_at_rest_ends_the_engine_and_the_program(opened: Open) -> None:
    async with opened(scenes.disarmed()) as bench:
        await bench.press("q")
        assert bench.said() == [Shutdown()]
    assert bench.app.return_value == 0


async def test_an_engine_that_failed_gives_its_exit_code(opened: Open) -> None:
    async with opened(scenes.disarmed()) as bench:
        bench.link.state = "ended"
        bench.link.ended = Ended(reason="The store is full.", exit_code=5)
        await bench.drawn()
        assert "The store is full." in bench.text()
        await bench.press("q")
    assert bench.app.return_value == 5


async def test_an_observer_stops_by_its_own_slot_and_commands_nothing(opened: Open) -> None:
    async with opened(scenes.running(), options=Options(readonly=True, key_age_max=PATIENT)) as bench:
        await bench.press("k", "g", "p", "d", "a", "c")
        assert bench.said() == []
        assert "READ ONLY" in bench.text()
        assert "only observes" in bench.text()
        await bench.press("space")
        assert bench.page.counts()[Writer.OBSERVER] == 1
        assert bench.page.counts()[Writer.CONSOLE] == 0
        await bench.press("q")
        assert bench.said() == [], "an observer does not end the engine"


async def test_a_console_without_control_observes_and_says_so(opened: Open) -> None:
    async with opened(scenes.running()) as bench:
        bench.link.name = "console-2"
        await bench.show(scenes.running())
        bench.app.poll()
        await bench.press("k", "p")
        assert bench.said() == []
        assert "READ ONLY" in bench.text()
        await bench.press("space")
        assert bench.page.counts()[Writer.OBSERVER] == 1


async def test_sessions_open_only_while_disarmed(opened: Open) -> None:
    async with opened(scenes.running()) as bench:
        await bench.press("s")
        assert isinstance(bench.app.screen, LiveScreen)
        await bench.show(scenes.disarmed())
        await bench.press("s")
        assert isinstance(bench.app.screen, SessionsScreen)
        assert "DISARMED" in bench.text(), "the robot's state stays on screen"
        await bench.press("escape")
        assert isinstance(bench.app.screen, LiveScreen)


async def test_the_picture_asked_for_fits_its_place_and_changes_with_v(opened: Open) -> None:
    async with opened(scenes.running()) as bench:
        await bench.drawn()
        await bench.press("v")
        wishes = [intent for intent in bench.link.said if isinstance(intent, WatchPicture)]
        assert [wish.camera for wish in wishes] == ["front", "side"]
        assert wishes[0].width == wishes[0].height == 30


@pytest.mark.parametrize("theme", ["light", "colour-blind", "monochrome"])
async def test_themes_draw_the_same_words(opened: Open, theme: str) -> None:
    async with opened(scenes.slowed(), options=Options(theme=theme)) as bench:
        assert "RUNNING SLOW" in bench.text()
        assert "INVALID" in bench.text()


async def test_ascii_is_ascii(opened: Open) -> None:
    async with opened(scenes.running(), options=Options(ascii_only=True)) as bench:
        await bench.drawn()
        assert bench.text().isascii()


async def test_no_color_wins_over_the_theme(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with opened(scenes.running(), options=Options(theme="dark")) as bench:
        await bench.press("t")
        styles = [style for strip in bench.app.screen._compositor.render_strips() for _, style, _ in strip if style]
        assert all(style.color is None and style.bgcolor is None for style in styles)
