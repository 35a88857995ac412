"""LeRobot's OpenCV camera as a robot needs it: a film runs at its own rate, an end is told, and what hangs is left and not freed."""

import logging
import os
import sys
import time
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from lerobot.cameras.opencv import OpenCVCamera, OpenCVCameraConfig

from adapters.base import AdapterError
from engine.so101_settings import CameraSpec
from engine.types import U8

log = logging.getLogger(__name__)

FIRST: Final = 5.0  #: s that a camera may take from its opening to its first picture


class Eye(OpenCVCamera):  # type: ignore[misc]  # of a package without types
    """One camera; its own thread keeps the newest picture, RGB. ``connect`` with ``warmup=False`` does not wait for the first.

    ``device`` is an index, or the path of a device or of a film; ``width``, ``height`` and ``fps`` are asked of it where they are given.
    """

    def __init__(self, device: int | Path, width: int | None, height: int | None, fps: int | None) -> None:
        super().__init__(OpenCVCameraConfig(index_or_path=device, width=width, height=height, fps=fps))
        self._film = isinstance(device, Path) and device.is_file()
        self._due = 0.0

    @property
    def period(self) -> float:
        """s from one picture to the next, as the device says; 0 where it does not."""
        return 1.0 / self.fps if self.fps and self.fps > 0.0 else 0.0

    @property
    def alive(self) -> bool:
        """Whether more pictures may come."""
        return self.thread is not None and self.thread.is_alive()

    def after(self, since: float, until: float) -> tuple[U8, float] | None:
        """(the newest picture (H, W, 3), when it was received) as soon as that is after ``since``; None if there is none by ``until``.

        Times are those of ``time.perf_counter``, s.
        """
        while True:
            self.new_frame_event.clear()
            with self.frame_lock:
                picture, received = self.latest_frame, self.latest_timestamp
            if picture is not None and received is not None and received > since:
                return picture, received
            left = until - time.perf_counter()
            if left <= 0.0 or not self.alive:
                return None
            self.new_frame_event.wait(left)

    def shut(self, seconds: float) -> None:
        """Close within about ``seconds``; a device that hangs in a reading is left to its thread, because it may not be freed under it."""
        if self.stop_event is not None:
            self.stop_event.set()
        if self.thread is not None:
            self.thread.join(seconds)
        if self.alive:
            log.warning("%s hangs and is left behind", self)
        elif self.is_connected:
            self.disconnect()

    def _read_from_hardware(self) -> Any:
        if self._film and self.stop_event is not None:
            now = time.perf_counter()
            self._due = max(self._due + self.period, now)
            self.stop_event.wait(self._due - now)
        return super()._read_from_hardware()

    def _read_loop(self) -> None:
        try:
            super()._read_loop()
        except RuntimeError as error:  # after eleven readings in vain; LeRobot would have the traceback printed
            log.warning("%s", error)
        self.new_frame_event.set()


def squared(picture: U8, side: int) -> U8:
    """(side, side, 3): the middle of a picture (H, W, 3), averaged down from the square as high or as wide as it."""
    height, width = picture.shape[:2]
    edge = min(height, width)
    top, left = (height - edge) // 2, (width - edge) // 2
    middle = picture[top : top + edge, left : left + edge]
    return np.asarray(cv2.resize(middle, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def opened(spec: CameraSpec, px: int) -> Eye:
    """A camera that has given its first picture, ``px`` pixels each way at least. Raises AdapterError; hangs where its device does."""
    who = f"The camera {spec.name} ({spec.device})"
    node = Path(f"/dev/video{spec.device}") if isinstance(spec.device, int) and sys.platform == "linux" else spec.device
    if isinstance(node, Path) and not node.exists():
        raise AdapterError(f"{who} is not there; plug it in, or name another device with --camera.")
    if isinstance(node, Path) and not os.access(node, os.R_OK):
        raise AdapterError(f"{who} may not be opened by you; join the group of {node}, then log in again.")
    eye = Eye(spec.device, spec.width, spec.height, spec.fps)
    try:
        eye.connect(warmup=False)
    except ConnectionError as error:
        raise AdapterError(f"{who} does not open; it is no camera, or another program has it.") from error
    except RuntimeError as error:
        raise AdapterError(f"{who} does not give {spec.width}x{spec.height}@{spec.fps}; ask for what it has, or for nothing.") from error
    begun = time.perf_counter()
    seen = eye.after(0.0, begun + FIRST)
    if seen is None:
        eye.shut(0.0)
        raise AdapterError(f"{who} opens but gives no picture; plug it in anew.")
    height, width = seen[0].shape[:2]
    if min(height, width) < px:
        eye.shut(0.0)
        raise AdapterError(f"{who} gives {width}x{height}; ask it for {px}x{px} or more (camera.pixels), such as {spec.device}:640x480@30.")
    return eye
