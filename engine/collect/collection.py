"""A collection on disk: what it was made with, one line an episode, and their sessions. Collections lie side by side in a folder."""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from engine.collect.plan import CollectError, Outcome, Plan
from engine.session.commit import replace_file
from engine.session.lock import hold
from engine.session.schema import software_versions

SNAPSHOT, EPISODES, SESSIONS = "collection.json", "episodes.jsonl", "sessions"
SCHEMA = 1
CHECKPOINT = 50  #: episodes between two waits for the disk


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What a collection is made with: equal ones give equal episodes."""

    schema: int
    robot: str
    task: str
    policy: str
    policy_hash: str
    seed: int  #: of the first episode, of all shards together
    episodes: int  #: of all shards together
    shard: tuple[int, int]  #: which of how many, counted from 1
    plan: dict[str, Any]  #: what every episode's plan says beside its seed
    settings: dict[str, Any]  #: every setting of the first episode, as it was resolved
    disturbances: str  #: SHA-256 of the tables that what goes wrong is drawn from
    versions: dict[str, str]
    device: str

    def plans(self) -> list[Plan]:
        """Of this shard, in order: every ``shard[1]``-th seed."""
        seeds = range(self.seed + self.shard[0] - 1, self.seed + self.episodes, self.shard[1])
        return [msgspec.convert(self.plan | {"seed": seed}, Plan) for seed in seeds]

    def difference(self, other: "Snapshot") -> str:
        """The first entry in which another differs, in words; "" if none does."""
        mine, theirs = (_flat(msgspec.json.decode(msgspec.json.encode(one))) for one in (self, other))
        for name in [*mine, *(name for name in theirs if name not in mine)]:
            if mine.get(name) != theirs.get(name):
                return f"{name} is {mine.get(name)!r} there and {theirs.get(name)!r} here"
        return ""


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in tree.items():
        found |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return found


def asked(plan: Plan, episodes: int, shard: tuple[int, int], device: str) -> dict[str, Any]:
    """The entries of a ``Snapshot`` that whoever asks for a collection names, whose first episode, of all shards together, is ``plan``."""
    return {
        "robot": plan.robot,
        "task": plan.task,
        "policy": plan.policy,
        "seed": plan.seed,
        "episodes": episodes,
        "shard": shard,
        "plan": {name: value for name, value in msgspec.to_builtins(plan).items() if name != "seed"},
        "device": device,
    }


def snapshot(plan: Plan, settings: dict[str, Any], policy_hash: str, episodes: int, shard: tuple[int, int], device: str) -> Snapshot:
    """Of a collection whose first episode, of all shards together, is ``plan``."""
    return Snapshot(
        **asked(plan, episodes, shard, device),
        schema=SCHEMA,
        policy_hash=policy_hash,
        settings={name: value for name, value in settings.items() if name not in ("seed", "store", "console")},
        disturbances=disturbances_hash(),
        versions=software_versions(),
    )


def check(path: Path, asked: dict[str, Any], resume: bool) -> None:
    """Whether a collection with the entries ``asked`` of its ``Snapshot`` can be begun in a folder, or gone on with.

    Raises CollectError, OSError.
    """
    if resume and (path / SNAPSHOT).exists():
        there = read_snapshot(path)
        different = there.difference(msgspec.structs.replace(there, **asked))
        if different:
            raise CollectError(f"{path} cannot be gone on with: {different}; give it the same, or name another folder.")
    elif path.exists() and any(path.iterdir()):
        raise CollectError(f"{path} is not empty: name another folder" + (" (it is no collection)." if resume else ", or say --resume."))


def disturbances_hash() -> str:
    """SHA-256 of the program's files that say what the simulated worlds do, what goes wrong in them and what counts as a failure."""
    import adapters.mujoco

    files = sorted(Path(adapters.mujoco.__file__).parent.rglob("*.py"))
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()


class Collection:
    """A collection being made; used in a ``with``. One process writes it."""

    def __init__(self, path: Path, made_with: Snapshot, resume: bool) -> None:
        """Begin it, or go on with what is there. Raises CollectError, OSError."""
        self.path, self.sessions = path, path / SESSIONS
        self._plans = made_with.plans()
        self._new = not path.exists()
        path.mkdir(parents=True, exist_ok=True)
        lock = hold(path)
        if lock is None:
            raise CollectError(f"Another process is collecting into {path}: wait until it has ended, or name another folder.")
        self._lock = lock
        try:
            self._begin(made_with, resume)
        except BaseException:
            os.close(lock)
            raise

    def _begin(self, made_with: Snapshot, resume: bool) -> None:
        path = self.path
        check(path, msgspec.structs.asdict(made_with), resume)
        replace_file(path / SNAPSHOT, msgspec.json.format(msgspec.json.encode(made_with), indent=1))
        self.sessions.mkdir(exist_ok=True)
        self.outcomes = _cut_off(path / EPISODES)
        self._forget_unfinished()
        self._file = (path / EPISODES).open("ab")
        self._unsaved = 0

    @property
    def missing(self) -> list[Plan]:
        """The plans that are still to be played."""
        done = {outcome.plan.seed for outcome in self.outcomes}
        return [plan for plan in self._plans if plan.seed not in done]

    def add(self, outcome: Outcome) -> None:
        """Take over an outcome, whose session is on disk. Raises OSError."""
        self._file.write(msgspec.json.encode(outcome) + b"\n")
        self._file.flush()
        self.outcomes.append(outcome)
        self._unsaved += 1
        if self._unsaved >= CHECKPOINT:
            self.save()

    def save(self) -> None:
        """Return once all outcomes are on the disk. Raises OSError."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._unsaved = 0

    def _forget_unfinished(self) -> None:
        """Sessions without a line are played anew."""
        known = {outcome.session for outcome in self.outcomes}
        for folder in self.sessions.iterdir():
            if folder.name not in known:
                shutil.rmtree(folder)

    def _remove(self) -> None:
        """What was made for episodes none of which was finished; whatever else lies there stays."""
        with contextlib.suppress(OSError):
            for name in (SNAPSHOT, EPISODES):
                (self.path / name).unlink()
            self.sessions.rmdir()
            if self._new:
                self.path.rmdir()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self.save()
        finally:
            self._file.close()
            self._forget_unfinished()
            if error is not None and not self.outcomes:
                self._remove()
            os.close(self._lock)


def read_snapshot(path: Path) -> Snapshot:
    """What a collection was made with. Raises CollectError."""
    try:
        return msgspec.json.decode((path / SNAPSHOT).read_bytes(), type=Snapshot)
    except OSError as error:
        raise CollectError(f"{path} is no collection: it has no {SNAPSHOT} that can be read ({error.strerror}).") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CollectError(f"{path / SNAPSHOT} is damaged or of another version ({error}): collect anew.") from error


def outcomes(path: Path) -> list[Outcome]:
    """Of a collection's episodes, in the order in which they ended; a last line that was cut off does not count. Raises CollectError."""
    return _read(path / EPISODES)[0]


def collections(path: Path) -> list[Path]:
    """The collection at ``path``, or those in it. Raises CollectError where there is none."""
    if (path / SNAPSHOT).exists():
        return [path]
    found = sorted(one for one in path.iterdir() if (one / SNAPSHOT).exists()) if path.is_dir() else []
    if found:
        return found
    if path.is_file():
        raise CollectError(f"{path} is a file: name a folder of collections.")
    if path.name == SESSIONS and (path.parent / SNAPSHOT).exists():
        raise CollectError(f"{path} holds the sessions of a collection: name the collection, {path.parent}.")
    if path.exists() and any(path.iterdir()):
        raise CollectError(f"{path} holds no collection: name a folder that `sawhorse collect` wrote, or one with such folders in it.")
    raise CollectError(f"{path} holds no collection: make one with `sawhorse collect {path}`.")


def torn(path: Path) -> bool:
    """Whether the last line of a collection's episodes was cut off, so that its episode does not count."""
    episodes = path / EPISODES
    return episodes.exists() and _read(episodes)[1] < episodes.stat().st_size


def _lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    yield from ((number, line) for number, line in enumerate(data.split(b"\n"), 1) if line)


def _read(path: Path) -> tuple[list[Outcome], int]:
    """The outcomes in a file, and how many bytes their lines take."""
    if not path.exists():
        return [], 0
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    found = []
    for number, line in _lines(data[:whole]):
        try:
            found.append(msgspec.json.decode(line, type=Outcome))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise CollectError(f"Line {number} of {path} is not an episode's outcome ({error}): restore it from a copy.") from error
    return found, whole


def _cut_off(path: Path) -> list[Outcome]:
    """The outcomes in a file, from which a last line that is not whole is cut away."""
    found, whole = _read(path)
    if path.exists():
        os.truncate(path, whole)
    return found


def totals(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """What came of so many episodes."""
    failures: dict[str, int] = {}
    for outcome in outcomes:
        if outcome.failure:
            failures[outcome.failure] = failures.get(outcome.failure, 0) + 1
    return {
        "episodes": len(outcomes),
        "success": sum(outcome.success_s is not None and not outcome.failure for outcome in outcomes),
        "failures": sum(failures.values()),
        "failures_by_type": dict(sorted(failures.items())),
        "disturbed": sum(bool(outcome.disturbances) for outcome in outcomes),
        "errors": sum(bool(outcome.error) for outcome in outcomes),
        "timesteps": sum(outcome.ticks for outcome in outcomes),
        "inferences": sum(outcome.inferences for outcome in outcomes),
        "bytes": sum(outcome.bytes for outcome in outcomes),
    }
