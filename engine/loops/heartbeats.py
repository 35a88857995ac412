"""When each thread last did its work, and how long it may take; written by the threads, read by the watchdog and the control thread."""

from engine.limits import Limits
from engine.types import Reason


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
