"""Jogging through the reference: speed, steps, the workspace's edge, one joint at a time, how far the saw may tilt."""

import math
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.control import jog
from engine.control.jog import LEVEL, Jog
from engine.control.motion import LEVER
from engine.control.pose import error, from_rotation_vector, moved, turned
from engine.safety.limits import tilt
from engine.types import Mode, Vec6

Q = (0.1, -0.6, 0.2, -2.2, 0.1, 1.6, 0.8)
TURNED = (0.5, 0.0, 0.6, *from_rotation_vector((0.0, 0.0, math.pi / 2)))


@dataclass
class Arm:
    """Seven joints, each with a tool twist of its own: they turn about y and z in turns, at growing levers."""

    joint_limits: tuple[tuple[float, float], ...] = ((-2.9, 2.9),) * 7
    joint_torque_limits: tuple[float, ...] = (87.0, 87.0, 87.0, 87.0, 12.0, 12.0, 12.0)
    asked: list[int] = field(default_factory=list)

    def joint_twist(self, joint: int) -> Vec6:
        self.asked.append(joint)
        lever = 0.1 * joint
        return (0.0, 0.0, lever, 0.0, 1.0, 0.0) if joint % 2 else (0.0, lever, 0.0, 0.0, 0.0, 1.0)


def ask(make, axes, speed=0.1, mode=Mode.JOG_XYZ, **changed) -> Jog:
    """One tick of a jog."""
    call = {
        "pose": make.home,
        "q": Q,
        "tau": (0.0,) * 7,
        "posture": None,
        "robot": Arm(),
        "dt": make.dt,
        "limits": make.limits,
    }
    return jog.jogged(mode, axes, speed, **(call | changed))


def jogged(make, axes, speed, ticks, rest=40, start=None, mode=Mode.JOG_XYZ):
    """The reference's path while ``axes`` are granted for some ticks, then none."""
    rig = make.rig()
    if start is not None:
        rig.plant.pose[:] = start
    rig.step(make.decision(speed_limit=0.1))
    path = [rig.reference.pose]
    for tick in range(ticks + rest):
        asked = ask(make, axes if tick < ticks else (), speed, mode, pose=rig.reference.pose)
        rig.step(make.decision(speed_limit=0.1), asked.target)
        rig.plant.pose[3:] = rig.reference.pose[3:]  # the point mass does not turn by itself
        path.append(rig.reference.pose)
    return path


@pytest.mark.parametrize("speed", [0.02, 0.05, 0.1])
def test_the_tool_moves_at_the_speed_that_is_set(make, speed):
    path = jogged(make, ("+y",), speed, 40)
    assert (path[40][1] - path[39][1]) / make.dt == pytest.approx(speed, rel=1e-3)
    assert path[40][0] == pytest.approx(path[0][0])


@pytest.mark.parametrize(("step", "speed"), [(0.005, 0.05), (0.02, 0.1), (0.005, 0.02)])
def test_a_grant_of_step_over_speed_moves_one_step(make, step, speed):
    path = jogged(make, ("-x",), speed, round(step / speed / make.dt))
    moved = max(path[0][0] - pose[0] for pose in path)
    assert moved == pytest.approx(step, abs=0.0016)


def test_two_axes_share_the_speed_and_opposites_cancel():
    assert jog.direction(("+x", "+z")) == pytest.approx((math.sqrt(0.5), 0.0, math.sqrt(0.5)))
    assert jog.direction(("+x", "-x")) == (0.0, 0.0, 0.0)
    assert jog.direction(("pull",)) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(("axes", "speed"), [((), 0.1), (("+x", "-x"), 0.1), (("+x",), 0.0), (("+x",), math.nan), (("pull",), 0.1)])
def test_without_a_grant_there_is_no_target(make, axes, speed):
    assert ask(make, axes, speed).target is None


def test_a_pause_between_two_jogs_of_a_joint_keeps_the_posture(make):
    assert ask(make, (), mode=Mode.JOG_JOINT, posture=Q).posture == Q


# --- the workspace ---


def test_the_edge_of_the_workspace_is_not_passed(make):
    path = jogged(make, ("+x",), 0.1, 60, start=(0.73, 0.0, 0.6, 1.0, 0.0, 0.0, 0.0))
    assert max(pose[0] for pose in path) <= make.limits.workspace_max[0] + 0.002


def test_what_the_edge_leaves_out_is_said_by_its_axis(make):
    corner = (0.7799, 0.4999, 0.6, 1.0, 0.0, 0.0, 0.0)
    both = ask(make, ("+x", "+y"), pose=corner)
    assert both.target is None
    assert "along x, y" in both.edge
    along = ask(make, ("+x", "-y"), pose=corner)
    assert along.target is not None
    assert along.target[0] == corner[0]
    assert along.target[1] < corner[1]
    assert "along x:" in along.edge
    assert ask(make, ("-x",), pose=corner).edge == ""


def test_outside_the_workspace_only_the_way_back_is_open(make):
    outside = (0.80, 0.0, 0.6, 1.0, 0.0, 0.0, 0.0)
    assert ask(make, ("+x",), pose=outside).target is None
    assert ask(make, ("-x",), pose=outside).target[0] < 0.80
    assert ask(make, ("+y",), pose=outside).target[1] > 0.0


# --- the saw's own axes ---


def test_the_saw_s_axes_turn_with_it_and_the_base_s_do_not(make):
    along = ask(make, ("+x",), mode=Mode.JOG_SAW, pose=TURNED).target
    assert along[0] == pytest.approx(0.5)
    assert along[1] > 0.0
    assert along[3:] == TURNED[3:]
    assert ask(make, ("+x",), mode=Mode.JOG_XYZ, pose=TURNED).target[0] > 0.5


def test_along_a_turned_saw_the_edge_is_still_the_base_s(make):
    edge = (0.5, 0.4999, 0.6, *TURNED[3:])
    asked = ask(make, ("+x",), mode=Mode.JOG_SAW, pose=edge)
    assert asked.target is None or asked.target[1] <= make.limits.workspace_max[1]
    assert "along y" in asked.edge


ANGLES = st.tuples(*[st.floats(-1.5, 1.5)] * 3)


@given(ANGLES, st.tuples(*[st.floats(-1.0, 1.0)] * 3))
def test_turning_a_vector_keeps_its_length_and_is_undone_by_the_opposite_turn(angles, vector):
    there = turned(from_rotation_vector(angles), vector)
    assert math.hypot(*there) == pytest.approx(math.hypot(*vector), abs=1e-12)
    assert turned(from_rotation_vector(tuple(-a for a in angles)), there) == pytest.approx(vector, abs=1e-9)


# --- one joint ---


@pytest.mark.parametrize("joint", range(1, 8))
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_joint_moves_the_tool_as_that_joint_does_and_no_point_faster_than_set(make, joint, sign):
    arm = Arm()
    axis = f"{'+' if sign > 0 else '-'}j{joint}"
    rig = make.rig()
    rig.step(make.decision(speed_limit=0.1))
    twist = arm.joint_twist(joint)
    for _ in range(20):
        asked = ask(make, (axis,), 0.05, Mode.JOG_JOINT, pose=rig.reference.pose, robot=arm)
        rig.step(make.decision(speed_limit=0.1), asked.target)
        rig.plant.pose[3:] = rig.reference.pose[3:]
    now = rig.reference.twist
    assert math.hypot(*now[:3]) + LEVER * math.hypot(*now[3:]) == pytest.approx(0.05, rel=1e-3)
    rate = sign * math.hypot(*now[3:])
    assert now == pytest.approx(tuple(rate * v for v in twist), abs=1e-4)
    assert set(arm.asked[1:]) == {joint}


def test_the_other_joints_keep_the_posture_they_had_and_the_jogged_one_is_free(make):
    first = ask(make, ("+j4",), mode=Mode.JOG_JOINT).posture
    assert first == Q
    later = (0.11, -0.61, 0.2, -2.1, 0.1, 1.6, 0.8)
    assert ask(make, ("+j4",), mode=Mode.JOG_JOINT, q=later, posture=first).posture == (*Q[:3], -2.1, *Q[4:])


def test_only_the_newest_joint_moves(make):
    arm = Arm()
    ask(make, ("+j2", "-j5"), mode=Mode.JOG_JOINT, robot=arm)
    assert arm.asked == [5]


@pytest.mark.parametrize("joint", range(1, 8))
def test_no_joint_alone_tilts_the_saw_beyond_what_a_partner_may_bear(make, joint):
    path = jogged(make, (f"+j{joint}",), 0.1, 400, start=(0.5, 0.0, 0.6, 1.0, 0.0, 0.0, 0.0), mode=Mode.JOG_JOINT)
    assert 0.9 * make.limits.tilt_max < max(map(tilt, path)) <= make.limits.tilt_max + 0.01


def test_at_the_greatest_tilt_a_joint_goes_back_but_no_further_and_says_why(make):
    tilted = moved(make.home, (0.0, 0.0, 0.0, 0.0, make.limits.tilt_max - 1e-4, 0.0))
    beyond = ask(make, ("+j3",), mode=Mode.JOG_JOINT, pose=tilted)
    assert beyond.target is None
    assert "7° at most: jog joint 3 back" in beyond.edge
    back = ask(make, ("-j3",), mode=Mode.JOG_JOINT, pose=tilted)
    assert tilt(back.target) < tilt(tilted)
    assert back.edge == ""


def test_a_wrist_that_bears_the_partner_s_hold_tilts_the_saw_no_further(make):
    strained = (0.0, 0.0, 0.0, 0.0, 0.0, -10.0, 0.0)
    tilted = moved(make.home, (0.0, 0.0, 0.0, 0.0, 0.03, 0.0))
    beyond = ask(make, ("+j3",), mode=Mode.JOG_JOINT, pose=tilted, tau=strained)
    assert beyond.target == tilted
    assert "Joint 6 bears no more" in beyond.edge
    assert tilt(ask(make, ("-j3",), mode=Mode.JOG_JOINT, pose=tilted, tau=strained).target) < tilt(tilted)


@pytest.mark.parametrize(("q", "ends", "back"), [(2.89, "+j1", "-j1"), (-2.89, "-j1", "+j1")])
def test_a_joint_ends_before_its_limit_and_comes_back(make, q, ends, back):
    assert "Joint 1 ends here" in ask(make, (ends,), mode=Mode.JOG_JOINT, q=(q, *Q[1:])).edge
    assert ask(make, (ends,), mode=Mode.JOG_JOINT, q=(q, *Q[1:])).target is None
    assert ask(make, (back,), mode=Mode.JOG_JOINT, q=(q, *Q[1:])).target is not None


def test_a_joint_that_cannot_be_read_is_not_jogged(make):
    for axis in ("+j1", "-j1"):
        assert ask(make, (axis,), mode=Mode.JOG_JOINT, q=(math.nan, *Q[1:])).target is None


def test_a_joint_does_not_lead_the_saw_out_of_the_workspace(make):
    asked = ask(make, ("-j7",), mode=Mode.JOG_JOINT, pose=(0.5, 0.0, 0.3001, 1.0, 0.0, 0.0, 0.0))
    assert asked.target is None
    assert "workspace ends here along z" in asked.edge


@given(ANGLES.filter(lambda angles: math.hypot(*angles) > 0.01))
def test_levelling_turns_the_saw_back_about_its_tool_frame(make, angles):
    tilted = (0.5, 0.0, 0.6, *from_rotation_vector(angles))
    pose = tilted
    for _ in range(3000):
        asked = jog.levelled(pose, Q, 0.1, make.dt, make.limits)
        if asked.target is None:
            break
        assert tilt(asked.target) <= tilt(pose) + 1e-12
        pose = asked.target
    assert asked.edge == "The tool is level."
    assert error((0.5, 0.0, 0.6, 1.0, 0.0, 0.0, 0.0), pose) == pytest.approx((0.0,) * 6, abs=2.1e-3)
    assert ask(make, (LEVEL,), mode=Mode.JOG_JOINT, pose=tilted).target[:3] == tilted[:3]


def test_each_mode_has_its_own_axes():
    assert jog.axes_of(Mode.CUT, 7) == frozenset()
    assert jog.axes_of(Mode.JOG_XYZ, 7) == jog.axes_of(Mode.JOG_SAW, 7) == {"+x", "-x", "+y", "-y", "+z", "-z"}
    assert jog.axes_of(Mode.JOG_JOINT, 2) == {"+j1", "-j1", "+j2", "-j2", LEVEL}
