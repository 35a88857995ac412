"""An arm with its tool in the physics engine: where they are, what moves them, and their energies."""

import ctypes
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

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


class Body:
    """What it shows changes in place with every step; ``mass`` is as old as the last ``weigh``.

    The arm's ``joints`` n come first among the model's. ``qpos``, ``qvel`` and ``warm``, where the solver starts from, are the whole
    model's; ``q`` (n,) rad, ``dq`` (n,) rad/s, ``bias`` (n,) N m that carries the weight and ``outer`` (n,) N m of contacts and stops are
    the arm's. ``place`` (3,) m, ``turn`` (9,), a rotation row by row, and ``jacobian`` (6, n) are the tool's site's; ``com`` (3,) m the
    tool's body's; ``mass`` (n, n); ``ctrl`` what the actuators are told; ``pushed`` (bodies, 6) N and N m on each body until it is set
    anew; ``sensed`` what the model's sensors read in the last step; ``standing`` (mocaps, 3) m of what stands where it is put.
    """

    def __init__(self, model: Any, site: str, links: Sequence[str], joints: int = 7) -> None:
        self.model = model
        self._data: Any = mujoco.MjData(model)
        self._site: int = model.site(site).id
        tool: int = model.site(site).bodyid[0]
        self._chain = [int(model.body(name).id) for name in links]
        d, n = self._data, joints
        self.place: F64 = d.site_xpos[self._site]
        self.turn: F64 = d.site_xmat[self._site]
        self.com: F64 = d.xipos[tool]
        self.qpos: F64 = d.qpos
        self.qvel: F64 = d.qvel
        self.warm: F64 = d.qacc_warmstart
        self.ctrl: F64 = d.ctrl
        self.q: F64 = d.qpos[:n]
        self.dq: F64 = d.qvel[:n]
        self.bias: F64 = d.qfrc_bias[:n]
        self.outer: F64 = d.qfrc_constraint[:n]
        self.pushed: F64 = d.xfrc_applied
        self.sensed: F64 = d.sensordata
        self.standing: F64 = d.mocap_pos
        self._energies: F64 = d.energy
        self._driven: F64 = d.ctrl[:n]
        self._braked: F64 = d.qfrc_applied[:n]
        whole, heavy = np.zeros((6, model.nv)), np.zeros((model.nv, model.nv))
        self.jacobian: F64 = whole[:, :n]
        self.mass: F64 = heavy[:n, :n]
        self.friction: F64 = model.dof_damping[:n].copy()  #: (n,) N m s/rad
        self._push: F64 = d.xfrc_applied[tool]
        self._quat: F64 = np.empty(4)
        self._here = (model._address, d._address)
        self._weighed = (model._address, heavy.ctypes.data, d.qM.ctypes.data)
        self._seen = (*self._here, whole[:3].ctypes.data, whole[3:].ctypes.data, self._site)
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
        """(4, 3) m, of the bodies that stand for LINKS."""
        return [tuple(self._data.xpos[body].tolist()) for body in self._chain]

    # --- its energies ---

    def weigh(self) -> None:
        """Bring ``mass`` up to date."""
        _full_mass(*self._weighed)

    def kinetic(self) -> float:
        """J, of the arm and its tool."""
        self.weigh()
        return 0.5 * float(self.dq @ self.mass @ self.dq)

    def potential(self) -> float:
        """J, of all that the model holds, in gravity."""
        _energy(*self._here)
        return float(self._energies[0])

    # --- what moves it ---

    def set(self, qpos: F64, qvel: F64, warm: F64, time: float) -> None:
        """Put the whole model somewhere."""
        mujoco.mj_resetData(self.model, self._data)
        self.qpos[:], self.qvel[:], self.warm[:] = qpos, qvel, warm
        self._data.time = time
        self.look()

    def push(self, wrench: Floats) -> None:
        """Let a wrench (6,) act on the tool at ``com``, N and N m, until the next one."""
        self._push[:] = wrench

    def step(self, driven: F64 | float, braked: F64 | float) -> None:
        """One physics step under the torques of the arm's drives and brakes, (n,) N m each. ``look`` before the next one."""
        self._driven[:], self._braked[:] = driven, braked
        _step2(*self._here)

    def run(self, steps: int) -> None:
        """So many physics steps under the actuators as they were told."""
        for _ in range(steps - 1):
            _step2(*self._here)
            _step1(*self._here)
        _step2(*self._here)
        self.look()

    def look(self) -> None:
        """See where the arm is now."""
        _step1(*self._here)
        _site_jacobian(*self._seen)
        _quaternion(*self._turned)
