"""Jogging the real cell in lock-step: what moves, what slows it and says so, and that the recorded inputs lead to every decision."""

import itertools
import math
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from engine.limits import Limits
from engine.messages import Arm, Go, Hold, KeyTiming, SetJog, SetMode
from engine.safety import arbiter
from engine.safety.limits import tilt
from engine.types import LAYERS, Decision, Mode, Reason, Tick
from tests.engine.test_lockstep import Bench

LIMITS = Limits()
ROBOT_LIMITS = LAYERS.index("robot limits")
SEQ = itertools.count(1)


class Jogs(Bench):
    """An armed robot, jogged by an operator whose terminal reports releases and who is there all the time."""

    def __init__(self, folder: Path, *, seed: int = 3) -> None:
        super().__init__(folder, seed=seed)
        self.ticks: list[Tick] = []
        self.engine.attached("test")
        self.run(60)
        self.engine.post(KeyTiming(key_mode="HOLD", repeat_interval=0.03))
        self.engine.post(SetJog(step=0.02, speed=0.1))
        self.engine.post(Arm(robot="cosaw"))
        self.run(150)

    def jog(self, axis: str, ticks: int) -> Tick:
        """Hold a key, let it go, wait until the saw stands."""
        self.engine.post(Hold(axis=axis, down=True, repeat=False, seq=next(SEQ)))
        self.run(ticks)
        self.engine.post(Hold(axis=axis, down=False, repeat=False, seq=next(SEQ)))
        held = self.now
        self.run(40)
        return held

    def mode(self, mode: Mode) -> None:
        self.engine.post(SetMode(mode=mode))
        self.run(2)
        assert self.now.operator.mode == mode

    @property
    def now(self) -> Tick:
        assert self.engine.control.last is not None
        return self.engine.control.last

    def _script(self, tick: int) -> None:
        self.engine.heard(0.0)
        if self.engine.control.last is not None:
            self.ticks.append(self.engine.control.last)


@pytest.fixture
def jogs(tmp_path: Path) -> Iterator[Jogs]:
    bench = Jogs(tmp_path)
    yield bench
    state = arbiter.initial(LIMITS, arbiter.RobotLimits.of(bench.robot), bench.robot.cell)
    decided: list[Decision] = []
    for tick in bench.ticks:
        state, decision = arbiter.step(state, tick.inputs)
        decided.append(decision)
    assert msgspec.msgpack.encode(decided) == msgspec.msgpack.encode([tick.decision for tick in bench.ticks])


def angles(tick: Tick) -> np.ndarray:
    return np.array(tick.inputs.q)


def reason(tick: Tick) -> Reason:
    """Of the robot's limits."""
    return Reason(tick.decision.layer_reason[ROBOT_LIMITS])


def test_a_joint_moves_alone_slows_with_the_tilt_and_ends_at_it_without_a_stop(jogs: Jogs) -> None:
    jogs.mode(Mode.JOG_JOINT)
    before = angles(jogs.now)
    held = jogs.jog("+j5", 200)
    turned = angles(jogs.now) - before
    assert turned[4] == pytest.approx(LIMITS.tilt_max, abs=0.01)
    assert np.abs(np.delete(turned, 4)).max() < 0.01
    assert tilt(held.inputs.pose) <= LIMITS.tilt_max + 0.005
    assert reason(held) == Reason.TILT
    assert held.decision.binding == ROBOT_LIMITS
    assert held.decision.speed_limit < 0.02
    assert "7° at most: jog joint 5 back" in held.operator.refused
    assert jogs.reasons == []
    jogs.jog("level", 150)
    assert tilt(jogs.now.inputs.pose) < 0.01
    assert "level" in jogs.now.operator.refused


def test_a_joint_that_works_against_the_partner_s_hold_ends_before_its_torque_stops_the_robot(jogs: Jogs) -> None:
    jogs.mode(Mode.JOG_JOINT)
    for axis in ("+j4", "+j6"):
        held = jogs.jog(axis, 200)
        assert jogs.reasons == []
        assert held.decision.armed
        assert "bears no more of the partner's hold" in held.operator.refused
        assert 0.01 < tilt(held.inputs.pose) < LIMITS.tilt_max
        jogs.jog("level", 150)
        assert tilt(jogs.now.inputs.pose) < 0.02


def test_the_workspace_s_edge_slows_a_jog_with_a_reason_ends_it_and_lets_it_back(jogs: Jogs) -> None:
    jogs.mode(Mode.JOG_XYZ)
    held = jogs.jog("+y", 800)
    edge = LIMITS.workspace_max[1]
    assert edge - LIMITS.workspace_margin < held.inputs.pose[1] <= edge + 0.002
    assert "workspace ends here along y" in held.operator.refused
    assert reason(held) == Reason.WORKSPACE
    assert held.decision.binding == ROBOT_LIMITS
    speeds = [tick.decision.speed_limit for tick in jogs.ticks if tick.operator.grant_axis == "+y"]
    assert max(speeds) == pytest.approx(0.1)
    assert speeds[-1] < 0.02
    assert jogs.reasons == []
    jogs.jog("-y", 100)
    assert jogs.now.inputs.pose[1] < edge - LIMITS.workspace_margin


def test_a_level_saw_s_axes_are_the_base_s(jogs: Jogs) -> None:
    jogs.mode(Mode.JOG_SAW)
    before = jogs.now.inputs.pose
    jogs.jog("+z", 30)
    moved = np.array(jogs.now.inputs.pose) - before
    assert moved[2] > 0.015
    assert np.abs(moved[:2]).max() < 0.01


def test_keys_of_another_mode_move_nothing(jogs: Jogs) -> None:
    jogs.mode(Mode.JOG_XYZ)
    before = angles(jogs.now)
    held = jogs.jog("+j1", 30)
    assert not held.inputs.jogging
    assert "not jogged in this mode" in held.operator.refused
    assert np.abs(angles(jogs.now) - before).max() < 0.02


def test_only_a_jogged_joint_commands_a_posture_and_sawing_gives_it_up(jogs: Jogs) -> None:
    assert all(math.isnan(tick.command.posture[0]) for tick in jogs.ticks)
    jogs.mode(Mode.JOG_JOINT)
    held = jogs.jog("+j5", 30)
    assert held.command.posture[4] == pytest.approx(held.inputs.q[4])
    assert jogs.now.command.posture == pytest.approx(jogs.now.inputs.q, abs=0.02), "it stays while the saw stands"
    jogs.jog("level", 100)
    jogs.mode(Mode.CUT)
    jogs.engine.post(Go())
    jogs.run(5)
    assert jogs.now.decision.going
    assert math.isnan(jogs.now.command.posture[0])
