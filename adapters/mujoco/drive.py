"""The arm's impedance drive at 500 Hz: the spring as the energy tank lets it come about, its damping, its torque, and the account.

What it keeps from step to step is in ``plant.Control``, so the plant vector carries it. The account's terms are each computed from
forces and displacements, F_k . (x_{k+1} - x_k), F held over the step. Damping counts the drives' whole work beside the spring's (posture
and torque limits included), what carrying the weight costs beyond lifting it, joint friction, brakes, what softening lets go, and the
dv.M dv / 2 a step that semi-implicit Euler loses. What stays open is the held spring's own, up to dx.K dx / 2 a step, which it makes
and the tank is charged with, and, where the tank is overdrawn, what it could not pay.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from adapters.mujoco import layout
from adapters.mujoco.plant import Control
from engine.control import impedance, tank
from engine.control.pose import Floats, error
from engine.limits import Limits
from engine.types import F64, Energy, Spring

DAMPING_RATIO = 1.0
STILL = (0.0,) * 6
DT = layout.PHYSICS_S
POSTURE_REACH = 0.15  #: rad of self-motion, thrice what sawing and a moved line need: further the posture does not draw at once


class Drive:
    """``friction`` (7,) N m s/rad: viscous, in the arm's joints."""

    def __init__(self, limits: Limits, friction: F64) -> None:
        self._limits = limits
        self._friction = friction.tolist()
        self._strongest = np.array(layout.JOINT_TORQUE_LIMITS)
        self._damping: F64 = np.zeros((6, 6))
        self._self_motion: F64 = np.zeros(7)
        self._following: Sequence[float] = STILL
        self._force: Floats = STILL

    def design(self, control: Control, jacobian: F64, inertia: F64) -> None:
        """What stays constant for a tick, from the tool's Jacobian (6, 7) and its inertia (6, 6): the damping and the self-motion."""
        damping = impedance.damping(inertia, np.array(control.spring.stiffness), DAMPING_RATIO)
        self._damping = impedance.yielding(damping) if control.yielding else damping
        self._following = (self._damping @ np.array(control.twist_d)).tolist()
        self._self_motion = impedance.self_motion(jacobian)
        control.account.share = 1.0

    def posture(self, rest: F64, q: F64) -> F64:
        """(7,) rad to draw the joints ``q`` (7,) to: ``rest``, or as much of the way to it as may be gone at once: no elbow swings back."""
        way = rest - q
        far = abs(float(self._self_motion @ way))
        return rest if far <= POSTURE_REACH else q + way * (POSTURE_REACH / far)

    def move(self, control: Control, pose: Floats, part: float) -> bool:
        """Grant, and let the spring go ``part`` of its way to the goal as far as the tank pays. False: the robot must stop."""
        c, a = control, control.account
        if not _frozen(c):
            granted = tank.grant(a.tank, c.task_power, self._limits, DT)
            a.tank += granted
            a.grant += granted
        left = tank.budget(a.tank, self._limits, DT)
        change = tank.change(a.tank, c.spring, c.stretch, c.stored, c.goal, part, pose, self._limits, DT)
        c.spring, c.stretch, c.stored = change.spring, change.stretch, change.stored
        a.tank -= change.cost
        a.paid += change.cost
        a.damping += change.shed
        a.share = min(a.share, change.share)
        self._left, self._share = left - change.cost, change.share
        return change.sound

    def torque(self, control: Control, jacobian: F64, twist: F64, dq: F64, bias: F64, q: F64, rest: F64) -> F64:
        """(7,) N m, within the joints' limits. jacobian (6, 7), twist (6,) of the tool, the rest (7,); ``bias`` carries the weight."""
        c = control
        self._force = impedance.spring(c.stretch, c.spring.stiffness, c.spring.force, c.spring.torque)
        resisted, moving = (self._damping @ twist).tolist(), twist.tolist()
        fed, damped = work(self._following, moving) * self._share * DT, work(resisted, moving) * DT
        share = self._share * tank.followed(self._left, fed, damped)
        tool = np.array([f + share * d - r for f, d, r in zip(self._force, self._following, resisted, strict=True)])
        tau = impedance.torque(jacobian, self._self_motion, tool, dq, bias, q, rest)
        np.minimum(np.maximum(tau, -self._strongest, out=tau), self._strongest, out=tau)
        return tau

    def settle(self, control: Control, worked: float, shift: Sequence[float], pose: Floats, dq: Sequence[float]) -> bool:
        """Account for a step in which the drives did ``worked`` J beyond carrying the weight, the tool moved by ``shift`` (6,) m and rad
        and came to ``pose`` (7,), and the joints to ``dq`` (7,). False: the tank is overdrawn and the robot must stop."""
        c, a = control, control.account
        a.damping += sum([f * v * v for f, v in zip(self._friction, dq, strict=True)]) * DT
        if c.braked:
            a.damping -= worked
            return True
        sprung = work(self._force, shift)
        damped = sprung - worked
        before = c.stored
        c.stretch = error(c.spring.pose, pose)
        c.stored = tank.potential(c.stretch, c.spring.stiffness, c.spring.force, c.spring.torque)
        a.tank, refill, charge, short = tank.settled(a.tank, damped, sprung + c.stored - before, _frozen(c), self._limits)
        a.refill += refill
        a.paid += charge
        a.damping += damped - refill + charge + short
        return short <= 0.0

    def spring(self, control: Control) -> Spring:
        """As the engine reads it."""
        now = control.spring
        return Spring(
            pose_d=now.pose,
            stiffness=now.stiffness,
            damping=tuple(np.diag(self._damping).tolist()),
            force_max=now.force,
            torque_max=now.torque,
        )


def work(force: Sequence[float], shift: Sequence[float]) -> float:
    """J, or W: of a force or torque along a shift or a velocity."""
    return sum([f * s for f, s in zip(force, shift, strict=True)])


def anchor(control: Control, spring: tank.Spring) -> None:
    """Put a spring in effect that is at rest where the arm stands; what the old one held is lost."""
    control.account.damping += control.stored
    control.spring, control.stretch, control.stored = spring, STILL, 0.0


def let_go(control: Control, pose: Floats) -> None:
    """The present spring, at rest where the arm stands."""
    anchor(control, replace(control.spring, pose=pose))


def set_level(control: Control, level: float) -> None:
    """Start the tank anew: what is above ``level`` J is lost, what is missing is granted."""
    account = control.account
    account.damping += max(0.0, account.tank - level)
    account.grant += max(0.0, level - account.tank)
    account.tank = level


def energy(control: Control, kinetic: float) -> Energy:
    """The account with ``kinetic`` J in the arm's motion."""
    a = control.account
    return Energy(
        tank=a.tank,
        share=a.share,
        partner=a.partner,
        grant=a.grant,
        wood=a.wood,
        damping=a.damping,
        stored=control.stored + kinetic + a.fallen,
        paid=a.paid,
        refill=a.refill,
    )


def _frozen(control: Control) -> bool:
    """In a stop nothing refills the tank and nothing is granted."""
    return control.yielding or control.own_hold or control.braked
