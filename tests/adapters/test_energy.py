"""The simulated drive under its energy tank: the ledger closes while it saws, and nothing moves that is not paid for."""

import math

import numpy as np
import pytest
from msgspec import structs

from adapters.mujoco import layout
from adapters.mujoco.drive import Drive
from adapters.mujoco.episode import Episode
from adapters.mujoco.plant import Account, Control
from adapters.mujoco.robot import Cosaw
from engine.limits import Limits
from engine.session import ledger
from engine.types import Command, Energy

LIMITS = Limits()


def recorded(episode, seconds, change=lambda command: command, each=lambda tick: None):
    """(stroke count (n,), account (n,) by field) of an episode in which the expert saws."""
    robot, counts, rows = episode.robot, [], []
    advance, command = robot.advance, robot.command

    def noted(dt):
        advance(dt)
        seen = robot.read(0)
        counts.append(seen.saw.stroke_count)
        rows.append(seen.energy)
        each(len(rows))

    robot.advance = noted
    robot.command = lambda wanted: command(change(wanted))
    while robot.time < seconds:
        episode.follow(episode.expert())
    return np.array(counts), {name: np.array([getattr(row, name) for row in rows]) for name in Energy.__struct_fields__}


def closed(count, account):
    strokes = ledger.strokes(count, account)
    assert len(strokes) >= 2
    for stroke in strokes:
        assert stroke.throughput > 5.0
        assert stroke.closes, (stroke.number, stroke.open, stroke.throughput)
    assert ledger.excess(account) <= 0.0


@pytest.mark.parametrize("seed", [0, 3])
def test_the_ledger_of_every_stroke_closes_and_the_tank_does_not_hinder_sawing(seed):
    count, account = recorded(Episode(seed), 14.0)
    closed(count, account)
    assert np.mean(account["share"] < 1.0) < 0.03
    assert np.all((account["tank"] >= 0.0) & (account["tank"] <= LIMITS.tank_max))
    assert account["wood"][-1] > 10.0


def test_it_closes_with_a_partner_at_the_keyboard():
    pulling = {"on": 0.0}

    def pulled(command):
        pulling["on"] += layout.TICK_S
        force = 40.0 * math.copysign(1.0, math.sin(3.0 * pulling["on"])) if pulling["on"] > 8.0 else 0.0
        return structs.replace(command, hand_force=force, hand_press=8.0 if force else 0.0)

    closed(*recorded(Episode(1), 16.0, pulled))


def test_it_closes_through_a_stop_and_a_new_start():
    episode = Episode(2)

    def stop(tick):
        if tick == 900:
            episode.robot.stop(2)
        if tick == 1000:
            episode.robot.resume()

    closed(*recorded(episode, 18.0, each=stop))


def moving(robot, **changed):
    x, *rest = robot.read(0).pose.tolist()
    wanted = {
        "command_tick": 0,
        "pose_d": (x + 0.05, *rest),
        "twist_d": (0.0,) * 6,
        "stiffness_d": (500.0,) * 3 + (80.0,) * 3,
        "force_max": 60.0,
        "torque_max": 8.0,
        "hold": False,
        "brakes": False,
        "hand_force": 0.0,
        "hand_press": 0.0,
        "line_y_d": 0.0,
        "log_top_d": 0.55,
        "task_power": LIMITS.task_power,
    }
    return Command(**(wanted | changed))


@pytest.fixture
def robot():
    cell = Cosaw(0)
    cell.connect()
    return cell


def drive(robot, command, ticks=30):
    for _ in range(ticks):
        robot.command(command)
        robot.advance(layout.TICK_S)
    return robot.read(0)


def test_a_new_start_has_no_stretch_and_the_tank_at_its_minimum(robot):
    drive(robot, moving(robot))
    robot.resume()
    seen = robot.read(0)
    assert seen.energy.tank == LIMITS.tank_min
    assert seen.spring.pose_d == pytest.approx(tuple(seen.pose.tolist()))


@pytest.mark.parametrize("kind", [{"task_power": 0.0}, {"hold": True}])
def test_without_a_grant_or_in_a_hold_the_reference_stays_where_it_is(robot, kind):
    start = robot.read(0)
    seen = drive(robot, moving(robot, **kind))
    assert seen.energy.grant == start.energy.grant
    assert seen.energy.share == 0.0
    assert abs(seen.spring.pose_d[0] - start.pose[0]) < 1e-3


def test_with_a_grant_it_goes_there_and_pays(robot):
    start = robot.read(0)
    seen = drive(robot, moving(robot), 60)
    assert seen.spring.pose_d[0] == pytest.approx(start.pose[0] + 0.05, abs=1e-3)
    assert 0.0 < seen.energy.paid <= LIMITS.tank_min + seen.energy.grant + seen.energy.refill


def test_what_an_overdrawn_tank_could_not_pay_is_no_negative_damping():
    account = Account(tank=0.01)
    control = Control(account=account)
    worked = 0.5
    assert not Drive(LIMITS, np.zeros(7)).settle(control, worked, (0.0,) * 6, control.spring.pose, (0.0,) * 7)
    assert (account.tank, account.paid) == (0.0, 0.01)
    assert account.damping == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("wrong", [{"pose_d": (math.nan,) * 7}, {"stiffness_d": (math.inf,) * 6}, {"force_max": math.nan}])
def test_a_command_that_is_not_finite_stops_the_robot(robot, wrong):
    drive(robot, moving(robot), 10)
    drive(robot, moving(robot, **wrong), 1)
    seen = drive(robot, moving(robot), 40)
    assert robot.truth().cell.control.own_stop == 1
    assert robot.truth().cell.control.braked
    assert np.abs(seen.twist).max() < 0.01
    assert np.isfinite(seen.tau).all()
