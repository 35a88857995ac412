"""Poses everything a camera sees from a plant: the arm by its joints; log, line, kerfs and the person as bodies placed here."""

import math
from functools import cache
from typing import Any, Final

import mujoco
import numpy as np

from adapters.mujoco import layout, person, world
from adapters.mujoco.cutting import KERFS
from adapters.mujoco.looks import Looks
from adapters.mujoco.person import Point
from adapters.mujoco.plant import Plant, unpack
from adapters.mujoco.stage import Stage
from adapters.mujoco.zones import CRACKS, KNOTS
from engine.types import F32, F64

HIDDEN: Final = -3.0  #: m, height of what is not there now: under the floor
KERF_RADIUS: Final = 0.05  #: m, of the dark disc that shows as a slit where it rises out of the log
PERSON: Final = ("trunk", "legs", "head", "upper_right", "fore_right", "upper_left", "fore_left")  #: bodies
KNOT_SHOWN: Final = 0.19  #: share of a knot's ellipsoid that stands out of the log, along it
#: The line, knots and cracks keep most of their contrast.
LOOKS: Final = Looks((*world.PAINTS, "robot"), len(layout.CAMERAS), {"line": 0.15, "knot": 0.2, "crack": 0.1, "wood": 0.15, "robot": 0.1})


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


class CellStage(Stage):
    """The co-sawing cell."""

    def __init__(self) -> None:
        model = _model()
        self._mocap = {model.body(i).name: int(model.body_mocapid[i]) for i in range(model.nbody) if model.body_mocapid[i] >= 0}
        self._site = model.site(world.TOOL_SITE).id
        bodies = [model.body(name).id for name in PERSON]
        self._person = np.flatnonzero(np.isin(model.geom_bodyid, bodies))
        super().__init__(model, layout.CAMERAS, LOOKS, [model.geom(f"knot:knot{i}").id for i in range(KNOTS)])

    def pose(self, plant: F64) -> None:
        model, data, held = self.model, self.data, unpack(plant)
        data.qpos[:7] = held.q
        self._place_wood(held)
        mujoco.mj_kinematics(model, data)
        frame = data.site_xmat[self._site].reshape(3, 3)
        grip = data.site_xpos[self._site] + frame @ np.array([layout.HANDLE_AHEAD, 0.0, layout.HANDLE_UP])
        self._place_person(held, (float(grip[0]), float(grip[1]), float(grip[2])))
        mujoco.mj_kinematics(model, data)
        for size, knot in zip(self.sizes, held.cell.grain.knots, strict=True):
            size[1] = max(0.005, knot.half / KNOT_SHOWN)

    def without_person(self, rows: F32) -> F32:
        """A copy of posed rows (N, G) in which nobody is there."""
        lonely = rows.copy()
        self.unposed(lonely)[0][:, self._person] = (0.0, 0.0, HIDDEN)
        return lonely

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
