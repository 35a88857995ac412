"""The table of episodes: kept in one file, split honestly, refused when it is not what it says."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest

from engine.forecast import dataset
from engine.forecast.dataset import CALIBRATE, TEST, TRAIN, Dataset
from engine.forecast.errors import ForecastError
from engine.forecast.merging import merged

from .synthetic import episodes


@pytest.fixture(scope="module")
def data() -> Dataset:
    return episodes(40)


def test_a_file_gives_back_what_was_put_in(data: Dataset, tmp_path: Path):
    dataset.save(tmp_path / "some.npz", data)
    found = dataset.load(tmp_path / "some.npz")
    assert found.hash == data.hash
    assert (found.tasks, found.policies, found.kinds) == (data.tasks, data.policies, data.kinds)
    for name in ("task", "seed", "first", "failure", "failure_s", "t", "exposed", "signals", "valid", "age", "oracle", "table"):
        assert np.array_equal(getattr(found, name), getattr(data, name), equal_nan=name != "valid"), name


def test_coding_keeps_signals_to_half_a_percent_and_coded_ones_exactly(data: Dataset):
    fine = replace(data, signals=data.signals * np.float32(1.0017))
    once = dataset.coded(fine)
    assert np.allclose(once.signals, fine.signals, rtol=5e-3, equal_nan=True)
    assert not np.array_equal(once.signals, fine.signals, equal_nan=True)
    assert dataset.coded(once).hash == once.hash


def test_an_infinite_or_enormous_signal_stays_finite_where_it_is_valid(data: Dataset):
    signals = data.signals.copy()
    signals[5, 0], signals[6, 0] = np.inf, -1e30
    found = dataset.coded(replace(data, signals=signals, valid=data.valid | True)).signals
    assert np.isfinite(found[5:7, 0]).all()
    assert found[5, 0] > 1e4 * data.p95[0, 0] > 0.0 > found[6, 0]


def test_the_hash_tells_of_any_change(data: Dataset):
    other = data.failure_s.copy()
    other[np.flatnonzero(data.failure >= 0)[0]] -= 0.1
    assert replace(data, failure_s=other).hash != data.hash


def test_some_episodes_keep_their_own_rows(data: Dataset):
    part = data.take(np.array([7, 2]))
    assert part.seed.tolist() == data.seed[[7, 2]].tolist()
    assert np.array_equal(part.t[: part.first[1]], data.t[data.first[7] : data.first[8]])
    assert np.array_equal(part.oracle[part.first[1] :], data.oracle[data.first[2] : data.first[3]])
    assert data.take(data.of("table/lift")).episodes == 20


def test_the_time_since_the_inference_before_begins_anew_with_each_episode(data: Dataset):
    assert (data.since[data.first[:-1]] == 0.0).all()
    assert np.allclose(np.delete(data.since, data.first[:-1]), 0.16, atol=1e-6)


def test_the_split_follows_robot_and_seed_and_has_about_the_shares_it_says():
    parts = [dataset.part_of("table/lift", seed) for seed in range(2000)]
    assert np.bincount(parts) / 2000 == pytest.approx([0.6, 0.2, 0.2], abs=0.03)
    assert {TRAIN, CALIBRATE, TEST} == set(parts)
    assert parts[:100] == [dataset.part_of("table/reach", seed) for seed in range(100)]
    assert parts[:100] != [dataset.part_of("other/lift", seed) for seed in range(100)]


def test_the_split_of_an_episode_does_not_depend_on_what_else_there_is(data: Dataset):
    assert np.array_equal(dataset.split(data)[5:30], dataset.split(data.take(np.arange(5, 30))))


def test_two_halves_make_the_whole(data: Dataset):
    halves = [data.take(np.arange(20, 40)), replace(data.take(np.arange(20)), kinds=data.kinds[::-1])]
    found = merged(halves)
    assert found.episodes == 40
    assert found.rows == data.rows
    assert found.disturbances(0) == data.disturbances(20)
    swapped = {"slips": "occluded", "occluded": "slips"}
    assert [found.disturbances(20 + e) for e in range(20)] == [tuple(swapped[name] for name in data.disturbances(e)) for e in range(20)]


def test_the_same_seed_twice_and_another_policy_are_refused(data: Dataset):
    with pytest.raises(ForecastError, match=r"Seed 0 of table/lift comes 2 times"):
        merged([data, data.take(np.arange(3))])
    other = replace(episodes(8), policies=("f" * 64,) * 2)
    with pytest.raises(ForecastError, match=r"table/lift was played with the policies 0{12} and f{12}"):
        merged([data, other])


def about(held: dict[str, Any], **changed: Any) -> None:
    told = json.loads(held["about"].tobytes()) | changed
    held["about"] = np.frombuffer(json.dumps(told).encode(), np.uint8)


SPOILT = {
    "another schema": (lambda held: about(held, schema=99), "schema 99"),
    "other signals": (lambda held: about(held, signals=["doubt"]), "other signals"),
    "no oracle": (lambda held: held.pop("oracle"), "damaged"),
    "a label after the end": (lambda held: held["end_s"].fill(0.5), "after its episode's end"),
    "an unknown task": (lambda held: held["task"].fill(7), "damaged|not named"),
    "an unknown failure": (lambda held: held["failure"].fill(9), "not named"),
    "time running back": (lambda held: held["t"].__setitem__(3, -5), "order of time"),
    "rows too few": (lambda held: held.update(first=held["first"] + 4), "damaged|cover"),
    "a number for signals": (lambda held: about(held, signals=5), "not a data set"),
    "nothing but brackets": (lambda held: held.update(about=np.frombuffer(b"[" * 100_000, np.uint8)), "not a data set"),
    "text for times": (lambda held: held.update(end_s=np.full(held["end_s"].shape, "x")), "end_s as <U1; expected float64"),
    "one seed for all": (lambda held: held.update(seed=held["seed"][0]), "damaged"),
    "a policy too few": (lambda held: about(held, policies=["a"]), "not named"),
    "signals that are no numbers": (lambda held: held["signals"].fill(np.nan), "a signal that counts is no number"),
    "nothing nominal": (lambda held: held["table"].fill(np.inf), "nominal for a signal is no number"),
    "no end": (lambda held: held["end_s"].fill(np.inf), "after its episode's end"),
    "an exposure after its delivery": (lambda held: held["exposed"].fill(-9), "before its exposure"),
    "an inference after the failure": (lambda held: held["failure_s"].__imul__(0.5), "after what it should foresee"),
}


@pytest.mark.parametrize("what", SPOILT)
def test_a_spoilt_file_is_refused_in_one_sentence(what: str, data: Dataset, tmp_path: Path):
    spoil, sentence = SPOILT[what]
    path = tmp_path / "some.npz"
    dataset.save(path, data)
    with np.load(path) as file:
        held = {name: file[name] for name in file.files}
    spoil(held)
    np.savez(path, **held)
    with pytest.raises(ForecastError, match=sentence) as caught:
        dataset.load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04nothing", b"text"])
def test_what_is_no_such_file_is_refused(content: bytes, tmp_path: Path):
    (tmp_path / "some.npz").write_bytes(content)
    with pytest.raises(ForecastError, match="not a data set"):
        dataset.load(tmp_path / "some.npz")


def test_a_file_with_a_damaged_byte_is_refused(data: Dataset, tmp_path: Path):
    path = tmp_path / "some.npz"
    dataset.save(path, data)
    whole = path.read_bytes()
    with ZipFile(path) as file:
        begin = file.getinfo("signals.npy").header_offset + 100
    for at in range(begin, begin + 200, 5):  # in the packed bytes, where zlib itself finds it
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        with pytest.raises(ForecastError, match="is damaged"):
            dataset.load(path)


def test_a_missing_file_and_pickles_are_refused(tmp_path: Path):
    with pytest.raises(ForecastError, match="cannot be read"):
        dataset.load(tmp_path / "none.npz")
    np.savez(tmp_path / "some.npz", about=np.array([object()], dtype=object))
    with pytest.raises(ForecastError, match="not a data set"):
        dataset.load(tmp_path / "some.npz")
