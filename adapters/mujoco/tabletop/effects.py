"""What disturbances do: to the physics engine's model of the table, to its cameras, and to how late the policy is heard.

All of it follows from the course, the table's clock and the model's state, so that a restored table goes on as the recorded one did.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from adapters.mujoco import layout, veil
from adapters.mujoco.body import Body
from adapters.mujoco.tabletop.arm import CAMERAS, Arm
from adapters.mujoco.tabletop.disturbances import Course, Kind
from adapters.mujoco.tabletop.table import AWAY, CUBE, DECOY, FRICTION, POST, POST_TALL
from engine.types import F32, F64

GRAVITY: Final = 9.81  #: m/s^2
ASIDE: Final = 0.35  #: m, from how far beyond its place a stranger is slid in
LEADING: Final = 0.5  #: of the cube's speed error that whoever slides it along makes up for in a tick
GRIPPED: Final = 0.05  #: of the fingers' friction that a push is measured by: it knocks what is held, and the arm, but tears neither away
STIFF: Final = 0.998  #: MuJoCo's impedance of joints that bind: dry friction gives way slowly below its limit too, else by 4 cm/s
HIDING: Final = (0.16, 0.14, 0.12)  #: the colour of what hides a picture


@dataclass(slots=True)
class Stranger:
    """A decoy or a post: somebody slides it in from beyond, and leaves it a little back from where it meets the hand on its way."""

    x: float = AWAY[0]  #: m
    y: float = AWAY[1]
    z: float = AWAY[2]
    met: bool = False  #: it has touched the hand on its way, and goes back
    stands: bool = False  #: nobody moves it any more

    @property
    def absent(self) -> bool:
        return self.z == AWAY[2]

    def slide(self, kind: Kind, arm: Arm, course: Course, time: float, touches: bool, dt: float) -> None:
        """dt passes."""
        strength, one = course.strongest(kind, time)
        if strength == 0.0 or self.stands:
            return
        step = ASIDE / one.ramp * dt
        if self.absent:
            self.x, self.y = one.along + ASIDE, one.across
            self.z = arm.table + arm.cube_half * (1.0 if kind == Kind.DISTRACTOR else 2.0 * POST_TALL)
        elif touches:
            self.met, self.x = True, self.x + step
        elif self.met:
            self.stands = True
        else:
            self.x = max(one.along, self.x - step)
            self.stands = self.x == one.along


class Effects:
    """One table's, on the model in a ``Body``."""

    def __init__(self, arm: Arm, body: Body) -> None:
        self._arm, self._body = arm, body
        model = body.model
        self._cube = int(model.body(CUBE).id)
        self._strangers = [int(model.body(name).mocapid[0]) for name in (DECOY, POST)]
        self._mass, self._inertia = float(model.body_mass[self._cube]), model.body_inertia[self._cube].copy()
        self._sound = float(model.opt.impratio)
        self._loss: F64 = model.dof_frictionloss[: arm.joints].copy()
        self._stiff: F64 = model.dof_solimp[: arm.joints, :2].copy()
        self._strongest = np.array(arm.joint_torque_limits)

    def apply(self, course: Course, time: float, squeeze: float, strangers: Sequence[Stranger]) -> None:
        """Let a course act as it does at a time; ``squeeze`` N is what the fingers hold the cube with, ``strangers`` decoy and post.

        Fingers and cube under a film of oil: the friction of MuJoCo's contacts is a stiff damper below its cone, and ``impratio`` says
        how stiff; softened, a held cube creeps down at a speed that grows with its weight, as in a viscous film.
        """
        model, body, n = self._body.model, self._body, self._arm.joints
        strength, one = course.strongest(Kind.SLICK, time)
        model.opt.impratio = self._sound * (self._arm.film * one.size / self._sound) ** strength if strength > 0.0 else self._sound
        strength, one = course.strongest(Kind.HEAVY, time)
        heavier = 1.0 + strength * (one.size - 1.0)
        model.body_mass[self._cube], model.body_inertia[self._cube] = self._mass * heavier, self._inertia * heavier
        strength, one = course.strongest(Kind.HINDERED, time)
        model.dof_frictionloss[:n] = self._loss + strength * one.size * self._strongest
        model.dof_solimp[:n, :2] = STIFF if strength > 0.0 else self._stiff
        fx, fy = self._push(course, time, self._mass * heavier, squeeze)
        low = self._arm.cube_half if squeeze == 0.0 else 0.0  # a lying cube is pushed at its foot, or it would topple
        body.pushed[self._cube] = fx, fy, 0.0, low * fy, -low * fx, 0.0
        body.standing[self._strangers] = [(one.x, one.y, one.z) for one in strangers]
        body.look()

    def _push(self, course: Course, time: float, mass: float, squeeze: float) -> tuple[float, float]:
        """(2,) N on the cube: of a push against whatever friction holds it, and of somebody who slides it along the table.

        A push k times the friction that lasts t lets a lying cube slide mu g k (k - 1) t^2 / 2 altogether, from which k follows.
        """
        fx = fy = 0.0
        friction, at = FRICTION[0] * mass * GRAVITY, len(self._body.qvel) - 6
        vx, vy = self._body.qvel[at : at + 2].tolist()
        for one in course.slots:
            if one.lasts(time) and one.kind == Kind.PUSHED:
                speeding = 2.0 * one.size / (FRICTION[0] * GRAVITY * one.stay**2)
                force = (0.5 + math.sqrt(0.25 + speeding)) * (friction + GRIPPED * FRICTION[0] * squeeze)
                fx, fy = fx + force * one.along, fy + force * one.across
            elif one.lasts(time) and one.kind == Kind.CUBE_MOVES:
                speed, gain = one.size / one.stay, LEADING * mass / layout.TICK_S
                fx += friction * one.along + gain * (speed * one.along - vx)
                fy += friction * one.across + gain * (speed * one.across - vy)
        return fx, fy


def drift(course: Course, time: float) -> tuple[float, float]:
    """(2,) m/s, how fast the zone is being moved."""
    u = v = 0.0
    for one in course.slots:
        if one.kind == Kind.ZONE_MOVES and one.lasts(time):
            u, v = u + one.along * one.size / one.stay, v + one.across * one.size / one.stay
    return u, v


def veiling(course: Course, time: float) -> F32:
    """(3, 8) what stands before each of CAMERAS, as ``adapters.mujoco.veil`` lays it over a picture."""
    laid = veil.clear(len(CAMERAS))
    for one in course.slots:
        strength = one.strength(time)
        rows = slice(None) if one.camera < 0 else slice(one.camera, one.camera + 1)
        if strength > 0.0 and one.kind == Kind.DIMMED:
            laid[rows, veil.GAIN] *= 1.0 - strength * one.size
        elif strength > 0.0 and one.kind == Kind.OCCLUDED:
            wide = strength * one.size
            laid[rows, veil.PATCH] = one.along, one.across, one.along + wide, one.across + wide
            laid[rows, veil.COLOUR] = HIDING
    return laid


def lateness(course: Course, time: float) -> float:
    """s by which what the policy says arrives later than usual."""
    return sum(one.size for one in course.slots if one.kind == Kind.DELAYED and one.lasts(time))
