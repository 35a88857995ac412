"""What must hold of the arbiter for any inputs: hazards only reduce, what is broken stops, equal inputs give equal bits."""

import math

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.types import Mode, ModelState, Reason, StopKind

BAD = st.sampled_from([math.nan, math.inf, -math.inf, 1e9, -1e9])


def spoilt(values, at, bad):
    return (*values[:at], bad, *values[at + 1 :])


@st.composite
def broken(draw):
    """One input that is not finite, stale, out of order or missing, as a change to a healthy tick."""
    vectors = {"q": 7, "dq": 7, "tau": 7, "pose": 7, "twist": 6, "wrench": 6}
    kind = draw(st.sampled_from(["vector", "scalar", "required signal", "past", "future", "order", "gone", "code"]))
    if kind == "vector":
        name = draw(st.sampled_from(sorted(vectors)))
        at, bad = draw(st.integers(0, vectors[name] - 1)), draw(BAD)
        return lambda tick: {name: spoilt(getattr(tick, name), at, bad)}
    if kind == "scalar":
        name = draw(st.sampled_from(["manipulability", "action_magnitude", "ensemble_spread"]))
        bad = draw(st.sampled_from([math.nan, math.inf, -math.inf]))
        return lambda _: {name: bad}
    if kind == "required signal":
        at = draw(st.sampled_from([0, 2, 3, 9, 11, 13]))
        if draw(st.booleans()):
            return lambda tick: {"signal_valid": spoilt(tick.signal_valid, at, False)}
        return lambda tick: {"signal_ratio": spoilt(tick.signal_ratio, at, draw(st.sampled_from([math.nan, -1.0])))}
    stamps = ["obs_t_ns", "frame_t_ns", "inference_exposed_ns", "console_t_ns"]
    if kind in ("past", "future"):
        name = draw(st.sampled_from(stamps))
        by = draw(st.integers(1_100_000_000, 10**10)) * (-1 if kind == "past" else 1)
        return lambda tick: {name: tick.t_ns + by}
    if kind == "order":
        name = draw(st.sampled_from(["obs_seq", "frame_seq", "inference_id", "tick", "t_ns"]))
        by = draw(st.integers(2, 10**9))
        step = 10_000_000 * by if name == "t_ns" else by
        return lambda tick: {name: getattr(tick, name) - step}
    if kind == "gone":
        return lambda _: {draw(st.sampled_from(["obs_seq", "frame_seq", "inference_id", "members", *stamps])): 0}
    name = draw(st.sampled_from(["model_state", "frame_fault", "watchdog", "recorder_fault"]))
    code = draw(st.sampled_from([*range(3, 100), -1, 10**6]))
    return lambda _: {name: code}


@settings(max_examples=400, deadline=None)
@given(change=broken())
def test_any_input_that_is_broken_ends_in_a_stop(make, change):
    world = make.sawing()
    tick = make.inputs(world.tick, **world.now)
    decision = world.step(**change(tick))
    assert decision.stop_kind != StopKind.NONE
    assert (decision.armed, decision.going, decision.speed_limit, decision.score) == (False, False, 0.0, 0.1)


HAZARDS = {
    "doubt": lambda size: {"signal_ratio": (0.8 + 3 * size,) * 18},
    "strange": lambda size: {"signal_ratio": (0.8,) * 13 + (0.8 + 3 * size,) + (0.8,) * 4},
    "joint near its end": lambda size: {"q": (2.7 + 0.4 * size, -0.3, 0.0, -2.2, 0.0, 2.0, 0.8)},
    "joint fast": lambda size: {"dq": (3.0 * size,) + (0.0,) * 6},
    "joint strained": lambda size: {"tau": (100.0 * size,) + (0.0,) * 6},
    "at the edge": lambda size: {"pose": (0.7 + 0.1 * size, 0.0, 0.6, 1.0, 0.0, 0.0, 0.0)},
    "tool fast": lambda size: {"twist": (0.7 * size,) + (0.0,) * 5},
    "stretched": lambda size: {"manipulability": 0.08 * (1 - size)},
    "line quiet": lambda size: {"console_t_ns": -size},
    "picture old": lambda size: {"frame_t_ns": -size},
    "chunk old": lambda size: {"inference_exposed_ns": -size},
    "reading old": lambda size: {"obs_t_ns": -size * 0.1},
    "camera frozen": lambda _: {"frame_fault": Reason.CAMERA_FROZEN},
    "model gone": lambda _: {"model_state": ModelState.FAILED},
    "not finite": lambda _: {"inference_finite": False},
    "thread stalled": lambda _: {"watchdog": Reason.WATCHDOG_RECORDER},
    "recorder": lambda _: {"recorder_fault": Reason.RECORDER_FAILED},
    "fault": lambda _: {"engine_fault": True},
    "stop key": lambda _: {"stop_page": (1,) + (0,) * 7},
}
SINCE = {"console_t_ns": 0.1, "frame_t_ns": 0.1, "inference_exposed_ns": 0.2, "obs_t_ns": 0.0}


def applied(hazards, t_ns):
    """The changes of all hazards; an age is added to the healthy one."""
    changed = {}
    for name, size in hazards.items():
        for key, value in HAZARDS[name](size).items():
            changed[key] = t_ns - round((SINCE[key] - value) * 1e9) if key in SINCE else value
    return changed


def permitted(decision):
    return (
        decision.score,
        decision.score_raw,
        decision.speed_limit,
        decision.force_limit,
        decision.torque_limit,
        decision.action,
        *decision.stiffness,
        *decision.layer_scale[1:8],
    )


def no_more(less, more):
    return all(a <= b for a, b in zip(permitted(less), permitted(more), strict=True))


sizes = st.floats(0.0, 1.0)
# a hazard that overwrites another's field replaces it, so fields are kept apart
exclusive = st.dictionaries(st.sampled_from(sorted(set(HAZARDS) - {"strange"})), sizes, max_size=5)


@settings(max_examples=300, deadline=None)
@given(some=exclusive, more=st.sampled_from(sorted(HAZARDS)), size=sizes, ticks=st.integers(1, 150))
def test_adding_a_hazard_never_raises_score_speed_stiffness_or_force(make, some, more, size, ticks):
    if more in some or (more == "strange" and "doubt" in some):
        size = max(size, some.get(more, some.get("doubt", 0.0)))
        some = {name: value for name, value in some.items() if name not in ("doubt",)} if more == "strange" else some
    with_it, without = make.sawing(), make.sawing()
    for _ in range(ticks):
        t_ns = make.inputs(with_it.tick).t_ns
        less = with_it.step(**applied(some | {more: size}, t_ns))
        assert no_more(less, without.step(**applied(some, t_ns)))


@settings(max_examples=100, deadline=None)
@given(name=st.sampled_from(sorted(HAZARDS)), sizes=st.tuples(sizes, sizes))
def test_a_larger_hazard_never_permits_more(make, name, sizes):
    small, large = make.sawing(), make.sawing()
    t_ns = make.inputs(small.tick).t_ns
    assert no_more(large.step(**applied({name: max(sizes)}, t_ns)), small.step(**applied({name: min(sizes)}, t_ns)))


REQUESTS = ["arm_request", "disarm_request", "go_request", "pause_request", "clear_request"]


@st.composite
def stories(draw):
    """A random life: requests, stops, hazards and modes, each lasting a while."""
    story = []
    for _ in range(draw(st.integers(1, 14))):
        change = {}
        if draw(st.booleans()):
            change["ask"] = draw(st.lists(st.sampled_from(REQUESTS), max_size=3))
        if draw(st.integers(0, 3)) == 0:
            change["press"] = (draw(st.integers(0, 7)), draw(st.booleans()))
        hazards = draw(st.dictionaries(st.sampled_from(sorted(HAZARDS)), sizes, max_size=2)) if draw(st.integers(0, 2)) == 0 else {}
        hazards.pop("stop key", None)
        change["hazards"] = hazards
        change["mode"] = draw(st.sampled_from([Mode.CUT, Mode.CUT, Mode.JOG_XYZ]))
        change["jogging"] = draw(st.booleans())
        change["clear_number"] = draw(st.integers(0, 4))
        change["ticks"] = draw(st.integers(1, 60))
        story.append(change)
    return story


def lived(make, story):
    """The inputs of a story."""
    counts = dict.fromkeys(REQUESTS, 0)
    page, latch, recorded, tick = [0] * 8, [0] * 8, [], 0
    for change in story:
        for request in change.get("ask", ()):
            counts[request] += 1
        if "press" in change:
            writer, latching = change["press"]
            page[writer] += 1
            latch[writer] += latching
        for _ in range(change["ticks"]):
            t_ns = make.inputs(tick).t_ns
            steady = {key: change[key] for key in ("mode", "jogging", "clear_number")}
            ages = {key: max(1, value) if key.endswith("_ns") else value for key, value in applied(change["hazards"], t_ns).items()}
            recorded.append(make.inputs(tick, **(counts | steady | ages), stop_page=tuple(page), stop_latch=tuple(latch)))
            tick += 1
    return recorded


@settings(max_examples=150, deadline=None)
@given(story=stories())
def test_whatever_happens_the_arbiter_keeps_its_promises(make, story):
    recorded = lived(make, story)
    decisions = make.fold(make.fresh().state, recorded)
    for number, (tick, now) in enumerate(zip(recorded, decisions, strict=True)):
        before = decisions[number - 1] if number else None
        prior = recorded[number - 1] if number else None
        assert 0.1 <= now.score <= now.score_raw <= 1.0
        assert all(0.1 <= value <= 1.0 for value in now.layer_score)
        assert all(
            low <= k <= high for k, low, high in zip(now.stiffness, (200,) * 3 + (40,) * 3, (800, 800, 600) + (100,) * 3, strict=True)
        )
        assert 0.0 <= now.force_limit <= 60.0
        assert now.speed_limit <= 0.25
        stopped = now.stop_kind != StopKind.NONE
        assert stopped == (now.stop_number > 0)
        if stopped:
            assert (now.armed, now.going, now.speed_limit) == (False, False, 0.0)
        if now.speed_limit > 0.0:
            assert now.armed
            assert now.going or (tick.jogging and tick.mode != Mode.CUT and now.speed_limit <= 0.1 + 1e-12)
        if now.going and not (before and before.going):
            assert before is not None
            assert before.armed
            assert tick.go_request > prior.go_request
        if now.armed and not (before and before.armed):
            assert tick.arm_request > (prior.arm_request if prior else 0)
            assert before is None or before.stop_number == 0
        if before is not None:
            assert now.stop_count >= before.stop_count
            if tick.stop_page != prior.stop_page or tick.stop_latch != prior.stop_latch:
                assert now.stop_number == now.stop_count == before.stop_count + 1
            if before.stop_kind == StopKind.LATCHED and now.stop_kind != StopKind.LATCHED:
                assert (now.stop_number, now.armed) == (0, False)
                assert tick.clear_request > prior.clear_request
                assert tick.clear_number == before.stop_number


@settings(max_examples=50, deadline=None)
@given(story=stories())
def test_two_folds_over_recorded_inputs_are_equal_to_the_last_bit(make, story):
    recorded = lived(make, story)
    stored = msgspec.msgpack.encode(recorded)
    again = msgspec.msgpack.decode(stored, type=list[type(recorded[0])])
    first = make.fold(make.fresh().state, recorded)
    second = make.fold(make.fresh().state, again)
    assert msgspec.msgpack.encode(first) == msgspec.msgpack.encode(second)
