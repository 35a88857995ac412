"""Firm while the robot pulls, nearly limp while the partner does, never beyond the score's cap, and never in jumps."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.control import sawing
from engine.types import Zone

DT = 0.01


@pytest.mark.parametrize(("zone", "firm"), [(Zone.SOFT, 500.0), (Zone.KNOT, 600.0), (Zone.CRACKED, 600.0)])
def test_the_robot_is_firm_on_its_own_pull_and_limp_on_its_partners(zone: Zone, firm: float) -> None:
    assert sawing.stroke_stiffness(zone, -1, 800.0) == firm
    assert sawing.stroke_stiffness(zone, 0, 800.0) == firm
    assert sawing.stroke_stiffness(zone, 1, 800.0) == sawing.LIMP


def test_in_the_air_nobody_pulls() -> None:
    assert sawing.stroke_stiffness(Zone.AIR, 1, 800.0) == sawing.STIFFNESS[Zone.AIR]


def test_a_zone_that_is_none_is_an_error_not_a_guess() -> None:
    with pytest.raises(ValueError, match="7"):
        sawing.stroke_stiffness(7, 1, 800.0)


@given(
    st.lists(
        st.tuples(st.sampled_from(list(Zone)), st.floats(-0.4, 0.4), st.floats(200.0, 800.0), st.integers(1, 60)), min_size=1, max_size=12
    )
)
def test_whatever_the_stroke_does_the_cap_holds_and_the_ramp_too(story: list[tuple[Zone, float, float, int]]) -> None:
    k, heading = 500.0, 0
    for zone, speed, permitted, ticks in story:
        for _ in range(ticks):
            heading = sawing.heading(heading, speed)
            before, k = k, sawing.ramped(k, sawing.stroke_stiffness(zone, heading, permitted), permitted, DT)
            assert k <= permitted
            assert k - before <= sawing.RAMP * DT + 1e-9
            assert before - k <= max(sawing.RAMP * DT, before - permitted) + 1e-9


@given(st.integers(-1, 1), st.lists(st.floats(-sawing.TURN_SPEED, sawing.TURN_SPEED) | st.just(math.nan), max_size=40))
def test_a_saw_at_rest_keeps_its_heading_whatever_the_noise(before: int, speeds: list[float]) -> None:
    heading = before
    for speed in speeds:
        heading = sawing.heading(heading, speed)
    assert heading == before
