"""All 18 signals of one case worked by hand, in numpy and in torch; and many observations at once against one by one."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from engine.signals import Evidence, Pass, Tracker, compute
from engine.signals.familiarity import Familiarity
from engine.signals.spread import ENTROPY_FLOOR
from engine.types import SIGNALS

SCALE = np.array([0.1, 0.1, 0.1, 0.5, 0.5, 0.5, 1.0])
FAMILIAR = Familiarity(np.ones(3), np.eye(3)[:2], np.diag([4.0, 1.0]))
LIMITS = ((-1.0, 1.0), (0.0, 4.0))
DEVICES = ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",)
KINDS: dict[str, Callable[[Any], Any]] = {"numpy": np.asarray} | {name: partial(torch.as_tensor, device=name) for name in DEVICES}


def overlap() -> float:
    """Samples (x, y, z) in spreads at two moments: (0.3 +- 1, 0 | 2 then 1 | 3, 0.4), against four times the origin; kernel variance 6."""
    among = (1.0 + 2.0 * math.exp(-8.0 / 12.0) + math.exp(-16.0 / 12.0)) / 4.0
    between = sum(math.exp(-squared / 12.0) for squared in (4.7, 16.7, 2.3, 14.3)) / 4.0
    return among + 1.0 - 2.0 * between


WORKED = {
    "epistemic": math.sqrt(1 / 7),  # the members' means lie one spread from their middle in one of seven components
    "aleatoric": math.sqrt(1 / 7),  # so do the samples of each member, in another component
    "flow disagreement": 1.0,  # velocities 1 and 3
    "member variance": 1 / 7,
    "overlap": overlap(),
    "entropy": math.log(2.0 * math.pi * math.e) / 2 + (2 * math.log(1 + ENTROPY_FLOOR**2) + 5 * math.log(ENTROPY_FLOOR**2)) / 14,
    "magnitude": math.sqrt(7 / 4),  # the mean chunk lies 1, 2, 1 and 1 spreads from the origin
    "jerk": 0.3 / 0.05**3,  # its third difference
    "reversal": 1 / 2,  # forth, forth, back, still: one turn in two pairs
    "divergence": 0.2,
    "epistemic trend": (math.sqrt(1 / 7) - 0.1) / 0.1,
    "epistemic peak": math.sqrt(1 / 7),
    "latent drift": math.sqrt((4.0 * 2.0**2 + 1.0) / 2.0),
    "distance from training": math.sqrt(4.0 * 2.0**2 / 2.0),
    "sensitivity mean": 0.2,
    "sensitivity max": 0.3,
    "execution mismatch": 0.05,
    "joint-limit margin": 0.6,
}


def case(kind: Callable[[Any], Any]) -> Evidence:
    """Two members at +-0.1 m along x, two samples 0.2 m apart along y, the second action 0.1 m further; before, a pass that stayed."""
    chunks = np.zeros((2, 2, 4, 7), np.float32)
    chunks[0, ..., 0], chunks[1, ..., 0] = 0.1, -0.1
    chunks[:, 1, :, 1] = 0.2
    chunks[:, :, 1, 1] += 0.1
    velocity = np.ones((2, 2, 4, 7), np.float32)
    velocity[1] = 3.0
    now = Pass(
        kind(chunks), 1_100_000_000, np.array([0.03, 0.0, 0.04]), 0.05, SCALE, velocity=kind(velocity), features=kind([3.0, 1.0, 9.0])
    )
    before = Pass(kind(np.zeros_like(chunks)), 1_000_000_000, np.zeros(3), 0.05, SCALE, features=kind([1.0, 2.0, 0.0]))
    return Evidence(now, before, np.array(0.1), np.array([0.5, 3.2]), LIMITS, tuple(kind(value) for value in (0.1, 0.3, 0.2)))


def test_every_signal_has_a_worked_value() -> None:
    assert tuple(WORKED) == SIGNALS


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_the_signals_of_a_case_are_those_worked_by_hand(kind: Callable[[Any], Any]) -> None:
    values, valid = compute(case(kind), FAMILIAR)
    assert valid.all()
    assert dict(zip(SIGNALS, values, strict=True)) == pytest.approx(WORKED, rel=1e-5)


def some(rng: np.random.Generator, count: int) -> tuple[Any, Any, Any, Any, dict[int, Any], Any]:
    """Chunks, velocity, features, origin, perturbed chunks and joints of ``count`` observations.

    The chunk of the second has a value that is no number, that of the third stays where it is.
    """
    chunks = (rng.normal(size=(count, 3, 2, 16, 7)) * SCALE).astype(np.float32)
    chunks[1, 0, 0, 4, 2], chunks[2] = np.nan, 0.0
    velocity = rng.normal(size=chunks.shape).astype(np.float32)
    perturbed = {k: chunks[:, :, 0] + rng.normal(0.0, 0.01, (count, 3, 16, 7)).astype(np.float32) for k in range(3)}
    return chunks, velocity, rng.normal(size=(count, 3)), rng.normal(size=(count, 3)), perturbed, rng.normal(size=(count, 2))


@pytest.mark.parametrize("device", DEVICES)
def test_torch_with_all_observations_at_once_says_what_numpy_says_of_each(device: str) -> None:
    count, rng = 4, np.random.default_rng(1)
    whole, alone = Tracker(FAMILIAR, LIMITS), [Tracker(FAMILIAR, LIMITS) for _ in range(count)]
    for number in range(1, 4):
        exposed = number * 120_000_000
        chunks, velocity, features, origin, perturbed, q = some(rng, count)
        batch = Pass(torch.as_tensor(chunks, device=device), exposed, origin, 0.05, SCALE, velocity=velocity, features=features)
        found = whole.signals(batch, q, perturbed)
        for i in range(count):
            one = Pass(chunks[i], exposed, origin[i], 0.05, SCALE, velocity=velocity[i], features=features[i])
            expected = alone[i].signals(one, q[i], {k: found[i] for k, found in perturbed.items()})
            np.testing.assert_array_equal(found.valid[i], expected.valid)
            np.testing.assert_allclose(found.values[i], expected.values, rtol=1e-5, atol=1e-12)
    epistemic, reversal = SIGNALS.index("epistemic"), SIGNALS.index("reversal")
    assert found.valid[[0, 2, 3], epistemic].all()
    assert not found.valid[1, epistemic]
    assert not found.valid[2, reversal]
    assert found.valid[0].all()
