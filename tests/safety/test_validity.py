"""The validity layer: missing, stale, reordered, frozen and non-finite inputs, one at a time."""

import math

import pytest

from engine.limits import Limits
from engine.safety import validity
from engine.safety.validity import Seen
from engine.types import Mode, ModelState, Reason

LIMITS = Limits()
NOW = 2_000_000_000


def before(make):
    return validity.seen(make.inputs(99))


def spoilt(values, at, bad):
    return (*values[:at], bad, *values[at + 1 :])


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"t_ns": 1_990_000_000}, Reason.CLOCK_STEPPED),
        ({"t_ns": 1_980_000_000}, Reason.CLOCK_STEPPED),
        ({"t_ns": 2_091_000_000}, Reason.CLOCK_STEPPED),
        ({"tick": 99}, Reason.CLOCK_STEPPED),
        ({"tick": 102}, Reason.CLOCK_STEPPED),
        ({"obs_seq": 0}, Reason.OBSERVATION_NONE),
        ({"obs_t_ns": 0}, Reason.OBSERVATION_NONE),
        ({"obs_seq": 99}, Reason.OBSERVATION_REORDERED),
        ({"obs_t_ns": NOW - 11_000_000}, Reason.OBSERVATION_REORDERED),
        ({"obs_t_ns": NOW + 60_000_000}, Reason.OBSERVATION_REORDERED),
        ({"obs_t_ns": NOW + 30_000_000}, Reason.OBSERVATION_STALE),
        ({"manipulability": math.nan}, Reason.OBSERVATION_NOT_FINITE),
        ({"pose": (0.5, 0.0, 0.6, 0.5, 0.0, 0.0, 0.0)}, Reason.OBSERVATION_NOT_FINITE),
        ({"twist": (0.0,) * 5}, Reason.OBSERVATION_NOT_FINITE),
        ({"q": ()}, Reason.OBSERVATION_NOT_FINITE),
    ],
)
def test_a_reading_that_cannot_be_trusted_is_named(make, changed, reason):
    layer = validity.observation(make.inputs(100, **changed), before(make), LIMITS)
    assert (layer.reason, layer.score, layer.scale) == (reason, 0.1, 0.0)


def test_the_reading_may_be_repeated_until_it_is_stale(make):
    old = {"obs_seq": 100, "obs_t_ns": NOW - 50_000_000}
    seen = Seen(tick=99, t_ns=NOW - 10_000_000, obs_seq=100, obs_t_ns=NOW - 50_000_000)
    assert validity.observation(make.inputs(100, **old), seen, LIMITS).reason == Reason.OK
    older = {"obs_seq": 100, "obs_t_ns": NOW - 51_000_000}
    seen = Seen(tick=99, t_ns=NOW - 10_000_000, obs_seq=100, obs_t_ns=NOW - 51_000_000)
    stale = validity.observation(make.inputs(100, **older), seen, LIMITS)
    assert stale.reason == Reason.OBSERVATION_STALE
    assert stale.margin == pytest.approx(-0.001)
    assert stale.age == pytest.approx(0.051)


@pytest.mark.parametrize("name", ["q", "dq", "tau", "pose", "twist", "wrench"])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e7])
def test_one_number_that_is_none_spoils_the_reading(make, name, bad):
    well = make.inputs(100)
    for at in range(len(getattr(well, name))):
        tick = make.inputs(100, **{name: spoilt(getattr(well, name), at, bad)})
        assert validity.observation(tick, before(make), LIMITS).reason == Reason.OBSERVATION_NOT_FINITE


def test_a_gripper_that_was_read_once_has_to_be_read_from_then_on(make):
    none = validity.seen(make.inputs(98))
    assert validity.observation(make.inputs(99), none, LIMITS).reason == Reason.OK
    seen = validity.seen(make.inputs(98, gripper=0.5))
    for tick in (99, 100):
        lost = make.inputs(tick, gripper=math.nan)
        assert validity.observation(lost, seen, LIMITS).reason == Reason.OBSERVATION_NOT_FINITE
        seen = validity.seen(lost, seen)
    assert validity.observation(make.inputs(101, gripper=0.5), seen, LIMITS).reason == Reason.OK


def test_the_first_tick_needs_a_time(make):
    assert validity.observation(make.inputs(0), Seen(), LIMITS).reason == Reason.OK
    assert validity.observation(make.inputs(0, t_ns=0, obs_t_ns=1), Seen(), LIMITS).reason == Reason.CLOCK_STEPPED


SEEING = [
    ({"frame_seq": 0}, Reason.CAMERA_NONE),
    ({"frame_t_ns": 0}, Reason.CAMERA_NONE),
    ({"frame_fault": Reason.CAMERA_FROZEN}, Reason.CAMERA_FROZEN),
    ({"frame_fault": Reason.CAMERA_DARK}, Reason.CAMERA_DARK),
    ({"frame_fault": Reason.CAMERA_WRONG}, Reason.CAMERA_WRONG),
    ({"frame_fault": 999}, Reason.CAMERA_NONE),
    ({"frame_seq": 9}, Reason.CAMERA_STALE),
    ({"frame_t_ns": 1_880_000_000}, Reason.CAMERA_STALE),
    ({"frame_t_ns": NOW + 50_000_000}, Reason.CAMERA_STALE),
    ({"model_state": ModelState.NONE}, Reason.MODEL_NONE),
    ({"model_state": ModelState.LOADING}, Reason.MODEL_LOADING),
    ({"model_state": ModelState.FAILED}, Reason.MODEL_FAILED),
    ({"model_state": 17}, Reason.MODEL_FAILED),
    ({"inference_id": 0}, Reason.CHUNK_STALE),
    ({"inference_id": 4}, Reason.CHUNK_STALE),
    ({"inference_exposed_ns": 0}, Reason.CHUNK_STALE),
    ({"inference_exposed_ns": NOW - 701_000_000}, Reason.CHUNK_STALE),
    ({"inference_finite": False}, Reason.CHUNK_NOT_FINITE),
    ({"inference_fault": Reason.CHUNK_WRONG}, Reason.CHUNK_WRONG),
    ({"inference_fault": 999}, Reason.CHUNK_WRONG),
    ({"action_magnitude": math.nan}, Reason.CHUNK_NOT_FINITE),
    ({"action_magnitude": math.inf}, Reason.CHUNK_NOT_FINITE),
    ({"ensemble_spread": math.nan}, Reason.SIGNAL_MISSING),
    ({"members": 0}, Reason.SIGNAL_MISSING),
    ({"signal_valid": (False,) + (True,) * 17}, Reason.SIGNAL_MISSING),
    ({"signal_ratio": (math.nan,) + (0.8,) * 17}, Reason.SIGNAL_MISSING),
    ({"signal_valid": (True,) * 13 + (False,) + (True,) * 4}, Reason.SIGNAL_MISSING),
]


@pytest.mark.parametrize(("changed", "reason"), SEEING)
def test_pictures_and_policy_that_cannot_be_used_are_named(make, changed, reason):
    layer = validity.perception(make.inputs(100, **changed), before(make), (0, 13), LIMITS)
    assert (layer.reason, layer.score, layer.scale) == (reason, 0.1, 0.0)


@pytest.mark.parametrize(("changed", "reason"), SEEING)
def test_pictures_and_policy_do_not_bind_jogging(make, changed, reason):
    assert reason != Reason.OK
    layer = validity.perception(make.inputs(100, mode=Mode.JOG_XYZ, **changed), before(make), (0, 13), LIMITS)
    assert (layer.reason, layer.scale) == (Reason.OK, 1.0)


def test_a_picture_at_its_limit_is_still_one(make):
    seen = Seen(frame_seq=1, frame_t_ns=1)
    layer = validity.perception(make.inputs(100, frame_t_ns=NOW - 500_000_000), seen, (), LIMITS)
    assert layer.reason == Reason.OK
    assert layer.margin == pytest.approx(0.0)
