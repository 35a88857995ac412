"""Layer 7: what a forecast of failures makes the robot do: never more than without one, at the right time, and no chattering."""

import itertools
import math
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.limits import Limits
from engine.safety import forecast
from engine.safety.forecast import DWELL, RETRY_TIME, Alarm
from engine.types import FAILURES, LAYERS, Decision, Intervention, Mode, Reason, StopKind

COLLISION, DROP, MISS, TIMEOUT = range(4)
CALM = (0.2,) * 4
FORECAST, OPERATOR = LAYERS.index("forecast"), LAYERS.index("operator")
LIMITS = Limits()
CAP = LIMITS.speed_unsensed / LIMITS.speed_max
PERSIST = round(100 * LIMITS.forecast_persistence)
COOL = round(100 * LIMITS.forecast_cooldown)
STOPPING = Limits(on_drop="stop", on_collision="none")
ASKING = Limits(on_drop="ask", on_miss="ask")


def level(failure, value):
    """(4,) alarms of which one stands at ``value``."""
    return tuple(value if index == failure else 0.2 for index in range(4))


@pytest.fixture(scope="session")
def foreseen(make):
    """A tick with a calm forecast in force, from an exposure of 200 ms ago."""

    def tick(number=0, /, **changed):
        then = make.inputs(number).t_ns - 200_000_000
        return make.inputs(number, **({"forecast_state": 1, "forecast_ns": then, "forecast_alarm": CALM} | changed))

    return tick


@pytest.fixture(scope="session")
def worlds(make, foreseen):
    """A function that makes robots that go, under limits of one's own, with a forecast in force."""
    made = {}

    def going(limits=LIMITS):
        if limits not in made:
            world = make.fresh(limits)
            world.well = foreseen
            world.run(110)
            world.ask("arm_request")
            world.ask("go_request")
            world.run(110)
            assert world.last.going
            made[limits] = world
        return replace(made[limits], now=dict(made[limits].now))

    return going


def said(decision):
    return Reason(decision.layer_reason[FORECAST])


# --- what there is to read ---


def test_a_forecast_in_force_earns_no_speed(make, worlds, foreseen):
    calm = worlds().step()
    assert said(calm) == Reason.OK
    assert calm.layer_scale[FORECAST] == pytest.approx(CAP)
    assert calm.speed_limit <= make.sawing().step().speed_limit == pytest.approx(LIMITS.speed_unsensed)
    assert calm.layer_margin[FORECAST] == pytest.approx(0.8)
    assert calm.layer_age[FORECAST] == pytest.approx(0.2)


def test_what_is_not_configured_or_unproven_is_the_cap_and_does_nothing_about_an_alarm(worlds):
    for state, reason in ((0, Reason.NOT_CONFIGURED), (2, Reason.FORECAST_UNPROVEN)):
        decision = worlds(STOPPING).run(100, forecast_state=state, forecast_alarm=level(DROP, 9.0))
        assert (said(decision), decision.layer_score[FORECAST], decision.going) == (reason, 1.0, True)
        assert (decision.intervention, decision.foreseen) == (Intervention.NONE, -1)
        assert decision.layer_scale[FORECAST] == pytest.approx(CAP)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, -0.1, 1e9])
@pytest.mark.parametrize("failure", range(4))
def test_an_alarm_that_is_no_number_is_a_missing_forecast_and_stops(worlds, bad, failure):
    decision = worlds().step(forecast_alarm=level(failure, bad))
    assert decision.stop_kind == StopKind.PROTECTIVE
    assert (Reason(decision.stop_reason), LAYERS[decision.stop_layer]) == (Reason.FORECAST_MISSING, "forecast")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"forecast_ns": 0}, Reason.FORECAST_MISSING),
        ({"forecast_alarm": (0.1, 0.1)}, Reason.FORECAST_MISSING),
        ({"forecast_state": 3, "forecast_alarm": (math.nan,) * 4}, Reason.FORECAST_MISSING),
        ({"forecast_ns": 1_000_000_000}, Reason.FORECAST_STALE),
        ({"forecast_ns": 10**12}, Reason.FORECAST_STALE),
    ],
)
def test_what_is_missing_or_old_stops_and_refuses_to_arm_until_it_is_back(worlds, changed, reason):
    world = worlds()
    assert Reason(world.step(**changed).stop_reason) == reason
    world.now |= changed
    world.run(100)
    assert Reason(world.ask("arm_request").refused) == reason
    for name in changed:
        del world.now[name]
    world.run(100)
    assert world.ask("arm_request").armed


def test_jogging_needs_no_forecast(worlds):
    world = worlds()
    world.ask("pause_request")
    world.run(100)
    world.now |= {"mode": Mode.JOG_XYZ, "jogging": True, "forecast_ns": 0, "forecast_alarm": (math.nan,) * 4}
    decision = world.run(100)
    assert (decision.stop_kind, said(decision)) == (StopKind.NONE, Reason.OK)
    assert decision.speed_limit > 0.0


# --- when an alarm acts ---


def test_an_alarm_slows_once_it_has_lasted_and_until_it_has_been_low_for_the_dwell(worlds):
    world = worlds()
    assert world.run(PERSIST, forecast_alarm=level(DROP, 1.0)).intervention == Intervention.NONE
    decision = world.step(forecast_alarm=level(DROP, 1.0))
    assert (decision.intervention, FAILURES[decision.foreseen]) == (Intervention.SLOW, "drop")
    assert (said(decision), decision.layer_score[FORECAST]) == (Reason.FORECAST, forecast.CAUTION_SCORE)
    assert 0.0 < decision.speed_limit < LIMITS.speed_unsensed
    assert decision.layer_scale[FORECAST] == pytest.approx(0.4)
    assert world.run(300, forecast_alarm=level(DROP, LIMITS.forecast_release)).intervention == Intervention.SLOW
    below = level(DROP, 0.99 * LIMITS.forecast_release)
    assert world.run(round(100 * DWELL), forecast_alarm=below).intervention == Intervention.SLOW
    decision = world.step(forecast_alarm=below)
    assert (decision.intervention, decision.foreseen, said(decision)) == (Intervention.NONE, -1, Reason.OK)


def test_to_slow_is_not_to_stop_where_a_stop_begins_at_more_than_a_slow_score(worlds):
    decision = worlds(Limits(stop_below=0.7, on_drop="slow")).run(PERSIST + 1, forecast_alarm=level(DROP, 1.0))
    assert (said(decision), decision.stop_number, decision.going) == (Reason.FORECAST, 0, True)


def test_slow_is_never_faster_than_the_cap(worlds):
    limits = Limits(speed_unsensed=0.05)
    decision = worlds(limits).run(PERSIST + 1, forecast_alarm=level(DROP, 1.0))
    assert (decision.intervention, decision.layer_scale[FORECAST]) == (Intervention.SLOW, pytest.approx(0.1))


def test_an_alarm_that_dips_but_not_below_the_release_goes_on_lasting(worlds):
    world = worlds()
    for tick in range(PERSIST + 1):
        decision = world.step(forecast_alarm=level(DROP, (1.0, 0.8)[tick % 2]))
    assert decision.intervention == Intervention.SLOW


def test_what_is_shorter_than_the_persistence_or_never_reaches_the_threshold_is_no_alarm(worlds):
    world = worlds()
    for _ in range(20):
        world.run(PERSIST - 1, forecast_alarm=level(DROP, 5.0))
        assert world.run(3, forecast_alarm=CALM).intervention == Intervention.NONE
    assert world.run(200, forecast_alarm=level(DROP, 0.99)).intervention == Intervention.NONE


def test_the_gravest_remedy_of_those_that_act_wins_and_of_equals_the_furthest_past_its_threshold(worlds):
    limits = Limits(on_collision="slow", on_drop="slow", on_miss="none", on_timeout="ask")
    decision = worlds(limits).run(PERSIST + 1, forecast_alarm=(1.1, 1.2, 9.0, 0.2))
    assert (decision.intervention, decision.foreseen) == (Intervention.SLOW, DROP)
    decision = worlds(limits).run(PERSIST + 1, forecast_alarm=(1.1, 1.2, 9.0, 1.0))
    assert (decision.intervention, decision.foreseen) == (Intervention.ASK, TIMEOUT)
    decision = worlds(limits).run(PERSIST + 1, forecast_alarm=(0.1, 0.2, 9.0, 0.1))
    assert (decision.intervention, decision.foreseen) == (Intervention.NONE, MISS)
    assert (decision.layer_score[FORECAST], decision.going) == (1.0, True)


def test_a_remedy_of_stop_is_a_protective_stop_that_says_what_it_foresaw(worlds):
    world = worlds(STOPPING)
    decision = world.run(PERSIST + 1, forecast_alarm=level(DROP, 1.5))
    assert (decision.stop_kind, LAYERS[decision.stop_layer]) == (StopKind.PROTECTIVE, "forecast")
    assert (Reason(decision.stop_reason), decision.intervention, decision.foreseen) == (Reason.FORECAST, Intervention.STOP, DROP)
    assert (decision.armed, decision.speed_limit, decision.stop_margin) == (False, 0.0, pytest.approx(-0.5))
    assert (world.step().foreseen, world.last.stop_number) == (DROP, decision.stop_number)
    decision = world.run(100)
    assert (decision.stop_kind, decision.intervention, decision.foreseen) == (StopKind.NONE, Intervention.NONE, -1)
    assert world.ask("arm_request").armed


def test_a_stop_that_is_due_waits_for_no_cooldown_and_no_retry(worlds):
    limits = Limits(on_miss="retry", on_drop="stop")
    world = worlds(limits)
    assert world.run(PERSIST + 1, forecast_alarm=level(MISS, 1.5)).intervention == Intervention.RETRY
    assert world.run(PERSIST + 1, forecast_alarm=level(DROP, 1.5)).stop_kind == StopKind.PROTECTIVE


# --- trying again ---


def test_a_retry_is_slow_lasts_its_time_though_the_alarm_ends_and_is_not_repeated_before_the_cooldown(worlds):
    world = worlds()
    world.run(PERSIST, forecast_alarm=level(MISS, 1.5))
    ticks = [world.step(forecast_alarm=CALM) for _ in range(2)]
    assert ticks[-1].intervention == Intervention.NONE  # it fell in time
    world.run(PERSIST, forecast_alarm=level(MISS, 1.5))
    during = [world.step(forecast_alarm=level(MISS, 1.5) if tick < 5 else CALM) for tick in range(round(100 * RETRY_TIME))]
    assert all(d.intervention == Intervention.RETRY and d.foreseen == MISS and d.going for d in during)
    assert all(d.layer_score[FORECAST] == forecast.CAUTION_SCORE and d.speed_limit < LIMITS.speed_unsensed for d in during)
    after = [world.step(forecast_alarm=level(MISS, 1.5)) for _ in range(COOL + PERSIST)]
    assert after[0].intervention == Intervention.NONE
    assert [d.intervention for d in after].count(Intervention.RETRY) == PERSIST
    assert {d.intervention for d in after[PERSIST + 1 : COOL]} == {Intervention.SLOW}


def test_a_pause_gives_a_retry_up_and_counts_as_its_end(worlds):
    world = worlds()
    world.run(PERSIST + 1, forecast_alarm=level(MISS, 1.5))
    decision = world.ask("pause_request")
    assert (decision.intervention, decision.layer_reason[OPERATOR]) == (Intervention.NONE, Reason.PAUSED)
    world.ask("go_request")
    assert world.run(PERSIST + 10, forecast_alarm=level(MISS, 1.5)).intervention == Intervention.SLOW


# --- asking ---


@pytest.fixture
def asked(worlds):
    """A robot that has just asked."""
    world = worlds(ASKING)
    decision = world.run(PERSIST + 1, forecast_alarm=level(DROP, 1.5))
    assert (decision.asking, decision.intervention) == (True, Intervention.ASK)
    return world


def test_to_ask_is_to_pause_and_the_question_stays_though_the_alarm_ends(asked):
    decision = asked.last
    assert (decision.armed, decision.going, decision.speed_limit, decision.stop_kind) == (True, False, 0.0, StopKind.NONE)
    assert (said(decision), LAYERS[decision.binding], decision.foreseen) == (Reason.ASKING, "forecast", DROP)
    decision = asked.run(300)
    assert (decision.asking, decision.foreseen, decision.layer_reason[OPERATOR]) == (True, DROP, Reason.PAUSED)


def test_go_answers_it_and_it_is_not_asked_again_before_the_cooldown(asked):
    asked.run(50)
    decision = asked.ask("go_request")
    assert (decision.asking, decision.going, Reason(decision.refused)) == (False, True, Reason.OK)
    ticks = [asked.step(forecast_alarm=level(DROP, 1.5)) for _ in range(COOL + 1)]
    assert not any(d.asking for d in ticks[: COOL - 1])
    assert ticks[COOL - 2].intervention == Intervention.SLOW
    assert ticks[-1].asking


def test_disarming_answers_it(asked):
    decision = asked.ask("disarm_request")
    assert (decision.asking, decision.armed, decision.intervention, decision.foreseen) == (False, False, Intervention.NONE, -1)


def test_a_stop_answers_it(asked):
    decision = asked.press(0)
    assert (decision.asking, decision.stop_kind) == (False, StopKind.PROTECTIVE)
    assert decision.intervention == Intervention.NONE


def test_jogging_works_while_it_asks_and_the_question_stays(asked):
    asked.run(50)
    decision = asked.run(30, mode=Mode.JOG_XYZ, jogging=True)
    assert decision.speed_limit > 0.0
    assert decision.asking
    assert Reason(asked.ask("go_request").refused) == Reason.OK
    assert asked.last.going


def test_a_pause_or_arm_does_not_answer_it(asked):
    assert asked.ask("pause_request").asking
    assert asked.ask("arm_request").asking


def test_it_is_not_let_go_on_while_the_forecast_is_missing(asked):
    asked.now["forecast_alarm"] = (math.nan,) * 4
    decision = asked.ask("go_request")
    assert (decision.asking, decision.going, Reason(decision.refused)) == (True, False, Reason.FORECAST_MISSING)


# --- what must hold whatever comes ---

LEVEL = st.sampled_from([0.0, 0.2, 0.69, 0.7, 0.9, 1.0, 1.5, 9.0])
ANY = st.one_of(LEVEL, st.sampled_from([math.nan, math.inf, -1.0]))
REMEDY = st.sampled_from(["none", "slow", "retry", "ask", "stop"])


@st.composite
def courses(draw, levels=LEVEL):
    """Alarms tick by tick, each for a while, as inferences bring them."""
    found = []
    for _ in range(draw(st.integers(1, 10))):
        found += [draw(st.tuples(*[levels] * 4))] * draw(st.integers(1, 40))
    return found


def permitted(decision: Decision):
    return (
        decision.score,
        decision.score_raw,
        decision.speed_limit,
        decision.force_limit,
        decision.torque_limit,
        decision.action,
        *decision.stiffness,
        *decision.layer_scale[:8],
    )


@settings(max_examples=25, deadline=None)
@given(course=courses(ANY), remedies=st.tuples(*[REMEDY] * 4), go=st.integers(5, 200), state=st.sampled_from([0, 1, 2, 7]))
def test_whatever_is_foreseen_permits_no_more_than_no_forecast_and_repeats_to_the_bit(make, worlds, foreseen, course, remedies, go, state):
    names = ("on_collision", "on_drop", "on_miss", "on_timeout")
    with_it = worlds(Limits(**dict(zip(names, remedies, strict=True))))
    without, begun = make.sawing(), with_it.state
    seen, decisions = [], []
    for tick, levels in enumerate(course):
        if tick % go == 0:
            with_it.now["go_request"] += 1  # of which the other needs none
        change = {"forecast_state": state, "forecast_alarm": levels}
        seen.append(foreseen(with_it.tick, **(with_it.now | change)))
        decisions.append(with_it.step(**change))
        less, more = decisions[-1], without.step()
        assert all(a <= b for a, b in zip(permitted(less), permitted(more), strict=True))
        told = all(0.0 <= value < 1e6 for value in levels)
        assert told or state in (0, 2) or less.speed_limit == 0.0
        assert less.asking == (less.intervention == Intervention.ASK)
        assert not (less.asking and less.going)
        assert (less.intervention == Intervention.NONE) or less.foreseen >= 0
    stored = msgspec.msgpack.decode(msgspec.msgpack.encode(seen), type=list[type(seen[0])])
    again = make.fold(begun, stored)
    assert msgspec.msgpack.encode(again) == msgspec.msgpack.encode(decisions)


@settings(max_examples=40, deadline=None)
@given(course=courses(ANY), more=st.integers(0, 3), by=st.sampled_from([0.3, 1.0, math.nan]))
def test_a_greater_alarm_or_none_never_ends_sooner_or_acts_later(course, more, by):
    """Of one type: where the smaller course acts, the greater one, or one that is no number, does too."""
    small, great = Alarm(), Alarm()
    for tick, levels in enumerate(course):
        value = levels[more]
        t_ns = 10**9 + 10_000_000 * tick
        small = forecast.after(small, value, t_ns, LIMITS)
        great = forecast.after(great, value + by, t_ns, LIMITS)
        assert great.acts or not small.acts
        assert great.since_ns > 0 or not small.since_ns > 0


@settings(max_examples=40, deadline=None)
@given(course=courses(), limits=st.sampled_from([LIMITS, Limits(forecast_persistence=0.01, forecast_release=1.0)]))
def test_no_flicker_makes_it_chatter(course, limits):
    """What acts does so for the dwell at least, and what does not has lasted for the persistence before it does."""
    alarm, acting = Alarm(), []
    for tick, levels in enumerate(course * 3):
        alarm = forecast.after(alarm, levels[0], 10**9 + 10_000_000 * tick, limits)
        acting.append(alarm.acts)
    spans = [(acts, len(list(run))) for acts, run in itertools.groupby(acting)]
    assert all(length >= (100 * DWELL if acts else 100 * limits.forecast_persistence) for acts, length in spans[:-1])


@settings(max_examples=25, deadline=None)
@given(course=courses(), data=st.data())
def test_retries_and_questions_are_a_cooldown_apart_whatever_flickers(worlds, course, data):
    world = worlds(Limits(on_collision="retry", on_timeout="ask"))
    ended, doing = None, Intervention.NONE
    for levels in course:
        if world.last.asking and data.draw(st.booleans()):
            world.now["go_request"] += 1
        decision = world.step(forecast_alarm=levels)
        if decision.stop_number:
            return
        if doing != decision.intervention:
            if decision.intervention in (Intervention.RETRY, Intervention.ASK) and ended is not None and doing < Intervention.RETRY:
                assert world.tick - ended >= COOL
            if doing in (Intervention.RETRY, Intervention.ASK):
                ended = world.tick
            doing = decision.intervention


# --- who judges ---


def test_a_study_may_leave_judging_to_one_alone(make, worlds, foreseen):
    unusual, likely = {"signal_ratio": (2.4,) * 18}, {"forecast_alarm": level(DROP, 1.5)}
    for judge, doubted, slowed in (("all", True, True), ("none", False, False), ("uncertainty", True, False), ("forecast", False, True)):
        limits = Limits(judged_by=judge)
        decision = worlds(limits).run(50, **unusual)
        assert (decision.layer_score[5] < 0.5) == doubted, judge
        decision = worlds(limits).run(50, **likely)
        assert (decision.intervention == Intervention.SLOW) == slowed, judge
        decision = worlds(limits).step(forecast_alarm=(math.nan,) * 4)
        assert (decision.stop_kind == StopKind.PROTECTIVE) == slowed, judge
        assert worlds(limits).step().layer_scale[FORECAST] == pytest.approx(CAP)


def test_who_does_not_judge_pictures_keeps_their_cap_and_stops_for_none(worlds):
    blind = {"vision_state": 1, "vision_t_ns": 0}
    for judge, stops in (("all", True), ("none", False), ("forecast", False)):
        decision = worlds(Limits(judged_by=judge)).step(**blind)
        assert (decision.stop_kind == StopKind.PROTECTIVE) == stops
    decision = worlds(Limits(judged_by="none")).step(vision_state=2)
    assert Reason(decision.layer_reason[7]) == Reason.VISION_DISABLED
    assert decision.layer_scale[7] == pytest.approx(CAP)


def test_the_published_score_takes_the_uncertaintys_place(make):
    limits = Limits(judged_by="published")
    world = make.fresh(limits)
    for magnitude, spread, score in ((0.5, 0.2, 0.8), (0.5, 0.31, 0.68), (1.0, 0.2, 0.6), (5.0, 0.2, 0.2), (0.0, 0.2, 1.0)):
        decision = world.step(action_magnitude=magnitude, ensemble_spread=spread, signal_ratio=(9.0,) * 18)
        assert decision.layer_score[5] == pytest.approx(score)
        assert decision.score_published == pytest.approx(score)
    assert world.step(action_magnitude=math.nan).layer_score[5] == 0.1


def test_broken_inputs_stop_whoever_judges(worlds):
    for judge in ("none", "published", "uncertainty", "forecast"):
        world = worlds(Limits(judged_by=judge))
        assert world.step(inference_finite=False).stop_kind == StopKind.PROTECTIVE
