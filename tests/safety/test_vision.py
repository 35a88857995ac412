"""Layer 8: what the pictures tell can only reduce; doubt, age and what is missing count against it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.limits import Limits
from engine.safety import vision
from engine.safety.layer import SCORE_MAX, SCORE_MIN
from engine.types import LAYERS, Action, Mode, Reason, StopKind

LIMITS = Limits()
WELL = {"vision_state": 1, "vision_raw": 1.0, "vision_smooth": 1.0, "vision_hand": 0.6, "vision_human": 0.98, "vision_stuck": 0.01}
START = 1_000_000_000  #: ns, of the first tick
NUMBER = st.one_of(st.floats(), st.floats(-0.5, 1.5))
SHARE = st.floats(0.0, 1.0)


@pytest.fixture(scope="session")
def seen(make):
    """A tick with all well, from pictures of 200 ms ago."""

    def tick(number=0, /, **changed):
        then = make.inputs(number).t_ns - 200_000_000
        return make.inputs(number, **({**WELL, "vision_t_ns": then} | changed))

    return tick


def test_what_is_not_configured_or_disabled_holds_the_reduced_speed_and_leaves_the_score(seen):
    for state, reason in ((0, Reason.NOT_CONFIGURED), (2, Reason.VISION_DISABLED)):
        found = vision.layer(seen(vision_state=state, vision_raw=math.nan), LIMITS)
        assert (found.score, found.reason) == (SCORE_MAX, reason)
        assert found.scale * LIMITS.speed_max == pytest.approx(LIMITS.speed_unsensed)


def test_nothing_is_taken_away_while_all_is_seen_to_be_well(seen):
    found = vision.layer(seen(), LIMITS)
    assert (found.score, found.scale, found.reason) == (1.0, 1.0, Reason.OK)
    assert found.age == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"vision_t_ns": 0}, Reason.VISION_MISSING),
        ({"vision_raw": math.nan}, Reason.VISION_MISSING),
        ({"vision_smooth": math.inf}, Reason.VISION_MISSING),
        ({"vision_hand": math.nan}, Reason.VISION_MISSING),
        ({"vision_human": 1.5}, Reason.VISION_MISSING),
        ({"vision_stuck": -0.1}, Reason.VISION_MISSING),
        ({"vision_state": 7, "vision_t_ns": 0}, Reason.VISION_MISSING),
        ({"vision_t_ns": START - 800_000_000}, Reason.VISION_STALE),
        ({"vision_t_ns": START + 800_000_000}, Reason.VISION_STALE),
    ],
)
def test_what_is_missing_or_old_while_in_force_stops(seen, changed, reason):
    found = vision.layer(seen(**changed), LIMITS)
    assert (found.score, found.scale, found.reason) == (SCORE_MIN, 0.0, reason)


def test_pictures_bind_only_where_the_policy_moves_the_robot(seen):
    assert vision.layer(seen(mode=Mode.JOG_XYZ, vision_t_ns=0), LIMITS).reason == Reason.OK


@pytest.mark.parametrize(
    ("changed", "score", "reason"),
    [
        ({"vision_raw": 0.7, "vision_hand": 0.30}, 0.7, Reason.VISION_HAND),
        ({"vision_smooth": 0.4, "vision_hand": 0.15}, 0.4, Reason.VISION_HAND),
        ({"vision_smooth": 0.6, "vision_human": 0.2}, 0.6, Reason.VISION_PERSON),
        ({"vision_raw": 0.6, "vision_stuck": 0.95}, 0.6, Reason.VISION_STUCK),
    ],
)
def test_the_smaller_of_raw_and_smoothed_counts_and_says_what_it_is(seen, changed, score, reason):
    found = vision.layer(seen(**changed), LIMITS)
    assert (found.score, found.reason) == (score, reason)


def test_the_score_of_worked_cases():
    assert vision.score(0.45, 0.95, 0.1) == 1.0
    assert vision.score(0.20, 0.95, 0.1) == pytest.approx(0.5)
    assert vision.score(0.10, 0.95, 0.1) == pytest.approx(0.3)
    assert vision.score(-0.02, 0.95, 0.1) == SCORE_MIN
    assert vision.score(0.60, 0.0, 0.1) == pytest.approx(vision.CAUTION_SCORE)
    assert vision.score(0.60, 0.95, 1.0) == pytest.approx(vision.CAUTION_SCORE)
    assert vision.lower(0.50, 0.10) == pytest.approx(0.30)
    assert vision.score(vision.lower(0.5, math.nan), 1.0, 0.0) == SCORE_MIN


@given(NUMBER, SHARE, SHARE, st.floats(0.0, 2.0))
def test_less_distance_less_certainty_and_more_doubt_never_raise_the_score(hand, human, stuck, less):
    now = vision.score(hand, human, stuck)
    assert SCORE_MIN <= now <= SCORE_MAX
    assert vision.score(hand - less, human, stuck) <= now
    assert vision.score(hand, human - less, stuck) <= now
    assert vision.score(hand, human, stuck + less) <= now
    assert vision.score(vision.lower(hand, less), human, stuck) <= now


@given(NUMBER, NUMBER, NUMBER, NUMBER, NUMBER, st.integers(-1, 3), st.integers(-(10**10), 10**10))
def test_the_layer_only_reduces_whatever_it_is_told(seen, raw, smooth, hand, human, stuck, state, late):
    parts = {"vision_hand": hand, "vision_human": human, "vision_stuck": stuck}
    told = seen(vision_state=state, vision_raw=raw, vision_smooth=smooth, vision_t_ns=START + late, **parts)
    found = vision.layer(told, LIMITS)
    assert SCORE_MIN <= found.score <= SCORE_MAX
    assert 0.0 <= found.scale <= 1.0
    if state not in (0, 2):
        numbers = (raw, smooth, hand, human, stuck)
        assert all(map(math.isfinite, numbers)) or found.scale == 0.0
        assert found.score <= raw or found.scale == 0.0
    assert vision.raw(told, LIMITS) >= found.score


@given(NUMBER, NUMBER, NUMBER, NUMBER, NUMBER, st.integers(-(10**9), 10**9))
def test_whatever_the_pictures_tell_permits_no_more_than_a_clear_view(make, seen, raw, smooth, hand, human, stuck, late):
    world = make.sawing()
    world.well = seen
    parts = {"vision_hand": hand, "vision_human": human, "vision_stuck": stuck, "vision_t_ns": START + world.tick * make.tick_ns - late}
    told = world.step(vision_raw=raw, vision_smooth=smooth, **parts)
    clear = make.sawing()
    clear.well = seen
    best = clear.step()
    assert told.score <= best.score
    assert told.score_raw <= best.score_raw
    assert told.speed_limit <= best.speed_limit
    assert told.force_limit <= best.force_limit
    assert all(one <= other for one, other in zip(told.stiffness, best.stiffness, strict=True))


def test_a_hand_seen_at_the_blade_halts_at_once_and_stops_when_it_stays(sawing, seen):
    sawing.well = seen
    assert sawing.run(100).action == Action.CONTINUE
    sawing.now |= {"vision_raw": 0.3, "vision_hand": 0.1}
    decision = sawing.step()
    assert (decision.speed_scale, LAYERS[decision.binding], decision.stop_kind) == (0.0, "vision", StopKind.NONE)
    decision = sawing.run(110)
    assert (decision.stop_kind, decision.stop_reason, LAYERS[decision.stop_layer]) == (StopKind.PROTECTIVE, Reason.VISION_HAND, "vision")


@pytest.mark.parametrize("name", [name for name in WELL if name != "vision_state"] + ["vision_t_ns"])
def test_nothing_that_goes_missing_while_sawing_passes_for_a_single_tick(sawing, seen, name):
    sawing.well = seen
    sawing.run(2)
    decision = sawing.step(**{name: 0 if name == "vision_t_ns" else math.nan})
    assert (decision.stop_kind, decision.speed_limit, decision.score, decision.armed) == (StopKind.PROTECTIVE, 0.0, SCORE_MIN, False)


def test_a_hand_at_the_blade_refuses_to_go(world, seen):
    world.well = seen
    world.now |= {"vision_smooth": 0.3, "vision_hand": 0.1}
    world.run(3)
    assert world.ask("arm_request").refused == Reason.VISION_HAND


def test_an_unseen_person_and_a_stuck_saw_slow_and_never_stop(sawing, seen):
    sawing.well = seen
    sawing.run(100)
    sawing.now |= {"vision_raw": vision.CAUTION_SCORE, "vision_human": 0.0, "vision_stuck": 1.0}
    decision = sawing.run(200)
    assert (decision.action, decision.stop_kind, decision.going) == (Action.SLOW, StopKind.NONE, True)
    assert decision.score_raw == vision.CAUTION_SCORE
