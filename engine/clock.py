"""The two clocks behind one interface: the machine's, which counts suspend, and simulated time for lock-step runs; and who keeps time."""

import os
import threading
import time
from typing import Protocol


class Clock(Protocol):
    def now_ns(self) -> int:
        """Nanoseconds since an arbitrary start; never steps back."""


class RealClock:
    def now_ns(self) -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class SimulatedClock:
    """Moves only when told to; starts at one second, because a time of 0 means "never"."""

    def __init__(self) -> None:
        self._now_ns = 1_000_000_000

    def now_ns(self) -> int:
        return self._now_ns

    def advance(self, seconds: float) -> None:
        self._now_ns += round(seconds * 1e9)


def hurry() -> str:
    """Let the calling thread go before every ordinary one: on a busy machine that halves the late ticks. Why it may not, "" if it may."""
    try:
        os.sched_setscheduler(threading.get_native_id(), os.SCHED_RR, os.sched_param(1))
    except (AttributeError, OSError) as error:
        return getattr(error, "strerror", None) or str(error)
    return ""
