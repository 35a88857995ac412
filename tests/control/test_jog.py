"""Jogging through the reference: speed, steps, the workspace's edge."""

import math

import pytest

from engine.control import jog


def jogged(make, axes, speed, ticks, rest=40, start=None):
    """The reference's path while ``axes`` are granted for some ticks, then none."""
    rig = make.rig()
    if start is not None:
        rig.plant.pose[:3] = start
    rig.step(make.decision(speed_limit=0.1))
    path = [rig.reference.pose]
    for tick in range(ticks + rest):
        target = jog.target(rig.reference.pose, axes if tick < ticks else (), speed, make.dt, make.limits)
        rig.step(make.decision(speed_limit=0.1), target)
        path.append(rig.reference.pose)
    return path


@pytest.mark.parametrize("speed", [0.02, 0.05, 0.1])
def test_the_tool_moves_at_the_speed_that_is_set(make, speed):
    path = jogged(make, ("+y",), speed, 40)
    assert (path[40][1] - path[39][1]) / make.dt == pytest.approx(speed, rel=1e-3)
    assert path[40][0] == pytest.approx(path[0][0])


@pytest.mark.parametrize(("step", "speed"), [(0.005, 0.05), (0.02, 0.1), (0.005, 0.02)])
def test_a_grant_of_step_over_speed_moves_one_step(make, step, speed):
    path = jogged(make, ("-x",), speed, round(step / speed / make.dt))
    moved = max(path[0][0] - pose[0] for pose in path)
    assert moved == pytest.approx(step, abs=0.0016)


def test_two_axes_share_the_speed_and_opposites_cancel():
    assert jog.direction(("+x", "+z")) == pytest.approx((math.sqrt(0.5), 0.0, math.sqrt(0.5)))
    assert jog.direction(("+x", "-x")) == (0.0, 0.0, 0.0)
    assert jog.direction(("pull",)) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(("axes", "speed"), [((), 0.1), (("+x", "-x"), 0.1), (("+x",), 0.0), (("+x",), math.nan), (("pull",), 0.1)])
def test_without_a_grant_there_is_no_target(make, axes, speed):
    assert jog.target(make.home, axes, speed, make.dt, make.limits) is None


def test_the_edge_of_the_workspace_is_not_passed(make):
    path = jogged(make, ("+x",), 0.1, 60, start=(0.73, 0.0, 0.6))
    assert max(pose[0] for pose in path) <= make.limits.workspace_max[0] + 0.002


def test_outside_the_workspace_only_the_way_back_is_open(make):
    outside = (0.80, 0.0, 0.6, 1.0, 0.0, 0.0, 0.0)
    assert jog.target(outside, ("+x",), 0.1, make.dt, make.limits) is None
    assert jog.target(outside, ("-x",), 0.1, make.dt, make.limits)[0] < 0.80
    assert jog.target(outside, ("+y",), 0.1, make.dt, make.limits)[1] > 0.0
