"""The Franka at the table: its expert does every task, its plant goes on as recorded, and it stops like a robot."""

import math

import numpy as np
import pytest

from adapters.base import AdapterError, Robot
from adapters.mujoco.tabletop import entry, expert, setting, truth
from adapters.mujoco.tabletop.arms import arm as named
from adapters.mujoco.tabletop.episode import Episode
from adapters.mujoco.tabletop.franka import FRANKA
from adapters.mujoco.tabletop.robot import COMMAND_TIMEOUT, Tabletop
from engine.types import F32, F64, Command

TICK = 0.01
STILL = 0.002  #: m
OPEN: F32 = np.zeros((16, 7), np.float32)


def told(pose: F64, gripper: float, brakes: bool = False) -> Command:
    """Hold the tool at a pose, the fingers closed so far."""
    return Command(
        command_tick=0,
        pose_d=tuple(pose.tolist()),
        twist_d=(0.0,) * 6,
        stiffness_d=(600.0, 600.0, 600.0, 60.0, 60.0, 60.0),
        force_max=50.0,
        torque_max=8.0,
        hold=False,
        brakes=brakes,
        hand_force=0.0,
        hand_press=0.0,
        line_y_d=0.0,
        log_top_d=0.0,
        task_power=8.0,
        gripper_d=gripper,
    )


def carrying(seed: int = 3) -> Episode:
    """An episode in which the cube is in the air."""
    episode = Episode("franka", "lift", seed)
    while not episode.outcome().lifted_m > 0.05:
        episode.follow(episode.expert(), 1)
    return episode


def height(episode: Episode) -> float:
    return episode.robot.truth().cube[2] - truth.resting(FRANKA)


@pytest.mark.parametrize("task", FRANKA.tasks)
def test_the_expert_does_every_task_in_time(task: str) -> None:
    for seed in (1, 2):
        episode = Episode("franka", task, seed)
        while not episode.done:
            episode.follow(episode.expert())
        assert episode.outcome().success, episode.outcome()
        assert episode.outcome().drops == 0


def test_the_expert_knows_no_more_than_the_plant_vector() -> None:
    episode = carrying()
    assert np.allclose(expert.expert_chunk("franka", "lift", episode.plant()), episode.expert(), atol=1e-6)


def test_a_dropped_cube_is_fetched_again() -> None:
    episode = carrying()
    while height(episode) > 0.005:
        episode.follow(OPEN, 1)
    assert not truth.holds(FRANKA, episode.robot.truth())
    while not episode.done:
        episode.follow(episode.expert())
    assert episode.outcome().success
    assert episode.outcome().drops >= 1


def test_a_restored_plant_goes_on_bit_for_bit() -> None:
    first = carrying().robot
    second = Tabletop(FRANKA, "other", 99, "lift")
    second.restore(first.plant())
    pose = first.tool()[0] + np.array([0.01, 0.02, -0.01, 0, 0, 0, 0])
    for tick in range(40):
        for robot in (first, second):
            if tick < 20:
                robot.command(told(pose, 0.9 if tick < 10 else math.nan))
            if tick == 32:
                robot.stop(1)
            robot.advance(TICK)
    assert np.array_equal(first.plant(), second.plant())
    assert np.array_equal(first.read(1).wrench, second.read(1).wrench)
    with pytest.raises(ValueError, match="another version"):
        second.restore(first.plant()[:-1])


def test_without_commands_the_arm_holds_and_keeps_the_cube() -> None:
    episode = carrying()
    robot = episode.robot
    for _ in range(round(COMMAND_TIMEOUT / TICK) + 100):
        robot.advance(TICK)
    before, up = robot.tool()[0], height(episode)
    for _ in range(50):
        robot.advance(TICK)
    assert np.abs(robot.tool()[0] - before).max() < 1e-3
    assert height(episode) == pytest.approx(up, abs=1e-3)
    assert up > 0.04


@pytest.mark.parametrize("category", [0, 1, 2])
def test_a_stop_outlasts_commands_until_the_robot_resumes(category: int) -> None:
    robot = carrying().robot
    goal = robot.tool()[0] + np.array([0.0, 0.05, 0.0, 0, 0, 0, 0])
    robot.stop(category)
    for _ in range(50):
        robot.command(told(goal, 0.0))
        robot.advance(TICK)
    stood = robot.tool()[0]
    assert np.abs(robot.tool()[1]).max() < 0.01
    assert truth.holds(FRANKA, robot.truth())
    robot.resume()
    for _ in range(100):
        robot.command(told(goal, 1.0))
        robot.advance(TICK)
    assert float(robot.tool()[0][1] - stood[1]) > 0.02


def moved(robot: Tabletop, command: Command | None, ticks: int = 40) -> float:
    """m that the tool moves in so many ticks under one command sent each tick; None = silence."""
    before = robot.tool()[0]
    for _ in range(ticks):
        if command is not None:
            robot.command(command)
        robot.advance(TICK)
    return math.dist(robot.tool()[0][:3], before[:3])


@pytest.mark.parametrize("arm", ["franka", "so101"])
def test_commanded_brakes_hold_through_silence_and_stops_whatever_pose_is_commanded(arm: str) -> None:
    robot = Episode(arm, "reach", 5).robot
    up = robot.tool()[0] + np.array([0.0, 0.0, 0.05, 0, 0, 0, 0])
    assert moved(robot, told(up, math.nan, brakes=True)) < STILL
    assert moved(robot, told(up, math.nan)) > 0.03
    down = robot.tool()[0] - np.array([0.0, 0.0, 0.05, 0, 0, 0, 0])
    assert moved(robot, told(down, math.nan, brakes=True), 1) < STILL
    assert moved(robot, None) < STILL
    robot.stop(0)
    assert moved(robot, told(down, math.nan)) < STILL
    assert moved(robot, None) < STILL
    robot.resume()
    assert moved(robot, told(down, math.nan)) > 0.03


def test_it_is_a_robot_and_says_what_it_does_not_know() -> None:
    robot: Robot
    robot, rig = entry.build("pickplace", "franka", 4, 64, "lift")
    with pytest.raises(AdapterError, match="not connected"):
        robot.read(0)
    robot.connect()
    seen = robot.read(7)
    assert len(seen.q) == len(robot.joint_limits) == 7
    assert seen.gripper == 0.0
    assert not seen.saw.present
    assert seen.links.shape == (4, 3)
    assert rig.names == ("front", "side", "top")
    with pytest.raises(AdapterError, match="knows no task cut; choose one of pickplace, lift, reach"):
        entry.build("pickplace", "franka", 4, 64, "cut")
    with pytest.raises(ValueError, match="no arm ur5"):
        named("ur5")


def test_fingers_on_a_cube_read_otherwise_than_fingers_on_nothing() -> None:
    episode = Episode("franka", "reach", 5)
    robot = episode.robot
    pose = robot.tool()[0]
    for _ in range(60):
        robot.command(told(pose, 1.0))
        robot.advance(TICK)
    assert robot.closed() > 0.98
    assert carrying().robot.closed() == pytest.approx(FRANKA.holding, abs=truth.SLACK)


def test_the_wrist_feels_the_table_as_strongly_as_the_spring_presses() -> None:
    robot = Episode("franka", "reach", 5).robot
    pose = robot.tool()[0]
    pose[0] = 0.35
    for _ in range(200):
        pose[2] = max(0.02, pose[2] - 0.002)
        robot.command(told(pose, 1.0))
        robot.advance(TICK)
    seen = robot.read(0)
    assert seen.wrench[2] == pytest.approx(600.0 * (seen.pose[2] - pose[2]), rel=0.05)
    assert seen.wrench[2] > 5.0


def test_a_spread_above_one_puts_the_cube_where_training_never_does() -> None:
    (x0, x1), (y0, y1) = FRANKA.cubes.x, FRANKA.cubes.y
    for seed in range(50):
        (x, y, _), (u, v, _) = setting.draw(FRANKA, seed).cube, setting.draw(FRANKA, seed, spread=1.5).cube
        assert x0 <= x <= x1
        assert y0 <= y <= y1
        assert not (x0 <= u <= x1 and y0 <= v <= y1)
        assert abs(u - 0.5 * (x0 + x1)) <= 0.75 * (x1 - x0) + 1e-9


def test_all_tasks_begin_alike_so_that_only_the_instruction_tells_them_apart() -> None:
    assert np.array_equal(Episode("franka", "lift", 8).plant(), Episode("franka", "pickplace", 8).plant())


def test_an_episode_begun_midway_can_be_finished() -> None:
    for seed in range(3):
        episode = Episode("franka", "pickplace", seed, midway=True)
        while not episode.done:
            episode.follow(episode.expert())
        assert episode.outcome().success
