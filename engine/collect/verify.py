"""Is a data set sound? Every session beside its line, and all of them beside each other; one report for people and for programs."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from engine.collect import together
from engine.collect.collection import EPISODES, SESSIONS, collections, outcomes, read_snapshot, torn
from engine.collect.plan import Outcome
from engine.collect.soundness import CUT, WRITTEN, looked_at
from engine.collect.together import PARTS, Signal, Together, counted, key, named
from engine.forecast.dataset import part_of
from engine.session.commit import COMMIT
from engine.session.layout import SessionError
from engine.types import FAILURES

WHOLE = 50  #: sessions of which every array is read, spread over the data set, unless all are to be
TELL_EVERY = 50  #: sessions
SHOWN = 0.005  #: share of missing values from which on a signal is told of


class Task(msgspec.Struct, kw_only=True):
    """What a data set has of one task: episodes, unless it says otherwise."""

    episodes: int = 0
    undisturbed: int = 0
    succeeded: int = 0
    failing: int = 0  #: failed before any success
    unfinished: int = 0  #: neither
    failures: dict[str, int] = msgspec.field(default_factory=lambda: dict.fromkeys(FAILURES, 0))  #: by the first of them
    inferences: int = 0  #: number of them
    hours: float = 0.0
    parts: dict[str, int] = msgspec.field(default_factory=lambda: dict.fromkeys(PARTS, 0))  #: of the split
    failing_by_part: dict[str, int] = msgspec.field(default_factory=lambda: dict.fromkeys(PARTS, 0))


class DataReport(msgspec.Struct, kw_only=True):
    """What was found; the keys of the JSON that other programs read."""

    path: str
    collections: int = 0
    episodes: int = 0  #: lines
    unplayed: int = 0  #: of them, that could not be played to their end, and count nowhere else
    sessions: int = 0  #: folders
    sound: int = 0  #: sessions in which nothing is wrong
    read_whole: int = 0  #: sessions of which every array was read
    tasks: dict[str, Task] = msgspec.field(default_factory=dict)
    signals: list[Signal] = msgspec.field(default_factory=list)
    ok: bool = False
    problems: list[str] = msgspec.field(default_factory=list)


def is_data(path: Path) -> bool:
    """Whether a folder is to be looked at as a data set, rather than as a session."""
    return path.is_dir() and not (path / COMMIT).exists()


def verify(path: Path, everything: bool, tell: Callable[[str], None]) -> DataReport:
    """Look at every session of the collections in a folder; of WHOLE of them, or of all with ``everything``, read every array.

    Raises SessionError where there is no episode, CollectError where a collection cannot be read.
    """
    folders = collections(path)
    noted = [(folder, one) for folder in folders for one in outcomes(folder)]
    played = [one for _, one in noted if not one.error]
    lines = {folder / SESSIONS / one.session: one for folder, one in noted if one.session}
    there = sorted(one for folder in folders if (folder / SESSIONS).is_dir() for one in (folder / SESSIONS).iterdir() if one.is_dir())
    if not noted and not there:
        raise SessionError(f"No episode in {path} is finished: go on with the same `sawhorse collect` command and --resume.")
    whole = set(there if everything else there[:: max(1, -(-len(there) // WHOLE))])
    report = DataReport(path=str(path), collections=len(folders), episodes=len(noted), sessions=len(there), read_whole=len(whole))
    report.unplayed = len(noted) - len(played)
    wrong: defaultdict[str, dict[str, str]] = defaultdict(dict)
    unfinished: set[Path] = set()
    others = Together()
    for count, session in enumerate(there, 1):
        found = looked_at(session, lines.get(session), session in whole)
        for problem in found.problems:
            wrong[problem.kind].setdefault(session.name, f"{session.name} ({problem.detail.removesuffix('.')})")
        if {problem.kind for problem in found.problems} & {WRITTEN, CUT}:
            unfinished.add(session)
        elif found.session is not None and found.readable:
            others.add(found.session)
        report.sound += not found.problems
        if count % TELL_EVERY == 0:
            tell(f"{count} of {len(there)} sessions")
    report.tasks = _tasks(played)
    report.signals = others.signals()
    report.problems = [
        *_unmatched(lines, set(there), unfinished, played),
        *(named(kind, list(found.values()), "session") for kind, found in wrong.items()),
        *together.snapshots([read_snapshot(folder) for folder in folders]),
        *(f"The last line of {one / EPISODES} is cut off: --resume plays its episode anew." for one in folders if torn(one)),
        *together.twice([(folder, one) for folder, one in noted if not one.error]),
        *together.seeds(played),
        *others.problems(),
        *_one_class(played),
    ]
    report.ok = not report.problems
    return report


def _tasks(played: Sequence[Outcome]) -> dict[str, Task]:
    found: defaultdict[str, Task] = defaultdict(Task)
    for one in played:
        task, part = found[key(one)], PARTS[part_of(key(one), one.plan.seed)]
        task.episodes += 1
        task.undisturbed += not one.disturbances
        task.inferences += one.inferences
        task.hours = round(task.hours + one.end_s / 3600.0, 6)
        task.parts[part] += 1
        if one.failure:
            task.failing += 1
            task.failing_by_part[part] += 1
            task.failures[one.failure] = task.failures.get(one.failure, 0) + 1
        elif one.success_s is not None:
            task.succeeded += 1
        else:
            task.unfinished += 1
    return dict(sorted(found.items()))


def _unmatched(lines: Mapping[Path, Outcome], there: set[Path], unfinished: set[Path], played: Sequence[Outcome]) -> Iterator[str]:
    gone = [path.name for path in sorted(set(lines) - there)]
    if gone:
        yield named("A line without its session", gone, "line")
    if unnamed := sum(not one.session for one in played):
        yield f"A line that names no session: {unnamed} of {len(played)} lines."
    stray = [path.name for path in sorted(there - set(lines) - unfinished)]
    if stray:
        yield named("A session that no line names", stray, "session")


def _one_class(played: Sequence[Outcome]) -> Iterator[str]:
    failing = sum(bool(one.failure) for one in played)
    if played and failing in (0, len(played)):
        yield f"{'Every' if failing else 'No'} episode failed: a forecast needs both."


# --- for people ---


def lines(report: DataReport) -> list[str]:
    """The report on a screen: what there is, what is missing, and the problems last."""
    head = (
        f"{report.path}: {counted(report.collections, 'collection')}, {counted(report.episodes, 'episode')} "
        f"({report.unplayed} could not be played), {counted(report.sessions, 'session')}, {report.sound} of them sound"
    )
    depth = f"read whole: {counted(report.read_whole, 'session')}; of the others what a forecast is learnt from"
    rows = [["task", "episodes", "undisturbed", "success", "failing", *FAILURES, "neither", "hours", "/".join(PARTS)]]
    for name, task in report.tasks.items():
        shares = [f"{100.0 * count / task.episodes:.0f} %" for count in (task.undisturbed, task.succeeded, task.failing)]
        counts = [str(task.failures[failure]) for failure in FAILURES]
        parts = "/".join(f"{task.parts[part]}" for part in PARTS)
        rows.append([name, str(task.episodes), *shares, *counts, str(task.unfinished), f"{task.hours:.2f}", parts])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    table = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]
    missing = [f"{one.name} {100.0 * one.missing:.1f} %" for one in report.signals if one.missing >= SHOWN]
    told = [f"missing values: {', '.join(missing)}; every other signal less than {100.0 * SHOWN:g} %"] if missing else []
    return [head, depth, *table, *told, *(f"PROBLEM  {problem}" for problem in report.problems)]
