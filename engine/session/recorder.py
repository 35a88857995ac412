"""Records a session while it happens: bounded queues that cost the caller nothing, and a thread that commits every second."""

import contextlib
import os
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from engine.clock import Clock, RealClock
from engine.loops.worker import yield_to_others
from engine.session.commit import replace_file
from engine.session.layout import SessionError
from engine.session.schema import Header
from engine.session.writer import SessionWriter
from engine.types import (
    F32,
    Event,
    Frames,
    Inference,
    PolicyInfo,
    Reason,
    RecorderState,
    Tick,
)

COMMIT_EVERY = 1.0  #: s
POLL = 0.5  #: s between two looks into the queues: many rows at once cost the other threads less
BATCH = 50  #: ticks made into columns at once: bounds how long the interpreter's lock is held in one call
NICE = 10  #: the control thread goes first
TICKS_QUEUED = 1000  #: more waiting is a fault; as many again are still taken, so that the stop itself is recorded
OTHERS_QUEUED = 100  #: inferences, exposures; the same
FREE_AT_START = 256 * 2**20  #: bytes below which a store counts as nearly full


def check_store(root: Path) -> None:
    """Make the folder for sessions and write into it. Raises SessionError when that fails or when the disk is nearly full."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        probe = root / f".probe-{os.getpid()}"
        replace_file(probe, b"sawhorse")
        probe.unlink()
        free = shutil.disk_usage(root).free
    except OSError as error:
        raise SessionError(
            f"The store {root} cannot be written ({error.strerror}): choose another with --store, or run with --no-record."
        ) from error
    if free < FREE_AT_START:
        raise SessionError(
            f"The store {root} has {free / 2**20:.0f} MiB left and a recording needs {FREE_AT_START // 2**20}: "
            "remove sessions with `sawhorse sessions rm`, or choose another with --store."
        )


class Recorder:
    """One session being recorded. Its callers are the engine's threads, and none of them ever waits.

    With ``wait``, for lock-step runs, a caller waits for the disk instead of losing rows. ``at_close``, for many sessions at once, there is
    no thread: the callers fill the columns, and everything goes to the disk in one commit when the session is closed.
    """

    def __init__(self, root: Path, header: Header, *, clock: Clock | None = None, wait: bool = False, at_close: bool = False) -> None:
        """Begin the session under ``root`` and start the thread. ``clock`` stamps the heartbeat. Raises SessionError."""
        check_store(root)
        self._writer = SessionWriter(root, header)
        self.path = self._writer.path
        self.fault = Reason.OK  #: RECORDER_FULL or RECORDER_FAILED once recording is no longer whole
        self.fault_text = ""
        self._clock = clock or RealClock()
        self.heartbeat_ns = self._clock.now_ns()  #: when the thread last moved on
        self._wait = wait
        self._started = self._committed_at = time.monotonic()
        self._ticks: deque[Tick] = deque()
        self._inferences: deque[Inference] = deque()
        self._frames: deque[Frames] = deque()
        self._events: deque[Event] = deque()
        self._truth: deque[tuple[int, F32]] = deque()
        self._policy: PolicyInfo | None = None
        self._gap = False  #: a row has been lost; no more are taken, so that those recorded have no hole
        self._lost = 0
        self._released = False  #: the session is closed, or will never be
        self._dead = False  #: the disk failed again after the reserve was spent
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._exit_reason = ""
        self._thread = None if at_close else threading.Thread(target=self._work, name="recorder", daemon=True)
        if self._thread is not None:
            self._thread.start()

    def tick(self, row: Tick) -> None:
        """Queue one tick; too many that wait are a fault, as they are of the other rows."""
        self._queue(self._ticks, row, TICKS_QUEUED)

    def inference(self, inference: Inference) -> None:
        """Queue one inference."""
        self._queue(self._inferences, inference, OTHERS_QUEUED)

    def frames(self, frames: Frames) -> None:
        """Queue one exposure of every camera."""
        self._queue(self._frames, frames, OTHERS_QUEUED)

    def event(self, event: Event) -> None:
        """Queue one event."""
        self._queue(self._events, event, TICKS_QUEUED)

    def truth(self, t_ns: int, oracle: F32) -> None:
        """Queue what the simulator alone knows."""
        self._queue(self._truth, (t_ns, oracle), TICKS_QUEUED)

    def policy(self, info: PolicyInfo) -> None:
        """The model is loaded: the session's header names it from the next commit on."""
        self._policy = info

    @property
    def bytes(self) -> int:
        """Committed."""
        return self._writer.bytes

    def state(self) -> RecorderState:
        """What a screen shows."""
        return RecorderState(
            on=not (self._dead or self._closing.is_set()),
            session=str(self.path),
            seconds=time.monotonic() - self._started,
            megabytes=self._writer.bytes / 1e6,
            queued=len(self._ticks),
            committed_ticks=self._writer.committed_ticks,
            fault=self.fault_text,
        )

    def close(self, exit_reason: str) -> bool:
        """Commit all that is queued and end the thread; True when the session holds every row it was given. Idempotent."""
        self._exit_reason = self._exit_reason or exit_reason
        self._closing.set()
        self._wake.set()
        if self._thread is None:
            if not self._released:
                self._run()
        else:
            self._thread.join(30.0)
        return self._released and self.fault == Reason.OK

    def _queue[Row](self, queue: deque[Row], row: Row, bound: int) -> None:
        while self._wait and len(queue) >= bound and not (self._dead or self._closing.is_set()):
            self._wake.set()
            time.sleep(0.002)
        waiting = len(queue)
        if self._gap or waiting >= 2 * bound:
            self._gap = True
            self._lost += 1
            return
        queue.append(row)
        if self._thread is None and waiting >= BATCH:
            self._take_all()
        elif waiting >= bound:
            self._fail(Reason.RECORDER_FULL, f"{waiting} rows wait for a disk that is too slow")

    def _fail(self, reason: Reason, text: str) -> None:
        if self.fault == Reason.OK:
            self.fault_text = text
            self.fault = reason

    # --- the recorder's thread ---

    def _work(self) -> None:
        yield_to_others(NICE)
        self._run()

    def _run(self) -> None:
        while not self._dead:
            closing = self._closing.is_set()
            try:
                self._take_all()
                self._commit_if_due(closing)
            except OSError as error:
                self._fail(Reason.RECORDER_FAILED, f"{self.path}: {error.strerror or error}")
                self._dead = not self._writer.spend_reserve()
                continue
            if closing:
                break
            self._wake.wait(POLL)
            self._wake.clear()
        if self._dead:
            self._closing.wait()
            try:
                self._take_all()
                self._commit_if_due(closing=True)  # the disk may be back
            except OSError:
                self._gap = True
                waiting = len(self._ticks) + len(self._inferences) + len(self._frames) + len(self._events) + len(self._truth)
                with contextlib.suppress(OSError):  # the disk may still be full: then the last commit stands as it is
                    self._writer.mark(
                        lost=self._lost + waiting + self._writer.uncommitted, fault=self.fault_text, exit_reason=self._exit_reason
                    )
        self._writer.release()
        self._released = True

    def _beat(self) -> None:
        self.heartbeat_ns = self._clock.now_ns()

    def _take_all(self) -> None:
        """Ticks first: whatever a tick refers to was queued before it, and so is taken with it."""
        self._take(self._ticks, self._writer.add_ticks)
        self._take(self._inferences, self._writer.add_inferences)
        self._take(self._frames, self._writer.add_frames)
        self._take(self._events, self._writer.add_events)
        self._take(self._truth, self._writer.add_truth)

    def _take[Row](self, queue: deque[Row], add: Callable[[list[Row]], None]) -> None:
        """Only what waits at the start: in lock-step the callers could fill the queue for ever."""
        self._beat()
        waiting = len(queue)
        while rows := [queue.popleft() for _ in range(min(BATCH, waiting, len(queue)))]:
            waiting -= len(rows)
            try:
                add(rows)
            except (ValueError, TypeError, OverflowError, SessionError) as error:
                self._gap = True
                self._lost += len(rows) + len(queue)
                queue.clear()
                self._fail(Reason.RECORDER_FAILED, f"a row cannot be recorded: {error}")
            self._beat()

    def _commit_if_due(self, closing: bool) -> None:
        if self._policy is not None:
            self._writer.name_policy(self._policy)
            self._policy = None
        if closing or (self._writer.due and time.monotonic() - self._committed_at >= COMMIT_EVERY):
            exit_reason = self._exit_reason if closing else None
            self._writer.commit(lost=self._lost, fault=self.fault_text, exit_reason=exit_reason, moved_on=self._beat)
            self._committed_at = time.monotonic()
