"""A gripper follows what is wanted of it while the robot may move, and never lets go of a load in a stop."""

import math

import pytest

from engine.control import gripping
from engine.control.gripping import Grip
from engine.control.reference import step
from engine.types import Spring

DT = 0.01


def commanded(grip, at, wanted=math.nan):
    return gripping.after(grip, at, wanted, DT)


def test_what_squeezes_a_load_goes_on_squeezing_it_when_nothing_is_wanted():
    grip = Grip(told=1.0, measured=0.6)
    for _ in range(300):
        grip = commanded(grip, 0.6)
    assert grip.told == 1.0


@pytest.mark.parametrize("told", [0.0, 1.0])
def test_a_gripper_under_way_stops_where_it_is(told):
    grip = commanded(Grip(told=told, measured=0.5), 0.52)
    assert grip.told == 0.52
    assert commanded(grip, 0.52).told == 0.52


def test_a_gripper_that_was_told_to_open_and_has_not_does_not_open_later():
    assert commanded(Grip(told=0.0, measured=0.6), 0.6).told == 0.6


@pytest.mark.parametrize(("wanted", "told"), [(0.3, 0.3), (1.4, 1.0), (-0.2, 0.0)])
def test_what_is_wanted_is_told_within_the_gripper_s_travel(wanted, told):
    assert commanded(Grip(told=1.0, measured=0.6), 0.6, wanted).told == told


def test_a_robot_without_a_gripper_is_told_nothing():
    assert math.isnan(commanded(Grip(), math.nan, 0.7).told)


def test_a_held_key_opens_from_where_the_gripper_is_and_closes_from_what_squeezes():
    squeezing = Grip(told=1.0, measured=0.6)
    assert gripping.nudged(squeezing, 0.6, False, DT) == pytest.approx(0.6 - gripping.JOG_RATE * DT)
    assert gripping.nudged(squeezing, 0.6, True, DT) > 1.0


def test_the_command_carries_the_grip_while_it_may_move_and_keeps_it_in_a_stop(make):
    now = make.inputs(gripper=0.6)
    spring = Spring(pose_d=now.pose, stiffness=(400.0,) * 6, damping=(50.0,) * 6, force_max=30.0, torque_max=5.0)
    quiet = {"hand_force": 0.0, "hand_press": 0.0, "line_y": 0.0, "log_top": 0.5, "dt": DT, "limits": make.limits}
    reference, told = None, []
    for allowed, wanted in ((make.decision(), 1.0), (make.stopped(), 0.0), (make.decision(), 0.0)):
        reference, command = step(reference, now, allowed, now.pose, spring=spring, saw=make.saw(), grip=wanted, **quiet)
        told.append(command.gripper_d)
    assert told == [1.0, 1.0, 0.0]
