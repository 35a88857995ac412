"""Keys on the live screen: they become intents, stops raise the page, observers command nothing."""

import time

import msgspec
import pytest
import scenes
from bench import PATIENT, SIZES, Open
from textual import events

from console.app import Options
from console.screens.live import LiveScreen
from console.screens.sessions import SessionsScreen
from engine.limits import Limits
from engine.messages import (
    AdjustForce,
    Disarm,
    Go,
    Hold,
    LowerKeys,
    MoveLine,
    Offer,
    Pause,
    Recover,
    SetJog,
    SetMode,
    Take,
    WatchPicture,
)
from engine.types import LAYERS, Mode, Snapshot, Writer


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


def jogging(mode: Mode, **changed: object) -> Snapshot:
    """Armed, waiting, in a jog mode."""
    snapshot = scenes.scene(going=False)
    return msgspec.structs.replace(snapshot, operator=msgspec.structs.replace(snapshot.operator, mode=mode, **changed))


def controlled(snapshot: Snapshot, **changed: object) -> Snapshot:
    return msgspec.structs.replace(snapshot, run=msgspec.structs.replace(snapshot.run, **changed))


async def test_brackets_choose_a_joint_and_the_arrows_move_it(opened: Open) -> None:
    async with opened(jogging(Mode.JOG_JOINT)) as bench:
        await bench.press("up", "right_square_bracket", "left", "left_square_bracket", "left_square_bracket", "down")
        holds = [(hold.axis, hold.down) for hold in bench.said() if isinstance(hold, Hold)]
        assert holds == [("+j1", True), ("+j1", False), ("-j2", True), ("-j2", False), ("level", True)]
        await bench.press("left_square_bracket", "pageup")
        assert [hold.axis for hold in bench.said() if isinstance(hold, Hold) and hold.down][-1] == "+j7"


async def test_brackets_choose_nothing_in_the_other_modes(opened: Open) -> None:
    async with opened(jogging(Mode.JOG_SAW)) as bench:
        await bench.press("right_square_bracket", "up")
        (hold,) = bench.said()
        assert isinstance(hold, Hold)
        assert hold.axis == "+x"
        await bench.show(jogging(Mode.JOG_JOINT))
        await bench.press("left")
        assert bench.said()[-1].axis == "-j1"  # type: ignore[attr-defined]


async def test_the_partner_s_keys_are_offered_only_while_the_robot_is_armed(opened: Open) -> None:
    async with opened(scenes.disarmed(), (160, 48)) as bench:
        assert "K/J/F" not in bench.text()
        await bench.show(scenes.armed())
        assert "K/J/F" in bench.text()


@pytest.mark.parametrize("size", [*SIZES, (60, 20)])
@pytest.mark.parametrize("mode", [Mode.JOG_XYZ, Mode.JOG_SAW, Mode.JOG_JOINT])
async def test_step_and_speed_are_on_screen_at_every_size_while_jogging(opened: Open, size: tuple[int, int], mode: Mode) -> None:
    async with opened(jogging(mode, jog_step=0.02, jog_speed=0.1, grant_left=0.1, grant_axis="+x"), size) as bench:
        shown = bench.text()
        assert "step 20 mm 100 mm/s" in shown
        assert {Mode.JOG_XYZ: "[JOG XYZ]", Mode.JOG_SAW: "[JOG SAW]", Mode.JOG_JOINT: "JOINT"}[mode] in shown


@pytest.mark.parametrize("size", SIZES)
async def test_the_joint_its_angle_and_the_saw_s_tilt_are_on_screen(opened: Open, size: tuple[int, int]) -> None:
    snapshot = jogging(Mode.JOG_JOINT)
    tilted = (*snapshot.inputs.pose[:3], 0.99875, 0.0, 0.05, 0.0)
    snapshot = msgspec.structs.replace(snapshot, inputs=msgspec.structs.replace(snapshot.inputs, pose=tilted, q=(0.0,) * 3 + (-1.0,) * 4))
    async with opened(snapshot, size) as bench:
        await bench.press(*["right_square_bracket"] * 3)
        assert "JOINT 4" in bench.text()
        assert " -57.3° tilt 5.7/7°" in bench.text()


async def test_h_lowers_the_mode_of_the_keys_and_comes_round(opened: Open) -> None:
    async with opened(scenes.running()) as bench:
        await bench.press("h")
        await bench.show(jogging(Mode.CUT, key_mode="STEP"))
        await bench.press("h")
        await bench.show(jogging(Mode.CUT, key_mode="HOLD"))
        await bench.press("h")
        assert bench.said() == [LowerKeys(key_mode="STEP"), LowerKeys(key_mode="HOLD"), LowerKeys(key_mode="REPEAT")]


@pytest.mark.parametrize("size", SIZES)
async def test_o_offers_control_and_an_observer_takes_it(opened: Open, size: tuple[int, int]) -> None:
    async with opened(scenes.disarmed(), size) as bench:
        await bench.press("o")
        assert bench.said() == [Offer()]
        await bench.show(controlled(scenes.disarmed(), offered=True))
        assert "CONTROL OFFERED" in bench.text()
        bench.link.name = "console-2"
        await bench.show(controlled(scenes.disarmed(), offered=True))
        bench.app.poll()
        await bench.press("o")
        assert bench.said() == [Offer(), Take()]
        assert "O takes control" in bench.text()


async def test_a_run_that_nobody_controls_is_not_this_console_s_until_it_takes_it(opened: Open) -> None:
    async with opened(controlled(scenes.disarmed(), controller="")) as bench:
        bench.app.poll()
        await bench.press("g", "a")
        assert bench.said() == []
        assert "NO CONTROL" in bench.text()
        await bench.press("o")
        assert bench.said() == [Take()]


async def test_a_console_that_asked_to_observe_only_does_not_take_control(opened: Open) -> None:
    async with opened(controlled(scenes.disarmed(), offered=True), options=Options(readonly=True, key_age_max=PATIENT)) as bench:
        assert "READ ONLY" in bench.text()
        await bench.press("o")
        assert bench.said() == []
        assert "observe only" in bench.text()


async def test_holds_are_numbered_upwards_and_repeats_marked(opened: Open) -> None:
    async with opened(scenes.running()) as bench:
        begun = time.monotonic()
        for key, after in (("k", 0.0), ("k", 0.4), ("j", 0.5)):
            event = events.Key(key, key)
            event.time = begun + after
            bench.app.post_message(event)
        await bench.drawn()
        holds = [intent for intent in bench.said() if isinstance(intent, Hold)]
        assert [(hold.axis, hold.repeat) for hold in holds] == [("pull", False), ("pull", True), ("push", False)]
        assert holds[0].seq < holds[1].seq < holds[2].seq


async def test_where_it_must_be_held_to_run_g_is_a_hold_that_ends_with_the_key(opened: Open) -> None:
    options = Options(key_age_max=PATIENT, limits=Limits(hold_to_run=True))
    async with opened(scenes.armed(), options=options) as bench:
        await bench.press("g")
        bench.app.screen.let_go()
        said = [(hold.axis, hold.down) for hold in bench.said() if isinstance(hold, Hold)]
        assert said == [("run", True), ("run", False)]
        assert Go() not in bench.said()
        await bench.press("colon")
        assert "Let the armed robot move" not in bench.text(), "what is chosen there cannot be let go"


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


async def test_a_stop_key_ends_every_hold(opened: Open) -> None:
    async with opened(scenes.running()) as bench:
        await bench.press("k", "space")
        last = bench.said()[-1]
        assert isinstance(last, Hold)
        assert (last.axis, last.down) == ("pull", False)


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


@pytest.mark.parametrize(("key", "name"), [("s", "Sessions"), ("n", "Doctor")])
async def test_sessions_and_doctor_open_only_while_disarmed(opened: Open, key: str, name: str) -> None:
    async with opened(scenes.running()) as bench:
        await bench.press(key)
        assert isinstance(bench.app.screen, LiveScreen)
        assert f"{name} opens only while the robot is disarmed" in bench.text()


async def test_the_robot_s_state_stays_on_screen_over_the_sessions(opened: Open) -> None:
    async with opened(scenes.disarmed()) as bench:
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
        assert wishes[0].width == wishes[0].height == 28


async def test_e_frees_a_stuck_saw_and_nothing_else(opened: Open) -> None:
    async with opened(scenes.running()) as bench:
        await bench.press("e")
        assert bench.said() == []
        assert "not stuck" in bench.text()
        bench.clock.t += 5.0
        await bench.show(scenes.stuck())
        assert "E frees it" in bench.text()
        await bench.press("e")
        assert bench.said() == [Recover()]
        await bench.show(scenes.stuck(recovering="reverse"))
        assert "lighten → REVERSE → resume" in bench.text()


@pytest.mark.parametrize("size", SIZES)
async def test_l_opens_the_nine_layers_and_closes_them(opened: Open, size: tuple[int, int]) -> None:
    async with opened(scenes.separated(), size) as bench:
        await bench.press("l")
        shown = bench.text()
        for name in LAYERS:
            assert name in shown, name
        assert "SPACE = STOP" in shown
        await bench.press("w")
        assert "what the binding layer read" in bench.text()
        await bench.press("escape")
        assert "what the binding layer read" not in bench.text()
