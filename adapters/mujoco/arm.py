"""The arm and its saw in the physics engine: where they are, what moves them, and their energies."""

from typing import Any

import mujoco
import numpy as np

from adapters.mujoco import reach, world
from adapters.mujoco.person import Point
from engine.control.pose import Floats
from engine.types import F64


class Arm:
    """What it shows are the physics engine's own arrays, of the newest step; only ``mass`` is as old as the last ``weigh``.

    ``place`` (3,) m and ``turn`` (9,), a rotation row by row, of the tool frame; ``com`` (3,) m of the saw; ``q`` (7,) rad; ``dq`` (7,)
    rad/s; ``bias`` (7,) N m that carries the weight; ``jacobian`` (6, 7) of the tool frame; ``mass`` (7, 7).
    """

    def __init__(self) -> None:
        self._model: Any = world.plant_model()
        self._data: Any = mujoco.MjData(self._model)
        self._site: int = self._model.site(world.TOOL_SITE).id
        body: int = self._model.body(world.SAW_BODY).id
        self._chain = [int(self._model.body(name).id) for name in ("link2", "link4", "link6", "attachment")]
        d = self._data
        self.place: F64 = d.site_xpos[self._site]
        self.turn: F64 = d.site_xmat[self._site]
        self.com: F64 = d.xipos[body]
        self.q: F64 = d.qpos
        self.dq: F64 = d.qvel
        self.bias: F64 = d.qfrc_bias
        self.jacobian: F64 = np.zeros((6, 7))
        self.mass: F64 = np.zeros((7, 7))
        self.friction: F64 = self._model.dof_damping.copy()  #: (7,) N m s/rad
        self._linear, self._angular = self.jacobian[:3], self.jacobian[3:]
        self._push: F64 = d.xfrc_applied[body]
        self._quat: F64 = np.empty(4)

    # --- where it is ---

    def pose(self) -> F64:
        """(7,) of the tool frame."""
        return np.concatenate([self.place, self._quat])

    def here(self) -> Floats:
        """(7,) the same."""
        return (*self.place.tolist(), *self._quat.tolist())

    def twist(self) -> F64:
        """(6,) m/s and rad/s of the tool frame."""
        return self.jacobian @ self.dq

    def links(self) -> list[Point]:
        """(4, 3) m, LINKS."""
        return [tuple(self._data.xpos[body].tolist()) for body in self._chain]

    @property
    def warm(self) -> F64:
        """(7,) where the physics engine's solver starts from."""
        found: F64 = self._data.qacc_warmstart
        return found

    def joints_for(self, tool: Point) -> F64:
        """(7,) rad that put the level saw with its tool frame at a place. Moves the arm there."""
        return reach.place_saw(self._model, self._data, tool)

    # --- its energies ---

    def weigh(self) -> None:
        """Bring ``mass`` up to date."""
        mujoco.mj_fullM(self._model, self.mass, self._data.qM)

    def kinetic(self) -> float:
        """J, of the arm and its saw."""
        self.weigh()
        return 0.5 * float(self.dq @ self.mass @ self.dq)

    def potential(self) -> float:
        """J, of the arm and its saw in gravity."""
        mujoco.mj_energyPos(self._model, self._data)
        return float(self._data.energy[0])

    # --- what moves it ---

    def set(self, q: F64, dq: F64, warm: F64, time: float) -> None:
        """Put it somewhere."""
        mujoco.mj_resetData(self._model, self._data)
        self.q[:], self.dq[:] = q, dq
        self._data.qacc_warmstart[:] = warm
        self._data.time = time
        self.look()

    def push(self, wrench: Floats) -> None:
        """Let a wrench (6,) act on the saw at ``com``, N and N m, until the next one."""
        self._push[:] = wrench

    def step(self, driven: F64 | float, braked: F64 | float) -> None:
        """One physics step under the torques of the drives and of the brakes, (7,) N m each. ``look`` before the next one."""
        self._data.ctrl[:], self._data.qfrc_applied[:] = driven, braked
        mujoco.mj_step2(self._model, self._data)

    def look(self) -> None:
        """See where the arm is now."""
        mujoco.mj_step1(self._model, self._data)
        mujoco.mj_jacSite(self._model, self._data, self._linear, self._angular, self._site)
        mujoco.mju_mat2Quat(self._quat, self.turn)
