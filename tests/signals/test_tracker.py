"""What is kept from one pass to the next, and how long it counts."""

import numpy as np

from engine.signals import Found, Pass, Tracker
from engine.types import SIGNALS

SCALE = np.full(7, 0.1)
MEAN, MAX = SIGNALS.index("sensitivity mean"), SIGNALS.index("sensitivity max")
EPISTEMIC, OVERLAP = SIGNALS.index("epistemic"), SIGNALS.index("overlap")
MS = 1_000_000


def shown(tracker: Tracker, at_ms: int, moved: dict[int, float], follows: bool = True, broken: bool = False) -> Found:
    """A pass whose perturbations each moved the whole chunk by so many training spreads."""
    chunks = np.zeros((2, 1, 16, 7), np.float32)
    chunks[1] = np.nan if broken else 0.01
    perturbed = {number: (chunks[:, 0] + by * 0.1).astype(np.float32) for number, by in moved.items()}
    return tracker.signals(Pass(chunks, at_ms * MS, np.zeros(3), 0.05, SCALE), None, perturbed, follows)


def test_perturbations_that_run_in_turn_count_once_all_are_known_and_are_as_old_as_the_oldest() -> None:
    tracker = Tracker(None, None)
    for number, at in enumerate((1000, 1100)):
        found = shown(tracker, at, {number: 0.1 * (number + 1)})
        assert not found.valid[[MEAN, MAX]].any()
        assert not found.exposed_ns[[MEAN, MAX]].any()
    found = shown(tracker, 1200, {2: 0.3})
    np.testing.assert_allclose(found.values[[MEAN, MAX]], [0.2, 0.3], rtol=1e-5)
    assert (found.exposed_ns[[MEAN, MAX]] == 1000 * MS).all()
    assert found.exposed_ns[EPISTEMIC] == 1200 * MS
    found = shown(tracker, 1300, {0: 0.7})
    np.testing.assert_allclose(found.values[[MEAN, MAX]], [0.4, 0.7], rtol=1e-5)
    assert found.exposed_ns[MAX] == 1100 * MS


def test_a_response_older_than_a_second_makes_both_invalid_and_their_age_goes_on() -> None:
    tracker = Tracker(None, None)
    shown(tracker, 1000, {0: 0.1, 1: 0.1, 2: 0.1})
    assert shown(tracker, 2000, {}).valid[MEAN]
    found = shown(tracker, 2001, {1: 0.1, 2: 0.1})
    assert not found.valid[[MEAN, MAX]].any()
    assert np.isnan(found.values[[MEAN, MAX]]).all()
    assert found.exposed_ns[MEAN] == 1000 * MS
    assert shown(tracker, 2100, {0: 0.1}).valid[MEAN]


def test_a_perturbed_chunk_that_is_not_finite_is_no_sensitivity() -> None:
    found = shown(Tracker(None, None), 1000, {0: 0.1, 1: float("nan"), 2: 0.1})
    assert not found.valid[[MEAN, MAX]].any()


def test_a_signal_that_goes_missing_keeps_the_exposure_it_was_last_computed_from() -> None:
    tracker = Tracker(None, None)
    shown(tracker, 1000, {})
    found = shown(tracker, 1100, {}, broken=True)
    assert not found.valid[EPISTEMIC]
    assert found.exposed_ns[EPISTEMIC] == 1000 * MS
    assert found.exposed_ns[MEAN] == 0


def test_nothing_is_compared_with_a_pass_that_the_robot_did_not_go_by() -> None:
    tracker = Tracker(None, None)
    shown(tracker, 1000, {})
    assert not shown(tracker, 1100, {}, follows=False).valid[OVERLAP]
    assert shown(tracker, 1200, {}).valid[OVERLAP]


def test_another_instruction_begins_anew() -> None:
    tracker = Tracker(None, None)
    shown(tracker, 1000, {0: 0.1, 1: 0.1, 2: 0.1})
    tracker.forget()
    found = shown(tracker, 1100, {})
    assert not found.valid[[MEAN, OVERLAP]].any()
    assert found.exposed_ns[MEAN] == 0
