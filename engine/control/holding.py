"""Stopping and holding, in the way that yields to a person on the other handle where there may be one.

The reference brakes; the press ramps out within 100 ms; once the robot rests, the reference slides to the pose measured there, no
faster than the force on a partner's hand may change. Along the stroke the spring goes to its softest and, as fast as that force may
fall, to a pull of ``STROKE_HOLD`` at most; damping adds to that. Once it rests, a pull beyond ``CLUTCH`` moves the hold along at up to
``Limits.stroke_yield``; what such a pull has wound up is let go as soon as it moves the saw back at ``RECOIL``. Across and rotation
keep the spring they have, never more. The blade is never lifted. Where nobody is on the other end (not ``Limits.yields``) every axis
keeps its spring, and nothing slips.
"""

import math
from dataclasses import replace

from engine.control import motion
from engine.control.pose import Floats, error, moved
from engine.control.spring import Rates, Reference, eased, limits_eased, rates, within
from engine.limits import Limits
from engine.safety import score, stops
from engine.types import Decision, Inputs, StopCategory

PRESS_OUT = 0.1  #: s
STROKE_HOLD = 30.0  #: N, the most that the held spring pulls with along the stroke
BRAKES_WITHIN = 0.2  #: s, after which the brakes of a category 1 stop close on what still moves
CLUTCH = 60.0  #: N, of spring and damper together along the stroke, beyond which the hold slips
RECOIL = 0.005  #: m/s along the stroke, the way the held spring pulls, from which on it drives the saw


def held(
    reference: Reference, measured: Floats | None, inputs: Inputs, decision: Decision, damping: float, dt: float, limits: Limits
) -> Reference:
    """One tick of a stop or of standing still. ``damping`` is what is in effect along the stroke, N s/m."""
    falling = rates(decision)
    change = limits.acceleration_max * dt
    stretch = error(reference.pose, measured) if measured is not None else None
    speed = inputs.twist[0] if math.isfinite(inputs.twist[0]) else 0.0
    twist = brake = motion.braked(reference.twist, change)
    if limits.yields:
        along = brake[0]
        if stretch is not None:
            slip = limits.stroke_yield if reference.rest is not None else 0.0
            along = _along(brake[0], speed, reference.stiffness[0] * stretch[0], damping, slip)
        twist = (along, brake[1], min(brake[2], 0.0), *brake[3:])
    pose = moved(reference.pose, tuple(v * dt for v in twist))
    stiffness, rest = reference.stiffness, reference.rest
    if measured is not None:
        if rest is None and stops.at_rest(inputs, True, limits) and not any(brake[1:] if limits.yields else brake):
            rest = measured
        stretch = error(pose, measured)
        if limits.yields:
            if rest is not None and math.copysign(speed, speed * stretch[0]) > RECOIL:
                rest = (measured[0], *rest[1:])
            softest = (min(stiffness[0], score.SOFTEST[0]), *stiffness[1:])
            softer = eased(stiffness, softest, stretch, falling, dt)
            spent = (stiffness[0] - softer[0]) * abs(stretch[0])
            stiffness = softer
            pose = _settled(pose, stretch, rest, stiffness, reference.held, spent, falling, dt)
        elif rest is not None:
            pose = moved(pose, _slid(pose, rest, stiffness, falling, dt))
    time = reference.held + dt
    stopped = rest is not None or time >= BRAKES_WITHIN
    off = decision.stop_category == StopCategory.CAT0 or (decision.stop_category == StopCategory.CAT1 and stopped)
    force, torque = limits_eased(
        reference, min(reference.force, decision.force_limit), min(reference.torque, decision.torque_limit), falling, dt
    )
    return replace(
        reference,
        pose=pose,
        twist=twist,
        stiffness=stiffness,
        force=force,
        torque=torque,
        power=0.0,
        held=time,
        rest=rest,
        brakes=off or (reference.brakes and not decision.armed),
    )


def _along(brake: float, speed: float, spring: float, damping: float, fastest: float) -> float:
    """m/s that the damper yields along the stroke: never against the saw's own motion nor faster than it, so it only ever resists.

    That is the braking reference, or, where spring (N) and damper together would resist with more than ``CLUTCH``, as much as
    brings them back to it, up to ``fastest``.
    """
    way = math.copysign(1.0, speed)
    resists = damping * abs(speed) - spring * way
    slip = within((resists - CLUTCH) / damping, 0.0, fastest) if damping > 0.0 else 0.0
    return way * min(abs(speed), max(brake * way, slip))


def _settled(
    pose: Floats, stretch: Floats, rest: Floats | None, stiffness: Floats, held: float, spent: float, falling: Rates, dt: float
) -> Floats:
    """(7,) the held reference after the press has ramped, the slide to the rest pose and the stroke's slip.

    ``spent`` N of what the stroke's force may change in this tick have gone into softening already.
    """
    shift = [0.0] * 6
    if rest is not None:
        shift = _slid(pose, rest, stiffness, falling, dt)
    if stretch[2] < 0.0 and held < PRESS_OUT:
        shift[2] = -stretch[2] * min(1.0, dt / max(PRESS_OUT - held, dt))
    shift[2] = min(shift[2], max(0.0, -stretch[2]))
    excess = abs(stretch[0] + shift[0]) - STROKE_HOLD / stiffness[0]
    if excess > 0.0:
        shift[0] -= math.copysign(excess, stretch[0])
    most = max(0.0, falling.force * dt - spent) / stiffness[0]
    shift[0] = within(shift[0], -most, most)
    return moved(pose, shift)


def _slid(pose: Floats, rest: Floats, stiffness: Floats, falling: Rates, dt: float) -> list[float]:
    """(6,) from the held reference towards the rest pose, no faster than the force may fall."""
    left = error(rest, pose)
    return [within(go, -rate * dt / k, rate * dt / k) for go, rate, k in zip(left, falling.axes, stiffness, strict=True)]
