"""What the operator may play: armed, in its mode, by a press of its own, and where a clearance is asked for only once it was confirmed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.chosen import CONFIRMED_FOR, Chosen
from engine.control import playing
from engine.control.playing import PLAY, Motion, Play, Step
from engine.limits import Limits
from engine.messages import ChooseMotion, Confirm, Hold, Intent, KeyTiming, SetMode
from engine.operator import Operator
from engine.types import Mode

S = 1_000_000_000
PLACE = Step((0.0,) * 5, 0.5, 1.0)
NEAR = Motion("near", (PLACE,))
FLING = Motion("fling", (PLACE, PLACE), clearance="Nobody is near.")


def operator(*motions: Motion) -> Operator:
    subject = Operator(Limits(), "so101", 5, chosen=Chosen(motions or (NEAR, FLING)))
    give(subject, KeyTiming(key_mode="HOLD", repeat_interval=0.03), 0.0)
    give(subject, SetMode(mode=Mode.MOTION), 0.0)
    return subject


def give(subject: Operator, intent: Intent, s: float, *, armed: bool = True, at_rest: bool = True) -> str:
    """The answer."""
    subject.apply(intent, round(s * S), at_rest=at_rest, in_kerf=False, armed=armed, gripper=True)
    return subject.refused


def key(subject: Operator, s: float, *, down: bool = True, repeat: bool = False, armed: bool = True) -> str:
    return give(subject, Hold(axis=PLAY, down=down, repeat=repeat, seq=round(s * 1000)), s, armed=armed)


def gated() -> Operator:
    subject = operator()
    give(subject, ChooseMotion(step=1), 0.0)
    return subject


def plays(subject: Operator, s: float) -> bool:
    """Whether it goes on at a moment at which the operator's end is proven to be there."""
    subject.tick(round(s * S), round(s * S))
    return subject.jog_axes == (PLAY,)


def test_a_robot_without_motions_has_no_such_mode() -> None:
    subject = Operator(Limits(), "cosaw")
    assert "no motions" in give(subject, SetMode(mode=Mode.MOTION), 0.0)
    assert subject.mode is Mode.CUT
    assert subject.state(0).motion == ""


def test_a_motion_is_played_while_its_key_is_held_and_by_nothing_else() -> None:
    subject = operator()
    assert "Arm" in key(subject, 1.0, armed=False)
    assert key(subject, 2.0) == ""
    assert plays(subject, 60.0)
    key(subject, 60.1, down=False)
    assert not plays(subject, 60.1)
    assert "not jogged" in give(subject, Hold(axis="+x", down=True, repeat=False, seq=10**6), 61.0)
    give(subject, SetMode(mode=Mode.JOG_XYZ), 62.0)
    assert "not jogged" in give(subject, Hold(axis=PLAY, down=True, repeat=False, seq=10**7), 63.0)


def test_repeats_go_on_with_a_press_and_begin_nothing() -> None:
    subject = operator()
    give(subject, KeyTiming(key_mode="REPEAT", repeat_interval=0.04), 0.5)
    assert "press it anew" in key(subject, 1.0, repeat=True)
    key(subject, 2.0)
    assert not plays(subject, 2.3)
    for n in range(20):
        assert key(subject, 2.5 + 0.04 * n, repeat=True) == ""
    assert plays(subject, 3.3)
    give(subject, ChooseMotion(step=1), 3.31)
    assert not plays(subject, 3.31)
    give(subject, ChooseMotion(step=1), 3.32)
    assert "press it anew" in key(subject, 3.34, repeat=True)


def test_the_brackets_go_round_and_what_is_chosen_is_told() -> None:
    subject = operator()
    state = subject.state(0)
    assert (state.motion, state.motion_number, state.motion_count, state.clearance) == ("near", 1, 2, "")
    give(subject, ChooseMotion(step=-1), 1.0)
    state = subject.state(0)
    assert (state.motion, state.motion_number, state.motion_steps, state.clearance) == ("fling", 2, 2, "Nobody is near.")
    give(subject, ChooseMotion(step=1), 1.0)
    assert subject.state(0).motion == "near"


def test_a_gated_motion_is_refused_until_it_is_confirmed_and_each_confirmation_is_good_for_one_press() -> None:
    subject = gated()
    assert "Y confirms" in key(subject, 1.0)
    assert not plays(subject, 1.0)
    assert give(subject, Confirm(motion="fling"), 2.0) == ""
    assert subject.state(4 * S).clearance_left == pytest.approx(CONFIRMED_FOR - 2.0)
    assert key(subject, 2.0 + CONFIRMED_FOR - 0.001) == ""
    assert subject.state(12 * S).clearance_left == 0.0
    assert plays(subject, 30.0)
    key(subject, 30.1, down=False)
    assert "Y confirms" in key(subject, 30.2)
    assert not plays(subject, 30.2)


def test_a_confirmation_grows_old() -> None:
    subject = gated()
    give(subject, Confirm(motion="fling"), 1.0)
    assert "Y confirms" in key(subject, 1.0 + CONFIRMED_FOR)
    assert not plays(subject, 1.0 + CONFIRMED_FOR)


def test_repeats_of_a_keyboard_without_releases_go_on_with_a_confirmed_press() -> None:
    subject = gated()
    give(subject, KeyTiming(key_mode="REPEAT", repeat_interval=0.04), 0.5)
    give(subject, Confirm(motion="fling"), 1.0)
    assert key(subject, 1.1) == ""
    for n in range(20):
        assert key(subject, 1.6 + 0.04 * n, repeat=True) == ""
    assert plays(subject, 2.4)
    assert not plays(subject, 2.6)
    assert "Y confirms" in key(subject, 3.0)
    assert "press it anew" in key(subject, 3.2, repeat=True)


@pytest.mark.parametrize(
    ("name", "armed", "at_rest", "why"),
    [
        ("near", True, True, "not the motion"),
        ("fling", False, True, "Arm first"),
        ("fling", True, False, "only at rest"),
    ],
)
def test_what_confirms_nothing(name: str, armed: bool, at_rest: bool, why: str) -> None:
    subject = gated()
    assert why in give(subject, Confirm(motion=name), 1.0, armed=armed, at_rest=at_rest)
    assert "Y confirms" in key(subject, 1.1)


def test_nothing_is_confirmed_in_another_mode_nor_where_nothing_is_asked() -> None:
    subject = gated()
    give(subject, SetMode(mode=Mode.JOG_XYZ), 1.0)
    assert "MOTION" in give(subject, Confirm(motion="fling"), 1.1)
    assert "no clearance" in give(operator(), Confirm(motion="near"), 1.0)


@pytest.mark.parametrize("what", ["disarm", "mode", "choice"])
def test_what_ends_a_confirmation_and_sets_the_motion_back(what: str) -> None:
    subject = gated()
    give(subject, Confirm(motion="fling"), 1.0)
    subject.chosen.play = Play(1, (0.0,) * 6, 1.0, 1.0, spent=0.5)
    if what == "disarm":
        subject.revoke()
    elif what == "mode":
        give(subject, SetMode(mode=Mode.JOG_XYZ), 1.1)
        give(subject, SetMode(mode=Mode.MOTION), 1.2)
    else:
        give(subject, ChooseMotion(step=1), 1.1)
        give(subject, ChooseMotion(step=1), 1.2)
    state = subject.state(round(1.3 * S))
    assert (state.motion_step, state.clearance_left) == (0, 0.0)
    assert "Y confirms" in key(subject, 1.4)


def test_a_motion_that_is_done_begins_anew_with_the_next_press_and_one_that_stands_goes_on() -> None:
    subject = operator()
    for s, play in ((1.0, Play(0, (0.0,) * 6, 1.0, 1.0, spent=0.5)), (2.0, Play(1, (0.0,) * 6, 0.0, 0.0))):
        subject.chosen.play = play
        key(subject, s)
        assert (subject.chosen.play is None) is playing.done(play, NEAR) is (s > 1.0)
        key(subject, s + 0.1, down=False)


def test_where_the_key_is_up_the_rest_of_the_way_begins_anew() -> None:
    subject = operator()
    subject.chosen.play = Play(0, (0.0,) * 6, 1.0, 1.0, spent=0.5)
    key(subject, 1.0)
    assert plays(subject, 1.1)
    assert subject.chosen.play.held
    key(subject, 1.2, down=False)
    assert not plays(subject, 1.2)
    assert not subject.chosen.play.held


acts = st.lists(
    st.tuples(st.sampled_from(("confirm", "press", "repeat", "release", "choose", "disarm", "mode")), st.floats(0.01, 6.0)), max_size=25
)


@settings(max_examples=60, deadline=None)
@given(story=acts)
def test_no_story_plays_a_gated_motion_without_a_fresh_confirmation_of_its_own(story: list[tuple[str, float]]) -> None:
    subject = operator(FLING, NEAR)
    now, confirmed, pressed = 0.0, -1e9, False
    for act, after in story:
        now += after
        chosen = subject.state(0).motion
        if act == "confirm":
            confirmed = now if give(subject, Confirm(motion="fling"), now) == "" else confirmed
        elif act == "choose":
            give(subject, ChooseMotion(step=1), now)
        elif act == "disarm":
            subject.revoke()
        elif act == "mode":
            act = "mode" if give(subject, SetMode(mode=Mode.JOG_XYZ), now) == "" else "nothing"
            give(subject, SetMode(mode=Mode.MOTION), now)
        elif act == "release":
            key(subject, now, down=False)
        elif act == "press":
            fresh = now - confirmed <= CONFIRMED_FOR
            key(subject, now)
            pressed = fresh or (pressed and chosen == "fling" and plays(subject, now))
            confirmed = -1e9 if chosen == "fling" and fresh else confirmed
        elif act == "repeat":
            key(subject, now, repeat=True)
        if act in ("choose", "disarm", "mode", "release"):
            pressed = False
            confirmed = confirmed if act == "release" else -1e9
        if plays(subject, now) and subject.state(0).motion == "fling":
            assert pressed, story
