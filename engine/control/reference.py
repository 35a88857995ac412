"""The pose reference and the command built on it: moving to a target within limits, or holding in the way that yields to a person.

Every tick starts from the spring in effect, so the reference never runs ahead of what the energy tank has let come about. Moving:
position and rotation approach the target within the permitted speed and ``acceleration_max``, and wait where the spring already
pulls with all its permitted force. Holding, as in a stop: ``engine.control.holding``.
"""

import math
from dataclasses import replace

from engine.control import gripping, holding, motion, sawing
from engine.control.pose import Floats, error, moved
from engine.control.spring import STILL, Reference, eased, in_effect, limits_eased, rates, trusted, within
from engine.limits import Limits
from engine.types import Command, Decision, Inputs, SawState, Spring, StopKind

__all__ = ["Reference", "step"]

GRANT_RISE = 4.0  #: 1/s, share of ``Limits.task_power`` that the grant gains or loses
FREE_SHARE = 0.2  #: of ``Limits.task_power`` while no blade is in wood: twice what moving there was found to need


def step(
    reference: Reference | None,
    inputs: Inputs,
    decision: Decision,
    target: Floats | None,
    *,
    spring: Spring,
    saw: SawState,
    hand_force: float,
    hand_press: float,
    line_y: float,
    log_top: float,
    dt: float,
    limits: Limits,
    posture: Floats | None = None,
    grip: float = math.nan,
) -> tuple[Reference, Command]:
    """One control tick. ``target`` (7,) is the policy's or the jog's pose, None to hold; ``reference`` None starts at the measured pose.

    ``spring`` is the one in effect now and ``saw`` what the process sensors read; ``posture`` (n,) rad what a jogged joint left or the
    policy wants; ``grip`` how closed the gripper shall be, 0..1, NaN to keep what it holds.
    Raises ValueError where there is no reference yet and the measured pose is not finite.
    """
    measured = trusted(inputs.pose)
    if reference is None:
        if measured is None:
            raise ValueError("The robot's first pose is not finite, so there is nothing to hold; check its connection.")
        reference = Reference(pose=measured, force=decision.force_limit, torque=decision.torque_limit)
    reference = in_effect(reference, spring, dt)
    if decision.armed and not reference.armed and measured is not None:
        reference = replace(reference, pose=measured, twist=STILL, held=0.0, rest=None, brakes=False)
    free = decision.armed and decision.stop_kind == StopKind.NONE and decision.speed_limit > 0.0
    if free and target is not None and measured is not None:
        following = _moving(reference, measured, inputs, decision, target, saw, dt, limits)
    else:
        following = holding.held(reference, measured, inputs, decision, spring.damping[0], dt, limits)
    gripped = gripping.after(reference.grip, inputs.gripper, grip if free else math.nan, dt)
    following = replace(following, armed=decision.armed, grip=gripped)
    command = Command(
        command_tick=inputs.tick,
        pose_d=following.pose,
        twist_d=following.twist,
        stiffness_d=following.stiffness,
        force_max=following.force,
        torque_max=following.torque,
        hold=following.held > 0.0,
        brakes=following.brakes,
        hand_force=within(hand_force, -limits.hand_force_max, limits.hand_force_max),
        hand_press=within(hand_press, 0.0, limits.hand_force_max),
        line_y_d=line_y,
        log_top_d=log_top,
        task_power=following.power,
        posture=(math.nan,) * len(inputs.q) if posture is None else posture,
        gripper_d=gripped.told,
    )
    return following, command


def _moving(
    reference: Reference,
    measured: Floats,
    inputs: Inputs,
    decision: Decision,
    target: Floats,
    saw: SawState,
    dt: float,
    limits: Limits,
) -> Reference:
    stretch = error(reference.pose, measured)
    leash = tuple(
        limit / k for limit, k in zip((decision.force_limit,) * 3 + (decision.torque_limit,) * 3, reference.stiffness, strict=True)
    )
    to_go = tuple(map(_leashed, error(target, reference.pose), stretch, leash))
    acceleration = limits.acceleration_max
    wanted = motion.approaching(to_go[:3], acceleration, dt) + motion.approaching(to_go[3:], acceleration / motion.LEVER, dt)
    twist = motion.towards(reference.twist, wanted, decision.speed_limit, acceleration * dt)
    heading = sawing.heading(reference.heading, inputs.twist[0])
    permitted = decision.stiffness[0]
    stroke = sawing.ramped(reference.stiffness[0], sawing.stroke_stiffness(saw.zone, heading, permitted), permitted, dt)
    falling = rates(decision)
    power, most = _granted(decision, saw, limits), GRANT_RISE * limits.task_power * dt
    force, torque = limits_eased(reference, decision.force_limit, decision.torque_limit, falling, dt)
    return replace(
        reference,
        pose=moved(reference.pose, tuple(v * dt for v in twist)),
        twist=twist,
        stiffness=eased(reference.stiffness, (stroke, *decision.stiffness[1:]), stretch, falling, dt),
        force=force,
        torque=torque,
        heading=heading,
        power=reference.power + within(power - reference.power, -most, most),
        held=0.0,
        rest=None,
    )


def _granted(decision: Decision, saw: SawState, limits: Limits) -> float:
    """W that the task may draw: all of it while the robot saws, little while it moves through the air. Without any nothing moves."""
    return limits.task_power if decision.going and saw.blade_height <= 0.0 else FREE_SHARE * limits.task_power


def _leashed(go: float, stretch: float, most: float) -> float:
    """The way to go on one axis, or back to where the spring pulls with just its permitted force if it is stretched further."""
    if abs(stretch) >= most and stretch * go > 0.0:
        return math.copysign(abs(stretch) - most, -stretch)
    return go
