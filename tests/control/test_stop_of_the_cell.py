"""A stop while the simulated cell saws: real arbiter, reference and physics, with a person on the other handle."""

import math
from dataclasses import dataclass

import numpy as np
import pytest

from adapters.mujoco import layout
from adapters.mujoco.hazards import Hazard, Kind
from adapters.mujoco.robot import Cosaw
from engine.control import reference
from engine.limits import Limits
from engine.safety import arbiter
from engine.types import Inputs, StopCategory

DT = 0.01
STROKES_FROM = 300  #: ticks after go
LIMITS = Limits()


@dataclass(frozen=True)
class Tick:
    inputs: Inputs
    category: int
    number: int
    partner: float
    press: float


def sawing_then_stopped(make, stop_at, seed, ticks=100, dangers=()):
    """The ticks from the stop key on."""
    robot = Cosaw(seed=seed)
    robot.connect()
    robot.endanger(dangers)
    state = arbiter.initial(LIMITS, arbiter.RobotLimits(robot.joint_limits, robot.joint_velocity_limits, robot.joint_torque_limits))
    fixed, after = None, []
    for tick in range(stop_at + ticks):
        now = 10**9 + tick * 10**7
        seen = robot.read(now)
        inputs = make.inputs(
            tick=tick,
            t_ns=now,
            obs_t_ns=now,
            obs_seq=seen.seq,
            q=tuple(seen.q.tolist()),
            dq=tuple(seen.dq.tolist()),
            tau=tuple(seen.tau.tolist()),
            pose=tuple(seen.pose.tolist()),
            twist=tuple(seen.twist.tolist()),
            wrench=tuple(seen.wrench.tolist()),
            grip=tuple(seen.grip.tolist()),
            holds=seen.holds,
            manipulability=seen.manipulability,
            frame_seq=tick + 1,
            frame_t_ns=now,
            inference_id=tick + 1,
            inference_exposed_ns=now,
            arm_request=int(tick >= 120),
            go_request=int(tick >= 130),
            stop_page=(int(tick >= stop_at),) + (0,) * 7,
        )
        state, decision = arbiter.step(state, inputs)
        since = (tick - 130) * DT
        top = seen.saw.log_top_z
        height = top + 0.06 - 0.02 * since if since < 3.0 else top - seen.saw.kerf_depth - 0.03
        stroke = 0.085 * math.sin(2.4 * (since - 3.0)) if since > 3.0 else 0.0
        target = (layout.STROKE_X + stroke, 0.0, height, 1.0, 0.0, 0.0, 0.0) if decision.going else None
        was_armed = fixed is not None and fixed.armed
        fixed, command = reference.step(
            fixed,
            inputs,
            decision,
            target,
            hand_force=0.0,
            hand_press=0.0,
            line_y=0.0,
            log_top=0.55,
            dt=DT,
            limits=LIMITS,
            spring=seen.spring,
            saw=seen.saw,
        )
        if decision.armed and not was_armed:
            robot.resume()
        robot.command(command)
        robot.advance(DT)
        if tick >= stop_at:
            after.append(Tick(inputs, decision.stop_category, decision.stop_number, seen.saw.partner_force, seen.saw.press_force))
    return after


@pytest.mark.parametrize(("stop_at", "seed"), [(700, 3), (830, 5)])
def test_a_stop_in_mid_stroke_comes_to_rest_without_pulling_the_partner(make, stop_at, seed):
    after = sawing_then_stopped(make, stop_at, seed)
    assert abs(after[0].inputs.twist[0]) > 0.05
    assert after[0].press > 5.0
    assert [tick.number for tick in after[:30]] == [1] * 30
    late = after[30:]
    assert max(abs(tick.inputs.twist[0]) for tick in late) <= 0.12
    assert max(np.hypot(tick.inputs.twist[1], tick.inputs.twist[2]) for tick in late) < 0.02
    assert max(abs(tick.partner) for tick in after) < 140.0
    assert all(tick.category != StopCategory.CAT0 for tick in after)


def test_the_blade_is_not_lifted_and_the_press_has_gone(make):
    after = sawing_then_stopped(make, 700, 3)
    start = after[0].inputs.pose[2]
    assert max(tick.inputs.pose[2] for tick in after) - start < 0.006
    assert max(tick.press for tick in after[20:30]) < 5.0


HARD = {"kind": Kind.PULLS_HARD, "stay": 2.0, "force": 80.0}


def test_what_a_hard_pull_wound_up_does_not_drive_the_saw_back(make):
    after = sawing_then_stopped(make, 830, 5, 400, [Hazard(at=8.0, **HARD)])
    pulled = [tick.inputs.pose[0] for tick in after]
    assert max(pulled) - pulled[0] > 0.05
    assert min(tick.inputs.twist[0] for tick in after[190:]) > -0.008
    assert {tick.category for tick in after} == {StopCategory.CAT2, StopCategory.NONE}


def test_nor_does_the_robots_own_hold(make):
    robot = Cosaw(seed=3)
    robot.connect()
    robot.endanger([Hazard(at=0.5, **HARD)])
    robot.stop(2)
    places, speeds = [], []
    for _ in range(450):
        robot.advance(DT)
        pose, twist = robot.tool()
        places.append(pose[0])
        speeds.append(twist[0])
    assert max(places) - places[0] > 0.05
    assert min(speeds[300:]) > -0.015
