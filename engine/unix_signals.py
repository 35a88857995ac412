"""Signals as stops: taken by a waiting thread, because Python handlers run only between bytecodes of the main thread.

Imports nothing that starts a thread: ``block`` must come before the first one, or the kernel may hand a signal to it.
"""

import signal
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.stop import StopPage

ENDING = frozenset({signal.SIGTERM, signal.SIGINT})
STOPPING = frozenset({signal.SIGHUP, signal.SIGTSTP, signal.SIGQUIT})


def block() -> None:
    """Keep the signals for the waiting thread. Call before numpy, torch or anything else has started a thread."""
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING | STOPPING)


def watch(page: "StopPage", ended: Callable[[signal.Signals], None]) -> threading.Thread:
    """Every signal raises the stop page; SIGTERM and SIGINT also end the run."""
    from engine.types import Writer

    def wait() -> None:
        while True:
            received = signal.Signals(signal.sigwait(ENDING | STOPPING))
            page.raise_stop(Writer.SIGNAL)
            if received in ENDING:
                ended(received)

    thread = threading.Thread(target=wait, name="signals", daemon=True)
    thread.start()
    return thread
