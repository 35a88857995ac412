"""One inference at a time says what the whole sequence at once says, and why."""

import subprocess
import sys
import time

import msgspec
import numpy as np
import pytest
import torch

from engine.forecast import card, labels, streaming
from engine.forecast.dataset import Dataset
from engine.forecast.features import PER_SIGNAL
from engine.forecast.network import Network, begun
from engine.forecast.streaming import AT, RECENT, Foreseen, Stream, Weights
from engine.types import SIGNALS, Inference

from .synthetic import episodes

TEMPERATURE = 1.3
THRESHOLDS = np.array([0.5, 0.1, np.inf, 0.2])


@pytest.fixture(scope="module")
def data() -> Dataset:
    return episodes(6)


@pytest.fixture(scope="module")
def networks() -> list[Network]:
    """Two that say much, and different things."""
    made = [begun(seed, torch.full((5,), 0.2)) for seed in range(2)]
    for network in made:
        network.out.weight.data.mul_(15.0)
    return made


@pytest.fixture(scope="module")
def weights(networks: list[Network]) -> Weights:
    return streaming.stacked([{name: value.numpy() for name, value in network.state_dict().items()} for network in networks])


def inferences(data: Dataset, episode: int, begin: int = 1_000_000_000) -> list[Inference]:
    """As an engine would have handed them on."""
    found = []
    for row in range(data.first[episode], data.first[episode + 1]):
        exposed = begin + round(1e9 * data.exposed[row])
        found.append(
            Inference(
                id=row + 1,
                exposed_ns=exposed,
                start_ns=exposed,
                end_ns=exposed,
                base_pose=np.zeros(7),
                chunks=np.zeros((1, 1, 1, 1), np.float32),
                step_s=0.05,
                signals=data.signals[row].astype(np.float64),
                valid=data.valid[row],
                signal_ns=exposed - np.rint(1e9 * data.age[row].astype(np.float64)).astype(np.int64),
                ratio=np.zeros(18),
                quantile=np.zeros(18),
                heads={},
                stage_ms={},
                members=5,
                finite=True,
            )
        )
    return found


def streamed(stream: Stream, looks: list[Inference], because: bool = False) -> list[Foreseen]:
    return [stream.look(one, because) for one in looks]


def stream(weights: Weights, data: Dataset) -> Stream:
    return Stream(weights, data.nominal(0), TEMPERATURE, THRESHOLDS)


def whole(networks: list[Network], seen: np.ndarray) -> np.ndarray:
    """(T, CAUSES, STEPS) by torch, of a whole sequence (T, CHANNELS)."""
    with torch.no_grad():
        logits = np.stack([network(torch.from_numpy(seen[None])).numpy()[0] for network in networks])
    return labels.incidence(labels.hazards(logits, TEMPERATURE).mean(axis=0))


def test_streaming_says_what_the_network_says_of_the_whole_sequence(networks: list[Network], weights: Weights, data: Dataset):
    expected = whole(networks, card.seen(data)[: data.first[1]])[..., AT]
    found = streamed(stream(weights, data), inferences(data, 0))
    assert np.abs(np.stack([one.probability for one in found]) - expected).max() < 1e-5
    assert expected.std(axis=0).max() > 1e-3  # there is something to agree on


def test_a_data_set_says_it_too_episode_by_episode(networks: list[Network], weights: Weights, data: Dataset):
    found = card.logits(weights, data)
    for episode in (1, 4):
        rows = slice(data.first[episode], data.first[episode + 1])
        expected = whole(networks, card.seen(data)[rows])
        assert np.abs(labels.incidence(labels.hazards(found[:, rows], TEMPERATURE).mean(axis=0)) - expected).max() < 1e-5


def test_a_forgotten_run_leaves_nothing_behind(weights: Weights, data: Dataset):
    used = stream(weights, data)
    streamed(used, inferences(data, 0))
    used.forget()
    again, fresh = streamed(used, inferences(data, 2), True), streamed(stream(weights, data), inferences(data, 2), True)
    assert all(np.array_equal(a, b) for one, other in zip(again, fresh, strict=True) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("begin", [60_000_000_000, 1_000_000])
def test_a_long_gap_and_time_running_back_begin_anew(weights: Weights, data: Dataset, begin: int):
    used, looks = stream(weights, data), inferences(data, 2, begin)
    streamed(used, inferences(data, 0))
    fresh = streamed(stream(weights, data), looks)
    assert np.array_equal(streamed(used, looks)[-1].probability, fresh[-1].probability)


def test_when_it_is_makes_no_difference(weights: Weights, data: Dataset):
    early, late = (streamed(stream(weights, data), inferences(data, 1, begin)) for begin in (10**9, 10**13))
    assert np.allclose(early[-1].probability, late[-1].probability, atol=1e-7)


def test_an_alarm_is_the_probability_by_the_last_horizon_over_its_threshold(weights: Weights, data: Dataset):
    found = streamed(stream(weights, data), inferences(data, 0))[-1]
    assert np.allclose(found.alarm, found.probability[:, -1] / THRESHOLDS)
    assert found.alarm[2] == 0.0  # that of a failure that never alarms


@pytest.mark.parametrize("looks", [3, 20])
def test_because_is_what_nominal_signals_would_have_changed(networks: list[Network], weights: Weights, data: Dataset, looks: int):
    used = stream(weights, data)
    found = streamed(used, inferences(data, 0)[:looks], True)[-1]
    seen = card.seen(data)[:looks]
    worst = int(np.argmax(found.probability[:, -1]))
    for signal in range(len(SIGNALS)):
        other = seen.copy()
        part = slice(PER_SIGNAL * signal, PER_SIGNAL * (signal + 1))
        other[-RECENT:, part] = used.usual[part]
        without = whole(networks, other)[-1, worst, -1]
        assert found.because[signal] == pytest.approx(found.probability[worst, -1] - without, abs=1e-5)
    assert np.abs(found.because).max() > 1e-3


def test_numbers_that_are_none_do_not_reach_the_forecast(weights: Weights, data: Dataset):
    used, looks = stream(weights, data), inferences(data, 0)
    looks[5] = msgspec.structs.replace(looks[5], signals=np.full(18, np.nan), valid=np.ones(18, np.bool_))
    assert all(np.isfinite(part).all() for one in streamed(used, looks, True) for part in one)


def test_a_look_with_its_reasons_takes_a_small_part_of_an_inference(weights: Weights, data: Dataset):
    used, looks, taken = stream(weights, data), inferences(data, 0), []
    for one in looks:
        begin = time.thread_time()
        used.look(one)
        taken.append(time.thread_time() - begin)
    assert np.median(taken) < 0.004


def test_a_live_forecast_needs_no_torch():
    code = "import sys, engine.forecast.card; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
