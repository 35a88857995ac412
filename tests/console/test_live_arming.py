"""Arming, clearing and leaving on the live screen: each is an act of its own, and a stop withdraws what was begun."""

import time

import msgspec
import pytest
import scenes
from bench import Bench, Open
from textual import events

from console.parser import KeyReleased, KeyRepeated
from console.screens.live import LiveScreen
from engine.messages import Arm, ClearStop, Ended, KeyTiming, Shutdown
from engine.types import Reason, Writer


async def enter_held(bench: Bench, seconds: float, interval: float = 0.04) -> None:
    """Enter as a keyboard repeats it, for ``seconds`` up to now."""
    begin = bench.clock.t - seconds
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
    screen.gesture.press(bench.clock.t - 1.1)


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


async def test_a_terminal_too_small_to_show_what_is_armed_arms_nothing(opened: Open) -> None:
    async with opened(scenes.disarmed(), (20, 5)) as bench:
        await enter_pressed_a_second_ago(bench)
        await bench.drawn()
        assert bench.said() == []
        assert bench.pilot is not None
        await bench.pilot.resize_terminal(120, 34)
        await bench.drawn()
        assert bench.said() == [], "growing does not arm either"


@pytest.mark.parametrize("releases", [True, False])
async def test_the_enter_that_chooses_arming_in_the_palette_does_not_arm_when_it_is_held_on(opened: Open, releases: bool) -> None:
    async with opened(scenes.disarmed()) as bench:
        bench.clock.t = time.monotonic()
        bench.app.releases = releases
        await bench.show(scenes.disarmed())
        await bench.press("colon", *"arm")
        bench.app.heard(bench.clock.t, typed=True)
        for after in (0.0, *(0.4 + 0.04 * i for i in range(33))):
            event = (KeyRepeated if releases and after else events.Key)("enter", "\r")
            event.time = bench.clock.t - 1.7 + after
            bench.app.post_message(event)
            await bench.drawn()
        assert "Hold Enter" in bench.text()
        assert bench.said() == []
        bench.app.post_message(KeyReleased("enter"))
        await bench.drawn()
        bench.clock.t += 3.0
        bench.app.heard(bench.clock.t, typed=True)
        await enter_held(bench, 1.05)
        assert bench.said()[-1] == Arm(robot="cosaw"), "pressed anew it arms"


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


@pytest.mark.parametrize("page", ["question_mark", "colon"])
@pytest.mark.parametrize("key", ["escape", "q", "question_mark"])
async def test_two_keys_at_once_on_a_page_do_not_leave_a_running_robot(opened: Open, page: str, key: str) -> None:
    async with opened(scenes.running()) as bench:
        await bench.press(page)
        for _ in range(2):
            bench.app.post_message(events.Key(key, None))
        await bench.drawn()
        assert bench.app.is_running
        assert not bench.app._exit
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
