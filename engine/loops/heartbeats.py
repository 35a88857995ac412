"""When each thread last did its work, and how long it may take; written by the threads, read by the watchdog and the control thread."""

from engine.limits import Limits
from engine.types import Reason

FROZEN = 0.25  #: s between two looks, after which the process counts as having stood still


class Heartbeats:
    """One time a thread, in ns of the engine's clock; 0 = the thread has no duty yet, so it cannot be late.

    A thread that has died beats no more, and so is late like one that hangs.
    """

    def __init__(self) -> None:
        self.control = 0
        self.camera = 0
        self.inference = 0
        self.recorder = 0
        self.server = 0
        self.watchdog = 0

    def late(self, now_ns: int, limits: Limits, since_ns: int = 0) -> Reason:
        """Reason of the first thread past its limit; OK if none is.

        Those that stop the robot in every mode come first, lest one that only the policy needs hide them while somebody jogs.
        Time before ``since_ns`` counts against nobody: nothing ran in it.
        """
        for beat, limit, reason in (
            (self.control, limits.watchdog_control, Reason.WATCHDOG_CONTROL),
            (self.recorder, limits.watchdog_recorder, Reason.WATCHDOG_RECORDER),
            (self.server, limits.watchdog_server, Reason.WATCHDOG_SERVER),
            (self.camera, limits.watchdog_camera, Reason.WATCHDOG_CAMERA),
            (self.inference, limits.watchdog_inference, Reason.WATCHDOG_INFERENCE),
        ):
            if _late(beat, limit, now_ns, since_ns):
                return reason
        return Reason.OK

    def watchdog_late(self, now_ns: int, limits: Limits, since_ns: int = 0) -> bool:
        """Whether the watchdog itself is; for the control thread to ask."""
        return _late(self.watchdog, limits.watchdog_self, now_ns, since_ns)


def _late(beat_ns: int, limit: float, now_ns: int, since_ns: int) -> bool:
    return beat_ns > 0 and now_ns - max(beat_ns, since_ns) > limit * 1e9


class Standstill:
    """When the whole process last went on after it had stood still, as one thread sees it that looks every 0.01 s.

    Nobody is late for the time in which nothing ran. One long gap is excused; a second one in a row is a slow thread.
    """

    def __init__(self) -> None:
        self._since_ns = 0
        self._before_ns = 0
        self._gap = False

    def seen(self, now_ns: int) -> int:
        """ns at which the process last went on; 0 = it never stood still."""
        gap = self._before_ns > 0 and now_ns - self._before_ns > FROZEN * 1e9
        if gap and not self._gap:
            self._since_ns = now_ns
        self._before_ns, self._gap = now_ns, gap
        return self._since_ns
