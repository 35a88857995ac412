"""Grants run out by themselves, nothing queues, and what is refused says why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.limits import Limits
from engine.messages import AdjustForce, Alive, Arm, Hold, Intent, KeyTiming, MoveLine, Recover, SetMode
from engine.operator import DEADMAN_MIN, FORCE_DEFAULT, LINE_Y, LOG_TOP_Z, PROOF, Operator
from engine.types import Mode

MS = 1_000_000


def operator() -> Operator:
    return Operator(Limits(), "cosaw")


def give(subject: Operator, intent: Intent, ms: float, *, at_rest: bool = True, in_kerf: bool = False, armed: bool = True) -> None:
    subject.apply(intent, round(ms * MS), at_rest=at_rest, in_kerf=in_kerf, armed=armed)


def force_at(subject: Operator, ms: float) -> float:
    subject.tick(round(ms * MS))
    return subject.hand_force


def held(axis: str, seq: int, *, repeat: bool = False, down: bool = True) -> Hold:
    return Hold(axis=axis, down=down, repeat=repeat, seq=seq)


def test_one_press_is_one_short_pulse() -> None:
    subject = operator()
    give(subject, held("pull", 0), 1000)
    assert force_at(subject, 1050) == FORCE_DEFAULT
    assert force_at(subject, 1121) == 0


def test_repeats_hold_the_force_and_silence_ends_it_within_one_deadman() -> None:
    subject = operator()
    give(subject, KeyTiming(key_mode="REPEAT", repeat_interval=0.05), 900)
    give(subject, held("push", 0), 1000)
    for n in range(1, 20):
        give(subject, held("push", n, repeat=True), 1400 + 50 * n)
    last = 1400 + 50 * 19
    assert force_at(subject, last + 149) == -FORCE_DEFAULT
    assert force_at(subject, last + 151) == 0
    assert subject.deadman == pytest.approx(0.15)


def test_a_reported_release_ends_the_force_at_once() -> None:
    subject = operator()
    give(subject, KeyTiming(key_mode="HOLD", repeat_interval=0.03), 900)
    give(subject, held("pull", 0), 1000)
    give(subject, held("pull", 1, down=False), 1010)
    assert force_at(subject, 1010) == 0


def test_a_held_key_outlives_its_proof_by_nothing() -> None:
    subject = operator()
    give(subject, KeyTiming(key_mode="HOLD", repeat_interval=0.03), 900)
    give(subject, held("pull", 0), 1000)
    give(subject, Alive(), 1400)
    assert force_at(subject, 1400 + 1000 * PROOF - 1) == FORCE_DEFAULT
    assert force_at(subject, 1400 + 1000 * PROOF) == 0


def test_without_reported_releases_a_sign_of_life_holds_nothing() -> None:
    subject = operator()
    give(subject, held("pull", 0), 1000)
    give(subject, Alive(), 1100)
    assert force_at(subject, 1000 + 1000 * DEADMAN_MIN) == 0


def test_five_hundred_late_presses_grant_no_more_than_the_newest() -> None:
    subject = operator()
    for n in range(500):
        give(subject, held("pull", n, repeat=n > 0), 5000)
    assert force_at(subject, 5000) == FORCE_DEFAULT
    assert force_at(subject, 5000 + 1000 * subject.deadman) == 0


def test_an_old_press_that_arrives_late_is_not_taken() -> None:
    subject = operator()
    give(subject, held("pull", 5), 1000)
    give(subject, held("pull", 6, down=False), 1001)
    give(subject, held("pull", 5), 1002)
    assert force_at(subject, 1003) == 0


def test_pull_and_press_may_be_held_together_and_press_ramps() -> None:
    subject = operator()
    give(subject, held("pull", 0), 1000)
    give(subject, held("press", 1), 1000)
    presses = []
    for ms in range(1000, 1100, 10):
        subject.tick(ms * MS)
        presses.append(subject.press)
    assert presses == [float(n) for n in range(1, 11)]
    assert subject.hand_force == FORCE_DEFAULT


def test_arming_another_robot_is_refused() -> None:
    subject = operator()
    give(subject, Arm(robot="so101"), 0)
    assert subject.arm_requests == 0
    assert "cosaw" in subject.refused


def test_the_cut_line_is_locked_while_the_blade_is_in_the_kerf() -> None:
    subject = operator()
    give(subject, MoveLine(dy=0.05, dz=0), 0, in_kerf=True)
    assert subject.line_y == 0
    assert "locked" in subject.refused


def test_the_mode_changes_only_at_rest() -> None:
    subject = operator()
    give(subject, SetMode(mode=Mode.JOG_XYZ), 0, at_rest=False)
    assert subject.mode is Mode.CUT
    give(subject, SetMode(mode=Mode.JOG_XYZ), 0, at_rest=True)
    assert subject.mode is Mode.JOG_XYZ


def test_jogging_needs_arming_and_a_jog_mode() -> None:
    subject = operator()
    give(subject, held("+x", 0), 0)
    assert subject.jog_axes == ()
    give(subject, SetMode(mode=Mode.JOG_XYZ), 0)
    give(subject, held("+x", 1), 0, armed=False)
    assert subject.jog_axes == ()
    give(subject, held("+x", 2), 0)
    assert subject.jog_axes == ("+x",)
    subject.revoke()
    assert subject.jog_axes == ()


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=60))
def test_no_number_moves_force_or_line_out_of_range(numbers: list[float]) -> None:
    subject = operator()
    for number in numbers:
        give(subject, AdjustForce(delta=number), 0)
        give(subject, MoveLine(dy=number, dz=-number), 0)
        give(subject, KeyTiming(key_mode="REPEAT", repeat_interval=number), 0)
        assert 0 <= subject.force_set <= 50
        assert LINE_Y[0] <= subject.line_y <= LINE_Y[1]
        assert LOG_TOP_Z[0] <= subject.log_top_z <= LOG_TOP_Z[1]
        assert DEADMAN_MIN <= subject.deadman <= 0.75


@pytest.mark.parametrize(
    ("armed", "going", "stuck", "why"),
    [(True, True, False, "not stuck"), (True, False, True, "let it go"), (False, True, True, "arm it")],
)
def test_freeing_is_refused_unless_the_saw_is_stuck_and_the_robot_going(armed: bool, going: bool, stuck: bool, why: str) -> None:
    subject = operator()
    subject.apply(Recover(), 0, at_rest=True, in_kerf=True, armed=armed, going=going, stuck=stuck)
    assert why in subject.refused
    assert subject.recover_requests == 0


def test_freeing_is_taken_once_at_a_time() -> None:
    subject = operator()
    subject.apply(Recover(), 0, at_rest=True, in_kerf=True, armed=True, going=True, stuck=True)
    assert (subject.recover_requests, subject.refused) == (1, "")
    subject.recovering = "lighten"
    assert subject.state(0).recovering == "lighten"
    subject.apply(Recover(), 0, at_rest=True, in_kerf=True, armed=True, going=True, stuck=True)
    assert subject.recover_requests == 1
    assert "already" in subject.refused
