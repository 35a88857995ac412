"""Pose arithmetic: worked cases, and inverses that must undo each other."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.control import pose

lengths = st.floats(-1.0, 1.0)
turns = st.tuples(*[st.floats(-1.7, 1.7)] * 3)
places = st.tuples(lengths, lengths, lengths)


@st.composite
def poses(draw):
    return (*draw(places), *pose.from_rotation_vector(draw(turns)))


def test_a_quarter_turn_about_z_is_the_textbook_quaternion():
    quarter = pose.from_rotation_vector((0.0, 0.0, math.pi / 2))
    assert quarter == pytest.approx((math.sqrt(0.5), 0.0, 0.0, math.sqrt(0.5)))
    assert pose.rotation_vector(quarter) == pytest.approx((0.0, 0.0, math.pi / 2))


def test_the_product_turns_by_the_right_factor_first():
    about_z = pose.from_rotation_vector((0.0, 0.0, math.pi / 2))
    about_x = pose.from_rotation_vector((math.pi / 2, 0.0, 0.0))
    assert pose.product(about_x, about_z) == pytest.approx((0.5, 0.5, -0.5, 0.5))


def test_a_turn_is_applied_about_the_base_axes():
    turned = pose.moved((0.0, 0.0, 0.0, *pose.from_rotation_vector((0.0, 0.0, math.pi / 2))), (0.1, 0.2, 0.3, math.pi / 2, 0.0, 0.0))
    assert turned == pytest.approx((0.1, 0.2, 0.3, 0.5, 0.5, -0.5, 0.5))


@given(vector=turns)
def test_a_rotation_vector_comes_back(vector):
    assert pose.rotation_vector(pose.from_rotation_vector(vector)) == pytest.approx(vector, abs=1e-9)


@given(start=poses(), end=poses())
def test_moving_by_the_error_arrives(start, end):
    arrived = pose.moved(start, pose.error(end, start))
    assert arrived[:3] == pytest.approx(end[:3], abs=1e-9)
    assert abs(sum(a * b for a, b in zip(arrived[3:], end[3:], strict=True))) == pytest.approx(1.0, abs=1e-9)


@given(start=poses())
def test_the_two_signs_of_a_quaternion_are_one_pose(start):
    other = (*start[:3], *(-value for value in start[3:]))
    assert pose.error(other, start) == pytest.approx((0.0,) * 6, abs=1e-9)


def test_arrays_and_tuples_give_the_same():
    a, b = (0.1, 0.2, 0.3, 0.6, 0.8, 0.0, 0.0), (0.3, 0.1, 0.0, 1.0, 0.0, 0.0, 0.0)
    assert pose.error(np.array(a), np.array(b)) == pose.error(a, b)


@pytest.mark.parametrize("bad", [(0.0,) * 4, (math.nan, 0.0, 0.0, 0.0), (math.inf, 0.0, 0.0, 0.0)])
def test_a_quaternion_without_direction_is_refused(bad):
    with pytest.raises(ValueError, match="has no direction"):
        pose.normalised(bad)
