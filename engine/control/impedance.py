"""Cartesian impedance of a seven-joint arm: the torque law and its damping design, pure functions for the plant's 2 ms step.

    tau = J^T (sat(K e) - D (v - v_d)) + n n^T (k_n (q_rest - q) - d_n dq) + bias

``e`` is the pose error in base axes, ``bias`` gravity and Coriolis torque, ``n`` the arm's one direction of self-motion.
Saturation keeps the spring the gradient of a potential (see ``saturated``), which the energy account relies on.
"""

import math

import numpy as np
from numpy.linalg._umath_linalg import qr_complete, qr_r_raw

from engine.control.pose import Floats, Vector, error, floats
from engine.types import F64

POSTURE_STIFFNESS = 10.0  #: N m/rad, of the self-motion
POSTURE_DAMPING = 4.0  #: N m s/rad
INERTIA_FLOOR = 1e-3  #: 1/kg and 1/(kg m^2), added to J M^-1 J^T: no direction counts as heavier than a tonne at a singularity
NEWTON_STEPS = 6
_FLOOR = INERTIA_FLOOR * np.eye(6)
LEAST_FORCE = 1e-9  #: N or N m: a lower limit is none at all, and the Newton steps need not divide by it
HELD_STROKE = 400.0  #: N s/m, added along x while the stroke axis yields: a hand pulling 40 N moves the held saw at 0.1 m/s


def saturated(stiffness: Vector, displacement: Vector, limit: float) -> Floats:
    """(3,) force of an anisotropic spring, stiffness (3,) and displacement (3,), that is never stronger than ``limit``.

    The force is argmax f.e - f.K^-1.f / 2 over |f| <= limit. It is K e inside the ball; outside, f_i = e_i / (1/k_i + m)
    with m >= 0 so that |f| = limit, found by Newton on 1/limit - 1/|f| (the secular equation, Moré & Sorensen 1983), which
    approaches from the long side. Scaling K e instead would not be the gradient of any potential where the axes differ
    in stiffness: a closed path could then gain energy.
    """
    (ka, kb, kc), (ea, eb, ec) = floats(stiffness), floats(displacement)
    a, b, c = ka * ea, kb * eb, kc * ec
    length = math.sqrt(a * a + b * b + c * c)
    if length <= limit:
        return (a, b, c)
    if not limit > LEAST_FORCE:
        return (0.0, 0.0, 0.0)
    ca, cb, cc = (1.0 / k if k > 0.0 else math.inf for k in (ka, kb, kc))
    multiplier = 0.0
    for _ in range(NEWTON_STEPS):
        if not length > limit * (1.0 + 1e-9):
            break
        slope = a * a / (ca + multiplier) + b * b / (cb + multiplier) + c * c / (cc + multiplier)
        multiplier += (length - limit) / limit * length * length / slope
        a, b, c = ea / (ca + multiplier), eb / (cb + multiplier), ec / (cc + multiplier)
        length = math.sqrt(a * a + b * b + c * c)
    scale = min(1.0, limit / length)
    return (a * scale, b * scale, c * scale)


def spring(stretch: Floats, stiffness: Floats, force_max: float, torque_max: float) -> Floats:
    """(6,) N and N m of the saturated spring at a stretch (6,): the shift under the one limit, the turn under the other."""
    return saturated(stiffness[:3], stretch[:3], force_max) + saturated(stiffness[3:], stretch[3:], torque_max)


def wrench(
    pose: Vector, twist: F64, pose_d: Vector, twist_d: F64, stiffness: Vector, damping: F64, force_max: float, torque_max: float
) -> F64:
    """(6,) N and N m that the tool shall exert: ``sat(K e) - D (v - v_d)``. The damping is not saturated: it only brakes."""
    pulled = np.array(spring(error(pose_d, pose), floats(stiffness), force_max, torque_max))
    resisted: F64 = pulled - damping @ (twist - twist_d)
    return resisted


def self_motion(jacobian: F64) -> F64:
    """(7,) of unit length: the joints' one motion that does not move the tool, n with J n = 0, also at a singularity."""
    factored = jacobian.T.copy()
    reflections = qr_r_raw(factored)  # as numpy.linalg.qr(mode="complete") does, less R: making that lets go of the interpreter's lock
    direction: F64 = qr_complete(factored, reflections)[:, 6]
    return direction


def torque(jacobian: F64, direction: F64, tool: F64, dq: F64, bias: F64, q: F64, q_rest: F64) -> F64:
    """(7,) N m: joint torques that exert the wrench ``tool`` (6,) and keep the posture.

    jacobian (6, 7) of the tool in base axes; dq, bias, q, q_rest (7,). The posture term acts along ``direction`` only, the
    self-motion (7,), so at rest it exerts no force on the tool.
    """
    posture = POSTURE_STIFFNESS * (q_rest - q) - POSTURE_DAMPING * dq
    applied: F64 = tool @ jacobian + direction * (direction @ posture) + bias
    return applied


def task_inertia(jacobian: F64, joint_mass: F64) -> F64:
    """(6, 6) kg, kg m, kg m^2: (J M^-1 J^T)^-1, Khatib 1987, from jacobian (6, 7) and joint_mass (7, 7). Symmetric, positive definite."""
    mobility = jacobian @ np.linalg.solve(joint_mass, jacobian.T)
    mobility = 0.5 * (mobility + mobility.T) + _FLOOR
    inertia = np.linalg.inv(mobility)
    symmetric: F64 = 0.5 * (inertia + inertia.T)
    return symmetric


def damping(mass: F64, stiffness: F64, ratio: float) -> F64:
    """(6, 6) damping that gives every mode of (mass, stiffness) the damping ratio ``ratio``; 1 is critical.

    Double diagonalisation, Albu-Schäffer, Ott, Frese & Hirzinger, ICRA 2003: with M = Q Q^T and K = Q diag(l) Q^T,
    D = 2 ratio Q diag(sqrt(l)) Q^T. Symmetric and positive semi-definite by construction; sqrt(M K) is not symmetric
    where M and K do not commute. mass (6, 6) symmetric positive definite; stiffness (6,) >= 0.
    Raises numpy.linalg.LinAlgError when the mass is not positive definite.
    """
    root = np.linalg.cholesky(mass)
    inverse = np.linalg.inv(root)
    modes, turn = np.linalg.eigh((inverse * stiffness) @ inverse.T)
    basis = root @ turn
    designed = (basis * (2.0 * ratio * np.sqrt(np.maximum(modes, 0.0)))) @ basis.T
    symmetric: F64 = 0.5 * (designed + designed.T)
    return symmetric


def yielding(designed: F64) -> F64:
    """(6, 6) the damping for ``Command.hold``: as designed, and heavy along the stroke, whose spring is then at its softest."""
    held = designed.copy()
    held[0, 0] += HELD_STROKE
    return held
