"""Things that can be made to go wrong at an adapter or a thread, for the demonstration and for tests."""

from collections.abc import Mapping
from typing import Any

from adapters.base import CameraRig
from engine.types import Frames, Observation


class FreezingRig:
    """Cameras whose pictures can be made to stand still; everything else passes through."""

    def __init__(self, rig: CameraRig) -> None:
        self._rig = rig
        self.names = rig.names
        self.frozen = False
        self._last: Frames | None = None

    def open(self) -> None:
        self._rig.open()

    def capture(self, observation: Observation, seq: int, t_ns: int) -> Frames:
        if not self.frozen or self._last is None:
            self._last = self._rig.capture(observation, seq, t_ns)
        return self._last

    def geometry(self) -> Mapping[str, Any]:
        return self._rig.geometry()

    def close(self) -> None:
        self._rig.close()
