"""Distances between axes, and the robot's shape in the base frame."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.safety import capsules

coordinate = st.floats(-2.0, 2.0).map(lambda value: round(value, 3))
points = st.tuples(coordinate, coordinate, coordinate)
axes = st.tuples(points, points)


def axis(p, q):
    return capsules.segment(*p, *q)


def at(one, share):
    return tuple(p + share * (q - p) for p, q in zip(*one, strict=True))


@settings(max_examples=300, deadline=None)
@given(one=axes, other=axes)
def test_no_two_points_of_the_axes_are_closer_and_two_are_as_close(one, other):
    found = capsules.distance(axis(*one), axis(*other))
    grid = [math.dist(at(one, i / 20), at(other, j / 20)) for i in range(21) for j in range(21)]
    step = (math.dist(*one) + math.dist(*other)) / 40
    assert min(grid) - step - 1e-9 <= found <= min(grid) + 1e-9


@settings(max_examples=200, deadline=None)
@given(one=axes, other=axes)
def test_the_order_of_axes_and_of_their_ends_does_not_matter(one, other):
    found = capsules.distance(axis(*one), axis(*other))
    assert capsules.distance(axis(*other), axis(*one)) == pytest.approx(found, abs=1e-9)
    assert capsules.distance(axis(*reversed(one)), axis(*other)) == pytest.approx(found, abs=1e-9)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (((0, 0, 0), (1, 0, 0)), ((0.5, 1, -1), (0.5, 1, 1)), 1.0),  # crossing at a distance
        (((0, 0, 0), (1, 0, 0)), ((0, 2, 0), (1, 2, 0)), 2.0),  # parallel
        (((0, 0, 0), (1, 0, 0)), ((3, 0, 0), (4, 0, 0)), 2.0),  # in one line
        (((0, 0, 0), (1, 0, 0)), ((4, 0, 0), (3, 0, 0)), 2.0),
        (((0, 0, 0), (1, 0, 0)), ((0.5, -1, 0), (0.5, 1, 0)), 0.0),  # meeting
        (((0, 0, 0), (0, 0, 0)), ((1, 0, 0), (1, 0, 0)), 1.0),  # two points
        (((0, 0, 0), (0, 0, 0)), ((1, -1, 0), (1, 1, 0)), 1.0),  # a point and an axis
        (((1, -1, 0), (1, 1, 0)), ((0, 3, 0), (0, 3, 0)), math.sqrt(5)),
        (((0, 0, 0), (1, 0, 0)), ((2, 1, 0), (2, 3, 0)), math.sqrt(2)),  # end to end
    ],
)
def test_known_distances(one, other, expected):
    assert capsules.distance(axis(*one), axis(*other)) == pytest.approx(expected)


@settings(max_examples=100, deadline=None)
@given(one=axes, other=axes, which=st.integers(0, 11), bad=st.sampled_from([math.nan, math.inf, -math.inf]))
def test_a_coordinate_that_is_no_number_never_gives_a_distance(one, other, which, bad):
    values = [value for points in (one, other) for point in points for value in point]
    values[which] = bad
    assert not capsules.distance(capsules.segment(*values[:6]), capsules.segment(*values[6:])) < math.inf


def test_the_blade_turns_with_the_tool(make):
    half = math.sqrt(0.5)
    cell = replace(make.sensing, blade_back=0.25, blade_ahead=0.34, blade_height=0.08)
    level, *_ = capsules.robot(make.sensed(pose=(0.6, 0.1, 0.5, 1.0, 0.0, 0.0, 0.0)), cell)[0]
    assert level[:6] == pytest.approx((0.35, 0.1, 0.54, 0.59, 0.0, 0.0))
    turned, radius, *_ = capsules.robot(make.sensed(pose=(0.6, 0.1, 0.5, half, 0.0, 0.0, half)), cell)[0]  # a quarter turn about z
    assert turned[:6] == pytest.approx((0.6, -0.15, 0.54, 0.0, 0.59, 0.0), abs=1e-12)
    assert radius == 0.04
    rolled, *_ = capsules.robot(make.sensed(pose=(0.6, 0.1, 0.5, half, half, 0.0, 0.0)), cell)[0]  # a quarter turn about x
    assert rolled[:6] == pytest.approx((0.35, 0.06, 0.5, 0.59, 0.0, 0.0), abs=1e-12)


def test_a_quaternion_that_is_slightly_off_unit_does_not_stretch_the_blade(make):
    axis_, *_ = capsules.robot(make.sensed(pose=(0.6, 0.1, 0.5, 0.7 * 1.01, 0.1, -0.7, 0.1)), make.sensing)[0]
    assert math.sqrt(axis_[6]) == pytest.approx(make.sensing.blade_back + make.sensing.blade_ahead)


@settings(max_examples=300, deadline=None)
@given(one=axes, others=st.lists(st.tuples(axes, st.floats(0.01, 0.3)), min_size=1, max_size=4))
def test_the_nearest_of_several_is_none_but_the_nearest(one, others):
    shapes = tuple(capsules.capsule(axis(*other), radius) for other, radius in others)
    each = [capsules.distance(axis(*one), axis(*other)) - radius for other, radius in others]
    assert capsules.clearance(axis(*one), shapes) == min(each)


def test_a_blade_whose_place_is_no_number_has_no_clearance(make):
    for at in range(7):
        pose = tuple(math.nan if index == at else value for index, value in enumerate(make.sensed().pose))
        shapes = capsules.robot(make.sensed(pose=pose), make.sensing)
        assert math.isnan(capsules.clearance(axis((1.0, 0.0, 0.5), (1.0, 0.0, 0.8)), shapes))
