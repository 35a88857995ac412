"""What a forecast must beat: each baseline by hand, learned from the training part alone, and what the clock makes of a leak."""

from dataclasses import replace

import numpy as np
import pytest

from engine.forecast import baselines, metrics
from engine.forecast.baselines import SHUFFLED, SIGNAL
from engine.forecast.dataset import TEST, TRAIN, Dataset, split
from engine.types import HORIZONS

from .synthetic import begun_so_that_they_fail_at, episodes

P = pytest.approx


@pytest.fixture(scope="module")
def data() -> Dataset:
    return episodes(160)


@pytest.fixture(scope="module")
def found(data: Dataset) -> dict[str, baselines.Score]:
    return baselines.baselines(data, split(data))


def area(data: Dataset, score: np.ndarray, h: int, part: int = TEST) -> float:
    ahead = baselines.outlook(data)
    rows = ahead.known[:, h] & (split(data) == part)[data.episode]
    return metrics.auroc(score[rows, h], ahead.failed[rows, h])


def test_a_rate_is_that_of_rows_alike_drawn_to_the_rate_of_all() -> None:
    values, failed = np.repeat([1.0, 3.0], 40), np.repeat([False, True], 40)[:, None]
    rate = baselines.rates(values, np.zeros(80, int), failed, np.ones((80, 1), bool))
    low, high = 0.5 * 20 / 60, (40 + 0.5 * 20) / 60
    assert np.unique(rate).tolist() == P([low, high])


def test_between_two_bins_a_rate_is_linear_and_beyond_them_it_stays() -> None:
    values = np.concatenate((np.repeat([1.0, 3.0], 40), [2.0, -9.0, 9.0]))
    failed, counted = np.repeat([False, True], (40, 43))[:, None], np.arange(83)[:, None] < 80
    rate = baselines.rates(values, np.zeros(83, int), failed, counted)[80:, 0]
    assert rate.tolist() == P([0.5, 1 / 6, 5 / 6])


def test_what_is_no_number_and_another_task_have_rates_of_their_own() -> None:
    values = np.concatenate((np.full(40, np.nan), np.ones(40), np.ones(40)))
    failed, task = np.repeat([True, False, True], 40)[:, None], np.repeat([0, 0, 1], 40)
    rate = baselines.rates(values, task, failed, np.ones((120, 1), bool))[::40, 0]
    assert rate.tolist() == P([5 / 6, 1 / 6, 1.0])


def test_a_task_without_a_row_to_learn_from_has_no_risk() -> None:
    rate = baselines.rates(np.ones(3), np.zeros(3, int), np.ones((3, 1), bool), np.zeros((3, 1), bool))
    assert rate.tolist() == [[0.0]] * 3


def test_the_phase_is_the_age_of_the_chunk_that_was_in_use(data: Dataset) -> None:
    first, second = data.first[3], data.first[3] + 1
    age = baselines.phase(data)
    assert np.isnan(age[first])
    assert age[second] == P(data.t[second] - data.exposed[first])


def test_the_logistic_regression_finds_the_odds() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20_000, 2))
    truth = 1.0 / (1.0 + np.exp(-(2.0 * x[:, 0] - 1.0)))
    chance = baselines.logistic(x, (rng.random(20_000) < truth)[:, None], np.ones((20_000, 1), bool))[:, 0]
    assert np.abs(chance - truth).max() < 0.03


def test_shuffled_labels_are_those_of_another_episode_of_the_same_task_and_part(data: Dataset) -> None:
    part = split(data)
    failed, known = baselines.permuted(data, part, 0)
    episodes = np.unique(data.episode[(failed & known)[:, -1]])
    truly = np.flatnonzero(data.failure >= 0)
    assert set(episodes) != set(truly)
    for task in range(len(data.tasks)):
        for at in np.unique(part):
            group = (data.task == task) & (part == at)
            assert group[episodes].sum() <= group[truly].sum()
    assert not (failed[:, 0] & ~failed[:, -1]).any()


def test_after_the_end_of_the_other_episode_nothing_is_known(data: Dataset) -> None:
    short = replace(
        data, failure=np.full_like(data.failure, -1), failure_s=np.full(data.episodes, np.nan), success_s=np.full(data.episodes, 1.0)
    )
    failed, known = baselines.permuted(short, split(short), 0)
    assert not failed.any()
    assert (known == (short.t < 1.0)[:, None]).all()


def test_out_of_order_keeps_each_episode_s_signals_and_every_label(data: Dataset) -> None:
    mixed = baselines.out_of_order(data)
    for episode in range(5):
        rows = slice(data.first[episode], data.first[episode + 1])
        assert not np.array_equal(mixed.signals[rows], data.signals[rows], equal_nan=True)
        assert np.array_equal(np.sort(mixed.signals[rows], axis=0), np.sort(data.signals[rows], axis=0), equal_nan=True)
    assert (mixed.t == data.t).all()
    assert (mixed.failure_s[data.failure >= 0] == data.failure_s[data.failure >= 0]).all()


def test_every_baseline_is_a_chance_of_every_row(data: Dataset, found: dict[str, baselines.Score]) -> None:
    assert {"clock", "phase", "since_go", "length", "best_signal", "logistic", "oracle", f"{SHUFFLED} 0", f"{SIGNAL}jerk"} <= set(found)
    for score in found.values():
        assert score.chance.shape == (data.rows, len(HORIZONS))
        assert ((score.chance >= 0.0) & (score.chance <= 1.0)).all()


def test_baselines_learn_nothing_from_the_test_episodes(data: Dataset, found: dict[str, baselines.Score]) -> None:
    hidden = split(data) == TEST
    calm = replace(data, failure=np.where(hidden, -1, data.failure), failure_s=np.where(hidden, np.nan, data.failure_s))
    again = baselines.baselines(calm, split(calm))
    for name in set(found) - {"length"}:
        assert np.array_equal(again[name].chance, found[name].chance), name


def test_the_oracle_knows_most_and_shuffled_labels_teach_little(data: Dataset, found: dict[str, baselines.Score]) -> None:
    for h in range(len(HORIZONS)):
        assert area(data, found["oracle"].chance, h) > 0.9
        assert area(data, found["logistic"].chance, h) > area(data, found["clock"].chance, h) + 0.1
        assert np.mean([area(data, found[f"{SHUFFLED} {i}"].chance, h) for i in range(baselines.SHUFFLES)]) < 0.72


def test_the_best_signal_is_named_and_is_one_of_them(found: dict[str, baselines.Score]) -> None:
    names = found["best_signal"].how.rpartition(": ")[2].split(", ")
    for h, name in enumerate(names):
        assert np.array_equal(found["best_signal"].chance[:, h], found[SIGNAL + name].chance[:, h])


def test_a_failure_at_a_fixed_time_is_the_clock_s(data: Dataset) -> None:
    leak = begun_so_that_they_fail_at(data, 12.0)
    ahead, task = baselines.outlook(leak), leak.task[leak.episode]
    train = ahead.known & (split(leak) == TRAIN)[leak.episode][:, None]
    for h in range(len(HORIZONS)):
        assert area(leak, baselines.rates(leak.t, task, ahead.failed, train), h) > 0.9
        assert area(data, baselines.rates(data.t, task, baselines.outlook(data).failed, train), h) < 0.85
