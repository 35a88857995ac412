"""The SO-101 at the table as a robot: its tasks, its plant, its pictures."""

import numpy as np
import pytest
from msgspec import structs

from adapters.base import AdapterError
from adapters.mujoco.tabletop import entry, episode, expert, servos
from adapters.mujoco.tabletop.robot import Tabletop
from adapters.mujoco.tabletop.so101 import SO101
from engine.types import U8

SEEDS = range(900, 904)


@pytest.fixture(scope="module")
def lifted() -> episode.Episode:
    """An episode of the task "lift", done."""
    run = episode.Episode("so101", "lift", 7)
    while not run.done:
        run.follow(run.expert())
    return run


@pytest.mark.parametrize("task", SO101.tasks)
def test_the_expert_does_both_tasks_with_plans_that_come_late(task: str) -> None:
    for seed in SEEDS:
        run = episode.Episode("so101", task, seed)
        while not run.done:
            run.follow(run.expert())
        assert run.outcome().success


def test_the_expert_takes_a_cube_it_is_pushed_away_from() -> None:
    run = episode.Episode("so101", "lift", 31)
    rng = np.random.default_rng(0)
    while not run.done:
        chunk = run.expert()
        if 0.7 < run.robot.time < 1.5:
            chunk[:, :3] += rng.normal(0.0, 0.015, 3)
        run.follow(chunk)
    assert run.outcome().success


def test_no_joint_leaves_its_limits_in_an_episode() -> None:
    low, high = np.array(SO101.joint_limits).T
    run = episode.Episode("so101", "lift", 12)
    nearest = np.inf
    while not run.done:
        run.follow(run.expert(), 1)
        nearest = min(nearest, float((run.joints() - low).min()), float((high - run.joints()).min()))
    assert nearest > 0.10  # where the safety layer would begin to slow


def test_the_state_is_five_joints_and_the_jaw(lifted: episode.Episode) -> None:
    state = lifted.state()
    assert state.shape == (6,)
    assert state[:5] == pytest.approx(lifted.joints())
    assert servos.closedness(float(state[5])) == pytest.approx(SO101.holding, abs=0.08)
    assert lifted.labels()["holding"] == 1.0


def test_the_expert_of_a_plant_vector_is_the_expert_of_the_robot(lifted: episode.Episode) -> None:
    assert expert.expert_chunk("so101", "lift", lifted.plant()) == pytest.approx(lifted.expert(), abs=1e-6)


def test_a_restored_plant_goes_on_bit_for_bit() -> None:
    run = episode.Episode("so101", "lift", 3)
    for _ in range(7):  # the jaws are closing on the cube
        run.follow(run.expert())
    plant = run.plant()
    twin = Tabletop(SO101, "other", 99, "lift")
    twin.restore(plant)
    run.robot.restore(plant)
    for robot in (run.robot, twin):
        robot.stop(1)
        for _ in range(30):
            robot.advance(0.01)
    assert np.array_equal(run.robot.plant(), twin.plant())
    assert not np.array_equal(plant, twin.plant())
    ours, theirs = run.robot.read(0), twin.read(0)
    assert np.array_equal(ours.wrench, theirs.wrench)
    assert np.array_equal(ours.tau, theirs.tau)


def test_what_is_lifted_stays_in_the_jaws_through_a_stop(lifted: episode.Episode) -> None:
    robot = lifted.robot
    robot.stop(0)
    for _ in range(100):
        robot.advance(0.01)
    assert robot.truth().cube[2] > SO101.lift
    robot.resume()
    for _ in range(50):
        robot.advance(0.01)
    assert robot.truth().cube[2] > SO101.lift


def test_a_task_of_another_robot_is_refused() -> None:
    with pytest.raises(AdapterError, match="no task pickplace"):
        entry.build("so101-sim", "so101", 0, 64, "pickplace")


def red(picture: U8) -> int:
    """How many pixels are the cube's."""
    r, g, b = (picture[..., i].astype(int) for i in range(3))
    return int(((r > 70) & (g < 0.4 * r) & (b < 0.4 * r)).sum())


def test_at_least_two_cameras_show_the_cube_wherever_it_lies() -> None:
    robot, cameras = entry.build("so101-sim", "so101", 0, 64, "reach")
    robot.connect()
    reading = robot.read(0)
    cameras.open()
    try:
        for seed in range(6):
            start = episode.Episode("so101", "reach", seed)
            frames = cameras.capture(structs.replace(reading, plant=start.plant()), 0, 0)
            assert sum(red(picture) >= 12 for picture in frames.images.values()) >= 2, seed
    finally:
        cameras.close()
