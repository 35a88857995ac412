"""What there is to foresee, and the arithmetic of competing risks."""

from types import SimpleNamespace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.forecast import labels
from engine.forecast.labels import Targets


def ending(t: list[float], failure: int = -1, at: float = np.nan, cut: bool = False, end: float = 100.0, go: float = 0.0) -> Targets:
    """Of inferences at ``t`` in one episode."""
    found = SimpleNamespace(
        t=np.array(t),
        episode=np.zeros(len(t), np.int64),
        gone=np.array(t) >= go,
        failure=np.array([failure]),
        failure_s=np.array([at]),
        cut=np.array([cut]),
        end_s=np.array([end]),
    )
    return labels.targets(found)  # type: ignore[arg-type]


def test_a_failure_falls_into_the_step_that_ends_at_or_after_it():
    found = ending([9.75, 9.7, 9.99, 8.4, 8.39], failure=2, at=10.0)
    assert found.step.tolist() == [3, 3, 1, 16, 0]
    assert found.cause.tolist() == [2, 2, 2, 2, -1]
    assert found.observed.tolist() == [3, 3, 1, 16, 16]


def test_after_a_success_nothing_fails_and_all_of_it_is_known():
    found = ending([9.9, 5.0])
    assert found.step.tolist() == [0, 0]
    assert found.observed.tolist() == [16, 16]


def test_a_cut_off_episode_is_unknown_from_its_end_on():
    found = ending([9.0, 9.35, 9.95, 10.0], cut=True, end=10.0)
    assert found.observed.tolist() == [10, 6, 0, 0]
    truth, known = labels.within(found, 6)
    assert known.tolist() == [True, True, False, False]
    assert not truth.any()


def test_nothing_counts_of_what_comes_after_an_inference_before_the_go():
    found = ending([1.9, 2.1], failure=0, at=2.5, go=2.0)
    assert found.step.tolist() == [0, 4]
    assert found.observed.tolist() == [0, 4]
    truth, known = labels.within(found, 6)
    assert known.tolist() == [False, True]
    assert truth.any(axis=1).tolist() == [False, True]


def test_the_first_cause_is_the_only_one_that_happens():
    truth, known = labels.within(ending([9.3], failure=1, at=10.0), 10)
    assert known.all()
    assert truth.tolist() == [[False, True, False, False]]
    truth, known = labels.within(ending([9.3], failure=1, at=10.0), 6)
    assert known.all()
    assert not truth.any()


def test_incidence_of_a_hand_worked_case():
    chances = np.array([[0.2, 0.1, 0.7], [0.5, 0.0, 0.5]])  # two steps, two causes and going on
    assert np.allclose(labels.incidence(chances), [[0.2, 0.2 + 0.7 * 0.5], [0.1, 0.1]])


@given(st.integers(0, 2**32 - 1), st.floats(0.2, 5.0))
def test_incidence_never_falls_and_never_sums_to_more_than_one(seed: int, temperature: float):
    logits = 4.0 * np.random.default_rng(seed).normal(size=(3, labels.STEPS, labels.CAUSES + 1))
    found = labels.incidence(labels.hazards(logits, temperature))
    assert (np.diff(found, axis=-1) >= 0.0).all()
    assert (found.sum(axis=-2) <= 1.0 + 1e-9).all()


def test_only_steps_that_were_reached_and_watched_count():
    ends, counted = labels.classes(Targets(np.array([3, 0]), np.array([1, -1]), np.array([3, 5])))
    assert ends[0, :4].tolist() == [4, 4, 1, 4]
    assert counted.sum(axis=1).tolist() == [3, 5]
    assert (ends[1] == labels.CAUSES).all()
