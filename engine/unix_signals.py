"""Signals as stops: taken by a waiting thread, because Python handlers run only between bytecodes of the main thread.

Imports nothing that starts a thread: ``block`` must come before the first one, or the kernel may hand a signal to it.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

ENDING = frozenset({signal.SIGTERM, signal.SIGINT})
STOPPING = frozenset({signal.SIGHUP, signal.SIGTSTP, signal.SIGQUIT})


def block() -> None:
    """Keep the signals for the waiting thread. Call before numpy, torch or anything else has started a thread."""
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING | STOPPING)


@contextmanager
def interrupting() -> Iterator[None]:
    """For work without a robot: being told to end, or losing the terminal, interrupts as Ctrl-C does, unless it is to be ignored."""
    kinds = [one for one in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(one) is signal.SIG_DFL]
    try:
        for one in kinds:
            signal.signal(one, signal.default_int_handler)
        yield
    finally:
        for one in kinds:
            signal.signal(one, signal.SIG_DFL)


def watch(act: Callable[[signal.Signals], None]) -> threading.Thread:
    """Hand every signal to ``act``, in a thread of its own; whatever it was, stopping the robot comes first there."""

    def wait() -> None:
        while True:
            act(signal.Signals(signal.sigwait(ENDING | STOPPING)))

    thread = threading.Thread(target=wait, name="signals", daemon=True)
    thread.start()
    return thread
