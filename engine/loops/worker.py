"""A worker thread that can be asked to end, tells when it failed, and runs below the control thread's priority."""

import os
import threading
from collections.abc import Callable


class Worker:
    """Runs ``once`` again and again until ``end`` is called; an exception ends it and is handed to ``on_failure``."""

    def __init__(self, name: str, once: Callable[[], None], on_failure: Callable[[str, Exception], None], *, nice: int = 0) -> None:
        self.name = name
        self._once = once
        self._on_failure = on_failure
        self._nice = nice
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self, timeout: float = 2.0) -> bool:
        """Ask the thread to end and wait for it; False if it is still in its work after ``timeout`` s."""
        self._ending.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        yield_to_others(self._nice)
        try:
            while not self._ending.is_set():
                self._once()
        except Exception as error:
            self._on_failure(self.name, error)


def yield_to_others(nice: int) -> None:
    """Give the calling thread at least this niceness; one that is nicer already stays so, for less is not every user's to ask."""
    thread = threading.get_native_id()
    os.setpriority(os.PRIO_PROCESS, thread, max(nice, os.getpriority(os.PRIO_PROCESS, thread)))
