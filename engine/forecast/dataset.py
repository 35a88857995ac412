"""The table that a forecast is learnt from and judged on: signals and labels of many episodes, in memory and in one small file."""

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.forecast.errors import ForecastError
from engine.session.layout import DAMAGE
from engine.signals.nominal import LEVELS, Nominal
from engine.types import F32, F64, FAILURES, SIGNALS

SCHEMA = 1
ORACLE = 12  #: what the simulator alone knows, as ``adapters.base.Disturbed.oracle`` tells it
TRAIN, CALIBRATE, TEST = 0, 1, 2
SHARES = (0.60, 0.20, 0.20)  #: of the episodes, in each part
AGE_UNIT = 0.01  #: s
TIME_UNIT = 1e-6  #: s
LARGEST = 60_000.0  #: that a signal over its nominal 95 % value may be in half precision
SPARED = 3  #: bits of half precision's mantissa that stay 0, for they would only be noise that does not compress

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Dataset:
    """T tasks, N episodes, R inferences: those before the episode's first failure or success, an episode's together and in time order.

    Times are s since the session's first tick.
    """

    tasks: tuple[str, ...]  #: (T,) "robot/task"
    policies: tuple[str, ...]  #: (T,) hash of each one's policy
    table: F32  #: (T, 18, 101) nominal quantiles of that policy's signals; a row of NaN where it has none
    p95: F32  #: (T, 18)
    kinds: tuple[str, ...]  #: names of disturbances
    task: Ints  #: (N,) index into tasks
    seed: Ints  #: (N,)
    disturbed: Ints  #: (N,) bit i: kinds[i] has happened
    first: Ints  #: (N + 1,) episode e has the rows first[e]:first[e + 1]
    failure: Ints  #: (N,) index into FAILURES of the first failure; -1 = none, or none before the success
    failure_s: F64  #: (N,) NaN = none
    success_s: F64  #: (N,) NaN = none, or none before the failure
    go_s: F64  #: (N,) when it was let go; NaN = never
    end_s: F64  #: (N,)
    t: F64  #: (R,) delivery of the inference
    exposed: F64  #: (R,) its exposure
    signals: F32  #: (R, 18) NaN where invalid
    valid: Bools  #: (R, 18)
    age: F32  #: (R, 18) s, as ``engine.forecast.streaming.ages``
    oracle: F32  #: (R, ORACLE) within [-1, 1]

    @property
    def episodes(self) -> int:
        return len(self.seed)

    @property
    def rows(self) -> int:
        return len(self.t)

    @property
    def cut(self) -> Bools:
        """(N,) neither failed nor succeeded: what came after its end is not known."""
        unknown: Bools = (self.failure < 0) & np.isnan(self.success_s)
        return unknown

    @cached_property
    def episode(self) -> Ints:
        """(R,) which episode each row is of."""
        return np.repeat(np.arange(self.episodes), np.diff(self.first))

    @cached_property
    def gone(self) -> Bools:
        """(R,) the operator has let the robot go."""
        return np.asarray(self.t >= self.go_s[self.episode])

    @cached_property
    def since(self) -> F64:
        """(R,) s from the exposure of the inference before to this one's; 0 for an episode's first."""
        passed = np.diff(self.exposed, prepend=0.0)
        passed[self.first[:-1][np.diff(self.first) > 0]] = 0.0
        return passed

    @cached_property
    def hash(self) -> str:
        """SHA-256 over all of it."""
        whole = hashlib.sha256()
        for name, array in _packed(self).items():
            whole.update(f"{name} {array.dtype.str} {array.shape}\n".encode() + np.ascontiguousarray(array).tobytes())
        return whole.hexdigest()

    def nominal(self, task: int) -> Nominal:
        """What is nominal for a task's policy."""
        return Nominal(self.table[task].astype(np.float64), self.p95[task].astype(np.float64))

    def disturbances(self, episode: int) -> tuple[str, ...]:
        """What had happened to an episode by its end."""
        return tuple(name for bit, name in enumerate(self.kinds) if self.disturbed[episode] >> bit & 1)

    def of(self, task: str) -> Bools:
        """(N,) which episodes are of a task."""
        mine: Bools = self.task == self.tasks.index(task)
        return mine

    def take(self, episodes: Bools | Ints) -> "Dataset":
        """Some of the episodes, in the order given."""
        which = np.flatnonzero(episodes) if episodes.dtype == np.bool_ else episodes
        lengths = np.diff(self.first)[which]
        first = np.concatenate(([0], np.cumsum(lengths)))
        rows = np.repeat(self.first[which] - first[:-1], lengths) + np.arange(first[-1])
        part = {name: getattr(self, name)[which] for name in EPISODE} | {name: getattr(self, name)[rows] for name in ROW}
        return replace(self, first=first, **part)


EPISODE = ("task", "seed", "disturbed", "failure", "failure_s", "success_s", "go_s", "end_s")
ROW = ("t", "exposed", "signals", "valid", "age", "oracle")
#: of the arrays in a file
TYPES = {
    **dict.fromkeys(("about", "task", "valid", "age"), "uint8"),
    **dict.fromkeys(("table", "p95"), "float32"),
    **dict.fromkeys(("seed", "disturbed", "first"), "int64"),
    **dict.fromkeys(("failure", "oracle"), "int8"),
    **dict.fromkeys(("failure_s", "success_s", "go_s", "end_s"), "float64"),
    **dict.fromkeys(("t", "exposed"), "int32"),
    "signals": "float16",
}


def split(data: Dataset) -> NDArray[np.uint8]:
    """(N,) TRAIN, CALIBRATE or TEST, as ``part_of``."""
    keys = zip(data.task.tolist(), data.seed.tolist(), strict=True)
    return np.array([part_of(data.tasks[task], seed) for task, seed in keys], np.uint8)


def part_of(task: str, seed: int) -> int:
    """TRAIN, CALIBRATE or TEST, by ``lot``: an episode falls into the same part in every data set."""
    return int(np.searchsorted(np.cumsum(SHARES)[:-1], lot(task, seed), side="right"))


def lot(task: str, seed: int, what: str = "part") -> float:
    """[0, 1) by which episodes are dealt out: a BLAKE2 hash of robot and seed, for a robot's tasks of one seed go wrong alike."""
    text = f"{what} {task.partition('/')[0]} {seed}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) / 2.0**64


def coded(data: Dataset) -> Dataset:
    """The data as they come back from a file: signals to half a percent, times in microseconds, ages in 10 ms."""
    return _unpacked(_packed(data))


def _packed(data: Dataset) -> dict[str, NDArray[Any]]:
    """What a file holds: small numbers that lie column by column, which compress well."""
    about = {
        "schema": SCHEMA,
        "signals": SIGNALS,
        "failures": FAILURES,
        "tasks": data.tasks,
        "policies": data.policies,
        "kinds": data.kinds,
    }
    with np.errstate(invalid="ignore"):
        ratio = np.clip(data.signals / _scale(data.p95)[data.task[data.episode]], -LARGEST, LARGEST)
    since = np.diff(np.rint(data.t / TIME_UNIT).astype(np.int64), prepend=0)
    return {
        "about": np.frombuffer(json.dumps(about).encode(), np.uint8),
        "table": data.table.astype(np.float32),
        "p95": data.p95.astype(np.float32),
        "task": data.task.astype(np.uint8),
        "seed": data.seed.astype(np.int64),
        "disturbed": data.disturbed.astype(np.int64),
        "first": data.first.astype(np.int64),
        "failure": data.failure.astype(np.int8),
        **{name: getattr(data, name).astype(np.float64) for name in ("failure_s", "success_s", "go_s", "end_s")},
        "t": since.astype(np.int32),
        "exposed": np.rint((data.t - data.exposed) / TIME_UNIT).astype(np.int32),
        "signals": _rounded(np.where(data.valid, ratio, np.nan).T.astype(np.float16)),
        "valid": np.packbits(data.valid.T, axis=1),
        "age": np.rint(data.age / AGE_UNIT).T.clip(0, 255).astype(np.uint8),
        "oracle": np.rint(127.0 * np.clip(data.oracle, -1.0, 1.0)).T.astype(np.int8),
    }


def _rounded(values: NDArray[np.float16]) -> NDArray[np.float16]:
    """To the nearest with SPARED bits 0: within half a percent."""
    bits = values.view(np.uint16) + np.uint16(1 << SPARED - 1)
    return (bits >> SPARED << SPARED).view(np.float16)


def _unpacked(held: dict[str, NDArray[Any]]) -> Dataset:
    about = json.loads(held["about"].tobytes())
    task, first = held["task"].astype(np.int64), held["first"].astype(np.int64)
    episode = np.repeat(np.arange(len(task)), np.diff(first))
    t: F64 = np.cumsum(held["t"].astype(np.int64)) * np.float64(TIME_UNIT)
    ratio = held["signals"].T.astype(np.float32)
    return Dataset(
        tasks=tuple(about["tasks"]),
        policies=tuple(about["policies"]),
        table=held["table"],
        p95=held["p95"],
        kinds=tuple(about["kinds"]),
        task=task,
        seed=held["seed"],
        disturbed=held["disturbed"],
        first=first,
        failure=held["failure"].astype(np.int64),
        **{name: held[name] for name in ("failure_s", "success_s", "go_s", "end_s")},
        t=t,
        exposed=t - held["exposed"] * TIME_UNIT,
        signals=ratio * _scale(held["p95"])[task[episode]],
        valid=np.unpackbits(held["valid"], axis=1, count=len(t)).T.astype(np.bool_),
        age=held["age"].T.astype(np.float32) * np.float32(AGE_UNIT),
        oracle=held["oracle"].T.astype(np.float32) / np.float32(127.0),
    )


def _scale(p95: F32) -> F32:
    """(T, 18) what signals are divided by to be near 1."""
    return np.where(np.abs(p95) > 0.0, np.abs(p95), 1.0).astype(np.float32)  # of NaN the comparison is false


def save(path: Path, data: Dataset) -> None:
    """Write one compressed .npz without pickles. Raises ForecastError."""
    buffer = BytesIO()
    np.savez_compressed(buffer, **_packed(data))  # type: ignore[arg-type]
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(buffer.getvalue())
        part.replace(path)
    except OSError as error:
        raise ForecastError(f"{path} cannot be written ({error.strerror}).") from error


def load(path: Path) -> Dataset:
    """What ``save`` wrote. Raises ForecastError."""
    try:
        with np.load(path, allow_pickle=False) as file:
            held = {name: file[name] for name in file.files}
        about = json.loads(held["about"].tobytes())
        version, named = about["schema"], (tuple(about.get("signals", ())), tuple(about.get("failures", ())))
    except OSError as error:
        raise ForecastError(f"{path} cannot be read ({error.strerror or error}).") from error
    except Exception as error:  # a damaged archive fails in zip, zlib, the header's tokens or the text
        raise ForecastError(
            f"{path} is not a data set of a forecast, or is damaged; expected an .npz that `sawhorse sessions pack` wrote."
        ) from error
    if version != SCHEMA:
        raise ForecastError(f"{path} was written with schema {version}, and this program reads schema {SCHEMA}: pack its sessions again.")
    if named != (SIGNALS, FAILURES):
        raise ForecastError(f"{path} holds other signals or failures than this program computes: pack its sessions again.")
    other = [name for name, of in TYPES.items() if name in held and held[name].dtype != of]
    if other:
        raise ForecastError(f"{path} holds {other[0]} as {held[other[0]].dtype}; expected {TYPES[other[0]]}: pack its sessions again.")
    try:
        data = _unpacked(held)
        wrong = inconsistency(data)
    except (*DAMAGE, MemoryError) as error:
        raise ForecastError(f"{path} is damaged ({error}); expected an .npz that `sawhorse sessions pack` wrote.") from error
    if wrong:
        raise ForecastError(f"{path} cannot be used: {wrong}.")
    return data


def inconsistency(data: Dataset) -> str:
    """Why the columns cannot be of one data set, in words; "" if they can."""
    n, r, t = data.episodes, data.rows, len(data.tasks)
    names = (*data.tasks, *data.policies, *data.kinds)
    if len(set(data.tasks)) != t or len(data.policies) != t or not all(isinstance(name, str) for name in names):
        return "its tasks, policies or disturbances are not named, or named twice"
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(EPISODE, (n,)) | {name: (r, *getattr(data, name).shape[1:]) for name in ROW}
    shapes |= {"first": (n + 1,), "table": (t, len(SIGNALS), len(LEVELS)), "p95": (t, len(SIGNALS)), "oracle": (r, ORACLE)}
    shapes |= {name: (r, len(SIGNALS)) for name in ("signals", "valid", "age")}
    for name, shape in shapes.items():
        if getattr(data, name).shape != shape:
            return f"{name} has the shape {getattr(data, name).shape} instead of {shape}"
    if not (np.isfinite(data.table).all(axis=2) | np.isnan(data.p95)).all():
        return "what is nominal for a signal is no number"
    if not np.isfinite(data.signals[data.valid]).all():
        return "a signal that counts is no number"
    steps = np.diff(data.first)
    if data.first[0] != 0 or data.first[-1] != r or (steps < 0).any():
        return "its episodes do not cover its inferences"
    if not (np.isin(data.task, np.arange(t)).all() and np.isin(data.failure, np.arange(-1, len(FAILURES))).all()):
        return "an episode has a task or a failure that is not named"
    if (np.diff(data.t)[np.diff(data.episode) == 0] <= 0.0).any():
        return "an episode's inferences are not in the order of time"
    over = np.where(data.failure >= 0, data.failure_s, np.where(np.isnan(data.success_s), data.end_s, data.success_s))
    if not (np.isfinite(data.end_s) & (over <= data.end_s + 0.5 * AGE_UNIT)).all():
        return "a failure or a success lies after its episode's end"
    if (data.exposed > data.t).any():
        return "an inference was delivered before its exposure"
    return "an inference lies after what it should foresee" if (data.t > over[data.episode] + TIME_UNIT).any() else ""
