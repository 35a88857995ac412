"""Several data sets as one."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.forecast.dataset import EPISODE, ROW, Dataset, Ints
from engine.forecast.errors import ForecastError
from engine.types import F32


def merged(parts: Sequence[Dataset]) -> Dataset:
    """All episodes of several data sets. Raises ForecastError where a task was played with another policy, or a seed comes twice."""
    tables: dict[str, tuple[str, F32, F32]] = {}
    for part in parts:
        for number, name in enumerate(part.tasks):
            here = part.policies[number], part.table[number], part.p95[number]
            there = tables.setdefault(name, here)
            if here[0] != there[0] or not np.array_equal(here[1], there[1], equal_nan=True):
                raise ForecastError(
                    f"{name} was played with the policies {there[0][:12]} and {here[0][:12]}; a forecast is made for one of them."
                )
    tasks, kinds = tuple(sorted(tables)), tuple(sorted({kind for part in parts for kind in part.kinds}))
    columns: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in (*EPISODE, *ROW)}
    columns["task"] = np.concatenate([np.array([tasks.index(name) for name in part.tasks], np.int64)[part.task] for part in parts])
    columns["disturbed"] = np.concatenate([_renamed(part, kinds) for part in parts])
    lengths = np.concatenate([np.diff(part.first) for part in parts])
    whole = Dataset(
        tasks=tasks,
        policies=tuple(tables[name][0] for name in tasks),
        table=np.stack([tables[name][1] for name in tasks]),
        p95=np.stack([tables[name][2] for name in tasks]),
        kinds=kinds,
        first=np.concatenate(([0], np.cumsum(lengths))),
        **columns,
    )
    keys = list(zip(whole.task.tolist(), whole.seed.tolist(), strict=True))
    if len(set(keys)) < len(keys):
        task, seed = next(key for key in keys if keys.count(key) > 1)
        raise ForecastError(f"Seed {seed} of {tasks[task]} comes {keys.count((task, seed))} times; every episode may count once.")
    return whole


def _renamed(part: Dataset, kinds: tuple[str, ...]) -> Ints:
    """The bits of ``disturbed`` with the names in another order."""
    bits = np.zeros(part.episodes, np.int64)
    for bit, name in enumerate(part.kinds):
        bits |= (part.disturbed >> bit & 1) << kinds.index(name)
    return bits
