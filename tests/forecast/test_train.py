"""Training learns what is there to learn, ends alike however often it was interrupted, and refuses what it cannot learn from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.forecast import calibration, card, labels, material, metrics, network, streaming, train
from engine.forecast.dataset import TEST, Dataset, split
from engine.forecast.errors import ForecastError
from engine.forecast.features import PER_SIGNAL
from engine.forecast.merging import merged
from engine.types import SIGNALS

from .synthetic import episodes


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return episodes(240, failing=0.9)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short enough to train several times over."""
    monkeypatch.setattr(train, "BATCH", 4)
    monkeypatch.setattr(train, "LOOK_EVERY", 4)


def quiet(text: str) -> None: ...


def test_it_foresees_what_has_a_precursor_on_episodes_it_never_saw(data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(train, "BATCH", 24)
    monkeypatch.setattr(train, "LOSSES", {"likelihood": 0.0})
    made = train.train(data, tmp_path / "made", steps=60, progress=quiet)
    test = data.take(split(data) == TEST)
    found = card.load(tmp_path / "made").probabilities(test)
    truth, known = labels.within(labels.targets(test), 16)
    failing = truth.any(axis=1)[known]
    assert metrics.auroc(found[known].sum(axis=1)[:, -1], failing) > 0.75
    assert made.data == data.hash
    assert not (tmp_path / "made.work").exists()


@pytest.mark.usefixtures("small")
def test_an_interrupted_training_goes_on_to_the_same_weights(data: Dataset, tmp_path: Path):
    few = data.take(np.arange(60))
    train.train(few, tmp_path / "whole", steps=12, progress=quiet)

    def interrupt(text: str) -> None:
        if text.startswith("focal 0, 4/"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train.train(few, tmp_path / "parts", steps=12, progress=interrupt)
    assert not (tmp_path / "parts").exists()
    told: list[str] = []
    train.train(few, tmp_path / "parts", steps=12, resume=True, progress=told.append)
    assert not any(text.startswith("likelihood 0, 4/") for text in told)
    assert (tmp_path / "parts" / card.WEIGHTS).read_bytes() == (tmp_path / "whole" / card.WEIGHTS).read_bytes()
    assert (tmp_path / "parts" / card.CARD).read_bytes() == (tmp_path / "whole" / card.CARD).read_bytes()


@pytest.mark.usefixtures("small")
def test_a_training_tells_of_itself_between_two_looks(data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(train, "TELL_EVERY", 0.0)
    told: list[str] = []
    train.train(data.take(np.arange(60)), tmp_path / "made", steps=2, progress=told.append)
    assert told[0] == "likelihood 0, 1/2"


@pytest.mark.usefixtures("small")
def test_a_place_where_nothing_can_be_written_is_told(data: Dataset, tmp_path: Path):
    few = data.take(np.arange(60))
    (tmp_path / "file").touch()
    for out in (tmp_path / "file", Path("/")):
        with pytest.raises(ForecastError, match="cannot hold a forecast"):
            train.train(few, out, steps=2, progress=quiet)
    (tmp_path / "made.work" / ".likelihood 0.part").mkdir(parents=True)
    with pytest.raises(ForecastError, match="cannot be written"):
        train.train(few, tmp_path / "made", steps=2, resume=True, progress=quiet)


@pytest.mark.usefixtures("small")
def test_another_seed_gives_other_weights(data: Dataset, tmp_path: Path):
    few = data.take(np.arange(60))
    first, second = (train.train(few, tmp_path / str(seed), steps=4, seed=seed, progress=quiet) for seed in (0, 1))
    assert first.weights != second.weights
    assert set(first.figures) == {"likelihood", "focal"}
    assert all(np.isfinite(value) for told in first.figures.values() for value in told.values())


@pytest.mark.usefixtures("small")
def test_the_state_of_another_training_is_refused(data: Dataset, tmp_path: Path):
    few = data.take(np.arange(60))

    def interrupt(text: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train.train(few, tmp_path / "made", steps=8, progress=interrupt)
    with pytest.raises(ForecastError, match="other data or settings"):
        train.train(few, tmp_path / "made", steps=12, resume=True, progress=quiet)
    (state,) = (tmp_path / "made.work").glob("*.safetensors")
    state.write_bytes(state.read_bytes()[:-40])
    with pytest.raises(ForecastError, match="damaged"):
        train.train(few, tmp_path / "made", steps=8, resume=True, progress=quiet)


@pytest.mark.usefixtures("small")
def test_a_task_that_is_left_out_is_in_no_part_but_the_test(data: Dataset, tmp_path: Path):
    made = train.train(data, tmp_path / "made", steps=4, without="table/reach", progress=quiet)
    assert set(made.tasks) == {"table/lift"}
    assert made.without == "table/reach"
    assert "table/reach" not in made.thresholds
    parts = train.apart(data, "table/reach")
    for part in (parts.fit, parts.choose, parts.calibrate):
        assert not part.of("table/reach").any()
    assert parts.test.of("table/reach").any()


def test_no_seed_of_the_fitted_episodes_is_in_another_part(data: Dataset):
    parts = train.apart(data)
    seeds = [set(part.seed.tolist()) for part in (parts.fit, parts.choose, parts.calibrate, parts.test)]
    assert sum(len(one) for one in seeds) == len(set.union(*seeds))


def test_a_task_with_too_few_calm_episodes_has_no_thresholds_of_its_own(data: Dataset):
    net = network.begun(0, torch.full((5,), 0.2))
    stack = streaming.stacked([{name: value.detach().numpy() for name, value in net.state_dict().items()}])
    parts = train.apart(data)
    calm = np.flatnonzero((parts.calibrate.failure < 0) & parts.calibrate.of("table/reach"))
    dropped = np.ones(parts.calibrate.episodes, np.bool_)
    dropped[calm[calibration.FEWEST - 1 :]] = False
    few = replace(parts, calibrate=parts.calibrate.take(dropped))
    more = replace(parts, calibrate=merged([parts.calibrate, more_calm(parts.calibrate)]))
    assert "table/reach" not in train.alarms_from(few, stack, 1.0)
    assert set(train.alarms_from(more, stack, 1.0)) == {"", "table/lift", "table/reach"}


def more_calm(data: Dataset) -> Dataset:
    """The same episodes without failure once more, under other seeds."""
    calm = data.take(data.failure < 0)
    return replace(calm, seed=calm.seed + 10_000)


def test_too_little_to_learn_from_and_an_unknown_task_are_refused(data: Dataset, tmp_path: Path):
    with pytest.raises(ForecastError, match="fail; collect more"):
        train.train(data.take(data.failure < 0), tmp_path / "made", progress=quiet)
    with pytest.raises(ForecastError, match="no task saw/saw"):
        train.train(data, tmp_path / "made", without="saw/saw", progress=quiet)
    assert not list(tmp_path.iterdir())


def test_what_a_sequence_leaves_out_is_left_out_of_its_labels_and_its_times(data: Dataset, monkeypatch: pytest.MonkeyPatch):
    for name in ("SIGNAL_LOST", "SHAKEN", "PACE"):
        monkeypatch.setattr(material, name, 0.0)
    monkeypatch.setattr(material, "THINNED", 1.0)
    whole = material.Material(data)
    batch = whole.varied(16, np.random.default_rng(2))
    everything = {row.tobytes(): index for index, row in enumerate(card.seen(data)[:, :-1])}
    ends, counted = labels.classes(labels.targets(data))
    checked = 0
    for seen, of_ends, of_counted in zip(batch.seen, batch.ends, batch.counted, strict=True):
        there = [everything.get(row.tobytes()) for row in seen[:, :-1]]
        rows = [row for row in there if row is not None]
        assert there == rows + [None] * (len(there) - len(rows))
        assert np.array_equal(of_ends[: len(rows)], ends[rows])
        assert np.array_equal(of_counted[: len(rows)], counted[rows])
        assert not of_counted[len(rows) :].any()
        assert np.allclose(seen[1 : len(rows), -1], np.diff(data.exposed[rows]).clip(0.0, 1.0), atol=1e-5)
        checked += len(rows)
    assert checked > 100


def test_a_lost_signal_reads_as_never_computed(data: Dataset, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(material, "SIGNAL_LOST", 1.0)
    batch = material.Material(data).varied(2, np.random.default_rng(2))
    shown = batch.seen[..., :-1].reshape(*batch.seen.shape[:2], len(SIGNALS), PER_SIGNAL)
    assert np.array_equal(np.unique(shown.reshape(-1, PER_SIGNAL), axis=0), [[0.0, 0.0, 0.0, 1.0]])


def test_the_likelihood_of_a_hand_worked_case():
    logits = torch.log(torch.tensor([[[0.5, 0.1, 0.1, 0.1, 0.2], [0.25, 0.25, 0.25, 0.15, 0.1]]]))  # one inference, two steps
    ends, counted = torch.tensor([[4, 0]]), torch.tensor([[True, True]])
    assert float(network.loss(logits, ends, counted, 0.0)) == pytest.approx(-np.log(0.2) - np.log(0.25))
    assert float(network.loss(logits, ends, torch.tensor([[True, False]]), 0.0)) == pytest.approx(-np.log(0.2))
    focal = -(0.8**2) * np.log(0.2) - 0.75**2 * np.log(0.25)
    assert float(network.loss(logits, ends, counted, 2.0)) == pytest.approx(focal)


def test_what_is_said_of_an_inference_does_not_depend_on_later_ones(data: Dataset):
    net = network.begun(0, torch.full((5,), 0.2))
    seen = torch.from_numpy(card.seen(data)[None, :30])
    other = seen.clone()
    other[:, 20:] = 3.0
    with torch.no_grad():
        assert torch.equal(net(seen)[:, :20], net(other)[:, :20])
        assert not torch.allclose(net(seen)[:, 20:], net(other)[:, 20:])


def test_a_forecast_that_is_too_sure_has_the_greater_calibration_error(data: Dataset):
    timid = np.full((data.rows, labels.STEPS, labels.CAUSES + 1), 0.005)
    timid[..., -1] = 0.98
    sure = np.full_like(timid, 0.2)
    assert train.reliable(timid, data)["ece"] < train.reliable(sure, data)["ece"]
    assert train.reliable(timid, data)["auroc"] == 0.5
