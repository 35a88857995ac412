"""The two clocks behind one interface: the machine's, which counts suspend, and simulated time for lock-step runs."""

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
