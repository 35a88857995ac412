"""The SO-101's six position servos: joint targets by damped least squares from the tool's wanted pose, and the jaw's place.

Each servo is a spring towards its target, so the arm's own weight is fed forward; what presses on the arm bends it.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from adapters.mujoco import layout
from adapters.mujoco.body import Body
from adapters.mujoco.tabletop.kinematics import Kinematics
from engine.control.pose import Floats
from engine.types import F64, NO_ENERGY, Command, Energy, Spring

KP: Final = 17.8  #: N m/rad
TORQUE: Final = 3.35  #: N m
FREE_SPEED: Final = 4.7  #: rad/s, of an STS3215 at 7.4 V that moves nothing
SPEED: Final = 2.5  #: rad/s, of a target
AHEAD: Final = 0.3  #: rad, that a target may be from where its joint is
JAW_OPEN: Final = 0.70  #: rad; the tips are then 65 mm apart
JAW_CLOSED: Final = -0.10  #: rad, beyond where the tips meet
JAW_HELD: Final = 0.15  #: rad, about where it holds a cube; the tool is then in the middle
TIP_BELOW: Final = 0.0716  #: m, of the moving jaw's tip from its axis, there
SENSED: Final = 0.03  #: s, of the low-pass of what the joints feel


def closedness(jaw: float) -> float:
    """0 open .. 1 closed of the jaw's angle in rad."""
    return (JAW_OPEN - jaw) / (JAW_OPEN - JAW_CLOSED)


def jaw_at(closed: float) -> float:
    """rad, and back."""
    return JAW_OPEN + (JAW_CLOSED - JAW_OPEN) * closed


def aside(closed: float) -> float:
    """m along the tool's y, from the tool to the middle between the tips: the one jaw turns, the other stays with the hand."""
    return -0.5 * TIP_BELOW * math.sin(jaw_at(closed) - JAW_HELD)


@dataclass(slots=True)
class Memory:
    """What lasts from one tick to the next."""

    goal: Floats = (0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0)  #: (7,) the tool's wanted pose
    target: Floats = (0.0,) * 5  #: rad, of the joints' servos before the weight is added
    jaw: float = JAW_OPEN  #: rad, of the jaw's servo
    jaw_d: float = JAW_OPEN  #: rad, where that is to go
    stiffness: Floats = (0.0,) * 6  #: as last commanded; the servos have their own
    force: float = 0.0  #: N
    torque: float = 0.0  #: N m
    stands: bool = False  #: the joints' targets stay
    tau: Floats = (0.0,) * 5  #: N m, of the servos
    outer: Floats = (0.0,) * 5  #: N m, of contacts, stops and dry friction, low-passed


class Servos:
    """The SO-101's ``Motors``: whatever stiffness is commanded, they are as stiff as servos are."""

    def __init__(self, body: Body, kinematics: Kinematics) -> None:
        self.memory = Memory()
        self._body, self._kinematics = body, kinematics

    @property
    def tau(self) -> F64:
        """(5,) N m, applied last."""
        return np.array(self.memory.tau)

    @property
    def wrench(self) -> F64:
        """(6,) N, of the world on the tool: the smallest force there that the joints would feel like this; its moment is not told apart."""
        lever = self._body.jacobian[:3]
        force = np.linalg.solve(lever @ lever.T + 1e-4 * np.eye(3), lever @ np.array(self.memory.outer))
        return np.concatenate([force, np.zeros(3)])

    def command(self, command: Command) -> None:
        m = self.memory
        m.stiffness, m.force, m.torque = command.stiffness_d, command.force_max, command.torque_max
        if math.isfinite(command.gripper_d):
            m.jaw_d = jaw_at(min(1.0, max(0.0, command.gripper_d)))
        if command.brakes:
            self.brake()
        else:
            m.stands, m.goal = False, command.pose_d

    def hold(self) -> None:
        m = self.memory
        m.goal, m.target = self._body.here(), tuple(self._body.q.tolist())

    def brake(self) -> None:
        """There are no brakes: the servos stand where the joints are."""
        if not self.memory.stands:
            self.hold()
            self.memory.stands = True

    def resume(self) -> None:
        self.memory.stands = False
        self.hold()

    def grip(self, closed: float) -> None:
        self.memory.jaw = self.memory.jaw_d = jaw_at(closed)

    def move(self, steps: int) -> bool:
        m, body = self.memory, self._body
        if not all(map(math.isfinite, m.goal)):
            return False
        passed = steps * layout.PHYSICS_S
        way = SPEED * passed
        target = np.array(m.target)
        if not m.stands:
            change = self._kinematics.step(target, m.goal)
            target += change * min(1.0, way / max(1e-9, float(np.abs(change).max())))
            target = np.clip(target, body.q - AHEAD, body.q + AHEAD)
            m.target = tuple(target.tolist())
        m.jaw += min(way, max(-way, m.jaw_d - m.jaw))
        told = target + body.bias / KP
        body.ctrl[:5], body.ctrl[5] = told, m.jaw
        body.run(steps)
        m.tau = tuple(np.clip(KP * (told - body.q), -TORQUE, TORQUE).tolist())
        outer = np.array(m.outer)
        m.outer = tuple((outer + (body.outer - outer) * min(1.0, passed / SENSED)).tolist())
        return True

    def spring(self) -> Spring:
        """The pose it steers to; stiffness and limits as last commanded."""
        m = self.memory
        return Spring(pose_d=m.goal, stiffness=m.stiffness, damping=(0.0,) * 6, force_max=m.force, torque_max=m.torque, target=m.target)

    def energy(self) -> Energy:
        return NO_ENERGY
