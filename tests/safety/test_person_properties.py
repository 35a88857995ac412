"""What must hold of the whole arbiter with a person whom a sensor follows: nothing broken passes, hazards only reduce, bits repeat."""

import math
from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.safety.uncertainty import DECLARABLE
from engine.types import PARTS, Inputs, Reason, StopKind

BAD = (math.nan, math.inf, -math.inf, 1e9, -1e9)
COUNTS = ("obs_seq", "frame_seq", "inference_id", "person_seq", "members")
STAMPS = ("obs_t_ns", "frame_t_ns", "inference_exposed_ns", "console_t_ns", "person_t_ns")
#: not there in this cell: it has no gripper, its policy tells nothing of what it sees (``test_vision``) or foresees (``test_forecast``)
ABSENT = ("gripper", "vision_raw", "vision_smooth", "vision_hand", "vision_human", "vision_stuck", "forecast_alarm")


def spoilt(values, at, bad):
    return (*values[:at], bad, *values[at + 1 :])


def fields(kind):
    """Names of the fields of Inputs that hold a ``kind`` or a tuple of them."""
    found = []
    for one in msgspec.structs.fields(Inputs):
        bare = get_args(one.type)[0] if hasattr(one.type, "__metadata__") else one.type
        if bare is kind or get_args(bare)[:1] == (kind,):
            found.append(one.name)
    return found


def positions(tick, name):
    value = getattr(tick, name)
    return range(len(value)) if isinstance(value, tuple) else (None,)


def changed(tick, name, at, bad):
    value = getattr(tick, name)
    return {name: bad if at is None else spoilt(value, at, bad)}


def stopped(world, change):
    decision = world.step(**change)
    return (
        decision.stop_kind != StopKind.NONE
        and not decision.armed
        and not decision.going
        and decision.speed_limit == 0.0
        and decision.score == 0.1
    )


def test_the_walk_knows_every_field():
    assert set(fields(float)) == {
        *("q", "dq", "tau", "pose", "twist", "wrench", "manipulability"),
        *("signal_ratio", "action_magnitude", "ensemble_spread"),
        *("links", "grip", "person_place", "person_speed"),
        *ABSENT,
    }
    assert {name for name in fields(int) if name.endswith("_ns")} == {*STAMPS, "t_ns", "person_exposed_ns", "vision_t_ns", "forecast_ns"}


@pytest.mark.parametrize("name", [name for name in fields(float) if name not in ABSENT])
@pytest.mark.parametrize("bad", BAD)
def test_no_number_of_any_field_that_is_none_passes(make, name, bad):
    start = make.sawing(make.sensing)
    tick = make.sensed(start.tick, **start.now)
    for at in positions(tick, name):
        if name == "signal_ratio" and (at not in DECLARABLE or bad > 0.0):
            continue  # no run requires it; and a large ratio is doubt, which holds the robot at once and stops it later
        if name == "person_speed" and bad != bad:
            continue  # not measured
        assert stopped(make.sawing(make.sensing), changed(tick, name, at, bad)), (name, at)


@pytest.mark.parametrize("name", [*STAMPS, "person_exposed_ns"])
@pytest.mark.parametrize("by", [-20_000_000_000, -1_200_000_000, 60_000_000, 5_000_000_000])
def test_no_stamp_of_another_time_passes(make, name, by):
    start = make.sawing(make.sensing)
    tick = make.sensed(start.tick, **start.now)
    for at in positions(tick, name):
        assert stopped(make.sawing(make.sensing), changed(tick, name, at, tick.t_ns + by)), (name, at)


@pytest.mark.parametrize("name", [*STAMPS, *COUNTS, "person_exposed_ns"])
@pytest.mark.parametrize("bad", [0, -1])
def test_nothing_that_is_missing_or_counts_backward_passes(make, name, bad):
    start = make.sawing(make.sensing)
    tick = make.sensed(start.tick, **start.now)
    for at in positions(tick, name):
        assert stopped(make.sawing(make.sensing), changed(tick, name, at, bad)), (name, at)


@pytest.mark.parametrize("name", ["watchdog", "recorder_fault", "frame_fault", "inference_fault", "model_state"])
def test_every_code_but_well_stops_and_no_unknown_one_passes(make, name):
    for code in (*(int(reason) for reason in Reason if reason != Reason.OK), -1, 10**6):
        if name == "model_state" and code == 2:
            continue  # ready
        assert stopped(make.sawing(make.sensing), {name: code}), code


def test_every_layer_that_reads_something_fills_margin_and_age(together):
    decision = together.step()
    assert list(decision.layer_reason[:6]) == [Reason.OK] * 6
    assert all(map(math.isfinite, decision.layer_margin[:8]))
    assert all(map(math.isfinite, decision.layer_age[:6]))
    assert decision.layer_reason[6:8] == (Reason.NOT_CONFIGURED,) * 2
    assert PARTS[decision.separation_part] == "free hand"
    assert decision.separation - decision.separation_needed == decision.layer_margin[3]


share = st.floats(0.0, 1.0)
#: head, torso, upper arm and hand each: nearer by up to 0.6 m, up to 0.35 s old, up to 3 m/s; then grip, doubt, tool speed, joint
hazards = st.tuples(*[share] * 16)


def sizes_of(more, less):
    return tuple(max(a, b) for a, b in zip(more, less, strict=True)), less


def inputs(make, number, tick, sizes, let_go):
    well = make.sensed(number)
    place, seen, speed = list(well.person_place), list(well.person_exposed_ns), [0.1] * 6
    for part in range(4):
        near, old, fast = sizes[3 * part : 3 * part + 3]
        for axis in (6 * part, 6 * part + 3):
            place[axis] -= 0.6 * near * min(1.0, 0.1 * (tick + 1))  # no faster than a person comes
        seen[part] -= min(10_000_000 * tick, round(0.29e9 * old))
        speed[part] = 0.1 + 2.9 * fast
    grip, doubt, moving, joint = sizes[12:]
    return {
        "person_place": tuple(place),
        "person_exposed_ns": tuple(seen),
        "person_speed": tuple(speed),
        "grip": (160.0 * grip, 0.0, 0.0),
        "holds": not let_go,
        "signal_ratio": (0.8 + 2.0 * doubt,) * 18,
        "twist": (0.4 * moving, 0.0, 0.0, 0.0, 0.0, 0.0),
        "q": (2.7 + 0.3 * joint, -0.3, 0.0, -2.2, 0.0, 2.0, 0.8),
    }


def permitted(decision):
    return (
        *(decision.score, decision.score_raw, decision.speed_limit, decision.force_limit, decision.torque_limit, decision.action),
        *decision.stiffness,
        *decision.layer_scale[1:8],
        *decision.layer_score[1:8],
    )


# a tool at rest with doubt is only slowed, so one that moves is compared with one that moves, and the ramp of ages takes 30 ticks
@settings(max_examples=150, deadline=None)
@given(less=hazards, more=hazards, let_go=st.booleans(), ticks=st.integers(1, 60))
def test_a_person_nearer_older_faster_or_gripping_harder_never_permits_more(make, less, more, let_go, ticks):
    more, less = sizes_of(more, less)
    worse, better = make.sawing(make.sensing), make.sawing(make.sensing)
    for tick in range(ticks):
        with_it = worse.step(**inputs(make, worse.tick, tick, more, let_go))
        without = better.step(**inputs(make, better.tick, tick, less, False))
        assert all(a <= b for a, b in zip(permitted(with_it), permitted(without), strict=True))


@settings(max_examples=40, deadline=None)
@given(sizes=hazards, let_go=st.booleans())
def test_two_folds_with_a_person_are_equal_to_the_last_bit(make, sizes, let_go):
    start = make.sawing(make.sensing)
    recorded = [make.sensed(start.tick + tick, **(start.now | inputs(make, start.tick + tick, tick, sizes, let_go))) for tick in range(120)]
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(recorded), type=list[Inputs])
    first, second = make.fold(start.state, recorded), make.fold(start.state, again)
    assert msgspec.msgpack.encode(first) == msgspec.msgpack.encode(second)
