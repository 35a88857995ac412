"""Where an arm's tool is at given joints, and joints for a wanted pose, by damped least squares that keep off the stops."""

from typing import Any, Final

import mujoco
import numpy as np

from adapters.mujoco.tabletop.arm import TOOL_SITE, Arm
from engine.control import pose as poses
from engine.types import F64

MARGIN: Final = 0.13  #: rad, of a solution from a joint's stop; nearer than 0.10 the safety layer slows
DAMPING: Final = 1e-6
STRIDE: Final = 0.3  #: rad, the farthest that a joint goes in one step of ``reach``
CLOSE: Final = 1e-7  #: rad, a step so small is the last


class Kinematics:
    """The arm alone, for questions of where it would be; never stepped, and not for two threads at once.

    ``keeps``: a joint that is nearer to its stop than MARGIN goes no nearer, and is not drawn away either.
    """

    def __init__(self, arm: Arm, keeps: bool = False) -> None:
        self._keeps = keeps
        self._model: Any = arm.spec(False).compile()
        self._data: Any = mujoco.MjData(self._model)
        self._site: int = self._model.site(TOOL_SITE).id
        self._joints = arm.joints
        self._low = np.array([low for low, _ in arm.joint_limits]) + MARGIN
        self._high = np.array([high for _, high in arm.joint_limits]) - MARGIN
        self._weights = np.array([1.0] * 3 + [arm.upright] * 3)
        self._jacobian = np.zeros((6, self._model.nv))
        self._quat = np.empty(4)

    def pose(self, q: F64) -> poses.Floats:
        """(7,) of the tool at joint angles (n,)."""
        data = self._data
        data.qpos[: self._joints] = q
        mujoco.mj_kinematics(self._model, data)
        mujoco.mju_mat2Quat(self._quat, data.site_xmat[self._site])
        return (*data.site_xpos[self._site].tolist(), *self._quat.tolist())

    def step(self, q: F64, goal: poses.Floats) -> F64:
        """(n,) rad: the joints' way from ``q`` (n,) towards a tool pose (7,), one step of Levenberg's; no joint goes beyond its stop.

        The damping grows with the error, which keeps steps small where a pose cannot be reached (Sugihara 2011).
        """
        n = self._joints
        error = np.array(poses.error(goal, self.pose(q))) * self._weights
        model, data, jacobian = self._model, self._data, self._jacobian
        mujoco.mj_comPos(model, data)
        mujoco.mj_jacSite(model, data, jacobian[:3], jacobian[3:], self._site)
        weighed = jacobian[:, :n] * self._weights[:, None]
        damping = np.eye(n) * (DAMPING + 0.5 * float(error @ error))
        change = np.linalg.solve(weighed.T @ weighed + damping, weighed.T @ error)
        low, high = (np.minimum(self._low, q), np.maximum(self._high, q)) if self._keeps else (self._low, self._high)
        stopped = (q + change <= low) | (q + change >= high)
        if stopped.any():
            change[stopped] = np.clip(q + change, low, high)[stopped] - q[stopped]
            free = weighed[:, ~stopped]
            left = free.T @ (error - weighed[:, stopped] @ change[stopped])
            change[~stopped] = np.linalg.solve(free.T @ free + damping[~stopped][:, ~stopped], left)
        way: F64 = np.clip(q + change, low, high) - q
        return way

    def reach(self, goal: poses.Floats, guess: F64, steps: int = 100) -> F64:
        """(n,) rad that bring the tool as near to a pose (7,) as may be, from a guess (n,)."""
        q = guess
        for _ in range(steps):
            change = self.step(q, goal)
            q = q + change * min(1.0, STRIDE / max(1e-9, float(np.abs(change).max())))
            if np.abs(change).max() < CLOSE:
                break
        return q
