"""What is wrong with one session of a collection: with its rows, their order in time, and what was noted of it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from engine.collect.plan import Outcome, Told
from engine.session.commit import COMMIT
from engine.session.layout import DAMAGE, SessionError
from engine.session.lock import held
from engine.session.reader import SECOND, Session
from engine.session.schema import SCHEMA_VERSION
from engine.session.verify import array_problem, verify
from engine.types import FAILURES, SIGNALS

TICK = 10_000_000  #: ns
SLACK = 0.011  #: s that a noted time may be from the event's: one tick
LARGEST = 1e6  #: of a signal
ORACLE_LARGEST = 1.5  #: each of the oracle's figures is about within [-1, 1]

#: what a forecast is learnt from, and so always read
LEARNT = (
    *(f"inference/{name}" for name in ("id", "exposed_ns", "start_ns", "end_ns", "signals", "valid", "signal_ns")),
    *(f"events/{name}" for name in ("seq", "tick", "t_ns", "kind", "text")),
    "truth/t_ns",
    "truth/oracle",
    "tick/t_ns",
)
WIDE = ("signals", "valid", "signal_ns", "ratio", "quantile")  #: columns of inference/ with a number for each of SIGNALS

WRITTEN = "Still being written"
CUT = "Cut off before the end"
VERSION = "Written with another schema version"
UNREADABLE = "Unreadable"
CHANGED = "Changed since it was written"
SHAPE = "Another shape"
RANGE = "Out of range"
ORDER = "Out of order in time"
LABELS = "Label and events disagree"
OUTSIDE = "Label outside the episode"
OTHER = "Not the episode that its line names"


class Problem(NamedTuple):
    kind: str  #: one of the above
    detail: str


class Found(NamedTuple):
    """What came of looking at a session."""

    problems: list[Problem]
    session: Session | None  #: None where it cannot be opened

    @property
    def readable(self) -> bool:
        """Whether its inferences have the shape that all have."""
        return not {problem.kind for problem in self.problems} & {UNREADABLE, CHANGED, SHAPE}


def looked_at(path: Path, noted: Outcome | None, whole: bool) -> Found:
    """A session beside the line that was noted of it. ``whole``: every array is read, not only what a forecast is learnt from."""
    try:
        session = Session.open(path)
    except SessionError as error:
        version = _schema(path)
        other = version is not None and version != SCHEMA_VERSION
        return Found([Problem(VERSION, f"{version}, not {SCHEMA_VERSION}") if other else Problem(UNREADABLE, str(error))], None)
    if not session.commit.closed:
        return Found([Problem(WRITTEN if held(path) else CUT, f"{session.ticks} ticks so far")], session)
    try:
        problems = list(_of_bytes(session, whole)) or [*_of_rows(session), *(_of_line(session, noted) if noted is not None else ())]
    except SessionError as error:
        problems = [Problem(UNREADABLE, str(error))]
    return Found(problems, session)


def _schema(path: Path) -> int | None:
    """The schema version that a commit claims; None where it claims none."""
    try:
        return int(msgspec.json.decode((path / COMMIT).read_bytes())["schema"])
    except (OSError, *DAMAGE):
        return None


def _of_bytes(session: Session, whole: bool) -> Iterator[Problem]:
    if whole:
        yield from (Problem(CHANGED, text) for text in verify(session.path).problems)
        return
    for name in LEARNT:
        if name in session.commit.arrays and (text := array_problem(session, name)):
            yield Problem(CHANGED, text)


def _of_rows(session: Session) -> Iterator[Problem]:
    """Shapes, ranges and the order of time, whatever happened in it."""
    if not session.ticks or not session.inferences:
        yield Problem(SHAPE, f"{session.ticks} ticks and {session.inferences} inferences")
        return
    for name in WIDE:
        shape = session.describe(f"inference/{name}").shape
        if shape != (len(SIGNALS),):
            yield Problem(SHAPE, f"inference/{name} has rows of {shape}, not of {len(SIGNALS)}")
            return
    yield from _ranges(session)
    yield from _order(session)


def _ranges(session: Session) -> Iterator[Problem]:
    signals, valid, quantile = (session.rows(f"inference/{name}") for name in ("signals", "valid", "quantile"))
    wrong = valid & ~(np.abs(signals) < LARGEST)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        yield Problem(RANGE, f"{SIGNALS[column]} of inference {row} is {signals[row, column]} and called valid")
    bounded = {"inference/quantile": (quantile, 0.0, 1.0)}
    if "inference/forecast" in session.commit.arrays:
        bounded["inference/forecast"] = (session.rows("inference/forecast"), 0.0, 1.0)
    if "truth/oracle" in session.commit.arrays:
        bounded["truth/oracle"] = (session.rows("truth/oracle"), -ORACLE_LARGEST, ORACLE_LARGEST)
    for name, (rows, low, high) in bounded.items():
        outside = rows[np.isfinite(rows) & ((rows < low) | (rows > high))]
        if outside.size:
            yield Problem(RANGE, f"{name} holds {outside[0]:.3g}, outside [{low:g}, {high:g}]")


def _order(session: Session) -> Iterator[Problem]:
    steps = np.diff(session.times)
    if (steps != TICK).any():
        at = int(np.flatnonzero(steps != TICK)[0])
        yield Problem(ORDER, f"tick {at + 1} comes {steps[at] / 1e6:g} ms after the one before it, not {TICK / 1e6:g}")
    exposed, start, end = (session.rows(f"inference/{name}") for name in ("exposed_ns", "start_ns", "end_ns"))
    if not ((exposed <= start) & (start <= end)).all():
        yield Problem(ORDER, "an inference ended before it began, or began before its exposure")
    if (np.diff(end) <= 0).any() or (np.diff(exposed) <= 0).any() or (np.diff(session.rows("inference/id")) <= 0).any():
        yield Problem(ORDER, "an inference is older than the one before it")
    if (session.rows("inference/signal_ns") > exposed[:, np.newaxis]).any():
        yield Problem(ORDER, "a signal is newer than the exposure that it was computed from")
    if "truth/t_ns" in session.commit.arrays:
        known = session.rows("truth/t_ns")
        if len(known) != len(end) or (np.abs(known - end) > TICK).any():
            yield Problem(ORDER, "what the simulator knew was not noted at every inference")
    if (np.diff([event.t_ns for event in session.events]) < 0).any():
        yield Problem(ORDER, "an event is older than the one before it")


# --- what was noted ---


def told(session: Session, kind: str) -> list[Told]:
    """What physics told during a session, from its events: those of kind "failure", "success" or "disturbance"."""
    began = int(session.rows("tick/t_ns", 0, 1)[0])
    parts = [(event, event.text.partition(": ")) for event in session.events if event.kind == kind]
    return [Told(what=what, t_s=(event.t_ns - began) / SECOND, text=text) for event, (what, _, text) in parts]


def _of_line(session: Session, noted: Outcome) -> Iterator[Problem]:
    header, plan = session.header, noted.plan
    for name, here, there in (
        ("robot", header.robot, plan.robot),
        ("task", header.task, plan.task),
        ("seed", header.seed, plan.seed),
        ("policy", header.policy.hash if header.policy else "", noted.policy_hash),
        ("number of ticks", session.ticks, noted.ticks),
        ("number of inferences", session.inferences, noted.inferences),
    ):
        if here != there:
            yield Problem(OTHER, f"its {name} is {here}, the line says {there}")
    yield from _labels(session, noted)


def _labels(session: Session, noted: Outcome) -> Iterator[Problem]:
    successes = [one.t_s for one in told(session, "success")]
    noted_successes = [] if noted.success_s is None else [noted.success_s]
    pairs: tuple[tuple[str, Sequence[Told], Sequence[Told]], ...] = (
        ("failures", told(session, "failure"), noted.failures),
        ("disturbances", told(session, "disturbance"), noted.disturbances),
    )
    for name, events, lines in pairs:
        if not _same([(one.what, one.t_s) for one in events], [(one.what, one.t_s) for one in lines]):
            yield Problem(LABELS, f"its events tell the {name} {_words(events)}, its line {_words(lines)}")
    if not _same([("success", t_s) for t_s in successes], [("success", t_s) for t_s in noted_successes]):
        yield Problem(LABELS, f"its events tell success at {successes or 'no time'}, its line at {noted_successes or 'no time'}")
    unknown = [one.what for one in noted.failures if one.what not in FAILURES]
    if unknown:
        yield Problem(LABELS, f"there is no failure {unknown[0]!r}: known are {', '.join(FAILURES)}")
    times = [*(one.t_s for one in noted.failures), *noted_successes]
    if sorted(one.t_s for one in noted.failures) != [one.t_s for one in noted.failures]:
        yield Problem(LABELS, f"its failures are not in order of time: {_words(noted.failures)}")
    end = session.seconds
    if times and noted.go_s is None:
        yield Problem(OUTSIDE, "it succeeded or failed and was never let go")
    elif times and noted.go_s is not None and not noted.go_s - SLACK <= min(times) <= max(times) <= min(end, noted.end_s) + SLACK:
        yield Problem(
            OUTSIDE, f"it was let go at {noted.go_s:.2f} s and ended at {min(end, noted.end_s):.2f} s, with a label at {max(times):.2f} s"
        )
    if not abs(noted.end_s - end) <= SLACK:
        yield Problem(OUTSIDE, f"its line ends at {noted.end_s:.2f} s, its last tick is at {end:.2f} s")


def _same(events: list[tuple[str, float]], lines: list[tuple[str, float]]) -> bool:
    """Whether both tell the same, in the same order, each within a tick."""
    return [what for what, _ in events] == [what for what, _ in lines] and all(
        abs(here - there) <= SLACK for (_, here), (_, there) in zip(events, lines, strict=True)
    )


def _words(told: Sequence[Told]) -> str:
    return ", ".join(f"{one.what} at {one.t_s:.2f} s" for one in told) or "none"
