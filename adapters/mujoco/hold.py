"""The robot's own stop: how it holds by itself, gives way to a hand that pulls too hard, comes to rest, and stands on its brakes."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from adapters.mujoco import drive, layout
from adapters.mujoco.plant import Control
from engine.control.pose import Floats
from engine.control.tank import Spring
from engine.types import F64

STIFFNESS: Final = (100.0, 600.0, 500.0, 60.0, 60.0, 60.0)  #: N/m and N m/rad of the own hold; the stroke axis yields
FORCE: Final = 25.0  #: N, cap of the own hold's spring; beyond it the reference slips (a clutch)
TORQUE: Final = 8.0  #: N m
SLIP_SPEED: Final = 0.10  #: m/s, of the slipping reference
LET_GO: Final = 300.0  #: N/s at which a spring that would drive the saw back is let go
REST_SPEED: Final = 0.01  #: m/s
REST_WITHIN: Final = 0.3  #: s from a stop to standstill, then the brakes close (category 1)
BRAKE_STIFFNESS: Final = np.array((100e3,) * 4 + (60e3,) * 3)  #: N m/rad, of a closed brake before it slips: as good as rigid
BRAKE_DAMPING: Final = np.array((1500.0,) * 4 + (600.0,) * 3)  #: N m s/rad
_BRAKE_TORQUE: Final = np.array(layout.BRAKE_TORQUE)


def begin(control: Control, here: Floats) -> None:
    """Hold the measured pose (7,) with zero error; the stroke axis yields."""
    c = control
    c.goal = Spring(here, STIFFNESS, FORCE, TORQUE)
    c.twist_d, c.task_power = drive.STILL, 0.0
    drive.anchor(c, c.goal)
    c.yielding, c.own_hold, c.resting, c.stopping = True, True, False, 0.0


def settle(control: Control, here: Floats, velocity: Sequence[float]) -> bool:
    """One tick of the own hold, at the pose (7,) and the tool's velocity (3,) in m/s. Returns whether its category asks for the brakes.

    It holds where it comes to rest, slips when pulled beyond the cap, and lets go what is wound up when the hand lets go.
    """
    c = control
    if not c.own_hold or c.braked:
        return False
    if not c.resting and math.hypot(*velocity) < REST_SPEED:
        c.goal, c.resting = replace(c.goal, pose=here), True
    away = c.goal.pose[0] - here[0]
    recoils = c.resting and math.copysign(velocity[0], velocity[0] * away) > REST_SPEED
    most, rate = (abs(away), LET_GO / STIFFNESS[0]) if recoils else (abs(away) - FORCE / STIFFNESS[0], SLIP_SPEED)
    slip = min(most, rate * layout.TICK_S)
    if slip > 0.0:
        c.goal = replace(c.goal, pose=(c.goal.pose[0] - math.copysign(slip, away), *c.goal.pose[1:]))
    return c.own_stop == 1 and (c.resting or c.stopping >= REST_WITHIN)


def close_brakes(control: Control, q: F64, tau: list[float]) -> None:
    """At the joints' places (7,) rad, on the load they carry (7,) N m: they do not close on a free arm."""
    carried = np.clip(np.array(tau), -_BRAKE_TORQUE, _BRAKE_TORQUE)
    control.braked, control.brake_q = True, (q + carried / BRAKE_STIFFNESS).tolist()


def brake_torque(control: Control, mass: F64, q: F64, dq: F64) -> F64:
    """(7,) N m of the closed brakes: stiff up to their torque, then they slip. Implicit, for they are too stiff for a step.

    mass (7, 7) of the arm, q (7,) rad, dq (7,) rad/s.
    """
    dt, anchor = layout.PHYSICS_S, np.array(control.brake_q)
    resisting = BRAKE_DAMPING + dt * BRAKE_STIFFNESS
    wanted = BRAKE_STIFFNESS * (anchor - q) - resisting * dq
    tau: F64 = mass @ np.linalg.solve(mass + np.diag(dt * resisting), wanted)
    beyond = np.abs(tau) > _BRAKE_TORQUE
    if beyond.any():
        tau = np.clip(tau, -_BRAKE_TORQUE, _BRAKE_TORQUE)
        anchor[beyond] = q[beyond] + tau[beyond] / BRAKE_STIFFNESS[beyond]
        control.brake_q = anchor.tolist()
    return tau
