"""Grants run out by themselves, nothing queues, and what is refused says why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.limits import Limits
from engine.messages import AdjustForce, Arm, Hold, Intent, KeyMode, KeyTiming, LowerKeys, MoveLine, Recover, SetMode
from engine.operator import DEADMAN_MIN, FORCE_DEFAULT, LINE_Y, LOG_TOP_Z, PROOF, RUN, Operator
from engine.types import Mode

MS = 1_000_000


def operator() -> Operator:
    return Operator(Limits(), "cosaw")


def give(subject: Operator, intent: Intent, ms: float, *, at_rest: bool = True, in_kerf: bool = False, armed: bool = True) -> None:
    subject.apply(intent, round(ms * MS), at_rest=at_rest, in_kerf=in_kerf, armed=armed)


def force_at(subject: Operator, ms: float, proven: float | None = None) -> float:
    """The partner's force; ``proven`` is when the operator's end was last there, in ms."""
    subject.tick(round(ms * MS), round((ms if proven is None else proven) * MS))
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
    assert force_at(subject, 5000, 4950) == FORCE_DEFAULT
    assert force_at(subject, 4950 + 1000 * PROOF - 1, 4950) == FORCE_DEFAULT
    assert subject.state(round((4950 + 1000 * PROOF - 1) * MS)).grant_left == pytest.approx(0.001)
    assert force_at(subject, 4950 + 1000 * PROOF, 4950) == 0
    assert force_at(subject, 6000, 6000) == 0, "a proof that comes later does not press the key again"


def test_repeats_that_arrive_without_proof_of_when_they_were_typed_hold_nothing() -> None:
    subject = operator()
    give(subject, KeyTiming(key_mode="REPEAT", repeat_interval=0.05), 900)
    for n in range(100):
        give(subject, held("pull", n, repeat=n > 0), 1000 + 50 * n)
        if 50 * n >= 1000 * PROOF:
            assert force_at(subject, 1000 + 50 * n, 1000) == 0


def test_a_key_that_arrives_on_an_old_proof_moves_nothing_where_releases_are_reported() -> None:
    subject = operator()
    give(subject, KeyTiming(key_mode="HOLD", repeat_interval=0.03), 900)
    give(subject, held("pull", 0), 2000)
    assert force_at(subject, 2000, 2000 - 1000 * PROOF) == 0


def test_without_reported_releases_a_sign_of_life_holds_nothing() -> None:
    subject = operator()
    give(subject, held("pull", 0), 1000)
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
        subject.tick(ms * MS, ms * MS)
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


@pytest.mark.parametrize(
    ("mode", "axes", "others"),
    [
        (Mode.JOG_XYZ, ("+x", "-z"), ("+j1", "level", "x", "")),
        (Mode.JOG_SAW, ("+y",), ("-j7", "level")),
        (Mode.JOG_JOINT, ("+j1", "-j7", "level"), ("+x", "+j8", "+j0", "j1")),
    ],
)
def test_a_mode_jogs_its_own_axes_and_no_others(mode: Mode, axes: tuple[str, ...], others: tuple[str, ...]) -> None:
    subject = operator()
    give(subject, SetMode(mode=mode), 0)
    for seq, axis in enumerate(others):
        give(subject, held(axis, seq), 0)
        assert subject.jog_axes == ()
        assert "not jogged in this mode" in subject.refused
    for seq, axis in enumerate(axes, 100):
        give(subject, held(axis, seq), 0)
        assert subject.jog_axes[-1] == axis
        assert subject.refused == ""


def test_there_are_four_modes_and_a_fifth_only_where_there_are_motions() -> None:
    subject = operator()
    for mode in (0, 1, 2, 3):
        give(subject, SetMode(mode=mode), 0)
        assert subject.mode == mode
    for mode, why in ((4, "no motions"), (5, "no such mode")):
        give(subject, SetMode(mode=mode), 0)
        assert subject.mode is Mode.JOG_JOINT
        assert why in subject.refused


def test_one_joint_moves_at_a_time_the_newest_and_the_partner_s_keys_stay() -> None:
    subject = operator()
    give(subject, SetMode(mode=Mode.JOG_JOINT), 0)
    give(subject, held("pull", 0), 0)
    give(subject, held("+j2", 1), 0)
    give(subject, held("-j5", 2), 0)
    assert subject.jog_axes == ("-j5",)
    assert subject.hand_force == FORCE_DEFAULT


def test_the_keys_mode_is_lowered_by_hand_and_raised_again_up_to_what_was_measured() -> None:
    subject = operator()
    give(subject, KeyTiming(key_mode="HOLD", repeat_interval=0.03), 0)
    modes = []
    for wanted in ("REPEAT", "STEP", "HOLD"):
        give(subject, LowerKeys(key_mode=wanted), 0)
        modes.append(subject.state(0).key_mode)
        assert subject.refused == ""
    assert modes == ["REPEAT", "STEP", "HOLD"]


@pytest.mark.parametrize(
    ("measured", "wanted", "found"), [("REPEAT", "HOLD", "REPEAT"), ("STEP", "HOLD", "STEP"), ("STEP", "REPEAT", "STEP")]
)
def test_no_key_raises_the_keys_mode_past_what_was_measured(measured: KeyMode, wanted: KeyMode, found: KeyMode) -> None:
    subject = operator()
    give(subject, KeyTiming(key_mode=measured, repeat_interval=0.03), 0)
    give(subject, LowerKeys(key_mode=wanted), 0)
    assert subject.key_mode == found
    assert f"measured to do {measured}" in subject.refused


def test_arming_anew_keeps_the_mode_as_low_as_it_was_set_and_a_new_console_does_not() -> None:
    subject = operator()
    give(subject, KeyTiming(key_mode="HOLD", repeat_interval=0.03), 0)
    give(subject, LowerKeys(key_mode="STEP"), 0)
    give(subject, KeyTiming(key_mode="HOLD", repeat_interval=0.03), 100)
    assert subject.key_mode == "STEP"
    subject.released()
    assert subject.key_mode == "HOLD"


def test_a_lowered_mode_ends_what_was_granted_on_better_terms() -> None:
    subject = operator()
    give(subject, KeyTiming(key_mode="HOLD", repeat_interval=0.03), 0)
    give(subject, held("pull", 0), 100)
    give(subject, LowerKeys(key_mode="STEP"), 110)
    assert force_at(subject, 110) == 0
    give(subject, held("pull", 1), 200)
    assert force_at(subject, 319) == FORCE_DEFAULT
    assert force_at(subject, 321) == 0, "a step ends by itself"


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


def test_the_go_key_asks_once_and_runs_while_it_is_held_and_proven() -> None:
    subject = operator()
    give(subject, KeyTiming(key_mode="HOLD", repeat_interval=0.03), 900)
    give(subject, held(RUN, 0), 1000)
    give(subject, held(RUN, 1, repeat=True), 1030)
    subject.tick(1040 * MS, 1000 * MS)
    assert (subject.go_requests, subject.running, subject.jog_axes) == (1, True, ())
    subject.tick(round((1000 + 1000 * PROOF) * MS), 1000 * MS)
    assert not subject.running
    give(subject, held(RUN, 2), 1400)
    give(subject, held(RUN, 3, down=False), 1410)
    assert (subject.go_requests, subject.running) == (2, False)


def test_a_go_key_that_was_held_before_arming_begins_nothing() -> None:
    subject = operator()
    give(subject, held(RUN, 0), 1000, armed=False)
    give(subject, held(RUN, 1, repeat=True), 1030, armed=False)
    give(subject, held(RUN, 2, repeat=True), 1060)
    assert (subject.go_requests, subject.running) == (0, False)
    assert "press it anew" in subject.refused
    give(subject, held(RUN, 3), 1100)
    give(subject, held(RUN, 4, repeat=True), 1600)
    assert (subject.go_requests, subject.running) == (1, True)


@pytest.mark.parametrize(("armed", "mode", "said"), [(False, Mode.CUT, "Arm first"), (True, Mode.JOG_XYZ, "Only CUT")])
def test_the_go_key_is_refused_where_nothing_goes_by_itself(armed: bool, mode: Mode, said: str) -> None:
    subject = operator()
    subject.mode = mode
    give(subject, held(RUN, 0), 1000, armed=armed)
    assert (subject.go_requests, subject.running) == (0, False)
    assert subject.refused.startswith(said)
