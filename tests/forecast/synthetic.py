"""Episodes with a hidden cause: trouble begins at a random moment, raises a few signals while it lasts, and ends well or in a failure."""

from dataclasses import replace

import msgspec
import numpy as np

from engine.forecast.card import Card
from engine.forecast.dataset import ORACLE, Dataset, coded
from engine.signals import nominal
from engine.types import FAILURES, SIGNALS

STEP = 0.16  #: s between two inferences
LATENCY = 0.13  #: s from an exposure to its inference
TASKS = ("table/lift", "table/reach")
RAISED = ((0, 3, 4), (2, 12, 16), (1, 8, 13), (9, 14, 15))  #: signals that tell of each failure's trouble
KINDS = ("slips", "occluded")


def episodes(count: int, seed: int = 0, failing: float = 0.5, tasks: tuple[str, ...] = TASKS) -> Dataset:
    """``count`` episodes, seeds from 0 on, in turn of each task. ``failing`` is the share of troubled ones that fail; half are troubled."""
    rng = np.random.default_rng([seed, 3])
    played = [_episode(rng, failing) for _ in range(count)]
    calm = _calm(rng, 3000)
    usual = nominal.fit(calm, np.ones(calm.shape, np.bool_))
    lengths = [len(one["t"]) for one in played]
    number = np.arange(count)
    columns = {
        name: np.array([one[name] for one in played]) for name in ("failure", "failure_s", "success_s", "go_s", "end_s", "disturbed")
    }
    rows = {name: np.concatenate([one[name] for one in played]) for name in ("t", "signals", "valid", "age", "oracle")}
    return coded(
        Dataset(
            tasks=tasks,
            policies=("0" * 64,) * len(tasks),
            table=np.stack([usual.table] * len(tasks)).astype(np.float32),
            p95=np.stack([usual.p95] * len(tasks)).astype(np.float32),
            kinds=KINDS,
            task=number % len(tasks),
            seed=number // len(tasks),
            first=np.concatenate(([0], np.cumsum(lengths))),
            exposed=rows["t"] - LATENCY,
            **columns,
            **rows,
        )
    )


def begun_so_that_they_fail_at(data: Dataset, fixed_s: float) -> Dataset:
    """The same episodes with their beginnings shifted, so that all failures come at ``fixed_s``: what a clock foresees."""
    shift = np.where(data.failure >= 0, fixed_s - data.failure_s, 0.0)
    rows = shift[data.episode]
    times = {name: getattr(data, name) + shift for name in ("failure_s", "go_s", "end_s")}
    return replace(data, t=data.t + rows, exposed=data.exposed + rows, **times)


def _calm(rng: np.random.Generator, length: int) -> np.ndarray:
    """(length, 18) positive signals that wander."""
    x = np.zeros((length, len(SIGNALS)))
    for row in range(1, length):
        x[row] = 0.7 * x[row - 1] + rng.normal(size=len(SIGNALS))
    return 0.01 * np.exp(0.4 * x)


def _episode(rng: np.random.Generator, failing: float) -> dict:
    go = rng.uniform(0.5, 3.0)
    done = go + rng.uniform(4.0, 9.0)
    failure, at = -1, np.nan
    starts, lasts = go + rng.uniform(0.0, done - go - 0.5), rng.uniform(0.6, 3.0)
    troubled, kind = rng.random() < 0.5, int(rng.integers(len(FAILURES)))
    if troubled and rng.random() < failing:
        failure, at = kind, starts + lasts
    cut = failure < 0 and rng.random() < 0.1
    end = at if failure >= 0 else done
    t = np.round(np.arange(0.2, end, STEP), 2)
    t = t[t < end]
    signals = _calm(rng, len(t))
    if troubled:
        on = (t > starts) & (t < starts + lasts)
        signals[np.ix_(on, RAISED[kind])] *= 1.0 + 6.0 * ((t[on] - starts) / lasts)[:, None]
    valid = rng.random(signals.shape) > 0.02
    valid[0, [4, 10, 12, 16]] = False  # what needs a pass before
    valid[:, 5] = False  # a signal this policy never has
    oracle = np.zeros((len(t), ORACLE))
    oracle[:, 0] = np.clip((starts + lasts - t) / 5.0, -1.0, 1.0) if troubled else 1.0
    return {
        "failure": failure,
        "failure_s": at,
        "success_s": np.nan if cut or failure >= 0 else done,
        "go_s": go,
        "end_s": end if cut else end + 1.0,
        "disturbed": int(troubled),
        "t": t,
        "signals": np.where(valid, signals, np.nan),
        "valid": valid,
        "age": np.where(valid, 0.0, 0.16),
        "oracle": oracle,
    }


def card_with(**changed: object) -> Card:
    """What a forecast of one network says of itself that was trained on nothing, but for what ``changed`` says."""
    plain = Card(
        tasks={},
        thresholds={"": (0.5,) * 4},
        alpha=0.05,
        temperature=1.0,
        loss="likelihood",
        members=1,
        seed=0,
        steps=1,
        sizes={},
        data="",
    )
    return msgspec.structs.replace(plain, **changed)
