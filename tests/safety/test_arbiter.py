"""The arbiter as an operator meets it: arming, going, stops and the way back."""

import math

import pytest

from engine.limits import Limits
from engine.types import LAYERS, Action, Mode, ModelState, Reason, StopCategory, StopKind, Writer

MOVING = (0.3, 0.0, 0.0, 0.0, 0.0, 0.0)
CROOKED = (0.0, 0.05, 0.0, 0.0, 0.0, 0.0)


def test_at_the_start_nothing_is_armed_and_nothing_moves_though_the_score_is_live(world):
    decision = world.step()
    assert (decision.armed, decision.going, decision.speed_limit, decision.score) == (False, False, 0.0, 1.0)
    assert LAYERS[decision.binding] == "operator"
    assert decision.layer_reason[8] == Reason.NOT_ARMED


def test_arming_is_not_going_and_going_is_another_act(world):
    world.run(110)
    armed = world.ask("arm_request")
    assert (armed.armed, armed.going, armed.speed_limit) == (True, False, 0.0)
    going = world.ask("go_request")
    assert (going.armed, going.going) == (True, True)


def test_arm_and_go_in_one_tick_only_arms(world):
    world.run(110)
    decision = world.step(arm_request=1, go_request=1)
    assert (decision.armed, decision.going, decision.refused) == (True, False, Reason.OK)


def test_go_without_arming_is_refused_and_says_so(world):
    world.run(110)
    decision = world.ask("go_request")
    assert (decision.going, decision.refused) == (False, Reason.NOT_ARMED)


def test_speed_and_stiffness_ramp_up_after_arming(world):
    world.run(110)
    before = world.ask("arm_request")
    assert (before.ramp, before.stiffness[0]) == (0.0, 200.0)
    world.ask("go_request")
    half = world.run(49)
    assert half.ramp == pytest.approx(0.5)
    assert half.stiffness[0] == pytest.approx(500.0)
    assert half.layer_reason[8] == Reason.RAMPING
    full = world.run(60)
    assert (full.ramp, full.stiffness[0]) == (1.0, pytest.approx(800.0))


def test_a_stop_on_the_ramp_does_not_raise_the_permitted_stiffness(world):
    world.run(110)
    world.ask("arm_request")
    risen = world.run(30)
    stopped = world.press(Writer.CONSOLE)
    assert stopped.stiffness == risen.stiffness
    assert world.run(100).stiffness == risen.stiffness


def test_without_a_sensor_for_the_person_the_reduced_speed_holds(sawing):
    decision = sawing.step()
    assert decision.speed_limit == pytest.approx(0.25)
    assert decision.layer_reason[LAYERS.index("separation")] == Reason.NOT_SENSED
    assert [LAYERS[i] for i, r in enumerate(decision.layer_reason) if r == Reason.NOT_CONFIGURED] == ["contact", "forecast", "vision"]


def test_without_a_contact_layer_the_force_stays_below_the_faces_limit(make):
    world = make.fresh(Limits(force_max=140.0))
    assert world.run(110).force_limit == 65.0


def test_pausing_keeps_the_robot_armed_and_go_goes_on(sawing):
    paused = sawing.ask("pause_request")
    assert (paused.armed, paused.going, paused.speed_limit, paused.layer_reason[8]) == (True, False, 0.0, Reason.PAUSED)
    assert sawing.ask("go_request").going


def test_disarming_is_no_stop(sawing):
    decision = sawing.ask("disarm_request")
    assert (decision.armed, decision.going, decision.stop_count) == (False, False, 0)


def test_the_stop_key_stops_disarms_and_leaves_the_score_live(sawing):
    stopped = sawing.press(Writer.CONSOLE)
    assert (stopped.armed, stopped.going, stopped.speed_limit, stopped.action) == (False, False, 0.0, Action.STOP)
    assert (stopped.stop_number, stopped.stop_kind, stopped.stop_category) == (1, StopKind.PROTECTIVE, StopCategory.CAT2)
    assert (stopped.stop_reason, LAYERS[stopped.stop_layer], LAYERS[stopped.binding]) == (
        Reason.STOP_KEY,
        "latch/watchdog",
        "latch/watchdog",
    )
    assert stopped.score == 1.0


def test_a_protective_stop_ends_by_itself_at_rest_but_only_the_operator_arms_again(sawing):
    sawing.press(Writer.CONSOLE)
    assert sawing.run(29).stop_number == 1
    ended = sawing.run(2)
    assert (ended.stop_number, ended.stop_count, ended.stop_reason, ended.armed) == (0, 1, Reason.STOP_KEY, False)
    assert sawing.ask("arm_request").armed


def test_a_protective_stop_lasts_while_its_cause_does(sawing):
    sawing.now["frame_fault"] = Reason.CAMERA_FROZEN
    stopped = sawing.step()
    assert (stopped.stop_reason, LAYERS[stopped.stop_layer], stopped.score) == (Reason.CAMERA_FROZEN, "validity", 0.1)
    assert sawing.run(200).stop_number == 1
    assert sawing.ask("arm_request").refused == Reason.CAMERA_FROZEN
    assert sawing.clear(1).refused == Reason.CAMERA_FROZEN
    sawing.now["frame_fault"] = Reason.OK
    assert sawing.step().stop_number == 0


def test_a_latched_stop_is_cleared_by_its_own_number_and_then_armed(sawing):
    stopped = sawing.press(Writer.CONSOLE, latch=True)
    assert (stopped.stop_number, stopped.stop_kind, stopped.stop_category) == (1, StopKind.LATCHED, StopCategory.CAT1)
    assert sawing.run(300).stop_number == 1
    assert sawing.ask("arm_request").refused == Reason.STOP_POWER_OFF
    wrong = sawing.clear(7)
    assert (wrong.stop_number, wrong.refused) == (1, Reason.LATCHED)
    cleared = sawing.clear(1)
    assert (cleared.stop_number, cleared.armed, cleared.refused) == (0, False, Reason.OK)
    assert sawing.ask("arm_request").armed


def test_clearing_a_stop_does_not_clear_the_one_that_came_in_between(sawing):
    sawing.press(Writer.CONSOLE, latch=True)
    sawing.press(Writer.SHELL, latch=True)
    assert sawing.clear(1).stop_number == 2
    assert sawing.clear(2).stop_number == 0


def test_clearing_and_arming_in_one_tick_does_not_arm(sawing):
    sawing.press(Writer.CONSOLE, latch=True)
    sawing.run(40)
    decision = sawing.step(clear_request=1, clear_number=1, arm_request=2)
    assert (decision.stop_number, decision.armed) == (0, False)


def test_a_second_space_never_makes_it_worse_nor_better(sawing):
    sawing.press(Writer.CONSOLE, latch=True)
    again = sawing.press(Writer.CONSOLE)
    assert (again.stop_number, again.stop_kind, again.stop_category) == (2, StopKind.LATCHED, StopCategory.CAT1)
    assert again.stop_reason == Reason.STOP_POWER_OFF


def test_a_protective_stop_becomes_latched_when_a_latching_request_follows(sawing):
    sawing.press(Writer.CONSOLE)
    worse = sawing.press(Writer.CONSOLE, latch=True)
    assert (worse.stop_number, worse.stop_kind, worse.stop_category) == (2, StopKind.LATCHED, StopCategory.CAT1)


def test_a_latched_stop_is_not_cleared_while_its_cause_persists(sawing):
    sawing.now["engine_fault"] = True
    assert sawing.step().stop_kind == StopKind.LATCHED
    refused = sawing.clear(1)
    assert (refused.stop_number, refused.refused) == (1, Reason.ENGINE_FAULT)
    sawing.now["engine_fault"] = False
    assert sawing.clear(1).stop_number == 0


def test_a_stop_that_does_not_come_to_rest_escalates_to_category_1(sawing):
    sawing.now["twist"] = CROOKED
    sawing.press(Writer.CONSOLE)
    assert sawing.run(30).stop_category == StopCategory.CAT2
    late = sawing.run(2)
    assert (late.stop_category, late.stop_kind, late.stop_reason) == (StopCategory.CAT1, StopKind.LATCHED, Reason.NOT_AT_REST)
    assert sawing.clear(late.stop_number).refused == Reason.NOT_AT_REST
    sawing.now["twist"] = (0.0,) * 6
    assert sawing.clear(late.stop_number).stop_number == 0


def test_creeping_away_from_a_stop_escalates_too(sawing):
    sawing.now["frame_fault"] = Reason.CAMERA_DARK
    assert sawing.run(100).stop_category == StopCategory.CAT2
    assert sawing.run(40, twist=CROOKED).stop_category == StopCategory.CAT1


def test_a_partner_may_move_the_yielding_stroke_axis_of_a_stopped_robot(sawing):
    sawing.now |= {"frame_fault": Reason.CAMERA_DARK, "twist": (0.09, 0.0, 0.0, 0.0, 0.0, 0.0)}
    assert sawing.run(200).stop_category == StopCategory.CAT2


def test_a_reading_that_is_lost_for_longer_takes_the_power_off(sawing):
    sawing.now["q"] = (math.nan,) * 7
    assert sawing.run(20).stop_category == StopCategory.CAT2
    assert sawing.run(20).stop_category == StopCategory.CAT1


MODEL_GONE = [
    ({"model_state": ModelState.LOADING}, Reason.MODEL_LOADING),
    ({"model_state": ModelState.FAILED}, Reason.MODEL_FAILED),
    ({"inference_exposed_ns": 1}, Reason.CHUNK_STALE),
    ({"frame_fault": Reason.CAMERA_FROZEN}, Reason.CAMERA_FROZEN),
    ({"watchdog": Reason.WATCHDOG_INFERENCE}, Reason.WATCHDOG_INFERENCE),
]


@pytest.mark.parametrize(("gone", "reason"), MODEL_GONE)
def test_a_model_that_goes_away_while_sawing_is_a_protective_stop(sawing, gone, reason):
    sawing.now |= gone
    stopped = sawing.step()
    assert (stopped.stop_kind, stopped.stop_reason, stopped.armed, stopped.score) == (StopKind.PROTECTIVE, reason, False, 0.1)


@pytest.mark.parametrize(("gone", "reason"), MODEL_GONE)
def test_a_model_that_is_away_is_shown_and_arming_is_refused(world, gone, reason):
    world.now |= gone
    decision = world.run(110)
    assert (decision.stop_count, decision.speed_limit, decision.score) == (0, 0.0, 0.1)
    assert reason in decision.layer_reason
    refused = world.ask("arm_request")
    assert (refused.armed, refused.refused) == (False, reason)


@pytest.mark.parametrize(("gone", "reason"), MODEL_GONE)
def test_a_model_that_goes_away_before_go_only_refuses_go(world, gone, reason):
    world.run(110)
    world.ask("arm_request")
    world.now |= gone
    decision = world.run(50)
    assert (decision.armed, decision.stop_count) == (True, 0)
    assert world.ask("go_request").refused == reason


@pytest.mark.parametrize(("gone", "reason"), MODEL_GONE)
def test_jogging_needs_neither_model_nor_camera_and_keeps_its_own_speed(world, gone, reason):
    assert reason != Reason.OK
    world.now |= gone | {"mode": Mode.JOG_XYZ}
    world.run(110)
    assert world.ask("arm_request").armed
    world.now["jogging"] = True
    assert world.run(200).speed_limit == pytest.approx(0.10)
    world.now["jogging"] = False
    assert world.step().speed_limit == 0.0


def test_jogging_moves_nothing_in_cut_mode_and_going_nothing_in_a_jog_mode(world):
    world.run(110)
    world.ask("arm_request")
    assert world.run(110, jogging=True).speed_limit == 0.0
    world.now["mode"] = Mode.JOG_XYZ
    assert not world.ask("go_request").going


def test_a_jogging_robot_stops_when_its_reading_is_lost(world):
    world.now |= {"mode": Mode.JOG_XYZ, "jogging": True}
    world.run(110)
    world.ask("arm_request")
    world.run(10)
    assert world.step(dq=(math.nan,) * 7).stop_reason == Reason.OBSERVATION_NOT_FINITE


def test_the_robot_is_armed_only_at_rest(world):
    world.run(110)
    refused = world.step(arm_request=1, twist=MOVING)
    assert (refused.armed, refused.refused) == (False, Reason.NOT_AT_REST)


def test_doubt_holds_the_robot_at_once_and_lets_it_go_on_when_it_passes(sawing):
    held = sawing.run(50, signal_ratio=(2.5,) * 18)
    assert (held.action, held.speed_limit, held.going, held.stop_count) == (Action.STOP, 0.0, True, 0)
    assert held.layer_reason[LAYERS.index("uncertainty")] == Reason.UNCERTAIN
    assert sawing.run(300).action == Action.CONTINUE


def test_doubt_that_lasts_is_a_protective_stop(sawing):
    stopped = sawing.run(105, signal_ratio=(2.5,) * 18)
    assert (stopped.stop_reason, LAYERS[stopped.stop_layer], stopped.armed) == (Reason.UNCERTAIN, "uncertainty", False)


def test_a_signal_that_was_there_when_the_operator_went_may_not_go_missing(sawing):
    missing = tuple(index != 13 for index in range(18))
    assert sawing.step(signal_valid=missing).stop_reason == Reason.SIGNAL_MISSING


def test_a_signal_that_the_policy_never_has_is_not_required(world):
    world.now["signal_valid"] = tuple(index != 13 for index in range(18))
    world.run(110)
    world.ask("arm_request")
    world.ask("go_request")
    assert world.run(110).going


def test_the_stop_keeps_the_figures_of_its_moment(sawing):
    stopped = sawing.step(frame_t_ns=1_000_000_000, frame_seq=99)
    assert stopped.stop_reason == Reason.CAMERA_STALE
    later = sawing.run(10)
    assert (later.stop_margin, later.stop_age) == (stopped.stop_margin, stopped.stop_age)
    assert later.stop_age > 0.5


def test_held_to_run_it_goes_only_while_the_key_is_held(make):
    world = make.fresh(limits=Limits(hold_to_run=True))
    world.now["running"] = False
    world.run(110)
    world.ask("arm_request")
    refused = world.ask("go_request")
    assert (refused.going, refused.refused, refused.layer_reason[8]) == (False, Reason.LET_GO, Reason.LET_GO)
    world.now["running"] = True
    assert world.ask("go_request").going
    assert world.run(50).going
    let_go = world.step(running=False)
    assert (let_go.armed, let_go.going, let_go.speed_limit, let_go.stop_number) == (True, False, 0.0, 0)
    assert not world.run(10).going, "held again without a new press of the key it stands"


@pytest.mark.parametrize("jog", [False, True])
def test_what_the_robot_says_is_wrong_with_it_stops_it_and_lasts_as_long_as_it_says_so(sawing, jog):
    if jog:
        sawing.now |= {"mode": Mode.JOG_XYZ, "jogging": True}
        sawing.run(5)
    stopped = sawing.step(robot_fault=Reason.SERVO_HOT, robot_fault_part=3)
    assert (stopped.stop_reason, stopped.stop_kind, stopped.armed, stopped.stop_margin) == (
        Reason.SERVO_HOT,
        StopKind.PROTECTIVE,
        False,
        3.0,
    )
    sawing.now |= {"robot_fault": Reason.SERVO_HOT, "robot_fault_part": 3}
    assert sawing.run(60).stop_number == 1
    assert sawing.ask("arm_request").refused == Reason.SERVO_HOT
    sawing.now |= {"robot_fault": Reason.OK, "robot_fault_part": 0}
    assert sawing.run(60).stop_number == 0


def test_a_fault_that_nobody_knows_stops_the_robot_too(sawing):
    assert sawing.step(robot_fault=9999).stop_reason == Reason.SERVO_FAULT


def test_a_test_picture_lets_nothing_go_by_itself(world):
    world.now["frame_fault"] = Reason.CAMERA_SYNTHETIC
    world.run(110)
    assert world.ask("arm_request").refused == Reason.CAMERA_SYNTHETIC
    world.now["mode"] = Mode.JOG_XYZ
    assert world.ask("arm_request").armed
    assert world.run(50, jogging=True).speed_limit > 0.0
    world.now["mode"] = Mode.CUT
    assert world.ask("go_request").refused == Reason.CAMERA_SYNTHETIC
