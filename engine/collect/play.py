"""Plays plans side by side: robots and engines in worker processes, pictures and inferences at a desk here."""

import itertools
import os
import pickle
import tempfile
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from engine import workers as processes
from engine.collect.desk import Desk
from engine.collect.episode import Shared
from engine.collect.hands import Reply, Turn, serve
from engine.collect.operator import Operator, Usual
from engine.collect.plan import CollectError, Outcome, Plan
from engine.engine import LOCKSTEP_EXPOSE_EVERY, Engine
from engine.loops.control import DT
from engine.loops.foresight import Foresight, no_foresight
from engine.types import PolicyInfo

GROUPS = 2  #: while one is drawn and asked about here, the workers play the other
TELL_EVERY = 5.0  #: s between two lines of progress, until the first episode is over
BEGUN = 2 * GROUPS  #: turns after which all is compiled, and the pace is what it will be
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def play(
    plans: Iterable[Plan],
    *,
    device: str = "cpu",
    workers: int = 2,
    side_by_side: int = 8,
    store: Path | None = None,
    operator: Callable[[Engine, Plan], Operator] = Usual,
    foresight: Callable[[PolicyInfo], Foresight] = no_foresight,
    progress: Callable[[str], None] = lambda text: None,
) -> Generator[Outcome]:
    """What comes of plans of one robot and one policy, in the order in which they end; recorded under ``store`` if one is named.

    However it is left, the workers end, and sessions of episodes whose outcome was not told are of no use. Raises CollectError,
    PolicyError, AdapterError.
    """
    waiting = iter(plans)
    first = next(waiting, None)
    if first is None:
        return
    table = _Table(first, device, workers, side_by_side, store, operator, foresight, progress)
    try:
        yield from table.played(first, waiting)
    finally:
        table.close()


def policy_hash(plan: Plan) -> str:
    """Of the policy that a plan is played by, as its ``PolicyInfo`` will have it. Raises PolicyError."""
    if plan.policy == "scripted":
        return ""
    from engine.policy import checkpoint, loading

    return checkpoint.folder_hash(loading.folder_of(plan.policy, plan.robot, lambda text: None))


class _Table:
    """The places of a run: who plays there, and what is drawn and said for them."""

    def __init__(
        self,
        first: Plan,
        device: str,
        workers: int,
        side_by_side: int,
        store: Path | None,
        operator: Callable[[Engine, Plan], Operator],
        foresight: Callable[[PolicyInfo], Foresight],
        progress: Callable[[str], None],
    ) -> None:
        self._count = max(1, min(workers, side_by_side))
        self._places = side_by_side
        self._playing: dict[int, Plan] = {}
        self._ends: list[Connection] = []
        self._processes: list[Any] = []
        context = processes.Workers()
        self._progress = progress
        self._begun = self._told = 0.0  #: s, of ``time.monotonic``: when the first turns were over, and when their pace was told last
        self._desk = desk = Desk(first, device, side_by_side, -(-side_by_side // GROUPS), context, progress)
        shared = Shared(operator, foresight, device, store, desk.info, desk.measures)
        progress(f"starting {self._count} workers")
        self._pages = tempfile.TemporaryDirectory(prefix="saw-")
        with _one_thread():
            for _ in range(self._count):
                mine, theirs = context.Pipe()
                process = context.Process(target=serve, args=(theirs, shared, desk.board, Path(self._pages.name)), daemon=True)
                process.start()
                theirs.close()
                self._ends.append(mine)
                self._processes.append(process)

    def played(self, first: Plan, waiting: Iterator[Plan]) -> Iterator[Outcome]:
        """Plans are begun in their order, each at the first place that is free."""
        todo = itertools.chain([first], waiting)
        groups = [list(range(group, self._places, GROUPS)) for group in range(GROUPS)]
        for group in groups:
            self._send(group, {}, dict(zip(group, todo, strict=False)))
        over = False
        for turn, places in enumerate(itertools.cycle(groups)):
            if not self._playing:
                return
            if not over:
                self._tell(turn)
            replies = self._replies()
            outcomes = {place: outcome for reply in replies for place, outcome in reply.outcomes.items()}
            over = over or bool(outcomes)
            for place in outcomes:
                del self._playing[place]
            told = self._desk.answered([asked for reply in replies for asked in reply.asked])
            free = [place for place in places if place not in self._playing]
            self._send(places, told, dict(zip(free, todo, strict=False)))
            yield from outcomes.values()

    def _tell(self, turn: int) -> None:
        """While no episode is over yet: within what time, at the pace so far, the first must be."""
        now = time.monotonic()
        if turn == 0:
            self._progress(f"episodes under way: {len(self._playing)}")
        if turn <= BEGUN:
            self._begun = self._told = now
        elif now - self._told >= TELL_EVERY:
            self._told = now
            turns = min(plan.go_s + plan.limit_s for plan in self._playing.values()) / (LOCKSTEP_EXPOSE_EVERY * DT) * GROUPS
            left = (now - self._begun) / (turn - BEGUN) * max(0.0, turns - turn)
            self._progress(f"episodes under way: {len(self._playing)}; the first is over within about {left:.0f} s")

    def _worker(self, place: int) -> int:
        return place // GROUPS % self._count

    def _send(self, places: list[int], told: dict[int, dict[str, float]], plans: dict[int, Plan]) -> None:
        self._playing |= plans
        for number, end in enumerate(self._ends):
            mine = {place for place in places if self._worker(place) == number}
            turn = Turn({p: told[p] for p in told if p in mine}, {p: plans[p] for p in plans if p in mine})
            with _alive():
                end.send_bytes(pickle.dumps(turn))  # what ``send`` keeps of its pickle ends this Python when it fails

    def _replies(self) -> list[Reply]:
        """Of the group whose turn it is, from every worker."""
        with _alive():
            replies: list[Reply] = [pickle.loads(end.recv_bytes()) for end in self._ends]
        for reply in replies:
            if reply.fatal:
                raise CollectError(reply.fatal)
        return replies

    def close(self) -> None:
        """The workers end, whatever they are at."""
        for process in self._processes:
            process.terminate()
        for end, process in zip(self._ends, self._processes, strict=True):
            end.close()
            process.join()
        self._pages.cleanup()


@contextmanager
def _alive() -> Iterator[None]:
    """A worker that is gone is told in a sentence."""
    try:
        yield
    except (EOFError, OSError) as error:
        raise CollectError("A worker process has ended, perhaps for want of memory: use fewer workers, and go on with --resume.") from error


@contextmanager
def _one_thread() -> Iterator[None]:
    """Processes that are started meanwhile compute on one thread each."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
