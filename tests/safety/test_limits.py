"""The robot-limits layer: each limit slows before it stops, and jogging can undo what can be undone."""

import math

import pytest

from engine.limits import Limits
from engine.safety import limits
from engine.safety.limits import RobotLimits
from engine.safety.operator import JOG_SPEED
from engine.types import Mode, Reason

LIMITS = Limits()


def at(make, **changed):
    return limits.layer(make.inputs(**changed), LIMITS, make.robot)


def joint(value):
    return (value, -0.3, 0.0, -2.2, 0.0, 2.0, 0.8)


def test_well_inside_everything_nothing_is_limited(make):
    layer = at(make)
    assert (layer.score, layer.scale, layer.reason) == (1.0, 1.0, Reason.OK)
    assert layer.margin == pytest.approx(0.87)  # rad, the fourth joint's from -2.2 to -3.07


@pytest.mark.parametrize(
    ("q", "expected"), [(2.79, 1.0), (2.85, 0.75), (2.8999, 0.5005), (2.91, 0.1), (-2.85, 0.75), (-2.95, 0.1), (math.nan, 0.1)]
)
def test_a_joint_slows_over_its_margin_and_stops_at_its_limit(make, q, expected):
    layer = at(make, q=joint(q))
    assert layer.score == pytest.approx(expected, abs=1e-9)
    if expected < 1.0:
        assert layer.reason == Reason.JOINT_POSITION
    if expected == 0.1:
        assert layer.scale == 0.0


@pytest.mark.parametrize(
    ("changed", "expected", "reason"),
    [
        ({"dq": (2.175 * 0.64,) + (0.0,) * 6}, 1.0, Reason.OK),
        ({"dq": (-2.175 * 0.72,) + (0.0,) * 6}, 0.75, Reason.JOINT_VELOCITY),
        ({"dq": (2.175 * 0.81,) + (0.0,) * 6}, 0.1, Reason.JOINT_VELOCITY),
        ({"tau": (0.0,) * 6 + (12 * 0.81,)}, 0.75, Reason.JOINT_TORQUE),
        ({"tau": (0.0,) * 6 + (-12 * 0.91,)}, 0.1, Reason.JOINT_TORQUE),
        ({"pose": (0.765, 0.0, 0.6, 1.0, 0.0, 0.0, 0.0)}, 0.75, Reason.WORKSPACE),
        ({"pose": (0.5, 0.0, 0.29, 1.0, 0.0, 0.0, 0.0)}, 0.1, Reason.WORKSPACE),
        ({"twist": (0.36, 0.27, 0.0, 0.0, 0.0, 0.0)}, 0.75, Reason.TOOL_SPEED),
        ({"twist": (0.3, 0.0, 0.41, 0.0, 0.0, 0.0)}, 0.1, Reason.TOOL_SPEED),
        ({"manipulability": 0.03}, 0.75, Reason.SINGULARITY),
        ({"manipulability": 0.019}, 0.1, Reason.SINGULARITY),
        ({"manipulability": math.nan}, 0.1, Reason.SINGULARITY),
        ({"twist": (0.0, math.nan, 0.0, 0.0, 0.0, 0.0)}, 0.1, Reason.TOOL_SPEED),
        ({"tau": (math.nan,) * 7}, 0.1, Reason.JOINT_TORQUE),
        ({"q": ()}, 0.1, Reason.JOINT_POSITION),
    ],
)
def test_each_limit_slows_then_stops(make, changed, expected, reason):
    layer = at(make, **changed)
    assert layer.score == pytest.approx(expected, abs=1e-9)
    assert layer.reason == reason


def turned(angle):
    return (0.5, 0.0, 0.6, math.cos(angle / 2), 0.0, math.sin(angle / 2), 0.0)


@pytest.mark.parametrize(
    ("name", "inside", "outside", "reason"),
    [
        ("q", joint(2.83), joint(2.95), Reason.JOINT_POSITION),
        ("pose", (0.752, 0.0, 0.6, 1.0, 0.0, 0.0, 0.0), (0.79, 0.0, 0.6, 1.0, 0.0, 0.0, 0.0), Reason.WORKSPACE),
        ("manipulability", 0.038, 0.01, Reason.SINGULARITY),
        ("pose", turned(0.07), turned(-0.13), Reason.TILT),
    ],
)
@pytest.mark.parametrize("mode", [Mode.JOG_XYZ, Mode.JOG_SAW, Mode.JOG_JOINT])
def test_a_jog_is_slowed_over_the_margin_and_crawls_beyond_it(make, mode, name, inside, outside, reason):
    near, past = at(make, **{name: inside, "mode": mode}), at(make, **{name: outside, "mode": mode})
    full = JOG_SPEED / LIMITS.speed_max
    assert past.reason == near.reason == reason
    assert past.score == limits.CRAWL_SCORE
    assert past.scale == pytest.approx(limits.CRAWL_SHARE * full)
    assert past.scale < near.scale < full


def test_the_slower_a_jog_must_be_the_nearer_the_limit(make):
    scales = [at(make, pose=(x / 1000, 0.0, 0.6, 1.0, 0.0, 0.0, 0.0), mode=Mode.JOG_XYZ).scale for x in range(745, 785)]
    assert scales == sorted(scales, reverse=True)
    assert scales[0] == 1.0


def test_a_saw_tilts_only_by_jogging_so_it_is_judged_only_there(make):
    assert at(make, pose=turned(0.13)).reason == Reason.OK
    assert at(make, pose=turned(0.05), mode=Mode.JOG_JOINT).reason == Reason.OK
    assert at(make, pose=turned(0.13), mode=Mode.JOG_JOINT).margin == pytest.approx(LIMITS.tilt_max - 0.13, abs=1e-4)
    assert at(make, pose=(0.5, 0.0, 0.6, 1.0, 0.0, math.nan, 0.0), mode=Mode.JOG_JOINT).scale == 0.0


def test_an_operator_may_jog_slowly_back_from_a_position_limit(make):
    outside = at(make, q=joint(2.95), mode=Mode.JOG_XYZ)
    assert outside.score == limits.CRAWL_SCORE
    assert 0.0 < outside.scale <= 0.25 + 1e-9


def test_jogging_excuses_neither_a_broken_reading_nor_speed(make):
    assert at(make, q=joint(math.nan), mode=Mode.JOG_XYZ).scale == 0.0
    assert at(make, dq=(9.0,) + (0.0,) * 6, mode=Mode.JOG_XYZ).scale == 0.0


def test_limits_that_make_no_sense_are_refused_by_name():
    with pytest.raises(ValueError, match="joint 1 may move from"):
        RobotLimits(position=((1.0, -1.0),), velocity=(1.0,), torque=(1.0,))
    with pytest.raises(ValueError, match="velocity limits"):
        RobotLimits(position=((-1.0, 1.0),), velocity=(0.0,), torque=(1.0,))
    with pytest.raises(ValueError, match="torque limits"):
        RobotLimits(position=((-1.0, 1.0),), velocity=(1.0,), torque=(math.nan,))
