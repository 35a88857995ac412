"""The figures of one score on held-out episodes, and of the alarms as they are in force."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.forecast import metrics
from engine.forecast.baselines import Outlook, over_s
from engine.forecast.calibration import conformal
from engine.forecast.dataset import Dataset
from engine.forecast.labels import CAUSES
from engine.forecast.metrics import Flags, Pairs
from engine.types import F64, FAILURES, FORECAST_STEP_S, HORIZONS


@dataclass(frozen=True)
class Held:
    """Episodes kept out of training, N of R inferences, with all that is said of them."""

    data: Dataset
    ahead: Outlook
    scores: dict[str, F64]  #: (R, len(HORIZONS)) chance of any failure, by who says so
    chances: F64  #: (R, CAUSES, len(HORIZONS)) the forecast's own, of each failure
    alarms: F64  #: (R, CAUSES) at least 1 where it alarms

    @property
    def failing(self) -> Flags:
        """(N,)"""
        return self.data.failure >= 0

    @property
    def watched_s(self) -> F64:
        """(N,) s of work in each episode: from the operator's go to its end."""
        return np.maximum(over_s(self.data) - self.data.go_s, 0.0)

    def take(self, episodes: Flags) -> "Held":
        """Some of the episodes."""
        rows = episodes[self.data.episode]
        return Held(
            self.data.take(episodes),
            self.ahead.take(rows),
            {name: score[rows] for name, score in self.scores.items()},
            self.chances[rows],
            self.alarms[rows],
        )

    def pairs(self, name: str, h: int) -> Pairs:
        """Of one score at one horizon, over the inferences for which it is known what came."""
        known = self.ahead.known[:, h]
        return Pairs.of(self.scores[name][known, h], self.ahead.failed[known, h], self.data.episode[known], self.data.episodes)


def scored(test: Held, calibrate: Held, name: str, h: int, area: F64, alpha: float, lasting_s: float) -> dict[str, Any]:
    """The figures of one score at one horizon on ``test``; ``area`` (D,) are its AUROCs on draws of the episodes.

    At 5 % of the nominal episodes falsely alarmed, ROC-like, on these very episodes; for the balanced accuracy and the coverage the
    threshold is found on ``calibrate``.
    """
    episode, episodes = test.data.episode, test.data.episodes
    known, score = test.ahead.known[:, h], test.scores[name][:, h]
    failed, chance, task = test.ahead.failed[known, h], score[known], test.data.task[episode][known]
    peaks = metrics.highest(score, episode, episodes)
    before = metrics.highest(calibrate.scores[name][:, h], calibrate.data.episode, calibrate.data.episodes)
    above = score >= metrics.threshold(peaks[~test.failing])
    caught = metrics.caught(above, episode, test.data.t, test.data.failure_s, HORIZONS[h] * FORECAST_STEP_S)
    promised = metrics.coverage(peaks[~test.failing] > conformal(before[~calibrate.failing], alpha), alpha)
    return {
        "auroc": metrics.auroc(chance, failed),
        "auroc_ci": metrics.interval(area),
        "ap": metrics.average_precision(chance, failed),
        "recall_at_5pct": caught.recall,
        "recall_in_horizon": caught.in_horizon,
        "lead_s": float(np.median(caught.lead_s)) if len(caught.lead_s) else None,
        "ece": metrics.ece(chance, failed),
        "brier": metrics.brier(chance, failed),
        "brier_skill": metrics.brier_skill(chance, failed, task),
        "coverage_error": promised.error,
        "coverage_inside": promised.inside,
        "balanced_accuracy": metrics.balanced_accuracy(peaks >= metrics.best_threshold(before, calibrate.failing), test.failing),
        **_false_alarms(above, test, lasting_s),
    }


def mean(figures: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Each figure's mean over several scores of one kind, of those that have it; without the intervals."""
    known = {name: [one[name] for one in figures if one[name] is not None] for name in figures[0] if name != "auroc_ci"}
    return {name: float(np.mean(values)) if values else None for name, values in known.items()}


def uncertain(test: Held, h: int, weights: F64) -> dict[str, Any]:
    """95 % intervals of the forecast's other figures at one horizon, on the same draws ``weights`` (D, N)."""
    known = test.ahead.known[:, h]
    chance, failed, episode = test.scores["forecast"][known, h], test.ahead.failed[known, h], test.data.episode[known]
    return {
        "ap_ci": metrics.interval(metrics.average_precisions(chance, failed, episode, weights)),
        "ece_ci": metrics.interval(metrics.eces(chance, failed, episode, weights)),
        "brier_skill_ci": metrics.interval(metrics.brier_skills(chance, failed, test.data.task[episode], episode, weights)),
    }


def by_type(test: Held, h: int, weights: F64) -> dict[str, Any]:
    """The forecast of each failure that comes at all, at one horizon; another one first is none of it."""
    known = test.ahead.known[:, h]
    episode = test.data.episode[known]
    found = {}
    for cause in range(CAUSES):
        came, chance = test.ahead.causes[known, h, cause], test.chances[known, cause, h]
        if came.any():
            area = Pairs.of(chance, came, episode, test.data.episodes).auroc(weights)
            found[FAILURES[cause]] = {
                "auroc": metrics.auroc(chance, came),
                "auroc_ci": metrics.interval(area),
                "ap": metrics.average_precision(chance, came),
                "ece": metrics.ece(chance, came),
                "rows": int(came.sum()),
            }
    return found


def in_force(test: Held, alpha: float, lasting_s: float) -> dict[str, Any]:
    """Of the alarms at the thresholds that the forecast carries: what they promise, what they catch, what they cost."""
    episode = test.data.episode
    above = test.alarms.max(axis=1) >= 1.0
    alarmed = metrics.highest(above.astype(np.float64), episode, test.data.episodes) > 0.0
    caught = metrics.caught(above, episode, test.data.t, test.data.failure_s, max(HORIZONS) * FORECAST_STEP_S)
    promised = metrics.coverage(alarmed[~test.failing], alpha)
    return {
        "alpha": alpha,
        "coverage": promised._asdict(),
        "coverage_error": promised.error,
        "recall": caught.recall,
        "recall_in_horizon": caught.in_horizon,
        "lead_s": float(np.median(caught.lead_s)) if len(caught.lead_s) else None,
        "balanced_accuracy": metrics.balanced_accuracy(alarmed, test.failing),
        **_false_alarms(above, test, lasting_s),
    }


def _false_alarms(above: Flags, test: Held, lasting_s: float) -> dict[str, float]:
    found = metrics.alarms(above, test.data.episode, test.data.t, over_s(test.data))
    watched = test.watched_s
    return {
        "false_alarms_per_h": metrics.alarms_an_hour(found, ~test.failing, watched),
        "false_alarms_per_h_persistent": metrics.alarms_an_hour(metrics.persistent(found, lasting_s), ~test.failing, watched),
    }
