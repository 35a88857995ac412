"""Processes that play plans, one scene a task, and a file of what they found that a later run goes on from."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Protocol

import msgspec

from engine import workers as processes
from engine.study.plan import Outcome, Plan

Tell = Callable[[str], None]


class StudyError(Exception):
    """A study cannot go on. The text is one sentence for the operator."""


def outcomes(plans: Sequence[Plan], workers: int, out: Path | None, tell: Tell) -> list[Outcome]:
    """What came of every plan, in their order. What ``out`` already holds is not played again; what is played is added to it.

    Raises StudyError, OSError, KeyboardInterrupt; what was finished before is then in ``out``.
    """
    known = kept(out) if out is not None else {}
    missing = [plan for plan in plans if plan not in known]
    if len(missing) < len(plans):
        tell(f"{len(plans) - len(missing)} of {len(plans)} scenes are in {out} already")
    for count, outcome in enumerate(_played(missing, min(workers, len(missing))), 1):
        known[outcome.plan] = outcome
        if out is not None:
            append(out, outcome)
        tell(f"{count} of {len(missing)} scenes: {_line(outcome)}")
    return [known[plan] for plan in plans]


def _line(outcome: Outcome) -> str:
    plan = outcome.plan
    what = f"seed {plan.seed}" + (f" without {plan.without}" if plan.without else f" {plan.gains}" if plan.study == "sawing" else "")
    return f"{what}: {outcome.error or ', '.join(outcome.harms) or 'no harm'}, {sum(outcome.stops.values())} stops"


def kept(out: Path) -> dict[Plan, Outcome]:
    """The outcomes of scenes in a file, by plan. Raises StudyError, OSError."""
    return {outcome.plan: outcome for outcome in read(out, Outcome)}


class Line(Protocol):
    """What came of something that was played."""

    @property
    def error(self) -> str:
        """Why it could not be played; "" if it was."""


def read[L: Line](out: Path, kind: type[L]) -> list[L]:
    """The lines of a file; a last one that was cut off, and what could not be played, do not count. Raises StudyError, OSError."""
    if not out.exists():
        return []
    found: list[L] = []
    lines = out.read_bytes().split(b"\n")
    for number, line in enumerate(lines, 1):
        try:
            outcome = msgspec.json.decode(line, type=kind) if line else None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            if number == len(lines):
                continue
            raise StudyError(f"Line {number} of {out} is not a scene's outcome ({error}); name another file.") from error
        if outcome is not None and not outcome.error:
            found.append(outcome)
    return found


def append(out: Path, outcome: msgspec.Struct) -> None:
    """Add a line, whole; one that was cut off before it is cut away."""
    with out.open("ab+") as file:
        end = file.seek(0, os.SEEK_END)
        if end:
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)
        file.write(msgspec.json.encode(outcome) + b"\n")


def _played(plans: Sequence[Plan], workers: int) -> Iterator[Outcome]:
    """Outcomes as they come."""
    if not plans:
        return
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        with processes.pool(workers) as pool:
            yield pool.submit(_play, plans[0]).result()  # alone: it compiles the cameras' kernels, which the others then find compiled
            coming: list[Future[Outcome]] = [pool.submit(_play, plan) for plan in plans[1:]]
            for future in as_completed(coming):
                yield future.result()
    except BrokenProcessPool as error:
        raise StudyError("A process that played scenes was ended from outside, perhaps for want of memory: use fewer workers.") from error


def _play(plan: Plan) -> Outcome:
    from engine.study import play

    try:
        return play.play(plan, play.lent(plan))
    except Exception as error:  # one scene that fails is told, and does not end the study
        return Outcome(plan=plan, error=f"{type(error).__name__}: {error}")
