"""A stage's three cameras, drawn from the observation's own plant state, so pictures and state are of one moment."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from adapters.base import AdapterError
from adapters.mujoco import layout, world
from adapters.mujoco.scene import CellStage
from adapters.mujoco.stage import Stage, View
from engine.types import Frames, Observation

PX_MAX: Final = 256


def geometry(views: Mapping[str, View], px: int) -> Mapping[str, Any]:
    """Per camera: width and height in pixels, vertical field of view in degrees, place, what it looks at and its up, base frame, m."""
    return {
        name: {"width": px, "height": px, "fovy_deg": fovy, "place_m": list(place), "target_m": list(target), "up": list(up)}
        for name, (place, target, up, fovy) in views.items()
    }


class StageRig:
    """The cameras of a stage, ``px`` × ``px`` each. ``stage`` makes it, when the cameras open; ``views`` are their places."""

    def __init__(self, stage: Callable[[], Stage], views: Mapping[str, View], px: int = 128, shadows: bool = False) -> None:
        if not 16 <= px <= PX_MAX:
            raise AdapterError(f"a camera picture of {px} pixels is out of range; choose 16 to {PX_MAX}")
        self.names: tuple[str, ...] = tuple(views)
        self.px = px
        self._stage, self._views, self._shadows = stage, views, shadows
        self._renderer: Any = None

    def open(self) -> None:
        from adapters.mujoco.render import Renderer

        if self._renderer is None:
            self._renderer = Renderer(1, self.px, "cpu", self._shadows, self._stage())

    def capture(self, observation: Observation, seq: int, t_ns: int) -> Frames:
        if self._renderer is None:
            raise AdapterError("the cameras are not open; open them first")
        pictures = self._renderer.draw(observation.plant[None])[0]
        return Frames(
            seq=seq,
            t_ns=t_ns,
            exposed_ns=observation.t_ns,
            observation=observation,
            images={name: np.ascontiguousarray(picture) for name, picture in zip(self.names, pictures, strict=True)},
        )

    def geometry(self) -> Mapping[str, Any]:
        return geometry(self._views, self.px)

    def close(self) -> None:
        self._renderer = None


class CosawRig(StageRig):
    """Front, side and top of the co-sawing cell."""

    def __init__(self, px: int = 128, shadows: bool = False) -> None:
        super().__init__(CellStage, {name: world.VIEWS[name] for name in layout.CAMERAS}, px, shadows)
