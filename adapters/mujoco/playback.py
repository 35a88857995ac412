"""Chunks of a policy played by a simulated robot in lock-step, as late as those of a live run."""

from collections import deque
from typing import Final, Protocol

import numpy as np

from adapters.mujoco import layout
from adapters.mujoco.expert import STEP_S
from engine.control import pose as poses
from engine.limits import Limits
from engine.types import F32, F64, Command

STIFFNESS: Final = (760.0, 760.0, 570.0, 95.0, 95.0, 95.0)  #: N/m, N m/rad; what a nominal score permits
FORCE_MAX: Final = 58.0  #: N
TORQUE_MAX: Final = 8.0  #: N m
SPEED_MAX: Final = 0.25  #: m/s, of the reference
TASK_POWER: Final = Limits().task_power  #: W


class Simulated(Protocol):
    """What is asked of the robot."""

    @property
    def time(self) -> float: ...
    def tool(self) -> tuple[F64, F64]: ...
    def plant(self) -> F64: ...
    def command(self, command: Command) -> None: ...
    def advance(self, dt: float) -> None: ...


class Playback[R: Simulated]:
    """Steps are 50 ms; a chunk given at a step is played by time, late by ``latency_s``, the old one until then."""

    def __init__(self, robot: R, duration: float, latency_s: float, replan_steps: int) -> None:
        self.robot, self.duration = robot, duration
        self._late, self._steps = latency_s, replan_steps
        self._running: tuple[float, F64, F32] | None = None
        self._coming: deque[tuple[float, F64, F32]] = deque()
        self._reference: F64 = self.pose()

    def plant(self) -> F64:
        """(P,)"""
        return self.robot.plant()

    def pose(self) -> F64:
        """(7,) of the tool."""
        return self.robot.tool()[0]

    def follow(self, chunk: F32, steps: int | None = None) -> None:
        """Hand over a chunk exposed now, and let so many 50 ms steps pass."""
        self._coming.append((self.robot.time, self.pose(), np.asarray(chunk, np.float32)))
        for _ in range(round((steps or self._steps) * STEP_S / layout.TICK_S)):
            self._tick()

    @property
    def done(self) -> bool:
        """Whether the time is up."""
        return self.robot.time >= self.duration - 1e-9

    def _tick(self) -> None:
        now = self.robot.time
        while self._coming and now >= self._coming[0][0] + self._late - 1e-9:
            self._running = self._coming.popleft()
        goal, grip = self._reference.copy(), np.nan
        if self._running is not None:
            exposed, base, chunk = self._running
            since = now + layout.TICK_S - exposed
            goal, grip = pose_at(base, chunk, since), grip_at(chunk, since)
        before = self._reference
        step: F64 = goal[:3] - before[:3]
        length = float(np.linalg.norm(step))
        if length > SPEED_MAX * layout.TICK_S:
            goal[:3] = before[:3] + step * (SPEED_MAX * layout.TICK_S / length)
        twist = np.zeros(6)
        twist[:3] = (goal[:3] - before[:3]) / layout.TICK_S
        self._reference = goal
        command = Command(
            command_tick=round(now / layout.TICK_S),
            pose_d=tuple(goal.tolist()),
            twist_d=tuple(twist.tolist()),
            stiffness_d=STIFFNESS,
            force_max=FORCE_MAX,
            torque_max=TORQUE_MAX,
            hold=False,
            brakes=False,
            hand_force=0.0,
            hand_press=0.0,
            line_y_d=0.0,
            log_top_d=0.0,
            task_power=TASK_POWER,
            gripper_d=grip,
        )
        self.robot.command(self._fitted(command))
        self.robot.advance(layout.TICK_S)

    def _fitted(self, command: Command) -> Command:
        """The command with what only this robot asks for."""
        return command


def pose_at(base: F64, chunk: F32, since: float) -> F64:
    """(7,) the reference ``since`` seconds after a chunk's exposure at the pose ``base``: straight between its actions, then its last."""
    place = since / STEP_S - 1.0
    i = min(len(chunk) - 1, max(-1, int(np.floor(place))))
    j = min(len(chunk) - 1, i + 1)
    share = min(1.0, max(0.0, place - i))
    first = chunk[i, :6] if i >= 0 else np.zeros(6, np.float32)
    mixed = (1.0 - share) * first + share * chunk[j, :6]
    return np.array(poses.moved(base, mixed.astype(np.float64)))


def grip_at(chunk: F32, since: float) -> float:
    """0 open .. 1 closed, ``since`` seconds after a chunk's exposure: its last action that is due, or its first."""
    return float(chunk[min(len(chunk) - 1, max(0, int(since / STEP_S - 1.0))), 6])
