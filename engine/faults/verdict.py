"""Whether a fault ended as it must: read from the saved session alone, never from what put the fault in."""

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from engine.faults.fault import Fault, Trial
from engine.limits import Limits
from engine.loops.control import DT
from engine.safety import stops
from engine.session.layout import Rows, SessionError
from engine.session.reader import Session
from engine.session.repair import uncommitted_ticks
from engine.session.verify import recompute
from engine.types import Decision, Inputs, Reason

REST_WITHIN = 0.3  #: s from the stop to standstill
SLACK = 1  #: ticks past the limit
MOVES = 0.01  #: m/s, of a jogged tool


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the matrix; the keys of the JSON that other programs read."""

    fault: str
    stop_category: int | None  #: None where there was no stop
    ticks_to_stop: int | None
    speed: float | None  #: m/s of the tool when the fault was put in
    stop_speed: float | None  #: m/s of the tool when the stop came: what is brought to rest
    rest_s: float | None  #: s from the stop until the readings show standstill, and go on to
    rows_lost: int
    ok: bool
    limit_ticks: int | None
    reason: str  #: of the stop; "" where there was none
    note: str  #: what is wrong, or how this was tried; "" where there is nothing to say


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What a session shows of a fault."""

    category: int | None = None
    ticks: int | None = None
    speed: float | None = None
    stop_speed: float | None = None
    rest_s: float | None = None
    reason: Reason | None = None
    lost: int = 0
    wrong: tuple[str, ...] = ()


def judge(fault: Fault, trial: Trial, limits: Limits) -> Verdict:
    """The row of the matrix. ``limits`` only say which limit applies where there is no session."""
    seen = read(fault.name, trial) if trial.session is not None else Seen()
    limit = None if fault.limit is None else math.ceil(fault.limit(limits) / DT - 1e-9)
    if trial.plant is not None:
        alone = trial.plant
        seen = msgspec.structs.replace(seen, category=alone.category, ticks=alone.ticks, rest_s=alone.rest_s)
        seen = msgspec.structs.replace(seen, speed=alone.speed, stop_speed=alone.speed)
    wrong = (*trial.wrong, *seen.wrong, *(_shortcomings(fault, seen, limit) if trial.session is not None else ()))
    return Verdict(
        fault=fault.name,
        stop_category=seen.category,
        ticks_to_stop=seen.ticks,
        speed=_rounded(seen.speed),
        stop_speed=_rounded(seen.stop_speed),
        rest_s=_rounded(seen.rest_s),
        rows_lost=seen.lost,
        ok=not wrong,
        limit_ticks=limit,
        reason="" if seen.reason is None else seen.reason.name.lower(),
        note="; ".join((*wrong, *((trial.note,) if trial.note else ()))),
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _shortcomings(fault: Fault, seen: Seen, limit: int | None) -> list[str]:
    found = []
    if seen.lost:
        found.append(f"{seen.lost} rows are lost")
    if limit is None:
        if seen.ticks is not None:
            found.append("the robot stopped and should have gone on")
        return found
    if seen.ticks is None:
        return [*found, "no stop followed"]
    if fault.reasons and seen.reason not in fault.reasons:
        found.append(f"the stop's reason should be {' or '.join(reason.name.lower() for reason in fault.reasons)}")
    if seen.category not in fault.categories:
        found.append(f"the stop's category should be {' or '.join(str(category.value) for category in fault.categories)}")
    if not seen.ticks <= limit + SLACK:
        found.append(f"the stop came after {seen.ticks} ticks, the limit is {limit} + {SLACK}")
    if seen.rest_s is None or not seen.rest_s <= REST_WITHIN:
        found.append(f"not at rest within {REST_WITHIN} s of the stop")
    return found


def read(name: str, trial: Trial) -> Seen:
    """The first stop after the fault, the time to rest, and the rows that are missing."""
    assert trial.session is not None
    report = recompute(trial.session)
    try:
        session = Session.open(trial.session)
        at = _row_of(session, name, trial.at_ns)
        lost = _lost(session)
        if at is None:
            return Seen(lost=lost, wrong=(*report.problems, "the session does not show when the fault was put in"))
        speed = _speed(session, at)
        stop = None if trial.plant is not None else _first_stop(session, at, trial.until_ns)
        if stop is None:
            return Seen(speed=speed, lost=lost, wrong=tuple(report.problems))
        decision = session.structs(Decision, stop, stop + 1)[0]
        numbers = session.rows("tick/tick")
        return Seen(
            category=decision.stop_category,
            ticks=int(numbers[stop] - numbers[at]),
            speed=speed,
            stop_speed=_speed(session, stop),
            rest_s=_rest(session, stop),
            reason=Reason(decision.stop_reason),
            lost=lost,
            wrong=tuple(report.problems),
        )
    except SessionError as error:
        return Seen(wrong=(*report.problems, str(error)))


def _row_of(session: Session, name: str, at_ns: int) -> int | None:
    """The last tick before the fault was put in: by the clock, or by the event that bears its name.

    A tick that had begun by then could not know of it, unless it is the one that stopped.
    """
    if at_ns:
        return int(np.searchsorted(session.times, at_ns, side="right")) - 1 if len(session.times) else None
    marks = [event for event in session.events if event.kind == "hazard" and event.text == name]
    if not marks:
        return None
    rows = np.flatnonzero(session.rows("tick/tick") == marks[0].tick)
    if not len(rows):
        return None
    row, counts = int(rows[0]), session.rows("tick/stop_count")
    while row + 1 < session.ticks and session.times[row + 1] <= marks[0].t_ns and counts[row + 1] == counts[row]:
        row += 1
    return row


def _first_stop(session: Session, after: int, until_ns: int) -> int | None:
    end = int(np.searchsorted(session.times, until_ns, side="right")) if until_ns else session.ticks
    counts = session.rows("tick/stop_count", 0, end)
    rows = np.flatnonzero(counts[after + 1 :] > counts[after])
    return after + 1 + int(rows[0]) if len(rows) else None


def _speed(session: Session, row: int) -> float:
    x, y, z = session.structs(Inputs, row, row + 1)[0].twist[:3]
    return math.sqrt(x * x + y * y + z * z)


def _rest(session: Session, stop: int) -> float | None:
    """s of the plant's own time, from the stop to the tick from which on every reading shows standstill; None if there is none."""
    rows = session.structs(Inputs, stop, session.ticks)
    moving = [row for row, inputs in enumerate(rows) if not stops.at_rest(inputs, True, session.header.limits)]
    rests = moving[-1] + 1 if moving else 0
    return None if rests >= len(rows) else rests * DT


def moved_for(times_ns: Sequence[int] | Rows, speeds: Sequence[float] | Rows, at_ns: int) -> float:
    """s from ``at_ns`` to the last of the readings (N,) that shows a tool in motion; 0 where none does. speeds in m/s."""
    moving = [t_ns for t_ns, speed in zip(times_ns, speeds, strict=True) if t_ns >= at_ns and abs(speed) >= MOVES]
    return float(moving[-1] - at_ns) / 1e9 if moving else 0.0


def _lost(session: Session) -> int:
    """Rows given to the recorder or written that are not there, and holes in the ticks' numbers."""
    holes = int((np.diff(session.rows("tick/tick")) - 1).sum()) if session.ticks else 0
    written = uncommitted_ticks(session) if session.commit.closed else 0
    return session.commit.lost + holes + written
