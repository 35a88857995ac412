"""The Franka's motors: seven torques under the engine's impedance law and energy tank at 500 Hz, and two finger drives.

The account is that of ``adapters.mujoco.drive``, with the tool's contacts as ``wood``. The arm's own weight is carried exactly, and
neither it nor what carrying it costs is counted.
"""

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from adapters.mujoco import drive, hold, layout
from adapters.mujoco.body import Body
from adapters.mujoco.plant import Control
from adapters.mujoco.tabletop.franka_model import HOME, STROKE
from engine.control import impedance, tank
from engine.limits import Limits
from engine.types import F64, Command, Energy, Spring

STIFFNESS: Final = (600.0, 600.0, 600.0, 60.0, 60.0, 60.0)  #: N/m and N m/rad of the own hold
FORCE: Final = 30.0  #: N, limit of the own hold's spring
TORQUE: Final = 8.0  #: N m
FINGER_SPEED: Final = 0.2  #: m/s, of the place that a finger is told
FLOOR: Final = 1e-6 * np.eye(6)  #: added to J J^T, so that a wrench can be told at a singularity too


@dataclass(slots=True)
class Memory:
    """What lasts from one tick to the next."""

    control: Control = field(default_factory=lambda: Control(yielding=False))
    tau: list[float] = field(default_factory=lambda: [0.0] * 7)  #: N m
    wrench: list[float] = field(default_factory=lambda: [0.0] * 6)  #: N, N m
    finger: float = STROKE  #: m, the place that each finger is told
    finger_d: float = STROKE  #: m, where that is going
    posture: tuple[float, ...] = HOME  #: rad, joint angles to keep where the tool leaves a choice


class FrankaMotors:
    """The arm under torques, ``drive`` deciding them."""

    def __init__(self, body: Body, limits: Limits) -> None:
        self.memory = Memory()
        self._body, self._limits = body, limits
        self._drive = drive.Drive(limits, body.friction)

    @property
    def tau(self) -> F64:
        """(7,) N m, applied last."""
        return np.array(self.memory.tau)

    @property
    def wrench(self) -> F64:
        """(6,) N and N m, as the joints' torques tell it, mean of the last tick."""
        return np.array(self.memory.wrench)

    def command(self, command: Command) -> None:
        c = self.memory.control
        if math.isfinite(command.gripper_d):
            self.memory.finger_d = STROKE * (1.0 - min(1.0, max(0.0, command.gripper_d)))
        if command.brakes and not c.braked:
            self.brake()
        c.braked, c.own_hold = command.brakes, command.hold
        c.goal = tank.Spring(command.pose_d, command.stiffness_d, command.force_max, command.torque_max)
        c.twist_d, c.task_power = command.twist_d, command.task_power
        self.memory.posture = command.posture if all(map(math.isfinite, command.posture)) else HOME

    def hold(self) -> None:
        c = self.memory.control
        c.goal = tank.Spring(self._body.here(), STIFFNESS, FORCE, TORQUE)
        c.twist_d, c.task_power, c.own_hold = drive.STILL, 0.0, True
        drive.anchor(c, c.goal)

    def brake(self) -> None:
        hold.close_brakes(self.memory.control, self._body.q, self.memory.tau)

    def resume(self) -> None:
        self.memory.control.braked = False
        self.hold()
        drive.set_level(self.memory.control, self._limits.tank_min)

    def grip(self, closed: float) -> None:
        self.memory.finger = self.memory.finger_d = STROKE * (1.0 - closed)

    def move(self, steps: int) -> bool:
        m, body = self.memory, self._body
        c = m.control
        reach = FINGER_SPEED * layout.PHYSICS_S * steps
        m.finger += min(reach, max(-reach, m.finger_d - m.finger))
        body.ctrl[7:] = m.finger
        body.weigh()
        if c.braked:
            drive.let_go(c, body.here())
        self._drive.design(c, body.jacobian, impedance.task_inertia(body.jacobian, body.mass))
        rest = self._drive.posture(np.array(m.posture), body.q)
        pushed, sound = np.zeros(7), True
        for left in range(steps, 0, -1):
            sound = self._step(1.0 / left, rest) and sound
            pushed += body.outer
        jacobian = body.jacobian
        m.wrench = np.linalg.solve(jacobian @ jacobian.T + FLOOR, jacobian @ (pushed / steps)).tolist()
        return sound

    def spring(self) -> Spring:
        return self._drive.spring(self.memory.control)

    def energy(self) -> Energy:
        return drive.energy(self.memory.control, self._body.kinetic())

    def _step(self, part: float, rest: F64) -> bool:
        """One physics step, in which the spring goes ``part`` of what is left of its way. False: it holds by itself from now on."""
        m, body, dt = self.memory, self._body, layout.PHYSICS_S
        c = m.control
        sound = c.braked or self._drive.move(c, body.here(), part)
        if not sound:
            self.hold()
        before = body.dq.copy()
        if c.braked:
            tau = hold.brake_torque(c, body.mass, body.q, body.dq)
            body.step(0.0, tau)
        else:
            tau = self._drive.torque(c, body.jacobian, body.twist(), body.dq, body.bias, body.q, rest)
            body.step(tau, 0.0)
        shift = (body.twist() * dt).tolist()
        carried = 0.0 if c.braked else float(body.bias @ body.dq)
        worked = (float(tau @ body.dq) - carried) * dt
        jolt = body.dq - before
        c.account.damping += 0.5 * float(jolt @ body.mass @ jolt)
        c.account.wood -= float(body.outer @ body.dq) * dt
        m.tau = tau.tolist()
        body.look()
        if not self._drive.settle(c, worked, shift, body.here(), body.dq.tolist()):
            self.hold()
            sound = False
        return sound
