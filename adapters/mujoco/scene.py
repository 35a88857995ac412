"""Poses everything a camera sees from a plant: the arm by its joints; log, line, kerfs and the person as bodies placed here."""

import math
from functools import cache
from typing import Any, Final

import mujoco
import numpy as np

from adapters.mujoco import layout, person, world
from adapters.mujoco.cutting import KERFS
from adapters.mujoco.person import Point
from adapters.mujoco.plant import Plant
from adapters.mujoco.zones import CRACKS, KNOTS
from engine.types import F64

HIDDEN: Final = -3.0  #: m, height of what is not there now: under the floor
KERF_RADIUS: Final = 0.05  #: m, of the dark disc that shows as a slit where it rises out of the log
KNOT_SHOWN: Final = 0.19  #: share of a knot's ellipsoid that stands out of the log, along it


def pointing(start: Point, end: Point) -> F64:
    """(4,) quaternion whose x axis points from ``start`` to ``end``."""
    d = np.array(end) - np.array(start)
    d /= float(np.linalg.norm(d)) or 1e-9
    quat = np.array([1.0 + d[0], 0.0, -d[2], d[1]])
    norm = float(np.linalg.norm(quat))
    turned: F64 = quat / norm if norm > 1e-6 else np.array([0.0, 0.0, 0.0, 1.0])
    return turned


def upright(low: Point, high: Point, turn: float) -> F64:
    """(4,) quaternion of a trunk: z up along the spine from ``low`` to ``high``, y along the shoulders, turned about the vertical."""
    up = np.array(high) - np.array(low)
    up /= float(np.linalg.norm(up)) or 1e-9
    across = np.array([-math.sin(turn), math.cos(turn), 0.0])
    across -= up * float(np.dot(across, up))
    across /= float(np.linalg.norm(across)) or 1e-9
    quat: F64 = np.empty(4)
    mujoco.mju_mat2Quat(quat, np.stack([np.cross(across, up), across, up], axis=1).ravel())
    return quat


@cache
def _model() -> Any:
    return world.scene_model()


class Scene:
    """The drawn model and data of its own to pose it in; not for two threads at once, but each thread may have one."""

    def __init__(self) -> None:
        self.model: Any = _model()
        self.data: Any = mujoco.MjData(self.model)
        self._mocap = {
            self.model.body(i).name: int(self.model.body_mocapid[i]) for i in range(self.model.nbody) if self.model.body_mocapid[i] >= 0
        }
        self._site = self.model.site(world.TOOL_SITE).id
        self._knots = [self.model.geom(f"knot:knot{i}").id for i in range(KNOTS)]
        self._base_size = self.model.geom_size.copy()

    def pose(self, plant: Plant) -> None:
        """Place every body; afterwards ``data`` holds the places of geoms, cameras and lights."""
        model, data = self.model, self.data
        data.qpos[:7] = plant.q
        self._place_wood(plant)
        mujoco.mj_kinematics(model, data)
        frame = data.site_xmat[self._site].reshape(3, 3)
        grip = data.site_xpos[self._site] + frame @ np.array([layout.HANDLE_AHEAD, 0.0, layout.HANDLE_UP])
        self._place_person(plant, (float(grip[0]), float(grip[1]), float(grip[2])))
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        mujoco.mj_camlight(model, data)

    def sizes(self, plant: Plant) -> F64:
        """(ngeom, 3) geom sizes of this plant's log: knots are as long as they are."""
        size: F64 = self._base_size.copy()
        for geom, knot in zip(self._knots, plant.cell.grain.knots, strict=True):
            size[geom, 1] = max(0.005, knot.half / KNOT_SHOWN)
        return size

    def _put(self, name: str, place: Point, quat: Any = (1.0, 0.0, 0.0, 0.0)) -> None:
        i = self._mocap[name]
        self.data.mocap_pos[i] = place
        self.data.mocap_quat[i] = quat

    def _place_wood(self, plant: Plant) -> None:
        cell = plant.cell
        top, x, r = cell.drives.log_top, layout.STROKE_X, layout.LOG_RADIUS
        self._put("log", (x, 0.0, top))
        self._put("line", (x, cell.drives.line_y, top))
        self._put("line_floor", (x, cell.drives.line_y, 0.0))
        for i in range(KNOTS):
            knot = cell.grain.knots[i]
            self._put(f"knot{i}", (x, knot.y, top - r if knot.half > 0.0 else HIDDEN))
        for i in range(CRACKS):
            crack = cell.grain.cracks[i]
            self._put(f"crack{i}", (x, crack.y, top - r if crack.half > 0.0 else HIDDEN))
        for i in range(KERFS):
            depth = cell.wood.kerf_depth[i]
            risen = 0.0008 + 0.2 * min(depth, 0.02)
            self._put(f"kerf{i}", (x, cell.wood.kerf_y[i], top - KERF_RADIUS + risen if depth > 0.0004 else HIDDEN))

    def _place_person(self, plant: Plant, grip: Point) -> None:
        p = person.posture(plant.cell, plant.time, grip)
        self._put("trunk", p.shoulders, upright(p.hips, p.shoulders, p.turn))
        self._put("legs", p.hips)
        self._put("head", p.head)
        for (shoulder, bend, hand), name in ((p.handle, "right"), (p.free, "left")):
            self._put(f"upper_{name}", shoulder, pointing(shoulder, bend))
            self._put(f"fore_{name}", bend, pointing(bend, hand))
