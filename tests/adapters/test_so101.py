"""The SO-101's model, kinematics and servos by themselves."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest

from adapters.mujoco.body import Body
from adapters.mujoco.tabletop import coarse, so101_model, table
from adapters.mujoco.tabletop.arm import TOOL_SITE
from adapters.mujoco.tabletop.kinematics import Kinematics
from adapters.mujoco.tabletop.servos import Servos, closedness, jaw_at
from adapters.mujoco.tabletop.so101 import SO101
from engine.control import pose as poses
from engine.limits import Limits
from engine.types import F64, Command

GRID = list(itertools.product((*SO101.cubes.x, 0.22), (*SO101.cubes.y, 0.0), (0.014, 0.06, 0.12)))


def down(x: float, y: float, z: float, turn: float = 0.0) -> poses.Floats:
    """(7,) the tool at a place, pointing down as the arm faces there."""
    yaw = SO101.facing(x, y) + turn
    return (x, y, z, math.cos(0.5 * yaw), 0.0, 0.0, math.sin(0.5 * yaw))


def told(goal: poses.Floats, closed: float = math.nan) -> Command:
    return Command(
        command_tick=0,
        pose_d=goal,
        twist_d=(0.0,) * 6,
        stiffness_d=(1.0,) * 6,
        force_max=1.0,
        torque_max=1.0,
        hold=False,
        brakes=False,
        hand_force=0.0,
        hand_press=0.0,
        line_y_d=0.0,
        log_top_d=0.0,
        gripper_d=closed,
    )


class Bench:
    """The arm at the table, driven without a robot around it."""

    def __init__(self) -> None:
        self.body = Body(table.plant_model(SO101), TOOL_SITE, SO101.links, SO101.joints)
        motors = SO101.motors(self.body, Limits())
        assert isinstance(motors, Servos)
        self.servos = motors
        qpos = np.zeros(len(self.body.qpos))
        qpos[:6] = (*SO101.home, jaw_at(0.0))
        qpos[6:] = (0.40, 0.20, SO101.cube_half, 1.0, 0.0, 0.0, 0.0)
        self.put(qpos)

    def put(self, qpos: F64) -> None:
        self.body.set(qpos, np.zeros(len(self.body.qvel)), np.zeros(len(self.body.qvel)), 0.0)
        self.servos.hold()

    def run(self, command: Command, seconds: float) -> None:
        self.servos.command(command)
        for _ in range(round(seconds / 0.01)):
            assert self.servos.move(5)

    def grasp(self) -> F64:
        """Put the cube between the jaws over the table's middle and close them. Returns where the cube was, (3,) m."""
        goal = down(0.20, 0.03, 0.016)
        q = Kinematics(SO101).reach(goal, np.array(SO101.home))
        self.put(np.array([*q, jaw_at(0.55), 0.20, 0.03, SO101.cube_half, *goal[3:]]))
        self.servos.grip(0.55)
        self.run(told(goal, 1.0), 0.5)
        return self.body.qpos[6:9].copy()


@pytest.fixture(scope="module")
def kinematics() -> Kinematics:
    return Kinematics(SO101)


@pytest.mark.parametrize("turn", [-0.3, 0.0, 0.3])
def test_the_tool_is_within_a_millimetre_wherever_a_cube_may_lie_and_as_high_as_one_is_lifted(kinematics: Kinematics, turn: float) -> None:
    for x, y, z in GRID:
        reached = kinematics.pose(kinematics.reach(down(x, y, z, turn), np.array(SO101.home)))
        assert math.dist(reached[:3], (x, y, z)) < 1e-3, (x, y, z)


def test_the_hand_points_straight_down_where_cubes_are_taken_and_leans_a_little_where_they_are_lifted(kinematics: Kinematics) -> None:
    for x, y, z in GRID:
        goal = down(x, y, z)
        tilt = poses.length(poses.error(goal, kinematics.pose(kinematics.reach(goal, np.array(SO101.home))))[3:])
        assert tilt < (0.02 if z < 0.05 else 0.5), (x, y, z)


@pytest.mark.parametrize("goal", [down(0.9, 0.0, 0.05), down(0.0, 0.0, 0.05), down(0.2, 0.0, 0.6), down(0.2, 0.0, 0.1, 3.0)])
def test_no_joint_leaves_its_limits_on_the_way_to_a_place_out_of_reach(goal: poses.Floats) -> None:
    bench = Bench()
    low, high = np.array(SO101.joint_limits).T
    for _ in range(15):
        bench.run(told(goal), 0.1)
        assert ((bench.body.q > low) & (bench.body.q < high)).all()
        assert (np.abs(bench.body.dq) < SO101.joint_velocity_limits).all()


def test_the_weight_of_the_arm_does_not_bend_it() -> None:
    bench = Bench()
    goal = down(0.27, 0.05, 0.05)
    bench.run(told(goal), 2.0)
    assert math.dist(bench.body.place, goal[:3]) < 1.5e-3


def test_the_jaws_hold_the_cube_while_it_is_carried_about() -> None:
    bench = Bench()
    bench.grasp()
    assert closedness(float(bench.body.qpos[5])) == pytest.approx(SO101.holding, abs=0.05)
    bench.run(told(down(0.20, 0.03, 0.10), 1.0), 1.0)
    bench.run(told(down(0.25, -0.05, 0.10), 1.0), 1.5)
    assert math.dist(bench.body.qpos[6:9], bench.body.place) < 0.006


def test_the_jaws_keep_what_they_hold_when_the_arm_holds_by_itself() -> None:
    bench = Bench()
    bench.grasp()
    bench.run(told(down(0.20, 0.03, 0.10), 1.0), 1.0)
    bench.servos.brake()
    for _ in range(100):
        bench.servos.move(5)
    assert bench.body.qpos[8] > 0.08


def test_a_goal_that_is_no_number_moves_nothing() -> None:
    bench = Bench()
    bench.servos.command(told((math.nan, 0.0, 0.1, 1.0, 0.0, 0.0, 0.0)))
    before = bench.body.q.copy()
    assert not bench.servos.move(5)
    assert (bench.body.q == before).all()


def test_the_weight_on_the_tool_reads_as_a_force_downwards() -> None:
    bench = Bench()
    bench.run(told(down(0.20, 0.0, 0.06)), 0.5)
    free = bench.servos.wrench
    bench.run(told(down(0.20, 0.0, 0.0)), 1.0)
    pressed = bench.servos.wrench
    assert pressed[2] - free[2] > 0.5


def test_the_arm_is_drawn_in_its_own_shape_with_few_triangles() -> None:
    whole = so101_model.arm(drawn=False)
    drawn = so101_model.arm(drawn=True).compile()
    assert drawn.nmeshface < 20_000
    assert drawn.nq == whole.compile().nq
    for i in range(drawn.nmesh):
        path = so101_model.package().parent / "assets" / f"{drawn.mesh(i).name}.stl"
        given = np.fromfile(path, coarse.TRIANGLE, offset=coarse.HEAD)["corners"].reshape(-1, 3)
        kept = drawn.mesh_vert[drawn.mesh_vertadr[i] : drawn.mesh_vertadr[i] + drawn.mesh_vertnum[i]]
        assert np.linalg.norm(kept, axis=1).max() <= np.linalg.norm(np.ptp(given, axis=0))
        assert np.ptp(given, axis=0).max() - 2 * so101_model.GRID < _longest(kept), drawn.mesh(i).name


def _longest(points: F64) -> float:
    """m, the farthest that two of the points are apart, at least."""
    far = points[np.linalg.norm(points - points.mean(axis=0), axis=1).argmax()]
    return float(np.linalg.norm(points - far, axis=1).max())


def test_corners_within_a_grid_cell_become_one_and_what_shrinks_to_a_line_or_lies_on_another_vanishes(tmp_path: Path) -> None:
    first = [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    twin = [[0.02, 0.0, 0.0], [1.0, 0.02, 0.0], [0.0, 1.02, 0.0]]
    sliver = [[0.0, 0.0, 0.0], [0.02, 0.0, 0.0], [0.0, 1.0, 0.0]]
    record = np.zeros(3, coarse.TRIANGLE)
    record["corners"] = [first, twin, sliver]
    path = tmp_path / "three.stl"
    path.write_bytes(bytes(80) + np.uint32(3).tobytes() + record.tobytes())
    vertices, faces = coarse.mesh(path, 0.1)
    assert len(vertices) == 3
    assert sorted(faces[0]) == [0, 1, 2]
    assert len(faces) == 1
    assert vertices[:, 0].max() == pytest.approx(1.0)
