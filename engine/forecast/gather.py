"""From recorded episodes to the table that a forecast is learnt from; what cannot be used is left out and counted, or refused."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from engine.forecast.dataset import ORACLE, Dataset, coded, load
from engine.forecast.errors import ForecastError
from engine.forecast.merging import merged
from engine.forecast.streaming import ages
from engine.signals.nominal import Nominal
from engine.types import FAILURES, HORIZONS, SIGNALS

TELL_EVERY = 2.0  #: s between two lines of progress
TRUTH_LATE = 50_000_000  #: ns, at most, from an inference to the simulator's own figures noted with it
EMPTY = "Without an inference before its end"
BLIND = "Without a valid signal"
UNTOLD = "Without the simulator's own figures"
FAILED = "Not played to its end"
AGAIN = "The same seed again"
COPY = "The same signals under another seed"
RARE = "Of a failure that came fewer than {} times"
TORN = "Its line was cut off"

Tell = Callable[[str], None]


class Report(msgspec.Struct, kw_only=True):
    """What was taken and what was not; the keys of the JSON that other programs read."""

    episodes: int = 0
    inferences: int = 0
    failures: dict[str, dict[str, int]] = msgspec.field(default_factory=dict)  #: episodes by task and first failure, "none" without
    left_out: dict[str, int] = msgspec.field(default_factory=dict)  #: episodes, by the reason


def gather(paths: Sequence[Path], progress: Tell, *, fit: bool = True) -> tuple[Dataset, Report]:
    """All episodes of folders of collections and of packed files; with ``fit`` those that can be learnt from. Raises ForecastError.

    ``fit`` refuses where too few fail, which another collection may still mend.
    """
    left_out: Counter[str] = Counter()
    packed = [path for path in paths if path.suffix == ".npz"]
    folders = [path for path in paths if path.suffix != ".npz"]
    parts = [load(path) for path in packed]
    if folders or not paths:
        parts.append(from_collections(folders, left_out, progress))
    data = _fit(merged(parts), left_out) if fit else merged(parts)
    told = Counter(zip(data.task.tolist(), data.failure.tolist(), strict=True))
    return data, Report(
        episodes=data.episodes,
        inferences=data.rows,
        failures={
            name: {what: told[number, kind] for kind, what in (*enumerate(FAILURES), (-1, "none"))}
            for number, name in enumerate(data.tasks)
        },
        left_out=dict(left_out),
    )


def _fit(data: Dataset, left_out: Counter[str]) -> Dataset:
    """What of the data can be learnt from. Raises ForecastError where too little is left."""
    if not data.episodes:
        raise ForecastError(f"There is no episode to learn from{_because(left_out)}.")
    came = Counter(data.failure[data.failure >= 0].tolist())
    rare = [kind for kind, count in came.items() if count < len(HORIZONS)]
    if len(rare) == len(came):
        told = ", ".join(f"{came[kind]} × {FAILURES[kind]}" for kind in sorted(came)) or "none"
        few = f"Of {data.episodes} episodes too few fail ({told})"
        raise ForecastError(f"{few}; expected at least {len(HORIZONS)} of one kind, one for each horizon, so collect more.")
    if rare:
        left_out[RARE.format(len(HORIZONS))] += sum(came[kind] for kind in rare)
        data = data.take(~np.isin(data.failure, rare))
    if (data.failure >= 0).all():
        raise ForecastError(f"All {data.episodes} episodes fail; expected some that do not, so collect more.")
    if not data.valid.any():
        raise ForecastError("No signal of any inference is valid; expected sessions of an ensemble, not of the scripted placeholder.")
    return data


def _because(left_out: Counter[str]) -> str:
    told = "; ".join(f"{reason[0].lower()}{reason[1:]}: {count}" for reason, count in left_out.most_common())
    return f" (left out: {told})" if told else ": `sawhorse collect DIR --robot R --task T --episodes N` plays some"


def from_collections(folders: Sequence[Path], left_out: Counter[str], progress: Tell) -> Dataset:
    """The episodes of collections. Raises ForecastError.

    ``left_out`` counts, by reason, the sessions that are still being written or not sound, and seeds that come again.
    """
    from engine.collect.collection import SESSIONS, collections, outcomes, torn
    from engine.collect.plan import CollectError
    from engine.collect.soundness import VERSION, looked_at

    try:
        found_in = [one for folder in folders for one in collections(folder)]
        lines = [(one / SESSIONS / line.session, line) for one in found_in for line in outcomes(one)]
    except CollectError as error:
        raise ForecastError(str(error)) from error
    left_out.update({TORN: cut} if (cut := sum(torn(one) for one in found_in)) else {})
    if not lines:
        where = " or ".join(map(str, folders)) or "no folder"
        raise ForecastError(f"No episode in {where} is finished: go on with the same `sawhorse collect` command and --resume.")
    taken: dict[tuple[str, int], dict[str, Any]] = {}
    contents: set[str] = set()
    told = time.monotonic()
    for count, (path, line) in enumerate(lines, 1):
        if time.monotonic() - told >= TELL_EVERY:
            told = time.monotonic()
            progress(f"{count} of {len(lines)} sessions")
        key = f"{line.plan.robot}/{line.plan.task}", line.plan.seed
        if line.error or not line.session:
            left_out[FAILED] += 1
            continue
        found = looked_at(path, line, whole=False)
        if any(problem.kind == VERSION for problem in found.problems):
            raise ForecastError(
                f"{path} was written with another schema version ({found.problems[0].detail}): take it out, or collect anew."
            )
        why = found.problems[0].kind if found.problems else ""
        if not why and found.session is not None:
            held = found.session.commit.arrays["inference/signals"].sha256
            why = AGAIN if key in taken else COPY if held in contents else ""
            contents.add(held)
        if not why:
            assert found.session is not None
            columns, why = _episode(found.session, line)
        if why:
            left_out[why] += 1
            continue
        taken[key] = columns
    if not taken:
        raise ForecastError(f"There is no episode to learn from{_because(left_out)}.")
    return _together(taken)


def _episode(session: Any, line: Any) -> tuple[dict[str, Any], str]:
    """The columns of one episode, or why there are none."""
    began = int(session.rows("tick/t_ns", 0, 1)[0])
    exposed, ended = session.rows("inference/exposed_ns"), session.rows("inference/end_ns")
    failed = bool(line.failure)
    succeeded = not failed and line.success_s is not None
    over: float = min(one.t_s for one in line.failures) if failed else line.success_s if succeeded else line.end_s
    t = (ended - began) * 1e-9
    rows = t < over - 1e-6
    if not rows.any():
        return {}, EMPTY
    valid, signals = session.rows("inference/valid")[rows], session.rows("inference/signals")[rows]
    valid = valid & np.isfinite(signals)
    if not valid.any():
        return {}, BLIND
    if "truth/oracle" not in session.commit.arrays:
        return {}, UNTOLD
    truth_ns = session.rows("truth/t_ns")
    at = np.searchsorted(truth_ns, ended[rows])
    if at[-1] >= len(truth_ns) or (truth_ns[at] - ended[rows] > TRUTH_LATE).any():
        return {}, UNTOLD
    return {
        "policy": (line.plan.policy, line.policy_hash),
        "kinds": sorted({one.what for one in line.disturbances}),
        "failure": FAILURES.index(line.failure) if failed else -1,
        "failure_s": over if failed else np.nan,
        "success_s": over if succeeded else np.nan,
        "go_s": np.nan if line.go_s is None else line.go_s,
        "end_s": line.end_s,
        "t": t[rows],
        "exposed": (exposed[rows] - began) * 1e-9,
        "signals": np.where(valid, signals, np.nan).astype(np.float32),
        "valid": valid,
        "age": ages(session.rows("inference/signal_ns")[rows], exposed[rows, None]).astype(np.float32),
        "oracle": session.rows("truth/oracle")[at].astype(np.float32).reshape(-1, ORACLE),
    }, ""


def _together(taken: dict[tuple[str, int], dict[str, Any]]) -> Dataset:
    """One table of the episodes by (task, seed). Raises ForecastError where a task was played with several policies."""
    keys = sorted(taken)
    tasks = tuple(sorted({task for task, _ in keys}))
    played = [taken[key] for key in keys]
    policies = []
    for task in tasks:
        used = sorted({one["policy"] for key, one in taken.items() if key[0] == task})
        if len(used) > 1:
            told = " and ".join(f"{name} {policy_hash[:12]}" for name, policy_hash in used)
            raise ForecastError(f"{task} was played with the policies {told}; a forecast is made for one of them.")
        policies.append(used[0])
    nominals = [_nominal(task.partition("/")[0], *policy) for task, policy in zip(tasks, policies, strict=True)]
    kinds = tuple(sorted({kind for one in played for kind in one["kinds"]}))
    rows = {name: np.concatenate([one[name] for one in played]) for name in ("t", "exposed", "signals", "valid", "age", "oracle")}
    columns = {name: np.array([one[name] for one in played]) for name in ("failure", "failure_s", "success_s", "go_s", "end_s")}
    return coded(
        Dataset(
            tasks=tasks,
            policies=tuple(policy_hash for _, policy_hash in policies),
            table=np.stack([usual.table for usual in nominals]).astype(np.float32),
            p95=np.stack([usual.p95 for usual in nominals]).astype(np.float32),
            kinds=kinds,
            task=np.array([tasks.index(task) for task, _ in keys]),
            seed=np.array([seed for _, seed in keys]),
            disturbed=np.array([sum(1 << kinds.index(kind) for kind in one["kinds"]) for one in played]),
            first=np.concatenate(([0], np.cumsum([len(one["t"]) for one in played]))),
            **columns,
            **rows,
        )
    )


def _nominal(robot: str, name: str, policy_hash: str) -> Nominal:
    """What is nominal for the signals of a policy, from its folder. Raises ForecastError where that is another policy by now."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    from engine.policy import checkpoint
    from engine.policy.errors import PolicyError
    from engine.policy.loading import folder_of

    try:
        folder = folder_of(name, robot, lambda text: None)
        found = checkpoint.folder_hash(folder)
        tensors = load_file(folder / checkpoint.SIGNALS)
        usual = Nominal(tensors["nominal.table"].astype(np.float64), tensors["nominal.p95"].astype(np.float64))
    except (PolicyError, OSError, KeyError, SafetensorError) as error:
        raise ForecastError(f"What is nominal for the policy {name} of {robot} cannot be read ({error}).") from error
    if found != policy_hash or usual.p95.shape != (len(SIGNALS),):
        raise ForecastError(
            f"The sessions of {robot} were played with the policy {policy_hash[:12]}, and {folder} holds {found[:12]}: collect anew."
        )
    return usual
