"""Signals as stops: taken by a waiting thread, because Python handlers run only between bytecodes of the main thread."""

import signal
import threading
from collections.abc import Callable

from engine.stop import StopPage
from engine.types import Writer

ENDING = frozenset({signal.SIGTERM, signal.SIGINT})
STOPPING = frozenset({signal.SIGHUP, signal.SIGTSTP, signal.SIGCONT, signal.SIGQUIT})


def block() -> None:
    """Keep the signals for the waiting thread. Call in the main thread before any other thread starts."""
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING | STOPPING)


def watch(page: StopPage, ended: Callable[[signal.Signals], None]) -> threading.Thread:
    """Every signal raises the stop page; SIGTERM and SIGINT also end the run."""

    def wait() -> None:
        while True:
            received = signal.Signals(signal.sigwait(ENDING | STOPPING))
            page.raise_stop(Writer.SIGNAL)
            if received in ENDING:
                ended(received)

    thread = threading.Thread(target=wait, name="signals", daemon=True)
    thread.start()
    return thread
