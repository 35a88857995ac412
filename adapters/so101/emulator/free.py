"""An SO-101 that touches nothing: six joints with their weight, friction and stops, in plain arithmetic.

Weight and inertia are of the MuJoCo model: V = sum over upper arm, lower arm and hand of a sine and a cosine of their angle to the
horizontal, fitted to it within 7 mN m; damping and dry friction are the model's own.
"""

import math
from collections.abc import Sequence
from typing import Final

from adapters.so101.emulator.arm import Servos

PHYSICS_S: Final = 0.002
DAMPING: Final = 0.60  #: N m s/rad, of a motor with its gears; its own counter-voltage is in it
FRICTION: Final = 0.052  #: N m
INERTIA: Final = (0.036, 0.041, 0.035, 0.029, 0.028, 0.028)  #: kg m^2, with the motors' own through their gears
WEIGHT: Final = ((-0.0861, -0.4023), (-0.3354, -0.0122), (-0.1159, -0.0006))  #: N m, of each link's cosine and sine
RESTING: Final = (0.0, -1.7453, 1.69, 1.62, 0.0, -0.05)  #: rad, limp: folded back on its stops
START: Final = (0.0, -0.2, 0.2, 1.5, -1.5, 0.3)  #: rad, over the table, the hand down


def weight(q: Sequence[float]) -> tuple[float, float, float]:
    """N m that shoulder lift, elbow and wrist flex must hold at joint angles q (6,), rad."""
    angle, bent = 0.0, []
    for joint, (c, s) in zip(q[1:4], WEIGHT, strict=True):
        angle += joint
        bent.append(c * math.cos(angle) + s * math.sin(angle))
    return bent[0] + bent[1] + bent[2], bent[1] + bent[2], bent[2]


class Free:
    """The joints, stepped as its servos push them."""

    def __init__(self, servos: Servos, q: Sequence[float]) -> None:
        self.q, self.dq = list(q), [0.0] * len(q)
        self._servos = servos

    def advance(self, steps: int) -> None:
        """Let so many physics steps pass."""
        dt, servos = PHYSICS_S, self._servos
        for _ in range(steps):
            torques = servos.drive(self.q, self.dq, dt)
            held = (0.0, *weight(self.q), 0.0, 0.0)
            for i, (low, high) in enumerate(servos.stops):
                inertia = INERTIA[i]
                speed = (self.dq[i] + dt * (torques[i] + servos.outer[i] - held[i]) / inertia) / (1.0 + dt * DAMPING / inertia)
                rub = dt * FRICTION / inertia
                speed = 0.0 if abs(speed) <= rub else speed - math.copysign(rub, speed)
                at = self.q[i] + dt * speed
                self.q[i] = min(high, max(low, at))
                self.dq[i] = speed if low < at < high else 0.0

    def place(self, joint: int, q: float) -> None:
        """A hand puts a joint, 0..5, at an angle in rad."""
        low, high = self._servos.stops[joint]
        self.q[joint], self.dq[joint] = min(high, max(low, q)), 0.0

    def plant(self) -> None:
        """There is nothing to draw."""
