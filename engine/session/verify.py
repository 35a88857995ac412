"""Is a session whole, and does it follow from its inputs? ``verify`` reads every committed row; ``recompute`` decides again."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from engine.safety import arbiter
from engine.safety.cell import Cell
from engine.session import ledger
from engine.session.columns import TICK_FIELDS
from engine.session.commit import COMMIT
from engine.session.layout import DAMAGE, STRING, Column, Rows, SessionError, row_bytes
from engine.session.reader import Session
from engine.session.repair import uncommitted_ticks
from engine.session.schema import Header
from engine.session.table import chain_start
from engine.types import LAYERS, Decision, Inputs, Reason

STEP = 2000  #: rows looked at together
NAMED = 20  #: problems told in words; the rest is counted

#: Columns in which NaN or an infinity is a fault of the program, whatever the inputs were.
FINITE = (
    "tick/score",
    "tick/speed_scale",
    "tick/speed_limit",
    "tick/stiffness",
    "tick/force_limit",
    "tick/torque_limit",
    "tick/ramp",
    "tick/pose_d",
    "tick/twist_d",
    "tick/stiffness_d",
    "tick/force_max",
    "tick/torque_max",
)


class Report(msgspec.Struct, kw_only=True):
    """What was found; the keys of the JSON that other programs read."""

    session: str
    ticks: int = 0  #: rows that were read and are sound
    inferences: int = 0
    committed: int = 0  #: ticks that the commit promises
    lost: int = 0  #: rows known to have been given to the recorder, or written, that are not committed
    decisions_recomputed: int = 0
    mismatches: int = 0  #: ticks whose recorded decision is not what its inputs give
    ok: bool = False
    note: str = ""  #: what cannot be verified of it, and why
    problems: list[str] = msgspec.field(default_factory=list)


def verify(path: Path) -> Report:
    """Read every committed row of every array and hold it against the hash chains, the counts and the order of time."""
    report = Report(session=str(path))
    try:
        session = Session.open(path)
        report.committed = session.ticks
        report.note = imported(session.header)
        report.lost = session.commit.lost + uncommitted_ticks(session)
        report.problems += [problem for problem in _problems(session) if problem]
        if not report.problems:
            report.ticks, report.inferences = session.ticks, session.inferences
    except SessionError as error:
        report.problems.append(str(error))
    report.ok = not report.problems
    return report


def imported(header: Header) -> str:
    """Why an imported session's decisions cannot be recomputed, in a sentence; "" of a session that an engine recorded."""
    if header.imported is None:
        return ""
    source = f"episode {header.imported.episode} of the data set {header.imported.source}"
    return f"It was imported from {source}, which holds neither inputs nor decisions: its decisions cannot be recomputed."


def _problems(session: Session) -> Iterator[str]:
    yield from (array_problem(session, name) for name in session.commit.arrays)
    yield _count_problem(session)
    yield from (_not_finite(session, name) for name in FINITE if name in session.commit.arrays)
    yield from _order_problems(session)
    yield _attribute_problem(session)


def array_problem(session: Session, name: str) -> str:
    """Why an array is not what was written, in a sentence; "" if it is. Reads every committed row of it."""
    try:
        column = session.describe(name)
        chain = chain_start(column)
        for start in range(0, session.commit.rows(name), column.shard_rows):
            chain.update(row_bytes(column, session.rows(name, start, start + column.shard_rows)))
    except SessionError as error:
        return str(error)
    if chain.hexdigest() != session.commit.arrays[name].sha256:
        return f"{name} has been changed since it was written: its rows do not match the hash chain in commit.json."
    return ""


def _count_problem(session: Session) -> str:
    counts: dict[str, set[int]] = {}
    for name, written in session.commit.arrays.items():
        counts.setdefault(name.rpartition("/")[0], set()).add(written.rows)
    uneven = [table for table, found in counts.items() if len(found) > 1]
    return f"The arrays of {', '.join(uneven)} have different numbers of rows." if uneven else ""


def _not_finite(session: Session, name: str) -> str:
    try:
        for start in range(0, session.ticks, STEP):
            rows = session.rows(name, start, start + STEP)
            wrong = np.flatnonzero(~np.isfinite(rows).reshape(len(rows), -1).all(axis=1))
            if len(wrong):
                return f"{name} of tick {start + int(wrong[0])} is not a finite number."
    except SessionError:
        return ""  # told already, when the array was read
    return ""


def _order_problems(session: Session) -> Iterator[str]:
    """Ticks count up by one, and no time steps back unless the arbiter saw it."""
    try:
        if session.ticks:
            numbers, times = session.rows("tick/tick"), session.times
            gaps = np.flatnonzero(np.diff(numbers) != 1)
            if len(gaps):
                yield f"After tick {numbers[gaps[0]]} comes tick {numbers[gaps[0] + 1]}: ticks are missing or out of order."
            noticed = session.rows("tick/layer_reason")[1:, LAYERS.index("validity")] == Reason.CLOCK_STEPPED
            back = np.flatnonzero((np.diff(times) < 0) & ~noticed)
            if len(back):
                yield f"The time of tick {numbers[back[0] + 1]} is before that of the tick before it."
        for name in ("inference/end_ns", *(f"camera/{camera}/t_ns" for camera in session.cameras)):
            if session.commit.rows(name) and (np.diff(session.rows(name)) < 0).any():
                yield f"{name} steps back in time."
    except SessionError:
        return


def _attribute_problem(session: Session) -> str:
    """A closed session's ``zarr.json`` repeats the header; that of an interrupted one may be one commit behind."""
    try:
        root, commit = (msgspec.json.decode((session.path / name).read_bytes()) for name in ("zarr.json", COMMIT))
        same = root["attributes"] == commit["header"]
    except (OSError, *DAMAGE):
        return f"zarr.json of session {session.path} is missing or damaged."
    if session.commit.closed and not same:
        return f"The attributes in zarr.json of session {session.path} have been changed since they were written."
    return ""


def beginning(header: Header) -> arbiter.State:
    """The arbiter's state before a session's first tick. Raises msgspec.ValidationError, ValueError."""
    robot = msgspec.convert(header.robot_limits, arbiter.RobotLimits)
    return arbiter.initial(header.limits, robot, msgspec.convert(header.cell, Cell))


def recompute(path: Path) -> Report:
    """``verify``, then every decision again, the arbiter folded over the recorded inputs from its initial state, and the energy ledger.

    The stored decisions are only compared, bit for bit (any NaN equals any other), and never used to compute.
    """
    report = verify(path)
    try:
        session = Session.open(path)
        if report.note:
            raise SessionError(report.note)
        state = beginning(session.header)
        for start in range(0, session.ticks, STEP):
            decisions = []
            for inputs in session.structs(Inputs, start, start + STEP):
                state, decision = arbiter.step(state, inputs)
                decisions.append(decision)
            found = _differences(session, start, decisions)
            report.decisions_recomputed += len(decisions)
            report.mismatches += len({tick for tick, _, _, _ in found})
            report.problems += [
                f"tick {tick} {field}: recorded {recorded}, but its inputs give {computed}." for tick, field, recorded, computed in found
            ]
        report.problems += ledger.problems(session)
    except SessionError as error:
        if str(error) not in report.problems:
            report.problems.append(str(error))
    except (msgspec.ValidationError, ValueError, TypeError, ArithmeticError) as error:
        report.problems.append(f"The decisions of session {path} cannot be recomputed: {error}.")
    if len(report.problems) > NAMED:
        report.problems[NAMED:] = [f"... and {len(report.problems) - NAMED} more."]
    report.ok = not report.problems
    return report


def _differences(session: Session, start: int, decisions: list[Decision]) -> list[tuple[int, str, Any, Any]]:
    """(tick, field, recorded, computed) for every field of every decision that is not the same bits."""
    ticks = session.rows("tick/tick", start, start + len(decisions))
    found = []
    for field in TICK_FIELDS[Decision]:
        if field.optional and field.column.name not in session.commit.arrays:
            continue  # recorded before it was there
        computed = np.array([getattr(decision, field.name) for decision in decisions], field.column.storage)
        recorded = session.rows(field.column.name, start, start + len(decisions))
        rows = np.flatnonzero(_differ(field.column, recorded, computed))
        found += [(int(ticks[row]), field.name, recorded[row].tolist(), computed[row].tolist()) for row in rows]
    return sorted(found, key=lambda difference: difference[0])


def _differ(column: Column, recorded: Rows, computed: Rows) -> Rows:
    """(n,) True where any element of the row has other bits."""
    if column.dtype == STRING or not column.dtype.startswith("float"):
        different = recorded != computed
    else:
        same_bits = recorded.view(np.int64) == computed.view(np.int64)
        different = ~(same_bits | (np.isnan(recorded) & np.isnan(computed)))
    return np.asarray(different.reshape(len(recorded), -1).any(axis=1))
