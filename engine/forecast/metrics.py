"""How good a forecast is, from arrays alone: ranking, calibration and alarms, with intervals by drawing whole episodes again.

Rows are inferences at risk, those of an episode together and in time order; ``episode`` (N,) numbers them from 0. An alarm is a score that
reaches a threshold.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.policy import intervals
from engine.types import F64

Flags = NDArray[np.bool_]
Places = NDArray[np.int64]

EQUAL = tuple(i / 15 for i in range(1, 15))  #: quantiles between bins of equal mass
LEAD_S = 0.3  #: least time between an alarm and the failure it is credited with
FALSE_SHARE = 0.05  #: of the episodes without failure, that may be alarmed


def draws(episodes: int, count: int, seed: int = intervals.SEED) -> F64:
    """(count, episodes) how often each episode is in each of ``count`` samples of them, with replacement (Efron 1979)."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(episodes, np.full(episodes, 1.0 / episodes), size=count).astype(np.float64)


def interval(values: F64) -> tuple[float, float]:
    """95 % percentile interval of a figure's bootstrap values; NaN where none is finite."""
    if not np.isfinite(values).any():
        return math.nan, math.nan
    low, high = np.nanpercentile(values, (2.5, 97.5))
    return float(low), float(high)


@dataclass(frozen=True)
class Pairs:
    """Every positive row against every negative one, counted by the episodes that they are of; so an AUROC of any draw is one product."""

    wins: F64  #: (P, E) pairs in which the positive of the p-th episode with any scores higher, equals counted half
    owners: Places  #: (P,) those episodes
    positives: F64  #: (E,) rows
    negatives: F64  #: (E,)

    @classmethod
    def of(cls, score: F64, positive: Flags, episode: Places, episodes: int) -> "Pairs":
        """From rows (N,) of ``episodes`` episodes. Raises ValueError of a score that is no number."""
        if np.isnan(score).any():
            raise ValueError("a score is not a number")
        positives = np.bincount(episode[positive], minlength=episodes).astype(np.float64)
        negatives = np.bincount(episode[~positive], minlength=episodes).astype(np.float64)
        order = np.lexsort((score, episode))
        mine = order[positive[order]]
        owners, first = np.unique(episode[mine], return_index=True)
        wins = np.zeros((len(owners), episodes))
        if len(mine):
            theirs = order[~positive[order]]
            bounds = np.searchsorted(episode[theirs], np.arange(episodes + 1))
            placed, high = score[theirs], score[mine]
            for other in np.flatnonzero(negatives):
                low = placed[bounds[other] : bounds[other + 1]]
                beaten = np.searchsorted(low, high, "left") + np.searchsorted(low, high, "right")
                wins[:, other] = 0.5 * np.add.reduceat(beaten, first)
        return cls(wins, owners, positives, negatives)

    def auroc(self, weights: F64) -> F64:
        """(D,) areas under the ROC curve with episodes weighted as in ``weights`` (D, E); NaN where one class is missing."""
        won = ((weights[:, self.owners] @ self.wins) * weights).sum(axis=1)
        pairs = (weights @ self.positives) * (weights @ self.negatives)
        with np.errstate(invalid="ignore", divide="ignore"):
            area: F64 = won / pairs
        return area


def auroc(score: F64, positive: Flags) -> float:
    """Chance that a positive row scores higher than a negative one, equals counted half; NaN where one class is missing."""
    return intervals.auroc(score[~positive], score[positive])


def _ranked(score: F64) -> tuple[Places, Places]:
    """(N,) rows, the highest score first, and (G,) the last place of each group of equal scores."""
    order = np.argsort(-score, kind="stable")
    return order, np.flatnonzero(np.append(np.diff(score[order]) != 0.0, len(score) > 0))


def average_precision(score: F64, positive: Flags) -> float:
    """Sum over thresholds of the recall gained times the precision there, equal scores together; NaN without a positive."""
    return float(average_precisions(score, positive, np.zeros(len(score), np.int64), np.ones((1, 1)))[0])


def average_precisions(score: F64, positive: Flags, episode: Places, weights: F64) -> F64:
    """(D,) the same with episodes weighted as in ``weights`` (D, E).

    Recall is gained only where a group of equal scores holds a positive, so rows are counted, by episode, from one such group to the next.
    """
    order, ends = _ranked(score)
    gaining = ends[np.diff(np.cumsum(positive[order])[ends], prepend=0) > 0]
    episodes, groups = weights.shape[1], len(gaining)
    group = np.searchsorted(gaining, np.arange(gaining[-1] + 1)) if groups else np.zeros(0, np.int64)
    at, hit = episode[order[: len(group)]] * groups + group, positive[order[: len(group)]]
    looked, found = (
        np.cumsum(weights @ np.bincount(some, minlength=episodes * groups).reshape(episodes, groups), axis=1) for some in (at, at[hit])
    )
    gained = np.diff(found, axis=1, prepend=0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(gained > 0.0, found / looked, 0.0)
        return (gained * precision).sum(axis=1) / gained.sum(axis=1)  # type: ignore[no-any-return]


def curves(score: F64, positive: Flags) -> tuple[F64, F64, F64]:
    """(T,) false-positive rate, recall and precision at every threshold, the highest first."""
    order, ends = _ranked(score)
    hits = np.cumsum(positive[order])[ends].astype(np.float64)
    looked = ends + 1.0
    wrong, right = max(float((~positive).sum()), 1.0), max(float(positive.sum()), 1.0)
    return (looked - hits) / wrong, hits / right, hits / looked


class Bin(NamedTuple):
    predicted: float  #: mean probability
    happened: float  #: share of positives
    rows: int


def reliability(probability: F64, positive: Flags, levels: Sequence[float] = EQUAL) -> list[Bin]:
    """What was forecast and what came, in bins between the quantiles at ``levels``; equal probabilities share a bin."""
    place, count = _binned(probability, levels)
    rows = np.bincount(place, minlength=count)
    told, came = np.bincount(place, probability, count), np.bincount(place, positive, count)
    return [Bin(float(told[i] / rows[i]), float(came[i] / rows[i]), int(rows[i])) for i in np.flatnonzero(rows)]


def _binned(probability: F64, levels: Sequence[float]) -> tuple[Places, int]:
    """(N,) each row's bin, and how many there are."""
    edges = np.unique(np.quantile(probability, levels))
    return np.searchsorted(edges, probability, "right"), len(edges) + 1


def ece(probability: F64, positive: Flags, levels: Sequence[float] = EQUAL) -> float:
    """Expected calibration error over bins of equal mass (Nguyen & O'Connor 2015); NaN of no rows."""
    return float(eces(probability, positive, np.zeros(len(probability), np.int64), np.ones((1, 1)), levels)[0])


def eces(probability: F64, positive: Flags, episode: Places, weights: F64, levels: Sequence[float] = EQUAL) -> F64:
    """(D,) the same with episodes weighted as in ``weights`` (D, E), in the bins of all the rows."""
    if not len(probability):
        return np.full(len(weights), math.nan)
    place, count, episodes = *_binned(probability, levels), weights.shape[1]
    gap = np.bincount(episode * count + place, probability - positive, episodes * count).reshape(episodes, count)
    with np.errstate(invalid="ignore"):
        return np.abs(weights @ gap).sum(axis=1) / (weights @ np.bincount(episode, minlength=episodes))  # type: ignore[no-any-return]


def brier(probability: F64, positive: Flags) -> float:
    """Mean squared error of a probability (Brier 1950)."""
    return float(((probability - positive) ** 2).mean()) if len(probability) else math.nan


def brier_skill(probability: F64, positive: Flags, group: Places) -> float:
    """1 - Brier over that of telling each group (N,), a task, its own rate in these very rows; NaN where nothing is uncertain."""
    return float(brier_skills(probability, positive, group, np.zeros(len(group), np.int64), np.ones((1, 1)))[0])


def brier_skills(probability: F64, positive: Flags, group: Places, episode: Places, weights: F64) -> F64:
    """(D,) the same with episodes weighted as in ``weights`` (D, E)."""
    episodes = weights.shape[1]
    error = weights @ np.bincount(episode, (probability - positive) ** 2, episodes)
    reference = np.zeros(len(weights))
    with np.errstate(invalid="ignore", divide="ignore"):
        for key in np.unique(group):
            mine = group == key
            rows = weights @ np.bincount(episode[mine], minlength=episodes)
            came = weights @ np.bincount(episode[mine], positive[mine], episodes)
            reference += np.nan_to_num(came * (1.0 - came / rows))
        return np.where(reference > 0.0, 1.0 - error / reference, np.nan)


def highest(score: F64, episode: Places, episodes: int) -> F64:
    """(episodes,) each one's highest score; -inf where it has no row."""
    found = np.full(episodes, -np.inf)
    np.maximum.at(found, episode, score)
    return found


def threshold(peaks: F64, share: float = FALSE_SHARE) -> float:
    """The least threshold that at most ``share`` of these episodes' highest scores reach; just above the highest where there are few."""
    if not len(peaks):
        return math.inf
    placed = np.sort(peaks)[::-1]
    return float(np.nextafter(placed[math.floor(share * len(placed))], np.inf))


class Alarms(NamedTuple):
    """Unbroken stretches of alarm."""

    episode: Places  #: (A,)
    begin_s: F64  #: (A,)
    end_s: F64  #: (A,) when the first inference without alarm came, or the rows ended


def alarms(above: Flags, episode: Places, t_s: F64, end_s: F64) -> Alarms:
    """From rows ``above`` (N,) the threshold, told at ``t_s`` (N,), of episodes that end at ``end_s`` (E,)."""
    joined = np.append(episode[1:] == episode[:-1], False)
    before = np.append(False, above[:-1] & joined[:-1]) if len(above) else above
    first = np.flatnonzero(above & ~before)
    last = np.flatnonzero(above & ~(np.append(above[1:], False) & joined))
    following = np.append(t_s[1:], 0.0)
    return Alarms(episode[first], t_s[first], np.where(joined[last], following[last], end_s[episode[last]]))


def persistent(found: Alarms, lasting_s: float) -> Alarms:
    """Those that last, each begun only when it has lasted ``lasting_s``."""
    kept = found.end_s - found.begin_s >= lasting_s - 1e-9
    return Alarms(found.episode[kept], found.begin_s[kept] + lasting_s, found.end_s[kept])


def alarms_an_hour(found: Alarms, nominal: Flags, watched_s: F64) -> float:
    """Alarms in the ``nominal`` (E,) episodes over the hours ``watched_s`` (E,) s in them; NaN where nothing was watched."""
    hours = float(watched_s[nominal].sum()) / 3600.0
    return float(nominal[found.episode].sum() / hours) if hours > 0.0 else math.nan


class Caught(NamedTuple):
    recall: float  #: share of failures alarmed at least LEAD_S before
    in_horizon: float  #: share with an alarm standing between LEAD_S and the horizon before
    lead_s: F64  #: (C,) of those caught, first alarm to failure


def caught(above: Flags, episode: Places, t_s: F64, failure_s: F64, horizon_s: float) -> Caught:
    """Failures at ``failure_s`` (E,), NaN where there is none, that rows ``above`` (N,) the threshold foretold in time."""
    failing = np.isfinite(failure_s)
    lead = failure_s[episode] - t_s
    early = above & (lead >= LEAD_S - 1e-9)
    found = highest(lead[early], episode[early], len(failure_s))
    timely = early & (lead <= horizon_s + 1e-9)
    if not failing.any():
        return Caught(math.nan, math.nan, np.zeros(0))
    hit = failing & np.isfinite(found)
    return Caught(float(hit.sum() / failing.sum()), len(np.unique(episode[timely])) / float(failing.sum()), found[hit])


def balanced_accuracy(alarmed: Flags, failing: Flags) -> float:
    """Mean of the shares of failing episodes that were alarmed and of others that were not; NaN where one kind is missing."""
    if failing.all() or not failing.any():
        return math.nan
    return float((alarmed[failing].mean() + (~alarmed[~failing]).mean()) / 2.0)


def best_threshold(peaks: F64, failing: Flags) -> float:
    """The threshold on episodes' highest scores of the best balanced accuracy, midway to the score below; inf where one kind is missing."""
    if failing.all() or not failing.any():
        return math.inf
    order = np.argsort(-peaks, kind="stable")
    placed = peaks[order]
    ends = np.append(np.diff(placed) != 0.0, True)
    gain = np.cumsum(failing[order]) / failing.sum() - np.cumsum(~failing[order]) / (~failing).sum()
    at = int(np.argmax(np.where(ends, gain, -np.inf)))
    below = placed[at + 1] if at + 1 < len(placed) and np.isfinite(placed[at + 1]) else placed[at]
    return float((placed[at] + below) / 2.0)


class Coverage(NamedTuple):
    alarmed: int
    episodes: int
    share: float
    low: float  #: of the 95 % interval of the share (Wilson 1927)
    high: float
    error: float  #: share less what it should be
    inside: bool  #: what it should be is inside the interval


def coverage(alarmed: Flags, alpha: float) -> Coverage:
    """Whether of the nominal episodes (E,) a share of ``alpha`` is alarmed, as a conformal threshold promises at most."""
    found, episodes = int(alarmed.sum()), len(alarmed)
    low, high = intervals.wilson(found, episodes)
    share = found / episodes if episodes else math.nan
    return Coverage(found, episodes, share, low, high, share - alpha, low <= alpha <= high)
