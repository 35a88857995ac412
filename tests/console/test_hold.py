"""The arming gesture and held keys: what counts as holding, what is measured, what degrades."""

import pytest

from console.hold import ArmGesture, HeldKeys


def repeats(gesture: ArmGesture, begin: float, delay: float, interval: float, until: float) -> float:
    now = begin
    gesture.press(now)
    now += delay
    while now <= until:
        gesture.press(now)
        now += interval
    return now - interval


def test_enter_held_for_a_second_arms_and_measures_repeat() -> None:
    gesture = ArmGesture(releases=False)
    last = repeats(gesture, 0.0, 0.4, 0.033, 1.1)
    assert gesture.progress(last) == 1.0
    assert gesture.keyboard().mode == "REPEAT"
    assert gesture.keyboard().repeat_interval == pytest.approx(0.033)


def test_a_second_is_not_over_before_it_is_over() -> None:
    gesture = ArmGesture(releases=False)
    last = repeats(gesture, 0.0, 0.4, 0.033, 0.9)
    assert gesture.progress(last) < 1.0


def test_letting_go_starts_anew_where_no_release_is_reported() -> None:
    gesture = ArmGesture(releases=False)
    last = repeats(gesture, 0.0, 0.4, 0.033, 0.9)
    assert gesture.progress(last + 0.3) == 0.0
    gesture.press(last + 0.4)
    assert gesture.progress(last + 0.4) < 0.5


def test_one_press_never_arms() -> None:
    gesture = ArmGesture(releases=False)
    gesture.press(0.0)
    assert max(gesture.progress(t / 10) for t in range(60)) < 1.0


@pytest.mark.parametrize("gap", [0.3, 0.5, 0.9, 1.4])
def test_without_repeats_three_presses_arm_and_the_mode_is_step(gap: float) -> None:
    gesture = ArmGesture(releases=False)
    for press in range(3):
        assert gesture.progress(press * gap) < 1.0
        gesture.press(press * gap)
    assert gesture.progress(2 * gap) == 1.0
    assert gesture.keyboard().mode == "STEP"


def test_presses_too_far_apart_do_not_add_up() -> None:
    gesture = ArmGesture(releases=False)
    for press in range(6):
        gesture.press(press * 2.0)
        assert gesture.progress(press * 2.0) < 1.0


def test_erratic_repeats_are_step() -> None:
    gesture = ArmGesture(releases=False)
    now = 0.0
    for gap in (0.0, 0.4, 0.02, 0.02, 0.2, 0.02, 0.19, 0.02, 0.2, 0.02):
        now += gap
        gesture.press(now)
    assert gesture.progress(now) == 1.0
    assert gesture.keyboard().mode == "STEP"


def test_with_releases_holding_is_proven_by_their_absence() -> None:
    gesture = ArmGesture(releases=True)
    gesture.press(0.0)
    assert gesture.progress(0.6) == pytest.approx(0.6)
    gesture.release()
    assert gesture.progress(1.2) == 0.0
    gesture.press(2.0)
    assert gesture.progress(3.0) == 1.0
    assert gesture.keyboard().mode == "HOLD"


def test_held_keys_tell_first_presses_from_repeats() -> None:
    held = HeldKeys()
    assert not held.press("pull", "pull", 0.0, repeated=False)
    assert held.press("pull", "pull", 0.5, repeated=False)
    assert held.press("pull", "pull", 0.53, repeated=False)
    assert not held.press("pull", "pull", 1.0, repeated=False), "a pause ends the hold"


def test_the_terminal_s_word_decides_where_it_gives_one() -> None:
    held = HeldKeys(releases=True)
    assert not held.press("pull", "pull", 0.0, repeated=False)
    assert not held.press("pull", "pull", 0.1, repeated=False)
    assert held.press("pull", "pull", 0.2, repeated=True)


def test_a_release_ends_the_axis_that_the_key_held() -> None:
    held = HeldKeys(releases=True)
    held.press("left", "-y", 0.0, repeated=False)
    held.press("pull", "pull", 0.0, repeated=False)
    assert held.release("left") == "-y"
    assert held.release("left") == ""
    assert held.drop() == ["pull"]


def test_a_withdrawn_gesture_needs_enter_let_go_and_pressed_anew() -> None:
    gesture = ArmGesture(releases=True)
    gesture.press(0.0)
    gesture.withdraw()
    assert gesture.progress(2.0) == 0.0
    gesture.press(2.0, repeated=True)
    assert gesture.progress(4.0) == 0.0, "a repeat belongs to the hold that was withdrawn"
    gesture.release()
    gesture.press(5.0)
    assert gesture.progress(6.0) == 1.0


def test_repeats_that_go_on_after_a_withdrawal_count_for_nothing() -> None:
    gesture = ArmGesture(releases=False)
    last = repeats(gesture, 0.0, 0.4, 0.033, 0.9)
    gesture.withdraw()
    last = repeats(gesture, last + 0.033, 0.033, 0.033, last + 3.0)
    assert gesture.progress(last) == 0.0
    assert gesture.presses == 0
    last = repeats(gesture, last + 1.0, 0.4, 0.033, last + 2.2)
    assert gesture.progress(last) == 1.0


def test_a_line_too_long_for_answers_to_keep_up_makes_every_press_a_step() -> None:
    gesture = ArmGesture(releases=True)
    gesture.press(1.0)
    assert gesture.keyboard(0.2).mode == "HOLD"
    assert gesture.keyboard(0.21).mode == "STEP"
