"""What is wrong with the episodes of a data set beside each other: seeds, copies, leaks, settings, and signals that say nothing."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from engine.collect.collection import Snapshot
from engine.collect.plan import Outcome
from engine.forecast.dataset import part_of
from engine.session.reader import Session
from engine.sources import flattened
from engine.types import F64, SIGNALS

NAMED = 3  #: of those that a problem concerns, named; the rest is counted
ENOUGH = 20  #: values that a signal must have before its not changing means anything
PARTS = ("train", "calibrate", "test")  #: as ``engine.forecast.dataset`` numbers them
#: settings in which the sessions of one task may differ
OWN = ("seed", "store", "record", "camera.record")
#: of the software versions in a header, those that a session's numbers depend on
SOFTWARE = ("sawhorse", "mujoco")


class Signal(msgspec.Struct, kw_only=True):
    """One signal over the whole data set."""

    name: str
    missing: float  #: share of the inferences in which it is not valid, or no number
    dead: list[str]  #: tasks in which it never has a value
    constant: list[str]  #: tasks in which its value never changes


def key(one: Outcome) -> str:
    """ "robot/task" """
    return f"{one.plan.robot}/{one.plan.task}"


def named(kind: str, found: Sequence[str], what: str) -> str:
    """One sentence: what is wrong, with how many, and the first few of them."""
    rest = len(found) - NAMED
    return f"{kind}: {counted(len(found), what)}: {'; '.join(found[:NAMED])}{f'; and {rest} more' if rest > 0 else ''}."


def counted(count: int, what: str) -> str:
    """So many of something, in words."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def twice(played: Sequence[tuple[Path, Outcome]]) -> Iterator[str]:
    """Seeds that come several times, with the collections that they come in."""
    folders: defaultdict[tuple[str, int], list[str]] = defaultdict(list)
    for folder, one in played:
        folders[key(one), one.plan.seed].append(str(folder))
    found = [f"{task} {seed}, {len(where)} times: {', '.join(where)}" for (task, seed), where in folders.items() if len(where) > 1]
    if found:
        yield named("The same episode several times", found, "seed")


def seeds(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Draws of disturbances that lie in two parts of the split, and tasks played with several policies."""
    drawn: defaultdict[tuple[int, str, float], set[str]] = defaultdict(set)
    for one in outcomes:
        if one.disturbances:
            first = one.disturbances[0]
            drawn[one.plan.seed, first.what, round(first.t_s, 2)].add(key(one))
    leaks = [
        f"seed {seed} of {here} ({PARTS[part_of(here, seed)]}) and of {there} ({PARTS[part_of(there, seed)]}), {what} at {t_s:g} s in both"
        for (seed, what, t_s), tasks in drawn.items()
        for here, there in combinations(sorted(tasks), 2)
        if part_of(here, seed) != part_of(there, seed)
    ]
    if leaks:
        yield named("One draw of disturbances in two parts of the split", leaks, "seed")
    for task in sorted({key(one) for one in outcomes}):
        policies = Counter(one.policy_hash for one in outcomes if key(one) == task and one.policy_hash)
        if len(policies) > 1:
            yield f"{task} was played with {len(policies)} policies: {_counted(policies)}."


def _counted(found: Counter[str]) -> str:
    return ", ".join(f"{name[:12]} ({count})" for name, count in found.most_common())


def snapshots(made_with: Sequence[Snapshot]) -> Iterator[str]:
    """Tasks of which collections were made with different versions of what goes wrong and of what counts as a failure."""
    versions: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for one in made_with:
        versions[f"{one.robot}/{one.task}"][one.disturbances] += 1
    for task, found in versions.items():
        if len(found) > 1:
            yield f"Collections of {task} differ in what goes wrong and what is a failure: versions {_counted(found)}."


class Together:
    """Takes in one session after the other."""

    def __init__(self) -> None:
        self._rows: Counter[str] = Counter()  #: inferences by task
        self._valid: dict[str, F64] = {}  #: (18,) by task: how many values
        self._least: dict[str, F64] = {}  #: (18,)
        self._most: dict[str, F64] = {}  #: (18,)
        self._contents: defaultdict[str, list[tuple[str, int, str]]] = defaultdict(list)  #: hash of the signals: task, seed, path
        self._settings: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)  #: (task, setting): values

    def add(self, session: Session) -> None:
        """Raises SessionError."""
        header = session.header
        task = f"{header.robot}/{header.task}"
        found = session.commit.arrays["inference/signals"].sha256
        self._contents[found].append((task, header.seed, str(session.path)))
        for name, value in flattened(header.settings).items():
            if name not in OWN:
                self._settings[task, name][_text(value)] += 1
        for name in SOFTWARE:
            self._settings[task, f"version of {name}"][header.versions.get(name, "none")] += 1
        signals = np.where(session.rows("inference/valid"), session.rows("inference/signals"), np.nan)
        there = np.isfinite(signals)
        self._rows[task] += len(signals)
        self._valid[task] = self._valid.get(task, np.zeros(len(SIGNALS))) + there.sum(axis=0)
        for extreme, pick, otherwise in ((self._least, np.minimum, np.inf), (self._most, np.maximum, -np.inf)):
            before = extreme.get(task, np.full(len(SIGNALS), otherwise))
            extreme[task] = pick(before, pick.reduce(np.where(there, signals, otherwise), axis=0))

    def signals(self) -> list[Signal]:
        """Of every signal how much is missing, where it is dead and where it never changes; of none without an inference."""
        total = sum(self._rows.values())
        if not total:
            return []
        return [
            Signal(
                name=name,
                missing=round(1.0 - sum(float(valid[i]) for valid in self._valid.values()) / total, 4),
                dead=[task for task, valid in self._valid.items() if not valid[i]],
                constant=[
                    task for task, valid in self._valid.items() if valid[i] >= ENOUGH and self._least[task][i] == self._most[task][i]
                ],
            )
            for i, name in enumerate(SIGNALS)
        ]

    def problems(self) -> Iterator[str]:
        """Copies under another name, tasks played under different settings, and signals that say nothing."""
        copies = [
            f"{' and '.join(name for _, _, name in same)}" + (" (in two parts of the split)" if self._apart(same) else "")
            for same in self._contents.values()
            if len(same) > 1
        ]
        if copies:
            yield named("The same signals under several names", copies, "group")
        mixed: defaultdict[str, list[str]] = defaultdict(list)
        for (task, name), values in self._settings.items():
            if len(values) > 1 or values.total() != max(count.total() for (of, _), count in self._settings.items() if of == task):
                mixed[task].append(f"{name} {_counted(values)}")
        for task, names in mixed.items():
            yield named(f"{task} was played under different settings", names, "setting")
        for state, of in (("without any value", "dead"), ("that never change", "constant")):
            silent: defaultdict[str, list[str]] = defaultdict(list)
            for signal in self.signals():
                for task in getattr(signal, of):
                    silent[task].append(signal.name)
            yield from (f"Signals {state} in {task}: {', '.join(names)}." for task, names in silent.items())

    @staticmethod
    def _apart(same: Sequence[tuple[str, int, str]]) -> bool:
        return len({part_of(task, seed) for task, seed, _ in same}) > 1


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
