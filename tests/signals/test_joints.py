"""Signals of a policy that commands joint positions: places themselves, in rad."""

import numpy as np
import pytest

from engine.signals import Evidence, Pass, consistency, joints, motion, spread
from engine.types import F64

SCALE = np.array([0.1, 0.2, 1.0])
STEPS = np.arange(1, 9)


def turning(first: F64, q: tuple[float, float], exposed_s: float) -> Pass:
    """Two joints and a grip: the first goes where it is told, the second stays at 1 rad; of two members the other goes 0.04 rad beside."""
    chunks = np.zeros((2, 1, 8, 3), np.float32)
    chunks[..., 0], chunks[..., 1] = first, 1.0
    chunks[1, ..., 1] += 0.04
    chunks[..., 2] = 5.0
    return Pass(chunks, round(exposed_s * 1e9), np.array(q), 0.05, SCALE, joints(2))


def test_the_motion_counts_from_where_the_joints_are() -> None:
    now = turning(np.full(8, 0.6), (0.3, 1.02), 0.0)
    assert motion.magnitude(now) == pytest.approx(3.0)  # 0.3 rad in spreads of 0.1; the members' mean leaves the second joint where it is
    assert motion.reversal(turning(0.01 * STEPS, (0.0, 1.02), 0.0)) == 0.0


def test_jerk_and_divergence_are_in_radians() -> None:
    now = turning(2.0 * (0.05 * STEPS) ** 3, (0.0, 1.02), 0.0)
    assert motion.jerk(now) == pytest.approx(12.0, rel=1e-3)
    assert spread.divergence(now) == pytest.approx(0.04)


def test_two_passes_that_plan_the_same_places_overlap_wherever_the_joints_are() -> None:
    path = 0.01 * STEPS
    before = turning(path, (0.0, 1.02), 10.0)
    same = turning(path + 0.02, (0.5, 0.5), 10.1)  # two steps further on the same path
    assert consistency.overlap(Evidence(same, before)) == pytest.approx(0.0, abs=1e-9)
    other = turning(path + 0.12, (0.02, 1.02), 10.1)
    assert consistency.overlap(Evidence(other, before)) > 0.05


def test_the_mismatch_is_an_angle_from_the_planned_joints() -> None:
    before = turning(0.01 * STEPS, (0.0, 1.02), 10.0)
    now = turning(0.01 * STEPS, (0.05, 1.06), 10.1)
    assert consistency.execution_mismatch(Evidence(now, before)) == pytest.approx(0.05, rel=1e-5)  # 0.03 and 0.04 rad off
