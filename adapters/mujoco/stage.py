"""What is drawn: a model, and how a plant vector poses it. Needs no renderer, so that worker processes may pose for one."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import mujoco
import numpy as np

from adapters.mujoco.looks import Looks
from adapters.mujoco.person import Point
from engine.types import F32, F64

View = tuple[Point, Point, Point, float]  #: a camera's place, what it looks at, its up, its vertical field of view in degrees


class Stage(ABC):
    """A drawn model and data of its own to pose it in; not for two threads at once, but each thread may have one.

    Geoms are named "<paint>:<what>" and stand for what they are painted with in ``looks``; cameras and lights stand still. ``cameras``
    are the views' names in the order of pictures. The geoms ``sized`` have another size in every plant: ``sizes`` (len, 3) m.
    """

    def __init__(self, model: Any, cameras: Sequence[str], looks: Looks, sized: Sequence[int] = ()) -> None:
        self.model = model
        self.data: Any = mujoco.MjData(model)
        self.cameras = tuple(cameras)
        self.looks = looks
        self.sized = list(sized)
        self.sizes: F64 = model.geom_size[self.sized]
        self.paints = [looks.paints.index(model.geom(i).name.split(":")[0]) for i in range(model.ngeom)]
        mujoco.mj_forward(model, self.data)

    @abstractmethod
    def pose(self, plant: F64) -> None:
        """Place everything as in a plant (P,); afterwards ``data`` holds the places of geoms, and ``sizes`` the sizes."""

    def posed(self, plants: F64) -> F32:
        """(N, G) of plants (N, P): all that differs from plant to plant, for ``unposed`` to take apart."""
        geoms, data = self.model.ngeom, self.data
        rows = np.empty((len(plants), 12 * geoms + 3 * len(self.sized)), np.float32)
        for row, plant in zip(rows, plants, strict=True):
            self.pose(plant)
            row[: 3 * geoms] = data.geom_xpos.ravel()
            row[3 * geoms : 12 * geoms] = data.geom_xmat.ravel()
            row[12 * geoms :] = self.sizes.ravel()
        return rows

    def unposed(self, rows: F32) -> tuple[F32, F32, F32]:
        """Places (N, geoms, 3), attitudes (N, geoms, 3, 3) and sizes (N, sized, 3) of rows (N, G)."""
        n, geoms = len(rows), self.model.ngeom
        return (
            rows[:, : 3 * geoms].reshape(n, geoms, 3),
            rows[:, 3 * geoms : 12 * geoms].reshape(n, geoms, 3, 3),
            rows[:, 12 * geoms :].reshape(n, len(self.sized), 3),
        )
