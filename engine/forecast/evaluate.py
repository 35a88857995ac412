"""The honest evaluation of a forecast: one table with everything it must beat, on episodes it never saw, and whether it passed."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
import numpy as np

from engine.forecast import baselines, gate, judged, metrics
from engine.forecast.baselines import SHUFFLED, SIGNAL, Score
from engine.forecast.card import Card, Forecast, Gate, load
from engine.forecast.dataset import CALIBRATE, TEST, TRAIN, Dataset, split
from engine.forecast.errors import ForecastError
from engine.forecast.gate import Verdict
from engine.forecast.judged import Held
from engine.forecast.metrics import Flags
from engine.limits import Limits
from engine.types import F64, FAILURES, HORIZONS

DATA = "data.npz"  #: the episodes that a shipped forecast was learned from, in its folder
UNSEEN = "unseen"  #: where in it those trained without a task are, each in a folder of its own
DRAWS = 1000  #: of the episodes, for an interval
POOLED = "pooled"
LASTING_S = Limits().forecast_persistence  #: s that an alarm must last to count where persistence is asked for
RIVALS = ("clock", "since_go", "phase")  #: that the gate holds the forecast against
SHUFFLED_TIME = "the forecast on signals out of order in their episodes"
PARTS = {"train": TRAIN, "calibrate": CALIBRATE, "test": TEST}


class Evaluation(NamedTuple):
    """What was found, and the episodes it was found on."""

    tree: dict[str, Any]
    test: Held
    calibrate: Held


def evaluate(
    data: Dataset,
    forecast: Forecast,
    progress: Callable[[str], None],
    *,
    unseen: Sequence[Forecast] = (),
    draws: int = DRAWS,
    left_out: Mapping[str, int] = MappingProxyType({}),
) -> Evaluation:
    """Every figure of ``forecast`` and of the baselines on the test episodes of the split, by task and horizon.

    ``unseen`` are forecasts trained without a task each, judged on that task's test episodes; so is ``forecast`` itself on tasks that it
    was not trained on. ``left_out`` says how many episodes were, and why. Raises ForecastError of data that it was not made for, or too
    few to judge by.
    """
    part = split(data)
    for one in (forecast, *unseen):
        _fits(data, one.card)
    seen = [task for task in data.tasks if task in forecast.card.tasks]
    known = np.isin(np.array(data.tasks), seen)
    failing = data.failure[(part == TEST) & known[data.task]] >= 0
    if not failing.any() or failing.all():
        raise ForecastError(f"Of {len(failing)} test episodes {failing.sum()} fail; there is nothing to tell apart, so collect more.")
    progress(f"{data.episodes} episodes, {data.rows} inferences: fitting what the forecast must beat")
    told = baselines.baselines(data, part)
    calibrate, test = (_held(data, part == at, told, forecast) for at in (CALIBRATE, TEST))
    progress(f"judging on {test.data.episodes} test episodes, each figure on {draws} draws of them")
    both = test.take(known[test.data.task]), calibrate.take(known[calibrate.data.task])
    held = [task for task in data.tasks if test.data.of(task).any()]
    tasks = {POOLED: scope(*both, forecast.card.alpha, draws)}
    for task in (task for task in held if task in seen):
        progress(f"judging on those of {task}")
        tasks[task] = scope(_of(test, task), _of(calibrate, task), forecast.card.alpha, draws)
    judges = {task: forecast for task in held if task not in seen} | {one.card.without: one for one in unseen if one.card.without in held}
    elsewhere = {task: [_asked(_of(of, task), other) for of in (test, calibrate)] for task, other in judges.items()}
    passed = bool(tasks[POOLED]["gate"]["passed"])
    tree = {
        "data": {
            "hash": data.hash,
            "trained_on_these": data.hash == forecast.card.data,
            "episodes": {name: int((part == at).sum()) for name, at in PARTS.items()},
            "inferences": data.rows,
            "failures": {name: int((data.failure == cause).sum()) for cause, name in enumerate(FAILURES)},
            "left_out": dict(left_out),
        },
        "forecast": msgspec.to_builtins(forecast.card),
        "draws": draws,
        "persistence_s": LASTING_S,
        "how": _how(told),
        "tasks": tasks,
        "unseen": {task: scope(parts[0], parts[1], judges[task].card.alpha, draws) for task, parts in elsewhere.items()},
        "passed": passed,
        "ok": passed,
    }
    return Evaluation(_plain(tree), *both)


def trained_without(folder: Path) -> list[Forecast]:
    """The forecasts in a forecast's folder that were each trained without a task. Raises ForecastError."""
    return [load(one) for one in sorted((folder / UNSEEN).glob("*")) if one.is_dir()]


def gates(tree: Mapping[str, Any]) -> dict[str, Gate]:
    """What a card says of each task, from the tree of ``evaluate``."""
    found = {}
    for task, said in tree["tasks"].items():
        if task != POOLED:
            figures = {name: value for name, value in said["gate"].items() if name != "passed" and value is not None}
            found[task] = Gate(proven=said["gate"]["passed"], figures=figures)
    return found


def _how(told: Mapping[str, Score]) -> dict[str, str]:
    """What each baseline is made of, the shuffles as one."""
    named = {SHUFFLED if name.startswith(SHUFFLED) else name: one.how for name, one in told.items() if not name.startswith(SIGNAL)}
    return named | {SHUFFLED: f"{named[SHUFFLED]}, mean of {baselines.SHUFFLES}", "shuffled_time": SHUFFLED_TIME}


def _fits(data: Dataset, card: Card) -> None:
    for task, policy in zip(data.tasks, data.policies, strict=True):
        if card.tasks.get(task, policy) != policy:
            raise ForecastError(
                f"{task} was played with the policy {policy[:12]}, and the forecast was trained on {card.tasks[task][:12]}: train again."
            )
    if not set(data.tasks) & {*card.tasks, card.without}:
        raise ForecastError(f"The forecast was trained on {', '.join(card.tasks)}, and the data hold {', '.join(data.tasks)}.")


def _held(data: Dataset, episodes: Flags, told: Mapping[str, Score], forecast: Forecast) -> Held:
    """Some of the episodes with what the forecast and every baseline say of them."""
    mine, rows = data.take(episodes), episodes[data.episode]
    scores = {name: np.where(mine.gone[:, None], score.chance[rows], 0.0) for name, score in told.items()}
    return _asked(Held(mine, baselines.outlook(mine), scores, np.empty(0), np.empty(0)), forecast)


def _asked(held: Held, forecast: Forecast) -> Held:
    """The same episodes and baselines with what ``forecast`` says of them."""
    chances = forecast.probabilities(held.data)
    shuffled = forecast.probabilities(baselines.out_of_order(held.data))
    gone = held.data.gone[:, None]
    ours = {"forecast": baselines.any_of(chances), "shuffled_time": baselines.any_of(shuffled)}
    scores = {**held.scores, **{name: np.where(gone, score, 0.0) for name, score in ours.items()}}
    return replace(held, scores=scores, chances=chances, alarms=forecast.alarms(held.data, chances))


def _of(held: Held, task: str) -> Held:
    return held.take(held.data.of(task))


def scope(test: Held, calibrate: Held, alpha: float, draws: int) -> dict[str, Any]:
    """All figures on some of the test episodes: counts, the gate, alarms in force, and every horizon with its baselines."""
    weights = metrics.draws(test.data.episodes, draws)
    found = [_horizon(test, calibrate, h, alpha, weights) for h in range(len(HORIZONS))]
    return {
        "episodes": test.data.episodes,
        "failing": int(test.failing.sum()),
        "failures": {name: int((test.data.failure == cause).sum()) for cause, name in enumerate(FAILURES)},
        "nominal_h": float(test.watched_s[~test.failing].sum() / 3600.0),
        "gate": gate.overall([verdict for _, verdict in found])._asdict(),
        "alarms": judged.in_force(test, alpha, LASTING_S),
        "horizons": {str(horizon): figures for horizon, (figures, _) in zip(HORIZONS, found, strict=True)},
    }


def _horizon(test: Held, calibrate: Held, h: int, alpha: float, weights: F64) -> tuple[dict[str, Any], Verdict]:
    known = test.ahead.known[:, h]
    failed = test.ahead.failed[known, h]
    names = [name for name in test.scores if not name.startswith(SIGNAL)]
    pairs = {name: test.pairs(name, h) for name in names}
    areas = {name: found.auroc(weights) for name, found in pairs.items()}
    figures = {name: judged.scored(test, calibrate, name, h, areas[name], alpha, LASTING_S) for name in names}
    shuffled = [name for name in names if name.startswith(SHUFFLED)]
    area = np.mean([areas[name] for name in shuffled], axis=0)
    figures[SHUFFLED] = judged.mean([figures.pop(name) for name in shuffled]) | {"auroc_ci": metrics.interval(area)}
    verdict = gate.verdict(pairs["forecast"], [pairs[name] for name in RIVALS], weights)
    point = {name: np.array([figures[name]["auroc"]]) for name in ("forecast", "clock", "oracle")}
    return {
        **figures.pop("forecast"),
        **judged.uncertain(test, h, weights),
        "inferences": len(failed),
        "positives": int(failed.sum()),
        "prevalence": float(failed.mean()) if len(failed) else math.nan,
        "oracle_share": float(_way(point)[0]),
        "oracle_share_ci": metrics.interval(_way(areas)),
        "gate": verdict._asdict(),
        "by_type": judged.by_type(test, h, weights),
        "baselines": figures,
        "signals": {
            name.removeprefix(SIGNAL): metrics.auroc(score[known, h], failed)
            for name, score in test.scores.items()
            if name.startswith(SIGNAL)
        },
    }, verdict


def _way(areas: Mapping[str, F64]) -> F64:
    """How far each AUROC is on the way from the clock's to the oracle's; NaN where the oracle knows no more than the clock."""
    whole = areas["oracle"] - areas["clock"]
    share: F64 = (areas["forecast"] - areas["clock"]) / np.where(whole > 0.0, whole, np.nan)
    return share


def _plain(value: Any) -> Any:
    """JSON has no NaN: what is not known is None."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value
