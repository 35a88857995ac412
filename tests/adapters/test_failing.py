"""Failures at the table come from physics: each type is provoked by what causes it, told once when it begins, and by nothing else."""

import math
from functools import cache

import numpy as np
import pytest

from adapters.base import Happening
from adapters.mujoco.tabletop import failing, truth
from adapters.mujoco.tabletop.arms import arm as named
from adapters.mujoco.tabletop.disturbances import Disturbance, Kind
from adapters.mujoco.tabletop.episode import Episode
from adapters.mujoco.tabletop.robot import Tabletop
from adapters.mujoco.tabletop.table import TOUCHES
from engine.types import F64, Command

TICK = 0.01


def told(pose: F64, gripper: float = math.nan, hold: bool = False) -> Command:
    """Bring the tool to a pose, the fingers closed so far."""
    return Command(
        command_tick=0,
        pose_d=tuple(pose.tolist()),
        twist_d=(0.0,) * 6,
        stiffness_d=(600.0, 600.0, 600.0, 60.0, 60.0, 60.0),
        force_max=50.0,
        torque_max=8.0,
        hold=hold,
        brakes=False,
        hand_force=0.0,
        hand_press=0.0,
        line_y_d=0.0,
        log_top_d=0.0,
        task_power=8.0,
        gripper_d=gripper,
    )


def moved(
    robot: Tabletop, by: tuple[float, float, float], seconds: float, gripper: float = math.nan, hold: bool = False
) -> list[Happening]:
    """What happens while the tool is told to go so far, evenly in the first half of the time."""
    begun = robot.tool()[0]
    for tick in range(1, round(seconds / TICK) + 1):
        pose = begun.copy()
        pose[:3] += np.array(by) * min(1.0, 2.0 * tick * TICK / seconds)
        robot.command(told(pose, gripper, hold))
        robot.advance(TICK)
    return robot.happened()


@cache
def lifted(arm: str) -> F64:
    """(P,) with the cube held in the air."""
    episode = Episode(arm, "lift", 3)
    while not episode.outcome().lifted_m > 0.03:
        episode.follow(episode.expert(), 1)
    return episode.plant()


def carrying(arm: str, task: str = "lift") -> Tabletop:
    """A table where the cube is in the air."""
    robot = Tabletop(named(arm), "other", 0, task)
    robot.restore(lifted(arm))
    return robot


def starting(arm: str, task: str) -> Tabletop:
    """A table at its start."""
    robot = Tabletop(named(arm), "other", 3, task)
    robot.connect()
    return robot


def failures(happened: list[Happening]) -> list[str]:
    return [event.what for event in happened if event.kind == "failure"]


@pytest.mark.parametrize(("arm", "task"), [("franka", "pickplace"), ("franka", "reach"), ("so101", "lift"), ("so101", "reach")])
def test_undisturbed_work_is_told_to_succeed_and_comes_nowhere_near_a_failure(arm: str, task: str) -> None:
    episode = Episode(arm, task, 11)
    hardest = longest = 0.0
    events: list[Happening] = []
    while not episode.done:
        episode.follow(episode.expert(), 1)
        events += episode.robot.happened()
        hardest, longest = max(hardest, episode.robot.trouble.memory.signs.hit), max(longest, episode.robot.trouble.memory.signs.stalled)
    assert [event.kind for event in events] == ["success"]
    assert hardest < 0.7 * failing.HIT[arm]
    assert longest < 0.5 * failing.STALLED


@pytest.mark.parametrize("arm", ["franka", "so101"])
def test_a_cube_let_go_in_the_air_is_dropped(arm: str) -> None:
    (event,) = moved(carrying(arm), (0.0, 0.0, 0.0), 0.6, gripper=0.0)
    assert (event.kind, event.what) == ("failure", "drop")
    assert "the cube was lost" in event.text


@pytest.mark.parametrize("arm", ["franka", "so101"])
def test_a_cube_that_slides_out_of_oily_fingers_is_dropped_and_the_shut_fingers_are_no_second_failure(arm: str) -> None:
    robot = carrying(arm)
    robot.endanger([Disturbance(Kind.SLICK, robot.time, 0.1, 10.0, 0.4)])
    assert failures(moved(robot, (0.0, 0.0, 0.0), 1.3, gripper=1.0)) == ["drop"]


def test_a_cube_set_down_beside_the_zone_is_a_miss_and_no_drop() -> None:
    robot = carrying("franka", "pickplace")
    down = truth.resting(robot.arm) - robot.truth().cube[2]
    assert failures(moved(robot, (0.0, 0.0, down), 1.5, gripper=1.0)) == []
    (event,) = moved(robot, (0.0, 0.0, 0.0), 0.5, gripper=0.0)
    assert event.what == "miss"
    assert "from the zone's middle" in event.text


@pytest.mark.parametrize("arm", ["franka", "so101"])
def test_fingers_that_close_on_nothing_miss(arm: str) -> None:
    robot = starting(arm, "lift")
    assert failures(moved(robot, (0.0, 0.0, 0.0), 2.0, gripper=1.0)) == ["miss"]


def test_fingers_that_close_on_another_block_miss() -> None:
    robot = carrying("franka")
    moved(robot, (0.0, 0.0, 0.02), 1.0, gripper=0.0)
    robot.endanger([])
    down = moved(robot, (0.06, 0.0, robot.arm.table + robot.arm.cube_half - robot.truth().tool[2]), 2.0)
    assert failures(down) == []
    x, y, _ = robot.truth().tool[:3]
    robot.endanger([Disturbance(Kind.DISTRACTOR, robot.time, 0.01, 60.0, 0.0, x, y)])
    assert failures(moved(robot, (0.0, 0.0, 0.0), 1.0, gripper=1.0)) == ["miss"]


@pytest.mark.parametrize("arm", ["franka", "so101"])
def test_a_tool_that_comes_to_rest_beside_the_place_to_reach_misses_it(arm: str) -> None:
    robot = starting(arm, "reach")
    (a, b, c), (x, y, z) = truth.target(robot.arm, robot.truth()), robot.truth().tool[:3]
    (event,) = moved(robot, (a - x, b + 0.03 - y, c - z), 4.0)
    assert event.what == "miss"
    assert "beside its goal" in event.text


@pytest.mark.parametrize("arm", ["franka", "so101"])
def test_a_hand_that_presses_on_the_table_collides_with_it(arm: str) -> None:
    robot = starting(arm, "reach")
    aside = moved(robot, (-0.05, 0.03, 0.0), 1.0)
    found = moved(robot, (0.0, 0.0, robot.arm.table - robot.truth().tool[2] - 0.08), 1.2)
    assert failures(aside) == []
    assert failures(found) == ["collision"]
    assert "the table" in found[0].text


@pytest.mark.parametrize("arm", ["franka", "so101"])
def test_a_hand_that_runs_into_a_post_collides_with_it(arm: str) -> None:
    robot = starting(arm, "lift")
    x, y, _ = robot.truth().tool[:3]
    robot.endanger([Disturbance(Kind.OBSTACLE, 0.0, 0.01, 60.0, 0.0, x + 0.07, y)])
    assert failures(moved(robot, (0.0, 0.0, 0.02 - robot.truth().tool[2] + 2.0 * robot.arm.cube_half), 1.0)) == []
    found = moved(robot, (0.12, 0.0, 0.0), 1.5)
    assert failures(found)[:1] == ["collision"]
    assert "the post" in found[0].text


def test_joints_that_bind_are_a_stall_while_the_robot_may_move_and_none_while_it_holds() -> None:
    for hold in (False, True):
        robot = starting("franka", "pickplace")
        robot.endanger([Disturbance(Kind.HINDERED, 0.0, 0.01, 60.0, 0.9)])
        assert failures(moved(robot, (0.1, 0.0, -0.1), 3.5, hold=hold)) == ([] if hold else ["timeout"])


def test_going_to_and_fro_is_no_progress() -> None:
    robot = starting("so101", "lift")
    found = [event for turn in range(9) for event in moved(robot, (0.0, 0.04 if turn % 2 else -0.04, 0.0), 0.5)]
    assert failures(found) == ["timeout"]


def test_nothing_is_told_of_a_robot_that_is_left_alone() -> None:
    robot = starting("so101", "reach")
    for _ in range(400):
        robot.advance(TICK)
    assert robot.happened() == []


def test_after_success_nothing_fails() -> None:
    robot = carrying("so101")
    assert [event.kind for event in moved(robot, (0.0, 0.0, 0.05), 1.5)] == ["success"]
    assert moved(robot, (0.0, 0.0, 0.0), 0.5, gripper=0.0) == []


def test_a_table_restored_shortly_before_a_failure_tells_it_at_the_same_moment() -> None:
    robot, twin = starting("franka", "pickplace"), starting("franka", "pickplace")
    robot.endanger([Disturbance(Kind.HINDERED, 0.0, 0.01, 60.0, 0.9)])
    moved(robot, (0.05, 0.0, -0.1), 2.5)
    twin.restore(robot.plant())
    assert robot.trouble.memory.signs.stalled > 1.0
    assert moved(robot, (0.05, 0.0, -0.1), 1.0) == moved(twin, (0.05, 0.0, -0.1), 1.0) != []


def test_the_oracle_knows_the_oil_the_slip_and_that_the_cube_is_held() -> None:
    robot = carrying("franka")
    moved(robot, (0.0, 0.0, 0.0), 0.2)
    before = dict(zip(failing.ORACLE, robot.oracle().tolist(), strict=True))
    robot.endanger([Disturbance(Kind.SLICK, robot.time, 0.1, 10.0, 0.8)])
    moved(robot, (0.0, 0.0, 0.0), 0.3)
    after = dict(zip(failing.ORACLE, robot.oracle().tolist(), strict=True))
    assert before["held"] == after["held"] == 1.0
    assert before["oil"] == 0.0 < after["oil"]
    assert after["cube slips"] > before["cube slips"] + 0.2


def test_touches_are_told_apart() -> None:
    robot = carrying("franka")
    robot.advance(TICK)
    felt = dict(zip(TOUCHES, robot.trouble.touches(), strict=True))
    assert felt["one cube"] > 5.0 < felt["other cube"]
    assert felt["cube table"] == felt["hand post"] == 0.0
