"""Worker processes that end with what started them."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.context import SpawnContext, SpawnProcess


class Worker(SpawnProcess):
    """A new process that an interrupt from the terminal never reaches, not even while it starts: it is its parent's to handle."""

    def start(self) -> None:
        resource_tracker.ensure_running()  # here, since its own start lets interrupts through again
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            super().start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Workers(SpawnContext):
    """What ``multiprocessing`` offers, with such processes."""

    Process = Worker


@contextmanager
def pool(count: int) -> Iterator[ProcessPoolExecutor]:
    """So many new processes to hand work to. However the block is left they are ended, and what they had not begun is not done.

    A process that ends by itself raises BrokenProcessPool where a result is waited for.
    """
    others = set(multiprocessing.active_children())
    executor = ProcessPoolExecutor(count, mp_context=Workers(), initializer=begin)
    try:
        yield executor
    finally:
        ours = set(multiprocessing.active_children()) - others
        executor.shutdown(wait=False, cancel_futures=True)
        for process in ours:
            process.terminate()
        for process in ours:
            process.join()


def begin() -> None:
    """A worker's start: only the parent writes to stdout, and no worker outlives it."""
    os.dup2(2, 1)
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()


def _end_with_parent() -> None:
    """However it ends: a signal may leave it no time to end its workers."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
