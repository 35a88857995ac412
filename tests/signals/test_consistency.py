"""Signals that compare a pass with the one before it."""

import math

import numpy as np
import pytest

from engine import signals
from engine.signals import consistency, posture
from engine.signals.evidence import Evidence, Pass, position_at
from engine.signals.familiarity import Familiarity
from engine.types import SIGNALS

SCALE = np.full(7, 0.1)
PLAIN = Familiarity(np.zeros(3), np.eye(3)[:2], np.eye(2))


def moving(start: float, exposed_s: float, speed: float = 0.1, spread: float = 0.0, features: float = 0.0) -> Pass:
    """A pass that moves along x from ``start`` at ``speed`` m/s, its two members ``spread`` apart."""
    time = (np.arange(16) + 1) * 0.05
    chunks = np.zeros((2, 2, 16, 7), np.float32)
    chunks[..., 0] = speed * time
    chunks[1, ..., 1] += spread
    origin = np.array([start, 0.0, 0.0])
    return Pass(chunks, round(exposed_s * 1e9), origin, 0.05, SCALE, features=np.full(3, features))


def test_a_path_runs_from_the_base_pose_through_its_actions() -> None:
    now = moving(1.0, 0.0)
    found = position_at(now, np.array([0.0, 0.025, 0.1]))
    np.testing.assert_allclose(found[0, 0, :, 0], [1.0, 1.0025, 1.01], atol=1e-6)


def test_two_passes_that_plan_the_same_path_do_not_disagree() -> None:
    same = Evidence(moving(0.02, 10.2), moving(0.0, 10.0))
    assert consistency.overlap(same) == pytest.approx(0.0, abs=1e-6)


def test_a_changed_mind_shows_in_the_overlap() -> None:
    slightly = consistency.overlap(Evidence(moving(0.02, 10.2, speed=0.15), moving(0.0, 10.0)))
    wholly = consistency.overlap(Evidence(moving(0.02, 10.2, speed=-0.5), moving(0.0, 10.0)))
    assert slightly is not None
    assert wholly is not None
    assert 0.0 < slightly < wholly <= 2.0


def test_the_discrepancy_of_two_points_is_the_kernels() -> None:
    a, b = np.zeros((1, 2)), np.array([[2.0, 0.0]])
    assert consistency.discrepancy(a, b) == pytest.approx(2.0 - 2.0 * math.exp(-4.0 / 4.0))
    assert consistency.discrepancy(a, a) == 0.0


def test_a_pass_too_long_ago_has_no_overlap() -> None:
    late = Evidence(moving(0.0, 10.9), moving(0.0, 10.0))
    assert consistency.overlap(late) is None
    assert consistency.execution_mismatch(late) is None


def test_the_trend_is_a_rate() -> None:
    evidence = Evidence(moving(0.0, 10.5), moving(0.0, 10.0), epistemic_before=np.array(0.2))
    assert consistency.epistemic_trend(evidence, np.array(0.3)) == pytest.approx(0.2)
    assert consistency.epistemic_trend(Evidence(moving(0.0, 10.5), moving(0.0, 10.0)), np.array(0.3)) is None


def test_the_mismatch_is_the_distance_from_the_plan() -> None:
    assert consistency.execution_mismatch(Evidence(moving(0.02, 10.2), moving(0.0, 10.0))) == pytest.approx(0.0, abs=1e-6)
    assert consistency.execution_mismatch(Evidence(moving(0.0, 10.2), moving(0.0, 10.0))) == pytest.approx(0.02, abs=1e-6)


def test_drift_is_a_distance_in_the_features() -> None:
    evidence = Evidence(moving(0.0, 10.2, features=3.0), moving(0.0, 10.0, features=1.0))
    assert consistency.latent_drift(evidence, PLAIN) == pytest.approx(2.0)
    assert consistency.latent_drift(evidence, None) is None


def test_an_exposure_that_is_not_later_has_no_past() -> None:
    evidence = Evidence(moving(0.0, 10.0), moving(0.0, 10.0), epistemic_before=np.array(0.2))
    assert consistency.overlap(evidence) is None
    assert consistency.epistemic_trend(evidence, np.array(0.3)) is None


def test_the_joint_nearest_its_end_counts() -> None:
    limits = ((-1.0, 1.0), (0.0, 4.0))
    assert posture.joint_limit_margin(np.array([0.2, 3.0]), limits) == pytest.approx(0.5)
    assert posture.joint_limit_margin(np.array([-0.9, 2.0]), limits) == pytest.approx(0.9)
    assert posture.joint_limit_margin(np.array([0.2, 3.0]), None) is None


def test_the_first_pass_has_what_it_can_have_and_the_rest_is_invalid() -> None:
    values, valid = signals.compute(Evidence(moving(0.0, 10.0, spread=0.01), q=np.zeros(1), joint_limits=((-1.0, 1.0),)), PLAIN)
    named = dict(zip(SIGNALS, valid, strict=True))
    absent = {name for name, ok in named.items() if not ok}
    assert absent == {
        "flow disagreement",
        "overlap",
        "epistemic trend",
        "latent drift",
        "sensitivity mean",
        "sensitivity max",
        "execution mismatch",
    }
    assert np.isnan(values[~valid]).all()
    assert np.isfinite(values[valid]).all()


def test_a_chunk_that_is_not_finite_makes_its_signals_invalid_not_zero() -> None:
    now = moving(0.0, 10.0)
    now.chunks[0, 0, 3, 0] = np.nan
    values, valid = signals.compute(Evidence(now), None)
    assert not valid[SIGNALS.index("epistemic")]
    assert not valid[SIGNALS.index("magnitude")]
    assert np.isnan(values[SIGNALS.index("epistemic")])
