"""Inverse kinematics of the cell: joint angles that hold the saw level at a place, and the posture to prefer there."""

from functools import cache
from typing import Any, Final

import mujoco
import numpy as np

from adapters.mujoco import layout, world
from engine.types import F64

_SEED: Final = np.array([0.0, -0.5, 0.0, -2.3, 0.0, 1.8, 0.785])
_MIDDLE: Final = np.array([0.0, 0.0, 0.0, -1.57, 0.0, 1.87, 0.785])
_PULL: Final = np.array([1.0, 0.3, 1.0, 1.0, 0.5, 1.0, 0.3])  #: how strongly each joint is drawn to its middle, 1/step
_LINES: Final = (-0.4, -0.2, 0.0, 0.2, 0.4)
_TOPS: Final = (0.45, 0.575, 0.70)


def manipulability(jacobian: F64) -> float:
    """sqrt(det(J J^T)), Yoshikawa 1985, or sqrt(det(J^T J)) of an arm with fewer than six joints; jacobian (6, n)."""
    short = jacobian @ jacobian.T if jacobian.shape[1] >= 6 else jacobian.T @ jacobian
    return float(np.sqrt(max(0.0, float(np.linalg.det(short)))))


def solve(model: Any, data: Any, place: tuple[float, float, float], guess: F64, steps: int = 200) -> tuple[F64, float, float]:
    """(q (7,), remaining error in m and rad, manipulability) of the level saw with its tool at ``place``.

    Damped least squares; the one direction of self-motion draws the joints to the middle of their ranges.
    """
    site = model.site(world.TOOL_SITE).id
    q = guess.copy()
    low, high = model.jnt_range[:, 0] + 0.05, model.jnt_range[:, 1] - 0.05
    jacobian = np.zeros((6, 7))
    error = np.zeros(6)
    for i in range(steps):
        data.qpos[:] = q
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        mujoco.mj_jacSite(model, data, jacobian[:3], jacobian[3:], site)
        turn = data.site_xmat[site].reshape(3, 3)
        error[:3] = np.asarray(place) - data.site_xpos[site]
        error[3:] = 0.5 * np.array([turn[1, 2] - turn[2, 1], turn[2, 0] - turn[0, 2], turn[0, 1] - turn[1, 0]])
        if i > 40 and np.abs(error).max() < 1e-5:
            break
        inverse = jacobian.T @ np.linalg.inv(jacobian @ jacobian.T + 1e-4 * np.eye(6))
        change = inverse @ error
        if i < steps // 2:
            change += (np.eye(7) - inverse @ jacobian) @ (0.3 * _PULL * (_MIDDLE - q))
        q = np.clip(q + change * min(1.0, 0.2 / max(1e-9, float(np.abs(change).max()))), low, high)
    return q, float(np.linalg.norm(error)), manipulability(jacobian)


@cache
def _bench() -> tuple[Any, Any]:
    """A model and its data for questions of kinematics; never stepped."""
    model = world.plant_model()
    return model, mujoco.MjData(model)


def tool(q: F64, dq: F64) -> tuple[F64, F64]:
    """(pose (7,), twist (6,)) of the tool frame at joint angles and speeds."""
    model, data = _bench()
    site = model.site(world.TOOL_SITE).id
    data.qpos[:] = q
    mujoco.mj_kinematics(model, data)
    mujoco.mj_comPos(model, data)
    jacobian = np.zeros((6, 7))
    mujoco.mj_jacSite(model, data, jacobian[:3], jacobian[3:], site)
    pose = np.empty(7)
    pose[:3] = data.site_xpos[site]
    quat = np.empty(4)
    mujoco.mju_mat2Quat(quat, data.site_xmat[site])
    pose[3:] = quat
    return pose, jacobian @ dq


@cache
def _postures() -> F64:
    """(5, 3, 7) joint angles at mid-stroke over the grid of lines and heights."""
    model, data = _bench()
    grid = np.empty((len(_LINES), len(_TOPS), 7))
    for i, y in enumerate(_LINES):
        for j, z in enumerate(_TOPS):
            guess = _SEED.copy()
            guess[[0, 2]] = y
            grid[i, j] = solve(model, data, (layout.STROKE_X, y, z), guess)[0]
    return grid


def posture(y: float, z: float) -> F64:
    """(7,) rad: preferred joint angles with the tool at height z on the line y, bilinear between solved places."""
    grid = _postures()
    a = (min(_LINES[-1], max(_LINES[0], y)) - _LINES[0]) / (_LINES[1] - _LINES[0])
    b = (min(_TOPS[-1], max(_TOPS[0], z)) - _TOPS[0]) / (_TOPS[1] - _TOPS[0])
    i, j = min(len(_LINES) - 2, int(a)), min(len(_TOPS) - 2, int(b))
    a, b = a - i, b - j
    mixed: F64 = (1 - a) * ((1 - b) * grid[i, j] + b * grid[i, j + 1]) + a * ((1 - b) * grid[i + 1, j] + b * grid[i + 1, j + 1])
    return mixed


def place_saw(place: tuple[float, float, float]) -> F64:
    """(7,) rad that hold the level saw at ``place``, starting from the preferred posture there."""
    model, data = _bench()
    return solve(model, data, place, posture(place[1], place[2]), 60)[0]
