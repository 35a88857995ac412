"""The camera thread: one exposure of every camera at a time, from the newest observation, checked before it is passed on."""

import logging
import time
import zlib
from collections.abc import Callable

import msgspec
import numpy as np

from adapters.base import AdapterError, CameraRig
from engine.clock import Clock
from engine.loops.heartbeats import Heartbeats
from engine.mailbox import Latest
from engine.types import F64, Frames, Observation, Reason

log = logging.getLogger(__name__)

MOVED = 0.004  #: m the tool must have moved for an unchanged picture to mean a frozen camera
DARK_MEAN = 6.0  #: of 255
DARK_SPREAD = 3.0  #: of 255


class CameraLoop:
    def __init__(
        self,
        rig: CameraRig,
        observations: Latest[Observation],
        frames: Latest[tuple[Frames, Reason]],
        clock: Clock,
        beats: Heartbeats,
        record: Callable[[Frames], None],
        on_fault: Callable[[str], None],
        hz: float,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rig = rig
        self._observations = observations
        self._frames = frames
        self._clock = clock
        self._beats = beats
        self._record = record
        self._on_fault = on_fault
        self._told = ""
        views = rig.geometry()
        self._shapes = {name: (view["height"], view["width"], 3) for name, view in views.items()}
        self._synthetic = any(view.get("synthetic", False) for view in views.values())
        self._period_ns = round(1e9 / hz)
        self._pause = pause
        self._due_ns = 0
        self._seen = 0
        self._count = 0
        self._sums: dict[str, tuple[int, F64]] = {}  # per camera: checksum of its picture and where the tool was when it last changed

    def once(self) -> None:
        """Wait until an exposure is due and for an observation newer than the last; expose, check, pass on."""
        now = self._clock.now_ns()
        self._pause(max(0, self._due_ns - now) / 1e9)
        self._due_ns = max(self._due_ns, now) + self._period_ns
        observation, self._seen = self._observations.wait_newer(self._seen, 0.2)
        if observation is not None:
            self._expose(observation)

    def _expose(self, observation: Observation) -> None:
        """A camera that fails is told of and tried again when the next exposure is due; its pictures grow old meanwhile, which stops."""
        try:
            frames = self.capture(observation)
        except Exception as error:  # whatever a driver raises: the next exposure may work again
            self._tell(str(error) if isinstance(error, AdapterError) else f"{type(error).__name__}: {error}", error)
        else:
            self.deliver(frames)

    def capture(self, observation: Observation) -> Frames:
        self._count += 1
        return self._rig.capture(observation, self._count, self._clock.now_ns())

    def deliver(self, frames: Frames) -> None:
        """Check the pictures and hand them to who waits for them. Of a wrong exposure nothing is handed on but that it was wrong."""
        now = self._beats.camera = self._clock.now_ns()
        frames = msgspec.structs.replace(frames, t_ns=now)
        wrong = self.wrong(frames)
        self._tell(wrong)
        if wrong:
            self._frames.put((msgspec.structs.replace(frames, images={}), Reason.CAMERA_WRONG))
            return
        self._frames.put((frames, self.fault(frames)))
        self._record(frames)

    def wrong(self, frames: Frames) -> str:
        """How the pictures differ from what the rig's geometry promises; "" if they do not."""
        if frames.images.keys() != self._shapes.keys():
            return f"pictures of {', '.join(frames.images) or 'no camera'} instead of {', '.join(self._shapes)}"
        for name, shape in self._shapes.items():
            image = frames.images[name]
            if image.dtype != np.uint8 or image.shape != shape:
                return f"the picture of {name} is {image.dtype} {image.shape} instead of uint8 {shape}"
        return ""

    def _tell(self, text: str, error: Exception | None = None) -> None:
        """Every trouble once, until it is over or another."""
        if text and text != self._told:
            log.warning("%s", text, exc_info=error)
            self._on_fault(f"camera: {text}")
        self._told = text

    def fault(self, frames: Frames) -> Reason:
        """CAMERA_SYNTHETIC for test pictures, CAMERA_FROZEN if a picture stays the same while the tool moves, CAMERA_DARK if there is
        nothing to see, else OK.
        """
        if self._synthetic:
            return Reason.CAMERA_SYNTHETIC
        frozen = dark = False
        for name, image in frames.images.items():
            checksum = zlib.crc32(image)
            position = frames.observation.pose[:3]
            old = self._sums.get(name)
            if old is None or old[0] != checksum:
                self._sums[name] = (checksum, position)
            else:
                frozen |= float(np.linalg.norm(position - old[1])) > MOVED
            dark |= float(image.mean()) < DARK_MEAN and float(image.std()) < DARK_SPREAD
        return Reason.CAMERA_FROZEN if frozen else Reason.CAMERA_DARK if dark else Reason.OK
