"""An ensemble asked for many runs at once answers each as if it had been asked for that one alone."""

from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.collect.board import Board
from engine.collect.plan import Plan
from engine.policy import courses
from engine.policy.compact import CAMERAS
from engine.policy.crowd import Crowd
from engine.policy.mapping import Offered
from engine.policy.telling import Asked
from engine.session.reader import Session
from tests.collect.sides import Rounds, by_lockstep, differences


def test_an_episode_beside_others_is_that_of_an_engine_with_a_policy_of_its_own(untrained: Path, tmp_path: Path) -> None:
    plans = [Plan(robot="cosaw", task="saw", seed=seed, policy=str(untrained), delay=0.5, seconds=0.6) for seed in (5, 6)]
    rounds = Rounds(plans, tmp_path)
    outcomes = rounds.outcomes()
    assert [outcome.error for outcome in outcomes.values()] == ["", ""]
    one, other = Session.open(rounds.store / outcomes[1].session), by_lockstep(plans[1], outcomes[1].ticks, tmp_path)
    assert one.inferences == other.inferences > 4
    assert differences(one, other) == []
    assert {"inference/chunks", "inference/signals", "inference/heads", "tick/score"} <= other.commit.arrays.keys()
    assert one.header.policy == other.header.policy


def test_what_is_asked_together_is_answered_as_alone(untrained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    course = courses.cosaw()
    rng = np.random.default_rng(4)
    pictures = torch.from_numpy(rng.integers(0, 256, (5, 3, 128, 128, 3), dtype=np.uint8))
    states = rng.normal(size=(5, 9)).astype(np.float32)
    asked = [Asked(place, course.tasks[0].instruction, id, 1, id == 1, wanted=place != 3) for place, id in enumerate((1, 4, 2, 7, 7))]
    boards = []
    for together, recorded in ((1, True), (4, False)):
        crowd = Crowd(course, str(untrained), "cpu", 5, Offered(CAMERAS, 128, 7), lambda text: None)
        monkeypatch.setattr(crowd, "_together", together)
        monkeypatch.setattr(crowd, "_recorded", recorded)
        board = Board(get_context("spawn"), 5, crowd.shapes(course.tasks[0].instruction))
        boards.append((board, crowd.answer(asked, pictures, states, board)))
    (alone, heads), (together, others) = boards
    for name in ("chunks", "velocity", "features", "perturbed"):
        np.testing.assert_allclose(together[name], alone[name], atol=1e-5)
        assert not alone[name][3].any()  # nothing was wanted there
        assert alone[name][[0, 1, 2, 4]].any()
    assert heads[3] == others[3] == {}
    for one, other in zip(heads, others, strict=True):
        assert one == pytest.approx(other, abs=1e-4)
    assert np.abs(alone["perturbed"][0] - alone["chunks"][0, :, 0]).max() > 1e-4
