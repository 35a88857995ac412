"""The forecast that ships, on the data that ship: it is what its card says, passes the gate, and can be trained again."""

from pathlib import Path

import numpy as np
import pytest

from engine.forecast import card, evaluate, train
from engine.forecast.dataset import TEST, Dataset, load, split
from engine.forecast.evaluate import Evaluation
from engine.policy import checkpoint
from engine.tasks import KINDS
from engine.types import HORIZONS

DRAWS = 200
LEAST = {6: 0.80, 10: 0.78, 13: 0.76, 16: 0.75}  #: AUROC by horizon
UNSEEN = 0.70  #: of a task that was never trained on


@pytest.fixture(scope="module")
def data() -> Dataset:
    return load(card.SHIPPED / "data.npz")


@pytest.fixture(scope="module")
def found(data: Dataset) -> Evaluation:
    return evaluate.evaluate(data, card.load(), lambda text: None, unseen=evaluate.trained_without(card.SHIPPED), draws=DRAWS)


def test_it_was_trained_on_these_data_and_for_the_policies_that_ship(data: Dataset) -> None:
    told = card.load().card
    assert told.data == data.hash
    folder = Path(checkpoint.__file__).parent / "checkpoints"
    for task, policy_hash in told.tasks.items():
        assert policy_hash == checkpoint.folder_hash(folder / KINDS[task.partition("/")[0]].checkpoint)


def test_it_passes_the_gate_and_says_of_each_task_what_the_evaluation_says(found: Evaluation) -> None:
    pooled = found.tree["tasks"][evaluate.POOLED]
    assert pooled["gate"]["passed"]
    told = card.load().card.gate
    assert {task: one.proven for task, one in evaluate.gates(found.tree).items()} == {task: one.proven for task, one in told.items()}
    for horizon in HORIZONS:
        assert pooled["horizons"][str(horizon)]["auroc"] >= LEAST[horizon]
        assert found.tree["unseen"]["so101-sim/reach"]["horizons"][str(horizon)]["auroc"] >= UNSEEN


def test_a_short_training_on_them_learns_something(data: Dataset, tmp_path: Path) -> None:
    some = data.take(np.flatnonzero(data.task == data.tasks.index("so101-sim/reach")))
    made = train.train(some, tmp_path / "out", steps=40, progress=lambda text: None)
    forecast = card.load(tmp_path / "out")
    test = some.take(split(some) == TEST)
    failing = test.failure >= 0
    peak = np.array([forecast.probabilities(test)[test.episode == e, :, -1].sum(axis=1).max() for e in range(test.episodes)])
    assert made.tasks.keys() == {"so101-sim/reach"}
    assert np.median(peak[failing]) > np.median(peak[~failing])
