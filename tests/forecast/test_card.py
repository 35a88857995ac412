"""A forecast's folder: what is written can be loaded, and what was tampered with or made for another policy cannot."""

import hashlib
import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from engine.forecast import card, streaming
from engine.forecast.card import Card, Gate
from engine.forecast.dataset import Dataset
from engine.forecast.errors import ForecastError

from .synthetic import card_with, episodes

HASH = "0" * 64


@pytest.fixture(scope="module")
def data() -> Dataset:
    return episodes(6)


def member(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: 0.3 * rng.standard_normal(shape, np.float32) for name, shape in card.SHAPES.items()}


def described(**changed: object) -> Card:
    plain = card_with(
        tasks={"table/lift": HASH, "table/reach": HASH},
        thresholds={"": (0.5, 0.5, 0.5, None), "table/lift": (0.25, 0.5, None, None)},
        temperature=1.25,
    )
    return msgspec.structs.replace(plain, **changed)


@pytest.fixture
def folder(data: Dataset, tmp_path: Path) -> Path:
    card.write(tmp_path / "made", described(), [member()], data)
    return tmp_path / "made"


def test_what_was_written_foresees_the_same(folder: Path, data: Dataset):
    found = card.load(folder)
    own = streaming.stacked([member()])
    expected = card.labels.incidence(card.labels.hazards(card.logits(own, data)[0], 1.25))
    assert np.allclose(found.incidence(data), expected, atol=1e-7)
    assert found.probabilities(data).shape == (data.rows, 4, 4)


def test_alarms_go_by_the_thresholds_of_the_task_and_else_by_those_of_any(folder: Path, data: Dataset):
    found = card.load(folder)
    chances = found.probabilities(data)
    alarms = found.alarms(data, chances)
    lift, gone = (data.task == data.tasks.index("table/lift"))[data.episode], data.gone
    assert np.allclose(alarms[gone & lift, 0], chances[gone & lift, 0, -1] / 0.25)
    assert np.allclose(alarms[gone & ~lift, 0], chances[gone & ~lift, 0, -1] / 0.5)
    assert (alarms[:, 3] == 0.0).all()
    assert (alarms[~gone] == 0.0).all()
    assert alarms[gone, 0].min() > 0.0


def test_a_stream_is_for_the_policies_it_was_trained_on_alone(folder: Path):
    found = card.load(folder)
    assert found.for_policy(HASH) == ""
    assert "hashes 000000000000, and this one has abcabcabcabc" in found.for_policy("abc" * 10)
    with pytest.raises(ForecastError, match="trained on policies"):
        found.stream("abc" * 10, "table/lift")


def test_a_task_is_proven_only_where_its_gate_says_so(folder: Path):
    assert card.load(folder).state("table/lift") == card.UNPROVEN
    card.prove(folder, {"table/lift": Gate(proven=True, figures={"mean": 0.2}), "table/reach": Gate(proven=False)})
    found = card.load(folder)
    assert [found.state(task) for task in ("table/lift", "table/reach", "other/task")] == [card.IN_FORCE, card.UNPROVEN, card.UNPROVEN]
    assert found.card.gate["table/lift"].figures == {"mean": 0.2}


def edit(folder: Path, **changed: object) -> None:
    path = folder / card.CARD
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))


CHANGED = {
    "other signals": ({"signals": ["doubt"]}, "other signals"),
    "other horizons": ({"horizons": [6, 10]}, "other horizons"),
    "another schema": ({"schema": 9}, "schema 9"),
    "other weights": ({"weights": "f" * 64}, "belongs to ffff"),
    "more members": ({"members": 2}, "lacks 'member.1"),
    "another policy": ({"tasks": {"table/lift": "f" * 64}}, "lacks 'nominal.ffff"),
    "a threshold of nothing": ({"thresholds": {"": [0.0, 1.0, 1.0, 1.0]}}, "no thresholds"),
    "too few thresholds": ({"thresholds": {"": [0.5]}}, "no thresholds"),
    "no threshold for any task": ({"thresholds": {}}, "no thresholds"),
    "no temperature": ({"temperature": 0.0}, "no thresholds, temperature"),
    "a text for a number": ({"temperature": "warm"}, "wrong type"),
}


@pytest.mark.parametrize("what", CHANGED)
def test_a_card_that_does_not_fit_is_refused_in_one_sentence(what: str, folder: Path):
    changed, sentence = CHANGED[what]
    edit(folder, **changed)
    with pytest.raises(ForecastError, match=sentence):
        card.load(folder)


def test_weights_that_are_not_finite_are_refused(folder: Path):
    tensors = load_file(folder / card.WEIGHTS)
    tensors["member.0.out.bias"][3] = np.nan
    save_file(tensors, folder / card.WEIGHTS)
    edit(folder, weights=hashlib.sha256((folder / card.WEIGHTS).read_bytes()).hexdigest())
    with pytest.raises(ForecastError, match=r"member\.0\.out\.bias .* finite"):
        card.load(folder)


def test_damaged_and_missing_files_are_refused(folder: Path, tmp_path: Path):
    with pytest.raises(ForecastError, match="There is no forecast at"):
        card.load(tmp_path / "none")
    blob = (folder / card.WEIGHTS).read_bytes()
    (folder / card.WEIGHTS).write_bytes(blob[:-1] + bytes([blob[-1] ^ 1]))
    with pytest.raises(ForecastError, match="SHA-256"):
        card.load(folder)
    (folder / card.WEIGHTS).unlink()
    with pytest.raises(ForecastError, match="cannot be read"):
        card.load(folder)
    (folder / card.CARD).write_text("{")
    with pytest.raises(ForecastError, match="no forecast's card"):
        card.load(folder)
