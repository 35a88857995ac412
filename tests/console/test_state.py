"""The state line: what the robot may do, which layer limits it and to how much, and what the operator can do next."""

import math

import msgspec
import pytest
import scenes
from bench import Open
from scenes import seen

from console.view import LIMITS
from console.widgets.hold import MODES
from console.widgets.layers import slowest, speed_sentence
from console.widgets.score import action_word
from console.widgets.state import explanation, next_step, state_word
from engine.messages import SetMode
from engine.safety.reasons import refusal
from engine.types import LAYERS, Mode, Reason, Snapshot

FORECAST, VISION, SEPARATION, UNCERTAINTY, OPERATOR = map(LAYERS.index, ("forecast", "vision", "separation", "uncertainty", "operator"))


def decided(snapshot: Snapshot, **changes: object) -> Snapshot:
    return msgspec.structs.replace(snapshot, decision=msgspec.structs.replace(snapshot.decision, **changes))


def jogging(mode: Mode, *, held: bool = False) -> Snapshot:
    """Armed in a jog mode, with or without a key that is held."""
    snapshot = scenes.scene(going=False, score=1.0, binding=OPERATOR, reason=Reason.OK if held else Reason.NOT_GOING)
    scales = tuple(0.2 if i == OPERATOR else scale for i, scale in enumerate(snapshot.decision.layer_scale))
    snapshot = decided(snapshot, layer_scale=scales, speed_scale=0.2, speed_limit=0.1)
    return msgspec.structs.replace(
        snapshot,
        operator=msgspec.structs.replace(snapshot.operator, mode=mode),
        inputs=msgspec.structs.replace(snapshot.inputs, jogging=held, mode=mode),
    )


@pytest.mark.parametrize("mode", [Mode.JOG_XYZ, Mode.JOG_SAW, Mode.JOG_JOINT])
@pytest.mark.parametrize("held", [False, True])
def test_in_a_jog_mode_it_says_what_moves_the_robot(mode: Mode, held: bool) -> None:
    view = seen(jogging(mode, held=held))
    assert "n arrow" in next_step(view)
    assert "held" in next_step(view)
    assert "G lets it move" not in next_step(view)
    assert state_word(view)[0] == ("▶ JOGGING" if held else "◆ ARMED")
    assert explanation(view) == ("operator: at most 0.10 m/s" if held else f"{MODES[mode]}: it stands until a key is held")
    assert "every layer is content" not in explanation(view)


def test_a_joint_is_named_by_what_the_arrow_moves() -> None:
    assert "joint 4" in next_step(seen(jogging(Mode.JOG_JOINT), joint=4))
    assert "levels the saw" in next_step(seen(jogging(Mode.JOG_JOINT), joint=0))


def test_a_go_outside_cut_says_how_to_get_to_where_g_works() -> None:
    assert "Tab back to CUT, then G" in refusal(Reason.NOT_GOING)
    assert refusal(Reason.NOT_ARMED) == "not armed. Press A and hold Enter to arm."


def test_a_refusal_of_before_does_not_hide_what_a_stop_asks_for() -> None:
    snapshot = scenes.stopped()
    before = msgspec.structs.replace(snapshot.operator, refused="Arm before jogging.")
    assert "C clears stop 12" in next_step(seen(msgspec.structs.replace(snapshot, operator=before)))


async def test_each_key_gets_a_reply_of_its_own(opened: Open) -> None:
    async with opened(jogging(Mode.JOG_XYZ)) as bench:
        await bench.press("g")
        now = jogging(Mode.JOG_XYZ)
        inputs = msgspec.structs.replace(now.inputs, go_request=2)
        await bench.show(decided(msgspec.structs.replace(now, inputs=inputs), refused=Reason.NOT_GOING))
        assert "Tab back to CUT, then G" in bench.text()
        await bench.press("tab")
        assert SetMode(mode=Mode.JOG_SAW) in bench.said()
        assert "Not done" not in bench.text()


def test_the_cap_of_a_layer_that_is_not_configured_is_named_with_its_value() -> None:
    snapshot = scenes.running()
    assert slowest(snapshot.decision) == (FORECAST, VISION)
    assert explanation(seen(snapshot)) == "forecast · vision not configured: at most 0.25 m/s"


def test_the_one_that_keeps_the_speed_lowest_is_named_and_not_only_the_lowest_score() -> None:
    near = scenes.scene(score=0.9, binding=UNCERTAINTY, reason=Reason.UNCERTAIN, margin=0.9)
    reasons = tuple(int(Reason.SEPARATION) if i == SEPARATION else reason for i, reason in enumerate(near.decision.layer_reason))
    scales = tuple(0.3 if i == SEPARATION else scale for i, scale in enumerate(near.decision.layer_scale))
    near = decided(near, layer_reason=reasons, layer_scale=scales, speed_scale=0.3, speed_limit=0.15)
    assert slowest(near.decision) == (SEPARATION,)
    assert explanation(seen(near)) == "separation: free hand 0.61 m, needs 0.44 m"


def test_a_slow_action_is_named_with_its_score_and_the_level_that_ends_it() -> None:
    slow = scenes.scene(score=0.62)
    assert slowest(slow.decision) == (UNCERTAINTY,)
    assert explanation(seen(slow)) == "uncertainty: score 0.62, full speed above 0.80, at most 0.16 m/s"


def test_nothing_is_named_at_full_speed_and_what_is_not_a_number_is_the_slowest() -> None:
    fast = decided(scenes.running(), layer_scale=(1.0,) * 9, speed_scale=1.0)
    assert slowest(fast.decision) == ()
    assert speed_sentence(fast.decision, LIMITS) == ""
    assert explanation(seen(fast)) == "every layer is content"
    lost = decided(fast, layer_scale=(1.0, math.nan, *(1.0,) * 7), speed_scale=0.0, binding=1)
    assert slowest(lost.decision) == (1,)


@pytest.mark.parametrize("score", [0.3, 0.6, 0.9])
def test_disarmed_the_word_beside_the_score_does_not_follow_the_score(score: float) -> None:
    snapshot = scenes.scene(armed=False, going=False, score=score)
    assert action_word(seen(snapshot), snapshot.decision) == ("DISARMED", "idle")
    assert action_word(seen(scenes.stopped()), scenes.stopped().decision)[0] == "STOPPED"


def test_the_word_beside_the_score_of_an_armed_robot_that_stands_is_that_and_no_action() -> None:
    assert action_word(seen(scenes.armed()), scenes.armed().decision) == ("STANDS", "idle")
    held = jogging(Mode.JOG_XYZ, held=True)
    assert action_word(seen(held), held.decision)[0] == "CONTINUE"


@pytest.mark.parametrize("changes", [{"link": "lost"}, {"link": "ended"}, {"behind": 3.0}])
def test_the_word_beside_a_score_that_is_no_longer_present_is_no_action(changes: dict[str, object]) -> None:
    snapshot = scenes.running()
    assert action_word(seen(snapshot, **changes), snapshot.decision) == ("OLD", "bad")
    assert action_word(seen(snapshot, link="recorded", behind=3.0), snapshot.decision)[0] == "CONTINUE"


@pytest.mark.parametrize(("asked", "behind", "shown"), [(0.1, 0.1, True), (0.5, 0.05, False), (0.5, 0.4, True), (1.2, 2.0, False)])
def test_a_stop_counts_as_asked_only_until_the_engine_has_answered(asked: float, behind: float, shown: bool) -> None:
    view = seen(scenes.disarmed(), stop_asked=asked, behind=behind)
    assert ("STOP ASKED" in state_word(view)[0]) is shown
