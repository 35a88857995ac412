"""What a forecast must beat, fitted to the training part: the clock and its kin, single signals, leaks; and an oracle's ceiling."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.forecast import labels, metrics
from engine.forecast.dataset import CALIBRATE, TRAIN, Dataset
from engine.forecast.metrics import Flags, Places
from engine.types import F64, FORECAST_STEP_S, HORIZONS, SIGNALS

SEED = 17
BINS = 10  #: of a map from one number to a rate
PRIOR = 20.0  #: rows' worth of the task's own rate in each of them
RIDGE = 10.0
NEWTON, STILL = 10, 1e-3  #: steps of the logistic regression, and the change of a weight below which it is done
SIGNAL = "signal: "  #: begins the name of each single signal
SHUFFLED = "shuffled_labels"  #: begins the name of each shuffle
SHUFFLES, THINNED = 5, 4  #: how many of them, and every which training row each is fitted to
LAGS = (0, 3, 6)  #: rows back at which the oracle is read
HIDDEN, BATCH, RATE = 64, 1024, 2e-3  #: of the oracle's network
EPOCHS, STEPS = 30, 2000  #: the fewer of both


class Score(NamedTuple):
    """A chance of failure within each horizon, of every row."""

    chance: F64  #: (R, len(HORIZONS))
    how: str  #: what it is made of


@dataclass(frozen=True)
class Outlook:
    """What came after each of R inferences."""

    causes: Flags  #: (R, len(HORIZONS), CAUSES) whether each cause ended the work within each horizon
    known: Flags  #: (R, len(HORIZONS)) whether that is known

    @property
    def failed(self) -> Flags:
        """(R, len(HORIZONS)) by any cause."""
        any_cause: Flags = np.any(self.causes, axis=-1)
        return any_cause

    def take(self, rows: Flags) -> "Outlook":
        """Of some of the inferences."""
        return Outlook(self.causes[rows], self.known[rows])


def outlook(data: Dataset) -> Outlook:
    """Of a data set's rows."""
    targets = labels.targets(data)
    found = [labels.within(targets, horizon) for horizon in HORIZONS]
    return Outlook(np.stack([truth for truth, _ in found], axis=1), np.stack([known for _, known in found], axis=1))


def baselines(data: Dataset, part: NDArray[np.uint8]) -> dict[str, Score]:
    """Every baseline that needs no forecast by name, of every row, given the ``part`` (N,) of the split that each episode is in."""
    ahead = outlook(data)
    failed, task, owner = ahead.failed, data.task[data.episode], part[data.episode]
    fitted = ahead.known & (owner == TRAIN)[:, None]

    def mapped(values: F64) -> F64:
        return rates(values, task, failed, fitted)

    singles = {SIGNAL + name: Score(mapped(_present(data, i)), "its rate") for i, name in enumerate(SIGNALS)}
    best = _best(singles, failed, ahead.known & (owner == CALIBRATE)[:, None])
    seen = features(data, owner == TRAIN)
    return {
        "clock": Score(mapped(data.t), "rate by the time since the start, a map for each task"),
        "phase": Score(mapped(phase(data)), "rate by the age of the chunk in use, a map for each task"),
        "since_go": Score(mapped(data.t - data.go_s[data.episode]), "rate by the time since the operator's go, a map for each task"),
        "length": Score(mapped(over_s(data)[data.episode]), "rate by the length that the episode will have: a leak, nobody can know it"),
        "best_signal": Score(
            np.stack([singles[name].chance[:, i] for i, name in enumerate(best)], axis=1),
            "rate by one signal, chosen on the calibration part; by horizon: " + ", ".join(name.removeprefix(SIGNAL) for name in best),
        ),
        "logistic": Score(logistic(seen, failed, fitted), "logistic regression on the signals at the moment"),
        **{
            f"{SHUFFLED} {i}": Score(
                _shuffled(data, part, seen, i),
                "the same fitted to failures dealt out anew between episodes, at their times: what is left is the clock",
            )
            for i in range(SHUFFLES)
        },
        "oracle": Score(oracle(data, part, seen, ahead), "a network on the simulator's own state, now and before, and the signals"),
        **singles,
    }


def any_of(chances: F64) -> F64:
    """(R, len(HORIZONS)) of any failure, from those of each (R, CAUSES, len(HORIZONS)); causes exclude each other."""
    return chances.sum(axis=1)  # type: ignore[no-any-return]


def phase(data: Dataset) -> F64:
    """(R,) s, age of the chunk in use when each inference is delivered: since the exposure of the one before; NaN for the first."""
    age = np.full(data.rows, np.nan)
    joined = np.flatnonzero(data.episode[1:] == data.episode[:-1])
    age[joined + 1] = data.t[joined + 1] - data.exposed[joined]
    return age


def over_s(data: Dataset) -> F64:
    """(N,) s until each episode's failure, success or end."""
    first: F64 = np.fmin(np.fmin(data.failure_s, data.success_s), data.end_s)
    return first


def rates(values: F64, task: Places, failed: Flags, counted: Flags) -> F64:
    """(R, H) how often rows like each failed, by one number (R,) and task (R,); learned where ``counted`` (R, H).

    Linear between the means of BINS bins of equal mass, each drawn to its task's rate by PRIOR rows; what is no number is a bin of its own.
    """
    found = np.empty(failed.shape)
    for key in np.unique(task):
        mine = task == key
        for h in range(failed.shape[1]):
            known = mine & counted[:, h]
            found[mine, h] = _rate(values[mine], values[known], failed[known, h])
    return found


def _rate(asked: F64, values: F64, failed: Flags) -> F64:
    base = failed.mean() if len(failed) else 0.0
    real = np.isfinite(values)
    missing = (failed[~real].sum() + PRIOR * base) / ((~real).sum() + PRIOR)
    if not real.any():
        return np.where(np.isfinite(asked), base, missing)
    x = values[real]
    edges = np.unique(np.quantile(x, np.arange(1, BINS) / BINS))
    place = np.searchsorted(edges, x, "right")
    rows = np.bincount(place, minlength=len(edges) + 1)
    filled = rows > 0
    middle = np.bincount(place, x, len(rows))[filled] / rows[filled]
    rate = (np.bincount(place, failed[real], len(rows))[filled] + PRIOR * base) / (rows[filled] + PRIOR)
    return np.where(np.isfinite(asked), np.interp(np.where(np.isfinite(asked), asked, 0.0), middle, rate), missing)


def _present(data: Dataset, signal: int) -> F64:
    return np.where(data.valid[:, signal], data.signals[:, signal], np.nan).astype(np.float64)


def _best(singles: dict[str, Score], failed: Flags, counted: Flags) -> list[str]:
    """For each horizon the signal whose rate tells the ``counted`` rows apart best."""
    found = []
    for h in range(failed.shape[1]):
        rows = counted[:, h]
        areas = {name: metrics.auroc(score.chance[rows, h], failed[rows, h]) for name, score in singles.items()}
        found.append(max(areas, key=lambda name: np.nan_to_num(areas[name])))
    return found


def features(data: Dataset, fitted: Flags) -> F64:
    """(R, F) signals in spreads of their task's ``fitted`` rows, 0 where invalid, their validity, and the task."""
    task = data.task[data.episode]
    scaled = np.zeros(data.signals.shape)
    for key in range(len(data.tasks)):
        mine = task == key
        known = np.where(data.valid[mine & fitted], data.signals[mine & fitted], np.nan).astype(np.float64)
        for i in range(known.shape[1]):
            usual = known[np.isfinite(known[:, i]), i]
            if len(usual) and (spread := usual.std()) > 0.0:
                scaled[mine, i] = np.clip((data.signals[mine, i] - usual.mean()) / spread, -5.0, 5.0)
    scaled[~(data.valid & np.isfinite(data.signals))] = 0.0
    return np.concatenate((scaled, data.valid, task[:, None] == np.arange(len(data.tasks))), axis=1)


def logistic(x: F64, failed: Flags, counted: Flags) -> F64:
    """(R, H) chances by a ridge logistic regression for each horizon (Newton's method), learned where ``counted`` (R, H)."""
    x = np.concatenate((x, np.ones((len(x), 1))), axis=1)
    at: F64 = np.zeros(x.shape[1])
    found = np.empty(failed.shape)
    for h in range(failed.shape[1]):
        mine, y = x[counted[:, h]], failed[counted[:, h], h]
        for _ in range(NEWTON):
            p = _sigmoid(mine @ at)
            bend = (mine * np.maximum(p * (1.0 - p), 1e-6)[:, None]).T @ mine + RIDGE * np.eye(len(at))
            step = np.linalg.solve(bend, mine.T @ (y - p) - RIDGE * at)
            at = at + step
            if np.abs(step).max() < STILL:
                break
        found[:, h] = _sigmoid(x @ at)
    return found


def _sigmoid(z: F64) -> F64:
    return 1.0 / (1.0 + np.exp(-np.clip(z, -30.0, 30.0)))


def _shuffled(data: Dataset, part: NDArray[np.uint8], seen: F64, seed: int) -> F64:
    failed, known = permuted(data, part, seed)
    drawn = (part[data.episode] == TRAIN) & (np.arange(data.rows) % THINNED == 0)
    return logistic(seen, failed, known & drawn[:, None])


def permuted(data: Dataset, part: NDArray[np.uint8], seed: int) -> tuple[Flags, Flags]:
    """(R, H) failed and known, had each episode failed as another of its task and part did; nothing is known after that one's end."""
    rng = np.random.default_rng([SEED, seed])
    other = np.arange(data.episodes)
    for task in range(len(data.tasks)):
        for at in np.unique(part):
            mine = np.flatnonzero((data.task == task) & (part == at))
            other[mine] = rng.permutation(mine)
    left = data.failure_s[other][data.episode] - data.t
    over = over_s(data)[other][data.episode] - data.t
    cut = data.cut[other][data.episode]
    span = FORECAST_STEP_S * np.array(HORIZONS)
    failed = (left[:, None] > 0.0) & (left[:, None] <= span)
    return failed, (over[:, None] > 0.0) & (failed | ~cut[:, None] | (over[:, None] >= span))


def out_of_order(data: Dataset) -> Dataset:
    """The same with each episode's signals dealt out anew over its inferences; times and labels stay where they are."""
    order = np.lexsort((np.random.default_rng(SEED).random(data.rows), data.episode))
    return replace(data, signals=data.signals[order], valid=data.valid[order], age=data.age[order])


def before(data: Dataset, lag: int) -> Places:
    """(R,) the row so many inferences before each, the first of its episode where there is none."""
    row: Places = np.maximum(np.arange(data.rows) - lag, data.first[data.episode])
    return row


def oracle(data: Dataset, part: NDArray[np.uint8], seen: F64, ahead: Outlook) -> F64:
    """(R, H) chances by a network given what only the simulator knows, beside ``seen`` (R, F); stopped where held-out episodes say."""
    import torch
    from torch import nn
    from torch.nn.functional import binary_cross_entropy_with_logits

    x = torch.from_numpy(np.concatenate([*(data.oracle[before(data, lag)] for lag in LAGS), seen], axis=1)).float().nan_to_num(0.0)
    y, known = torch.from_numpy(ahead.failed).float(), torch.from_numpy(ahead.known).float()
    rows = part[data.episode]
    train, held = (torch.from_numpy(np.flatnonzero(rows == at)) for at in (TRAIN, CALIBRATE))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        network = nn.Sequential(
            nn.Linear(x.shape[1], HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, y.shape[1])
        )
        optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=1e-2)
        best, kept = float("inf"), network.state_dict()
        for _ in range(min(EPOCHS, -(-STEPS * BATCH // max(1, len(train))))):
            order = train[torch.randperm(len(train))]
            for batch in (order[i : i + BATCH] for i in range(0, len(order), BATCH)):
                loss = binary_cross_entropy_with_logits(network(x[batch]), y[batch], known[batch])
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
            with torch.no_grad():
                at = binary_cross_entropy_with_logits(network(x[held]), y[held], known[held]).item()
            if at < best:
                best, kept = at, {name: value.clone() for name, value in network.state_dict().items()}
        network.load_state_dict(kept)
        with torch.no_grad():
            chances: F64 = torch.sigmoid(network(x)).double().numpy()
            return chances
