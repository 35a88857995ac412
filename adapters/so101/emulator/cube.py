"""The emulated servos on so101-sim's arm: its table, its cube and its physics, stepped as the bus's goals have it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from adapters.mujoco.body import Body
from adapters.mujoco.layout import PHYSICS_S
from adapters.mujoco.tabletop import servos as simulated
from adapters.mujoco.tabletop import truth
from adapters.mujoco.tabletop.kinematics import Kinematics
from adapters.mujoco.tabletop.robot import Tabletop
from adapters.mujoco.tabletop.so101 import SO101
from adapters.so101.emulator.arm import Servos
from adapters.so101.emulator.servo import TORQUE
from engine.types import F64

JOINTS: Final = 6  #: with the jaw
RESTING: Final = (0.0, -1.745, 1.471, 1.643, 0.0, -0.05)  #: rad, limp: folded back, the hand on the table
STRONGEST: Final = 1.5 * TORQUE  #: N m; a supply over the rated one makes servos stronger


class _Driven(simulated.Servos):
    """The arm's motors as ``Tabletop`` has them, moved by what is behind the bus and by nothing else."""

    def __init__(self, body: Body, servos: Servos) -> None:
        super().__init__(body, Kinematics(SO101))
        self._servos = servos
        model = body.model  # its position servos become plain torques
        model.jnt_range[:JOINTS] = np.array(servos.stops)
        model.actuator_gainprm[:JOINTS, 0] = 1.0
        model.actuator_biasprm[:JOINTS] = 0.0
        model.actuator_ctrllimited[:JOINTS] = 0
        model.actuator_forcerange[:JOINTS] = (-STRONGEST, STRONGEST)

    def move(self, steps: int) -> bool:
        body, servos = self._body, self._servos
        for _ in range(steps):
            torques = servos.drive(body.qpos[:JOINTS].tolist(), body.qvel[:JOINTS].tolist(), PHYSICS_S)
            body.ctrl[5] = torques[5] + servos.outer[5]
            body.step(np.array(torques[:5]), np.array(servos.outer[:5]))
            body.look()
            self.memory.tau = tuple(torques[:5])
        return True


class Cube:
    """The table of so101-sim as ``seed`` sets it; the arm stands at its start, or at ``q`` (6,) rad. Raises AdapterError where the
    model is not installed."""

    def __init__(self, servos: Servos, seed: int, q: Sequence[float] | None) -> None:
        self._servos = servos
        arm = replace(SO101, motors=lambda body, _limits: _Driven(body, servos))
        self.table = Tabletop(arm, "so101-sim", seed, "lift")
        self.table.connect()
        for joint, at in enumerate(q or ()):
            self.place(joint, at)

    @property
    def q(self) -> list[float]:
        """(6,) rad"""
        found: list[float] = truth.places(SO101, self.table.plant())[:JOINTS].tolist()
        return found

    def advance(self, steps: int) -> None:
        """Let so many physics steps pass."""
        self.table.advance(steps * PHYSICS_S)

    def place(self, joint: int, q: float) -> None:
        """A hand puts a joint, 0..5, at an angle in rad; everything stands still."""
        plant = self.table.plant()
        truth.places(SO101, plant)[joint] = q
        truth.speeds(SO101, plant)[:] = 0.0
        self.table.restore(plant)

    def plant(self) -> F64:
        """(P,) as so101-sim's."""
        return self.table.plant()
