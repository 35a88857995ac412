"""What goes wrong at the table: drawn from a seed, acting as physics, and part of the plant."""

import math
from functools import cache

import numpy as np
import pytest

from adapters.base import Disturbed
from adapters.mujoco import veil
from adapters.mujoco.tabletop import disturbances, truth
from adapters.mujoco.tabletop.arms import arm as named
from adapters.mujoco.tabletop.disturbances import RATES, SPANS, Disturbance, Kind
from adapters.mujoco.tabletop.episode import Episode
from adapters.mujoco.tabletop.robot import Tabletop
from adapters.mujoco.tabletop.stage import TableStage
from engine.types import F32, F64

TICK = 0.01
HOLD: F32 = np.zeros((16, 7), np.float32)
HOLD[:, 6] = 1.0  #: the tool stays, the fingers are told to be closed


@cache
def table(arm: str, which: int = 0) -> Tabletop:
    """One of a few tables, which cost more to make than to restore."""
    return Tabletop(named(arm), "other", 99 + which, "lift")


@cache
def begun(arm: str, lifted: bool) -> F64:
    """(P,) a table at its start, or with the cube held in the air, at rest."""
    episode = Episode(arm, "lift", 3)
    while lifted and not episode.outcome().lifted_m > 0.05:
        episode.follow(episode.expert(), 1)
    if lifted:
        episode.follow(HOLD, 10)
    return episode.plant()


def at(arm: str, lifted: bool = False) -> Tabletop:
    """A table there."""
    robot = table(arm)
    robot.restore(begun(arm, lifted))
    return robot


def let(robot: Tabletop, seconds: float) -> None:
    """Let time pass; the robot holds by itself, and so do its fingers."""
    for _ in range(round(seconds / TICK)):
        robot.advance(TICK)


def acting(kind: Kind, robot: Tabletop, size: float, stay: float = 2.0, ramp: float = 0.05) -> Disturbance:
    """One that begins now, 8 cm ahead of the cube where it needs a place."""
    x, y, _ = robot.truth().cube
    placed = kind in (Kind.DISTRACTOR, Kind.OBSTACLE)
    return Disturbance(kind, robot.time, ramp, stay, size, x + 0.08 if placed else 1.0, y if placed else 0.0)


def test_the_table_is_disturbed_as_the_engine_asks_for() -> None:
    robot = Tabletop(named("so101"), "so101-sim", 0, "lift")
    assert isinstance(robot, Disturbed)
    robot.disturb(1)
    assert robot.veil().shape == (3, veil.WIDTH)
    assert robot.oracle().shape == (12,)
    assert np.abs(robot.oracle()).max() <= 1.0


def test_a_seed_draws_one_course_and_some_seeds_none() -> None:
    arm = named("franka")
    now = at("franka").truth()
    courses = [disturbances.draw(seed, arm, "pickplace", now, 0.0) for seed in range(400)]
    assert courses == [disturbances.draw(seed, arm, "pickplace", now, 0.0) for seed in range(400)]
    assert sum(not course for course in courses) / 400 == pytest.approx(disturbances.NONE, abs=0.07)
    kinds = {one.kind for course in courses for one in course}
    assert kinds == {kind for kind, rate in RATES["franka/pickplace"].items() if rate.chance > 0.0}
    for seed, one in ((seed, one) for seed, course in enumerate(courses) for one in course):
        own = RATES["franka/pickplace"][one.kind].size or SPANS[one.kind].size
        assert own[0] <= one.size <= own[1]
        assert one.at == 0.0 if one.kind == Kind.EDGE else 0.3 <= one.at <= 6.5 + disturbances.patience(seed)


@pytest.mark.parametrize("arm", ["franka", "so101"])
def test_a_seed_that_draws_nothing_leaves_the_table_as_it_is_bit_for_bit(arm: str) -> None:
    first, second = (Episode(arm, "lift", 4) for _ in range(2))
    seed = next(seed for seed in range(100) if not disturbances.draw(seed, first.arm, "lift", first.robot.truth(), 0.0))
    first.robot.disturb(seed)
    for episode in (first, second):
        for _ in range(3):
            episode.follow(episode.expert())
    physics = truth.head(first.arm)
    assert np.array_equal(first.plant()[:physics], second.plant()[:physics])
    assert not [event for event in first.robot.happened() if event.kind == "disturbance"]


@pytest.mark.parametrize("kind", [k for k in Kind if k not in (Kind.OCCLUDED, Kind.DIMMED, Kind.DELAYED, Kind.EDGE)])
@pytest.mark.parametrize("arm", ["franka", "so101"])
def test_a_table_restored_in_mid_disturbance_goes_on_bit_for_bit_and_one_restored_before_it_is_whole_again(arm: str, kind: Kind) -> None:
    robot, twin = at(arm, lifted=True), table(arm, 1)
    before = robot.plant()
    let(robot, 0.05)
    untouched = robot.plant()
    robot.restore(before)
    robot.endanger([acting(kind, robot, 0.3)])
    let(robot, 0.1)
    twin.endanger([acting(Kind.HINDERED, twin, 0.5)])
    twin.restore(robot.plant())
    for either in (robot, twin):
        let(either, 0.1)
    assert np.array_equal(robot.plant(), twin.plant())
    assert np.array_equal(robot.oracle(), twin.oracle())
    robot.restore(before)
    let(robot, 0.05)
    assert np.array_equal(robot.plant(), untouched)


@pytest.mark.parametrize("arm", ["franka", "so101"])
@pytest.mark.parametrize("size", [0.5, 1.2])
def test_a_cube_slides_out_of_oily_fingers_in_about_the_time_drawn(arm: str, size: float) -> None:
    robot = at(arm, lifted=True)
    robot.endanger([acting(Kind.SLICK, robot, size, stay=10.0)])
    since, high = robot.time, robot.truth().cube[2]
    while math.dist(robot.truth().tool[:3], robot.truth().cube) < 0.03:
        robot.advance(TICK)
        assert robot.time < since + 4.0
    assert high - robot.truth().cube[2] > 0.01
    assert robot.time - since == pytest.approx(size, rel=0.4)


def test_a_heavier_cube_weighs_on_the_wrist() -> None:
    robot = at("franka", lifted=True)
    let(robot, 0.2)
    before = robot.read(0).wrench[2]
    robot.endanger([acting(Kind.HEAVY, robot, 5.0, stay=10.0)])
    let(robot, 0.4)
    assert robot.read(0).wrench[2] - before == pytest.approx(-4.0 * robot.arm.cube_mass * 9.81, rel=0.15)


@pytest.mark.parametrize("kind", [Kind.PUSHED, Kind.CUBE_MOVES])
@pytest.mark.parametrize("arm", ["franka", "so101"])
def test_a_lying_cube_is_pushed_and_moved_as_far_as_drawn(arm: str, kind: Kind) -> None:
    robot = at(arm)
    x, y, z = robot.truth().cube
    robot.endanger([acting(kind, robot, 0.06, stay=0.2 if kind == Kind.PUSHED else 0.5)])
    let(robot, 0.7)
    a, b, c = robot.truth().cube
    assert a - x == pytest.approx(0.06, rel=0.25)
    assert (b, c) == pytest.approx((y, z), abs=0.004)


@pytest.mark.parametrize("arm", ["franka", "so101"])
def test_a_push_knocks_a_held_cube_and_tears_neither_it_nor_the_arm_away(arm: str) -> None:
    robot = at(arm, lifted=True)
    robot.endanger([acting(Kind.PUSHED, robot, 0.08, stay=0.1)])
    fastest = 0.0
    for _ in range(40):
        robot.advance(TICK)
        fastest = max(fastest, float(np.abs(robot.tool()[1][:3]).max()))
    assert 0.005 < fastest < 0.25
    assert truth.holds(robot.arm, robot.truth())


def test_the_zone_is_moved_as_far_as_drawn() -> None:
    robot = at("franka")
    u, v = robot.truth().zone
    robot.endanger([acting(Kind.ZONE_MOVES, robot, 0.08, stay=0.3)])
    let(robot, 0.4)
    assert robot.truth().zone == pytest.approx((u + 0.08, v), abs=0.003)


def test_joints_that_bind_hold_the_tool_back() -> None:
    free, bound = Episode("franka", "pickplace", 3), Episode("franka", "pickplace", 3)
    bound.robot.endanger([acting(Kind.HINDERED, bound.robot, 0.8, stay=10.0)])
    start = free.robot.truth().tool[:3]
    for episode in (free, bound):
        for _ in range(3):
            episode.follow(episode.expert())
    gone, stayed = (math.dist(episode.robot.truth().tool[:3], start) for episode in (free, bound))
    assert stayed < 0.25 * gone


def test_what_is_slid_to_the_hand_stops_where_it_meets_it() -> None:
    robot = at("so101")
    x, y, _ = robot.truth().tool[:3]
    robot.endanger([Disturbance(Kind.OBSTACLE, 0.0, 0.7, 60.0, 0.0, x - 0.05, y)])
    let(robot, 1.2)
    _, post = robot.trouble.memory.strangers
    assert post.stands
    assert x - 0.05 < post.x < x + 0.15
    assert np.abs(robot.read(0).tau).max() < 0.6 * robot.joint_torque_limits[0]
    assert [event.kind for event in robot.happened()] == ["disturbance"]


def test_strangers_are_drawn_where_they_stand_and_out_of_sight_where_there_are_none() -> None:
    stage = TableStage("franka")
    robot = at("franka")
    stage.pose(robot.plant())
    assert (stage.data.mocap_pos[1:, 2] < 0.0).all()
    robot.endanger([acting(Kind.DISTRACTOR, robot, 0.08, stay=10.0), acting(Kind.OBSTACLE, robot, 0.0, stay=10.0)])
    let(robot, 0.1)
    stage.pose(robot.plant())
    x, y, z = robot.truth().cube
    assert stage.data.mocap_pos[1] == pytest.approx((x + 0.08, y, z), abs=1e-3)
    assert stage.data.mocap_pos[2, :2] == pytest.approx((x + 0.08, y), abs=1e-3)
    assert math.dist(robot.truth().cube, (x, y, z)) < 1e-3


def test_what_hides_and_dims_the_cameras_comes_and_goes_and_late_words_are_late_while_they_last() -> None:
    robot = at("so101")
    robot.endanger(
        [
            Disturbance(Kind.DIMMED, 0.1, 0.2, 0.5, 0.8, camera=1),
            Disturbance(Kind.OCCLUDED, 0.1, 0.2, 0.5, 0.6, 0.2, 0.1),
            Disturbance(Kind.DELAYED, 0.1, 0.01, 0.5, 0.3),
        ]
    )
    seen = []
    for _ in range(100):
        seen.append((robot.veil(), robot.delay()))
        robot.advance(TICK)
    gains = np.array([laid[:, veil.GAIN] for laid, _ in seen])
    widths = np.array([laid[:, 3] - laid[:, 1] for laid, _ in seen])
    assert np.array_equal(seen[5][0], veil.clear(3))
    assert np.array_equal(seen[95][0], veil.clear(3))
    assert gains[[20, 45], 1] == pytest.approx([0.6, 0.2], abs=0.01)
    assert (gains[:, [0, 2]] == 1.0).all()
    assert widths[[20, 45]] == pytest.approx(np.array([[0.3] * 3, [0.6] * 3]), abs=0.01)
    assert [late for _, late in seen[5:100:25]] == [0.0, 0.3, 0.3, 0.0]


def test_a_start_beyond_the_edge_puts_the_cube_there_at_rest() -> None:
    robot = at("franka")
    robot.endanger([Disturbance(Kind.EDGE, 0.0, 0.01, 60.0, 1.5, 0.60, 0.09)])
    let(robot, 0.2)
    assert robot.truth().cube == pytest.approx((0.60, 0.09, truth.resting(robot.arm)), abs=1e-3)


def test_each_beginning_is_told_once_with_its_number() -> None:
    robot = at("franka")
    robot.endanger([Disturbance(Kind.DELAYED, 0.05, 0.01, 0.5, 0.3)])
    told = []
    for _ in range(30):
        robot.advance(TICK)
        told += robot.happened()
    assert [(event.kind, event.what, event.text) for event in told] == [("disturbance", "delayed", "the policy is heard 0.30 s later")]
