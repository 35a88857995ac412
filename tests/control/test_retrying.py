"""Trying again: let go of nothing that is held, back off a little within the workspace, and be over in time."""

import itertools
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.control import retrying
from engine.control.gripping import Grip
from engine.control.retrying import BACK_OFF, LET_GO, Retry
from engine.limits import Limits
from engine.safety.forecast import RETRY_TIME

DT = 0.01
LIMITS = Limits(workspace_min=(0.25, -0.45, 0.0), workspace_max=(0.78, 0.45, 0.70))
AT = (0.40, 0.30, 0.10, 1.0, 0.0, 0.0, 0.0)
HELD, OPEN, ON_NOTHING = Grip(0.6, 0.5), Grip(0.0, 0.0), Grip(1.0, 1.0)


def at_gripper(at: tuple[float, ...] = AT, grip: Grip = OPEN, measured: float | None = None, *, miss: bool = False) -> Retry:
    return retrying.at_gripper(at, grip, grip.measured if measured is None else measured, miss, DT, LIMITS)


def course(retry: Retry, going: int = 10_000) -> list[Retry]:
    """Every tick of it; it may go on for so many of them."""
    seen, now = [retry], retrying.followed(retry, going=going > 0, dt=DT)
    while now is not None and len(seen) < 1000:
        seen.append(now)
        now = retrying.followed(now, going=len(seen) <= going, dt=DT)
    return seen


def test_a_gripper_lets_go_first_then_goes_up_and_towards_its_base_and_is_over_in_time() -> None:
    seen = course(at_gripper())
    assert [step for step, _ in itertools.groupby(one.step for one in seen)] == [LET_GO, BACK_OFF]
    assert all(one.target == AT for one in seen if one.step == LET_GO)
    x, y, z, *attitude = seen[-1].target
    assert z - AT[2] == pytest.approx(retrying.UP)
    assert (x - AT[0], y - AT[1]) == pytest.approx((-0.8 * retrying.BACK, -0.6 * retrying.BACK))
    assert attitude == [*AT[3:]]
    assert len(seen) * DT < RETRY_TIME


def test_it_never_asks_for_more_than_its_speed() -> None:
    seen = course(at_gripper())
    assert max(math.dist(a.target[:3], b.target[:3]) for a, b in itertools.pairwise(seen)) <= retrying.SPEED * DT + 1e-9


@pytest.mark.parametrize(
    ("grip", "measured", "miss", "opens"),
    [
        (OPEN, 0.0, False, True),
        (ON_NOTHING, 1.0, False, True),
        (HELD, 0.5, False, False),
        (HELD, 0.5, True, False),
        (Grip(0.8, 0.50), 0.53, False, False),
        (Grip(0.8, 0.50), 0.53, True, True),
    ],
)
def test_fingers_open_unless_they_hold_something_or_may_be_about_to(grip: Grip, measured: float, miss: bool, opens: bool) -> None:
    retry = at_gripper(grip=grip, measured=measured, miss=miss)
    assert retry.opens == opens
    assert retry.grip == 0.0 if opens else math.isnan(retry.grip)


def test_the_saw_is_lightened_where_it_is_and_goes_back_along_its_stroke() -> None:
    measured, reference = (0.60, 0.101, 0.52, 1.0, 0.0, 0.0, 0.0), (0.66, 0.100, 0.47, 1.0, 0.0, 0.0, 0.0)
    seen = course(retrying.at_saw(measured, reference, Limits()))
    x, y, z, *_ = seen[0].target
    assert (x, y) == (measured[0], reference[1])
    assert 0.0 < z - measured[2] < 0.01
    assert measured[0] - seen[-1].target[0] == pytest.approx(retrying.SAW_BACK)
    assert seen[-1].target[1:] == seen[0].target[1:]
    assert math.isnan(seen[0].grip)
    assert len(seen) * DT < RETRY_TIME


@given(st.tuples(st.floats(0.0, 1.0), st.floats(-0.6, 0.6), st.floats(-0.1, 0.9)))
@example((0.0, 2.2250738585e-313, 0.0))
def test_it_leads_no_nearer_to_the_workspaces_edge_than_its_margin_nor_further_out(place: tuple[float, float, float]) -> None:
    end = course(at_gripper((*place, *AT[3:])))[-1].target
    for at, to, low, high in zip(place, end, LIMITS.workspace_min, LIMITS.workspace_max, strict=False):
        assert to >= min(low + LIMITS.workspace_margin, at) - 1e-9
        assert to <= max(high - LIMITS.workspace_margin, at) + 1e-9


@given(st.integers(0, 150))
def test_a_robot_that_may_not_go_on_ends_it_in_the_same_tick(ticks: int) -> None:
    whole = len(course(at_gripper()))
    assert len(course(at_gripper(), going=ticks)) == min(ticks + 1, whole)
