"""One joint of the simulated robot: how it moves the tool, the posture that a jogged joint leaves, and how that is given up again."""

import numpy as np
from msgspec import structs

from adapters.mujoco import layout, reach
from adapters.mujoco.drive import POSTURE_REACH
from adapters.mujoco.robot import Cosaw
from engine.control.pose import error
from tests.adapters.test_cosaw import TICK, at_rest, command, drive


def test_a_joint_s_twist_is_how_the_tool_moves_with_it() -> None:
    robot = at_rest()
    here = robot.read(0)
    for joint in range(1, 8):
        q = here.q.copy()
        q[joint - 1] += 1e-6
        there, _ = reach.tool(q, np.zeros(7))
        assert np.allclose(np.array(error(there, here.pose)) / 1e-6, robot.joint_twist(joint), atol=1e-4), joint


def test_a_commanded_posture_is_kept_and_the_robot_s_own_comes_back_without_it() -> None:
    robot = at_rest(calm=True, lift=0.15)
    start = robot.read(0)
    drive(robot, TICK, command(start.pose))
    wanted = start.q + 0.3 * robot._drive._self_motion
    held = structs.replace(command(start.pose), posture=tuple(wanted.tolist()))
    moved = drive(robot, 2.0, held)
    assert np.abs(moved.q - start.q).max() > 0.1
    assert np.abs(moved.pose[:3] - start.pose[:3]).max() < 0.01, "the tool stays where it was"
    back = drive(robot, 3.0, command(start.pose))
    assert np.abs(back.q - start.q).max() < 0.03


def test_the_elbow_comes_back_no_faster_than_a_bounded_pull_lets_it() -> None:
    robot = at_rest(calm=True, lift=0.15)
    drive(robot, TICK, command(robot.read(0).pose))
    along, q = robot._drive._self_motion, robot.read(0).q
    for far in (0.01, POSTURE_REACH, 1.0, -2.0):
        drawn = robot._drive.posture(q + far * along, q) - q
        assert np.isclose(abs(drawn @ along), min(abs(far), POSTURE_REACH))
    near = q + 0.9 * POSTURE_REACH * along
    assert np.array_equal(robot._drive.posture(near, q), near), "what sawing needs is not touched"


def test_a_plant_restored_while_a_joint_is_jogged_goes_on_bit_for_bit() -> None:
    robot = at_rest(3)
    start = robot.read(0)
    jogged = structs.replace(command(start.pose), posture=tuple((start.q + 0.1).tolist()))
    drive(robot, 0.2, jogged)
    other = Cosaw(99)
    other.restore(robot.plant())
    for wanted in [jogged] * 20 + [command(start.pose)] * 20:
        for cell in (robot, other):
            cell.command(wanted)
            cell.advance(TICK)
        assert np.array_equal(robot.plant(), other.plant())


def test_each_of_its_joints_turns_the_saw_by_as_much_as_it_turns_itself() -> None:
    robot = at_rest()
    for joint in range(1, len(layout.JOINT_LIMITS) + 1):
        assert np.isclose(np.linalg.norm(robot.joint_twist(joint)[3:]), 1.0), joint
