"""Freeing a stuck saw: light, then back, then over; off at once where the robot may not go on."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.control import recovery
from engine.control.recovery import LIGHTEN, RESUME, REVERSE, Recovery

DT = 0.01
STUCK = (0.60, 0.101, 0.52, 1.0, 0.0, 0.0, 0.0)
REFERENCE = (0.66, 0.100, 0.47, 1.0, 0.0, 0.0, 0.0)


def run(story: list[tuple[bool, bool]]) -> list[Recovery | None]:
    """The recovery after each tick of (going, stuck)."""
    now: Recovery | None = recovery.begun(STUCK, REFERENCE)
    seen = []
    for going, stuck in story:
        if now is not None:
            now = recovery.followed(now, going=going, stuck=stuck, dt=DT)
        seen.append(now)
    return seen


def test_it_begins_where_the_blade_is_with_the_press_taken_off() -> None:
    x, y, z, *_ = recovery.begun(STUCK, REFERENCE).target
    assert (x, y) == (STUCK[0], REFERENCE[1])
    assert 0.0 < z - STUCK[2] < 0.01


def test_it_lightens_then_pulls_back_a_few_centimetres_and_no_faster_than_it_may() -> None:
    seen = [one for one in run([(True, True)] * 300) if one is not None]
    lightened = [one for one in seen if one.step == LIGHTEN]
    assert len(lightened) * DT == pytest.approx(recovery.LIGHTEN_TIME, abs=2 * DT)
    assert all(one.target[0] == STUCK[0] for one in lightened)
    moves = [a.target[0] - b.target[0] for a, b in itertools.pairwise(seen)]
    assert min(moves) >= 0.0
    assert max(moves) <= 0.05 * DT
    assert seen[-1].step == REVERSE
    assert STUCK[0] - seen[-1].target[0] == pytest.approx(recovery.BACK)


def test_once_free_it_resumes_where_it_is_and_hands_back() -> None:
    seen = run([(True, True)] * 80 + [(True, False)] * 60)
    freed, last = seen[80], seen[79]
    assert freed is not None
    assert last is not None
    assert freed.step == RESUME
    assert freed.target == last.target
    assert seen[-1] is None


def test_a_blade_that_stays_stuck_is_given_up() -> None:
    seen = run([(True, True)] * 500)
    assert seen[100] is not None
    assert seen[-1] is None


@given(st.lists(st.booleans(), max_size=200))
def test_a_robot_that_may_not_go_on_ends_it_in_the_same_tick(stuck: list[bool]) -> None:
    assert run([*((True, one) for one in stuck), (False, True)])[-1] is None
