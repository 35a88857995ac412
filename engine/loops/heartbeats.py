"""When each thread last did its work, and how long it may take; written by the threads, read by the watchdog."""

from engine.limits import Limits
from engine.types import Reason


class Heartbeats:
    """One time a thread, in ns of the engine's clock; 0 = the thread has no duty yet, so it cannot be late."""

    def __init__(self) -> None:
        self.control = 0
        self.camera = 0
        self.inference = 0
        self.recorder = 0

    def late(self, now_ns: int, limits: Limits) -> Reason:
        """Reason of the first thread past its limit, the one nearest to the robot first; OK if none is."""
        for beat, limit, reason in (
            (self.control, limits.watchdog_control, Reason.WATCHDOG_CONTROL),
            (self.recorder, limits.watchdog_recorder, Reason.WATCHDOG_RECORDER),
            (self.camera, limits.watchdog_camera, Reason.WATCHDOG_CAMERA),
            (self.inference, limits.watchdog_inference, Reason.WATCHDOG_INFERENCE),
        ):
            if beat and now_ns - beat > limit * 1e9:
                return reason
        return Reason.OK
