"""The SO-101's cameras: real ones through LeRobot, those of the simulated table for an emulated arm, or a marked test picture."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from adapters.base import AdapterError, CameraRig
from engine.so101_settings import CameraSpec
from engine.types import U8, Frames, Observation

if TYPE_CHECKING:
    from adapters.so101.eye import Eye

USUAL: Final = ("front", "side", "top")  #: what the shipped policy sees, and a simulated table has
OPENING: Final = 10.0  #: s that a camera may take to its first picture
WAIT: Final = 0.3  #: s that an exposure of all cameras may take
CLOSING: Final = 0.5  #: s
AGAIN: Final = 1.0  #: s between two tries to open a camera that has gone

_BARS: Final = np.array([(192, 192, 192), (192, 192, 0), (0, 192, 192), (0, 192, 0), (192, 0, 192), (192, 0, 0), (0, 0, 192)], np.uint8)


def rig(given: Sequence[CameraSpec], px: int, *, synthetic: bool = False, drawn: bool = False) -> CameraRig:
    """The cameras of a run, ``px`` × ``px`` pictures each.

    ``synthetic``: test pictures. ``drawn``: where no camera is given, those of the simulated table, from the observation's own plant.
    """
    if synthetic:
        return Synthetic(tuple(spec.name for spec in given) or USUAL, px)
    if drawn and not given:
        from adapters.mujoco.cameras import StageRig
        from adapters.mujoco.tabletop.so101 import SO101
        from adapters.mujoco.tabletop.stage import TableStage

        return StageRig(partial(TableStage, SO101.name), SO101.views, px)
    return Cameras(given, px)


class Cameras:
    """Real cameras, each in threads of its own; an exposure is the first picture that each gives after it was asked for.

    One that ends or hangs makes the exposure fail with its name, and is opened anew as soon as it is there again.
    """

    def __init__(self, given: Sequence[CameraSpec], px: int) -> None:
        self.names: tuple[str, ...] = tuple(spec.name for spec in given)
        self._px = px
        self._feeds = [_Feed(spec, px) for spec in given]
        self._exposed_ns = 0

    def open(self) -> None:
        for feed in self._feeds:
            feed.open()
        until = time.perf_counter() + OPENING
        troubles = [feed.trouble_by(until) for feed in self._feeds]
        if any(troubles):
            self.close()
            raise AdapterError(next(filter(None, troubles)))

    def capture(self, observation: Observation, seq: int, t_ns: int) -> Frames:
        """Blocks for ``WAIT`` at most. Raises AdapterError with the name of the camera that gives nothing.

        A camera hands a picture over when it has read it out whole, about a frame's time after it began to expose it; that much is taken
        off the time of receipt, and the exposure that lies furthest back counts.
        """
        if not self._feeds:
            raise AdapterError("no camera is given, so nothing is done by itself; name each with --camera, as front=0:320x240@30")
        begun = time.perf_counter()
        pictures = [feed.picture(begun, begun + WAIT) for feed in self._feeds]
        age = min(exposed for _, exposed in pictures) - begun
        self._exposed_ns = max(self._exposed_ns, t_ns + round(age * 1e9))
        images = {name: picture for name, (picture, _) in zip(self.names, pictures, strict=True)}
        return Frames(seq=seq, t_ns=t_ns, exposed_ns=self._exposed_ns, observation=observation, images=images)

    def geometry(self) -> Mapping[str, Any]:
        """Per camera: width and height in pixels and its device. Where it stands and how wide it sees, nobody has measured."""
        return {feed.spec.name: {"width": self._px, "height": self._px, "device": str(feed.spec.device)} for feed in self._feeds}

    def close(self) -> None:
        for feed in self._feeds:
            feed.close()


class Synthetic:
    """A picture that says TEST PICTURE, for every camera; its geometry says ``synthetic``, so that nothing is done by itself on it."""

    def __init__(self, names: tuple[str, ...], px: int) -> None:
        self.names = names
        self._px = px

    def open(self) -> None: ...

    def capture(self, observation: Observation, seq: int, t_ns: int) -> Frames:
        picture = marked(self._px, seq)
        images = {name: picture.copy() for name in self.names}
        return Frames(seq=seq, t_ns=t_ns, exposed_ns=t_ns, observation=observation, images=images)

    def geometry(self) -> Mapping[str, Any]:
        return {name: {"width": self._px, "height": self._px, "synthetic": True} for name in self.names}

    def close(self) -> None: ...


def marked(px: int, seq: int) -> U8:
    """(px, px, 3) colour bars with the words TEST PICTURE, and a mark that runs along the lower edge as ``seq`` counts."""
    import cv2

    picture: U8 = np.tile(_BARS[np.arange(px) * len(_BARS) // px], (px, 1, 1))
    picture[px // 8 : 9 * px // 16, px // 16 : -px // 16] = 0
    stroke = max(1, px // 64)
    for bottom, word in ((5, "TEST"), (8, "PICTURE")):
        width = cv2.getTextSize(word, cv2.FONT_HERSHEY_PLAIN, px / 90.0, stroke)[0][0]
        corner = (px - width) // 2, bottom * px // 16
        cv2.putText(picture, word, corner, cv2.FONT_HERSHEY_PLAIN, px / 90.0, (255, 255, 255), stroke)
    edge = max(2, px // 16)
    picture[-edge:] = 0
    at = seq * edge % (px - edge)
    picture[-edge:, at : at + edge] = 255
    return picture


class Look(NamedTuple):
    """What one camera showed; figures of 0 where it showed nothing."""

    spec: CameraSpec
    trouble: str  #: one sentence; "" where there is none
    width: int = 0  #: pixels
    height: int = 0  #: pixels
    fps: float = 0.0  #: 1/s, as the device says
    mean: float = 0.0  #: brightness, 0..255


def look(given: Sequence[CameraSpec], px: int, seconds: float = 5.0) -> list[Look]:
    """One picture of each camera, all at once, and closed again; a device that hangs is given up after ``seconds``."""
    feeds = [_Feed(spec, px) for spec in given]
    for feed in feeds:
        feed.open()
    until = time.perf_counter() + seconds
    found = [feed.look(until) for feed in feeds]
    for feed in feeds:
        feed.close()
    return found


class _Feed:
    """One camera, opened by a thread of its own, so that a device that hangs holds nobody up."""

    def __init__(self, spec: CameraSpec, px: int) -> None:
        self.spec = spec
        self._who = f"camera {spec.name} ({spec.device})"
        self._px = px
        self._eye: Eye | None = None
        self._opener: threading.Thread | None = None
        self._tried = 0.0
        self._trouble = ""  # why it could not be opened
        self._closed = False

    def open(self) -> None:
        from adapters.so101.eye import opened  # here, because importing LeRobot takes seconds that are not the camera's

        self._closed = False
        if self._eye is not None and self._eye.alive:
            return
        self._tried = time.perf_counter()
        self._opener = threading.Thread(target=self._open, args=(opened,), name=self._who, daemon=True)
        self._opener.start()

    def _open(self, opened: Callable[[CameraSpec, int], "Eye"]) -> None:
        old, self._eye, self._trouble = self._eye, None, ""
        try:
            if old is not None:
                old.shut(CLOSING)
            self._eye = opened(self.spec, self._px)
        except AdapterError as error:
            self._trouble = str(error)
        except Exception as error:  # whatever a driver raises
            self._trouble = f"The {self._who} cannot be opened ({type(error).__name__}: {error}); plug it in anew."
        if self._closed:
            self.close()

    def trouble_by(self, until: float) -> str:
        """Why the camera is not open at a time of ``time.perf_counter``; "" as soon as it is."""
        assert self._opener is not None
        self._opener.join(max(0.0, until - time.perf_counter()))
        return f"The {self._who} hangs while it opens; plug it in anew." if self._opener.is_alive() else self._trouble

    def picture(self, since: float, until: float) -> tuple[U8, float]:
        """(a picture received after ``since``, when it began to be exposed). Raises AdapterError when none has come by ``until``."""
        from adapters.so101.eye import squared

        eye = self._eye
        seen = None if eye is None else eye.after(since, until)
        if eye is None or not eye.alive:
            self._again()
            raise AdapterError(f"the {self._who} is gone; plug it in again")
        if seen is None:
            raise AdapterError(f"the {self._who} gives no picture; check its cable, or plug it in anew")
        return squared(seen[0], self._px), seen[1] - eye.period

    def _again(self) -> None:
        """Have it opened anew, now and then."""
        busy = self._opener is not None and self._opener.is_alive()
        if not (busy or self._closed) and time.perf_counter() - self._tried > AGAIN:
            self.open()

    def look(self, until: float) -> Look:
        trouble = self.trouble_by(until)
        eye = self._eye
        seen = None if trouble or eye is None else eye.after(0.0, until)
        if eye is None or seen is None:
            return Look(self.spec, trouble or f"The {self._who} gives no picture.")
        height, width = seen[0].shape[:2]
        return Look(self.spec, "", width, height, 1.0 / eye.period if eye.period else 0.0, float(seen[0].mean()))

    def close(self) -> None:
        self._closed = True
        eye, self._eye = self._eye, None
        if eye is not None:
            eye.shut(CLOSING)
