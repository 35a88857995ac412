"""The arm and its saw in the physics engine: where they are, what moves them, and their energies."""

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from adapters.mujoco import reach, world
from adapters.mujoco.person import Point
from engine.control.pose import Floats
from engine.types import F64

_LIBRARY = ctypes.PyDLL(str(next(Path(mujoco.__file__).parent.glob("libmujoco.*"))))
_POINTER = ctypes.c_void_p


def _locked(name: str, *arguments: Any) -> Callable[..., None]:
    """A function of the physics engine, called without letting go of the interpreter's lock: it takes a few microseconds, and another
    thread that got the lock meanwhile would keep it for milliseconds."""
    function = _LIBRARY[name]
    function.argtypes, function.restype = arguments, None
    return function


_step1 = _locked("mj_step1", _POINTER, _POINTER)
_step2 = _locked("mj_step2", _POINTER, _POINTER)
_energy = _locked("mj_energyPos", _POINTER, _POINTER)
_full_mass = _locked("mj_fullM", _POINTER, _POINTER, _POINTER)
_site_jacobian = _locked("mj_jacSite", _POINTER, _POINTER, _POINTER, _POINTER, ctypes.c_int)
_quaternion = _locked("mju_mat2Quat", _POINTER, _POINTER)


class Arm:
    """What it shows changes in place with every step; ``mass`` is as old as the last ``weigh``.

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
        self._energies: F64 = d.energy
        self._driven: F64 = d.ctrl
        self._braked: F64 = d.qfrc_applied
        self.warm: F64 = d.qacc_warmstart  #: (7,) where the solver starts from
        self.jacobian: F64 = np.zeros((6, 7))
        self.mass: F64 = np.zeros((7, 7))
        self.friction: F64 = self._model.dof_damping.copy()  #: (7,) N m s/rad
        self._linear, self._angular = self.jacobian[:3], self.jacobian[3:]
        self._push: F64 = d.xfrc_applied[body]
        self._quat: F64 = np.empty(4)
        self._here = (self._model._address, d._address)
        self._weighed = (self._model._address, self.mass.ctypes.data, d.qM.ctypes.data)
        self._seen = (*self._here, self._linear.ctypes.data, self._angular.ctypes.data, self._site)
        self._turned = (self._quat.ctypes.data, self.turn.ctypes.data)

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

    def joints_for(self, tool: Point) -> F64:
        """(7,) rad that put the level saw with its tool frame at a place. Moves the arm there."""
        return reach.place_saw(self._model, self._data, tool)

    # --- its energies ---

    def weigh(self) -> None:
        """Bring ``mass`` up to date."""
        _full_mass(*self._weighed)

    def kinetic(self) -> float:
        """J, of the arm and its saw."""
        self.weigh()
        return 0.5 * float(self.dq @ self.mass @ self.dq)

    def potential(self) -> float:
        """J, of the arm and its saw in gravity."""
        _energy(*self._here)
        return float(self._energies[0])

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
        self._driven[:], self._braked[:] = driven, braked
        _step2(*self._here)

    def look(self) -> None:
        """See where the arm is now."""
        _step1(*self._here)
        _site_jacobian(*self._seen)
        _quaternion(*self._turned)
