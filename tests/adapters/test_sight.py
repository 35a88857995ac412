"""The person's sensor: late, noisy, at times blind, never ahead of the truth; and the engine sees nothing else."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from adapters.mujoco import hazards, layout, person, plant, sight
from adapters.mujoco.hazards import NAMED
from adapters.mujoco.robot import Cosaw
from engine.types import F64, PARTS, Person

TICK = layout.TICK_S
HAND = PARTS.index("free hand")


def watched(robot: Cosaw, seconds: float) -> tuple[list[Person], F64]:
    """What the sensor said at every tick, and the truth then, (ticks, 6, 2, 3)."""
    said, truth = [], []
    for _ in range(round(seconds / TICK)):
        robot.advance(TICK)
        reading = robot.read(round(robot.time * 1e9) + 10**9).person
        assert reading is not None
        said.append(reading)
        cell = robot.truth().cell
        truth.append(np.array(person.body(cell, robot.time, robot.grip())))
    return said, np.stack(truth)


def placed(seed: int, **named: float) -> Cosaw:
    robot = Cosaw(seed)
    robot.place(0.0, 0.55, (layout.STROKE_X, 0.0, 0.61))
    for name, at in named.items():
        robot.hazard(name, at)
    return robot


def ages(said: list[Person]) -> F64:
    """(ticks, 6) s, at the engine's tick."""
    return np.array([[round(1e9 + (i + 1) * TICK * 1e9) - at for at in reading.exposed_ns] for i, reading in enumerate(said)]) / 1e9


def test_a_robot_at_rest_is_watched_from_the_start() -> None:
    reading = placed(3).read(10**9).person
    assert reading is not None
    assert reading.seq > 0
    assert np.isfinite(reading.place).all()
    assert np.isfinite(reading.speed[:2]).all()
    assert np.isnan(reading.speed[2:]).all()


def test_an_exposure_is_as_old_as_stated_and_fresh_ones_keep_coming() -> None:
    said, _ = watched(placed(4), 6.0)
    old = ages(said)
    fresh = np.array([b.seq > a.seq for a, b in pairwise(said)])
    received = old[1:][fresh].min(axis=1)
    assert received.min() >= sight.LATENCY - sight.JITTER - 1e-9
    assert received.max() <= sight.LATENCY + sight.JITTER + TICK + 1e-9
    assert 0.9 * 50 * 6 < said[-1].seq - said[0].seq <= 50 * 6
    assert old.max() <= sight.LATENCY + sight.JITTER + TICK + (1 + sight.DROP_MOST) * sight.PERIOD + 1e-9


def test_the_noise_has_its_stated_spread_and_bound_and_is_never_the_truth() -> None:
    said, truth = watched(placed(5), 8.0)
    new = [i for i in range(1, len(said)) if said[i].seq > said[i - 1].seq]
    errors = np.array([said[i].place[:4] - truth[i, :4] for i in new])
    assert np.std(errors) == pytest.approx(sight.SIGMA, rel=0.05)
    assert np.abs(errors).max() <= sight.SIGMA * 3.4642 + sight.GRAIN
    assert (np.abs(errors).max(axis=(1, 2, 3)) > 0.0).all()
    assert (said[new[0]].place / sight.GRAIN == np.round(said[new[0]].place / sight.GRAIN)).all()


def test_the_sensor_never_sees_the_future() -> None:
    """Two persons who are alike until one moves are told apart no sooner than the latency after the move."""
    still, moving = placed(6), placed(6, hand_reaches=1.0)
    one, _ = watched(still, 2.0)
    other, truth = watched(moving, 2.0)
    differs = [i for i in range(len(one)) if not np.array_equal(one[i].place, other[i].place)]
    begun = round(1.0 / TICK)
    assert begun + round((sight.LATENCY - sight.JITTER) / TICK) - 1 <= differs[0] <= begun + 25
    for i in range(differs[0], len(other)):
        exposed = round((other[i].exposed_ns[HAND] / 1e9 - 1.0) / TICK) - 1
        assert np.abs(other[i].place[HAND] - truth[exposed, HAND]).max() <= sight.SIGMA * 3.4642 + sight.GRAIN


def test_a_dropped_sensor_grows_old_and_comes_back() -> None:
    said, _ = watched(placed(7, sensor_drops=1.0), 2.5)
    old = ages(said)
    assert old[round(1.5 / TICK)].min() > 0.45
    assert old.max() == pytest.approx(NAMED["sensor_drops"].stay + sight.LATENCY, abs=0.06)
    assert old[-1].max() < 0.12


def test_an_occluded_part_keeps_its_last_place_and_the_others_do_not() -> None:
    said, _ = watched(placed(8, sensor_occluded=1.0), 1.8)
    before, after = said[round(1.2 / TICK)], said[-1]
    assert np.array_equal(before.place[HAND], after.place[HAND])
    assert before.exposed_ns[HAND] == after.exposed_ns[HAND]
    assert ages(said)[-1, HAND] > 0.6
    assert not np.array_equal(before.place[1], after.place[1])
    assert ages(said)[-1, [0, 1, 2]].max() < 0.15


def test_everything_but_the_arm_on_the_handle_is_in_sight_while_sawing() -> None:
    for line, top, dx in ((-0.4, 0.45, -0.1), (-0.4, 0.7, 0.1), (0.0, 0.55, 0.0), (0.4, 0.45, 0.1), (0.4, 0.7, -0.1)):
        robot = Cosaw(1)
        robot.place(line, top, (layout.STROKE_X + dx, line, top))
        said, _ = watched(robot, 0.5)
        assert ages(said)[-1, :4].max() < 0.15, (line, top, dx)


def test_a_hand_behind_the_log_is_hidden() -> None:
    robot = placed(9)
    low = replace(NAMED["hand_reaches"], at=0.0, along=0.52, across=0.30, up=-0.17, stay=3.0, speed=2.0)
    robot.endanger([low])
    said, _ = watched(robot, 3.5)
    assert ages(said)[:, HAND].max() > 0.3


@pytest.mark.parametrize("part", [i for i in range(len(PARTS)) if PARTS[i] != "torso"])
def test_every_other_part_is_hidden_behind_the_trunk(part: int) -> None:
    far, away = np.array(sight.PLACE), np.array((0.0, 2.0, -1.0))
    body = [(tuple(far + away + (1.0 + i, 0.0, 0.0)),) * 2 for i in range(len(PARTS))]  # side by side, in full view
    body[PARTS.index("torso")] = (tuple(far + 0.5 * away),) * 2
    body[part] = (tuple(far + away),) * 2
    links = [(-5.0, 0.0, 0.0)] * 4
    seen = sight.Sight()
    sight.begin(seen, 1, body)
    for tick in range(100):
        sight.watch(seen, hazards.Hazards(), body, links, -5.0, tick * TICK)
    shown = [at > 0.5 for at in seen.exposed]
    assert shown == [i != part for i in range(len(PARTS))]


def test_the_measured_speed_is_that_of_the_trunk() -> None:
    robot = placed(10, leans_in=1.0)
    said, truth = watched(robot, 3.0)
    speed = np.linalg.norm(np.diff(truth[:, :2], axis=0), axis=-1).max(axis=-1) / TICK
    measured = np.array([reading.speed[:2] for reading in said])
    late = round((sight.LATENCY + 0.05 + TICK) / TICK)
    assert np.abs(measured[late + 1 :] - speed[:-late])[150:].mean() < 0.15
    assert measured[:80].max() < 0.45
    assert measured[:, 0].max() > 0.4


def test_the_handle_feels_hands_and_forces_through_its_own_low_pass() -> None:
    robot = placed(11, lets_go=0.5)
    robot.advance(0.4)
    assert robot.read(1).holds
    steps = 0
    while robot.read(1).saw.partner_holding:
        robot.advance(TICK)
    while robot.read(1).holds:
        robot.advance(TICK)
        steps += 1
    assert steps <= 3
    robot.advance(0.3)
    np.testing.assert_allclose(robot.read(1).grip, 0.0, atol=0.01)


def test_the_sensor_goes_on_bit_for_bit_after_a_restore() -> None:
    robot = placed(12, hand_reaches=0.2, sensor_drops=0.9)
    for _ in range(55):
        robot.advance(TICK)
    other = Cosaw(99)
    other.restore(robot.plant())
    for _ in range(120):
        robot.advance(TICK)
        other.advance(TICK)
        one, two = robot.read(10**9).person, other.read(10**9).person
        assert one is not None
        assert two is not None
        assert np.array_equal(one.place, two.place)
        assert np.array_equal(one.speed, two.speed, equal_nan=True)
        assert one.exposed_ns == two.exposed_ns
    assert np.array_equal(robot.plant(), other.plant())


def test_a_plant_vector_carries_the_sensor_in_finite_numbers() -> None:
    held = plant.unpack(placed(13).plant())
    assert np.isfinite(plant.pack(held)).all()
    assert held.cell.sight.count >= sight.SPAN - 1
    assert len(held.cell.hazards.slots) == hazards.SLOTS


def test_a_delivery_keeps_its_stamps_and_none_goes_back_though_the_engines_clock_wanders() -> None:
    robot = placed(14)
    rng = np.random.default_rng(0)
    before = robot.read(10**9).person
    for i in range(200):
        robot.advance(TICK)
        now = robot.read(10**9 + round((i + 1) * TICK * 1e9 + rng.uniform(0.0, 4e6))).person
        assert before is not None
        assert now is not None
        assert (now is before) == (now.seq == before.seq)
        assert now.t_ns >= before.t_ns
        assert all(a >= b for a, b in zip(now.exposed_ns, before.exposed_ns, strict=True))
        before = now
