"""Signals of a single pass against cases worked by hand."""

import math

import numpy as np
import pytest

from engine.signals import motion, spread
from engine.signals.evidence import Pass
from engine.types import F32

SCALE = np.array([0.1, 0.1, 0.1, 0.5, 0.5, 0.5, 1.0])


def made(chunks: F32, velocity: F32 | None = None) -> Pass:
    return Pass(chunks.astype(np.float32), 0, np.zeros(3), 0.05, SCALE, velocity=velocity)


def two_members(samples: int = 2) -> F32:
    """(2, B, 4, 7): member 0 at +0.1 m, member 1 at -0.1 m along x; within a member the samples differ by 0.2 m along y."""
    chunks = np.zeros((2, samples, 4, 7), np.float32)
    chunks[0, ..., 0], chunks[1, ..., 0] = 0.1, -0.1
    chunks[:, 1:, :, 1] = 0.2
    return chunks


def test_epistemic_is_the_spread_between_members_in_training_spreads() -> None:
    # along x the members' means lie one training spread from their middle: variance 1 in one of seven components
    assert spread.epistemic(made(two_members())) == pytest.approx(math.sqrt(1 / 7))
    assert spread.member_variance(made(two_members())) == pytest.approx(1 / 7)


def test_aleatoric_is_the_spread_within_a_member() -> None:
    # along y the two samples lie one training spread from their middle
    assert spread.aleatoric(made(two_members())) == pytest.approx(math.sqrt(1 / 7))


def test_one_member_has_no_epistemic_signal_and_one_sample_no_aleatoric() -> None:
    alone = made(two_members()[:1])
    assert spread.epistemic(alone) is None
    assert spread.member_variance(alone) is None
    assert spread.divergence(alone) is None
    assert spread.epistemic_peak(alone) is None
    assert spread.flow_disagreement(alone) is None
    assert spread.aleatoric(made(two_members(samples=1))) is None
    assert spread.entropy(made(two_members(samples=1)[:1])) is None


def test_the_peak_is_the_widest_step() -> None:
    chunks = two_members()
    chunks[0, :, 2, 0], chunks[1, :, 2, 0] = 0.3, -0.3
    assert spread.epistemic_peak(made(chunks)) == pytest.approx(math.sqrt(9 / 7))


def test_divergence_is_the_distance_of_the_members_ends_in_metres() -> None:
    assert spread.divergence(made(two_members())) == pytest.approx(0.2)


def test_flow_disagreement_is_the_spread_of_the_first_velocity() -> None:
    velocity = np.zeros((2, 2, 4, 7), np.float32)
    velocity[0], velocity[1] = 1.0, 3.0
    assert spread.flow_disagreement(made(two_members(), velocity)) == pytest.approx(1.0)
    assert spread.flow_disagreement(made(two_members())) is None


def test_entropy_is_that_of_normal_distributions() -> None:
    rng = np.random.default_rng(0)
    chunks = (rng.normal(size=(50, 400, 1, 7)) * SCALE * 2.0).astype(np.float32)
    assert spread.entropy(made(chunks)) == pytest.approx(0.5 * math.log(2 * math.pi * math.e * 4.0), abs=0.01)
    still = spread.entropy(made(np.zeros((2, 2, 4, 7))))
    assert still == pytest.approx(0.5 * math.log(2 * math.pi * math.e * spread.ENTROPY_FLOOR**2))


def test_magnitude_counts_metres_and_radians_in_their_spreads() -> None:
    chunks = np.zeros((1, 1, 4, 7), np.float32)
    chunks[..., 0], chunks[..., 3], chunks[..., 6] = 0.3, 2.0, 5.0  # 3 spreads, 4 spreads, grip not counted
    assert motion.magnitude(made(chunks)) == pytest.approx(5.0)


def test_jerk_of_a_cubic_is_its_third_derivative() -> None:
    time = (np.arange(16) + 1) * 0.05
    chunks = np.zeros((1, 1, 16, 7), np.float32)
    chunks[0, 0, :, 1] = 2.0 * time**3
    assert motion.jerk(made(chunks)) == pytest.approx(12.0, rel=1e-2)
    assert motion.jerk(made(chunks[:, :, :3])) is None


def test_reversal_counts_turns_among_moving_steps() -> None:
    chunks = np.zeros((1, 1, 4, 7), np.float32)
    chunks[0, 0, :, 0] = [0.01, 0.02, 0.01, 0.00]  # forward, forward, back, back: one turn in three pairs
    assert motion.reversal(made(chunks)) == pytest.approx(1 / 3)
    assert math.isnan(motion.reversal(made(np.zeros((1, 1, 4, 7)))))
