"""Motions of a simulated SO-101 in lock-step: armed and held they are played, let go they stand, and what is recorded shows it."""

import itertools
import math
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from adapters.mujoco.tabletop.kinematics import Kinematics
from adapters.mujoco.tabletop.setting import draw
from adapters.mujoco.tabletop.so101 import SO101
from engine import motions
from engine.config import Settings
from engine.control import playing
from engine.control.playing import Motion, Step
from engine.loops.control import DT
from engine.messages import Arm, ChooseMotion, Confirm, Disarm, Hold, Intent, KeyTiming, SetJog, SetMode
from engine.safety import arbiter
from engine.safety.operator import JOG_SPEED
from engine.session.reader import Session
from engine.so101_settings import So101Settings
from engine.types import Decision, Mode, Tick, Writer
from tests.engine.test_tabletop import Table

START = (-0.1, 0.1, -0.05, 1.3, -1.5)
NEAR = Step((0.1, -0.05, 0.1, 1.2, -1.4), 0.6, 0.0)
MOTIONS = (Motion("near", (NEAR,)), Motion("there", (NEAR._replace(seconds=0.6), Step(START, 0.0, 0.8)), clearance="Nobody is near."))
SEQ = itertools.count(1)


class Plays(Table):
    """An armed arm whose operator's terminal reports releases; the operator is there all the time."""

    def __init__(self, folder: Path, *, recorded: bool = False) -> None:
        super().__init__("so101-sim", "lift", folder, recorded=recorded, motions=MOTIONS)
        self.ticks: list[Tick] = []
        self.run(2)
        for intent in (KeyTiming(key_mode="HOLD", repeat_interval=0.03), SetJog(speed=0.1), SetMode(mode=Mode.MOTION)):
            assert self.ask(intent) == ""
        self.arm()

    def arm(self) -> None:
        self.run(40)
        self.engine.post(Arm(robot="so101-sim"))
        self.run(105)
        assert self.last.decision.armed

    def run(self, ticks: int) -> None:
        def script(tick: int) -> None:
            self.engine.heard(0.0)
            if self.engine.control.last is not None:
                self.ticks.append(self.last)

        self.engine.lockstep(ticks, script=script)

    def ask(self, intent: Intent) -> str:
        """Why it was not followed; "" if it was."""
        self.engine.post(intent)
        self.run(1)
        return self.last.operator.refused

    def play(self, ticks: int) -> None:
        """Hold the key, let it go, wait until the arm stands."""
        self.engine.post(Hold(axis="play", down=True, repeat=False, seq=next(SEQ)))
        self.run(ticks)
        self.engine.post(Hold(axis="play", down=False, repeat=False, seq=next(SEQ)))
        self.run(30)

    @property
    def q(self) -> np.ndarray:
        return np.array(self.last.inputs.q)


@pytest.fixture
def plays(tmp_path: Path) -> Iterator[Plays]:
    table = Plays(tmp_path)
    yield table
    bounds = table.engine.settings.limits
    state = arbiter.initial(bounds, arbiter.RobotLimits.of(table.robot), table.robot.cell)
    decided: list[Decision] = []
    for tick in table.ticks:
        state, decision = arbiter.step(state, tick.inputs)
        decided.append(decision)
        assert math.hypot(*tick.inputs.twist[:3]) < 0.12
    assert msgspec.msgpack.encode(decided) == msgspec.msgpack.encode([tick.decision for tick in table.ticks])


def test_a_pose_is_played_while_the_key_is_held_stands_when_it_is_let_go_and_goes_on(plays: Plays) -> None:
    before = plays.q
    plays.play(80)
    half = plays.last.operator
    assert 0.05 < half.motion_share < 0.95
    assert (half.motion, half.motion_step, half.motion_steps) == ("near", 1, 1)
    stood = plays.q
    assert np.abs(stood - before).max() > 0.02
    plays.run(50)
    assert np.abs(plays.q - stood).max() < 0.01
    assert plays.speed() < 0.01
    plays.play(400)
    assert plays.last.operator.motion_share == 1.0
    assert plays.q == pytest.approx(NEAR.q, abs=0.04)
    assert plays.last.inputs.gripper == pytest.approx(NEAR.gripper, abs=0.05)
    assert plays.last.command.posture == pytest.approx(NEAR.q)
    assert plays.engine.stops == []
    assert not any(tick.decision.going for tick in plays.ticks)


def test_a_gated_motion_moves_nothing_until_it_is_confirmed_and_a_stop_sets_it_back(plays: Plays) -> None:
    assert plays.ask(ChooseMotion(step=1)) == ""
    before = plays.q
    plays.play(40)
    assert "Y confirms" in plays.last.operator.refused
    assert np.abs(plays.q - before).max() < 0.01
    assert not any(tick.inputs.jogging for tick in plays.ticks)
    assert plays.ask(Confirm(motion="there")) == ""
    plays.play(60)
    assert plays.last.operator.motion_step == 1
    assert np.abs(plays.q - before).max() > 0.01
    plays.engine.post(Hold(axis="play", down=True, repeat=False, seq=next(SEQ)))
    plays.run(1)
    assert "Y confirms" in plays.last.operator.refused
    plays.ask(Confirm(motion="there"))
    plays.engine.post(Hold(axis="play", down=True, repeat=False, seq=next(SEQ)))
    plays.run(20)
    assert plays.last.inputs.jogging
    plays.page.raise_stop(Writer.CONSOLE)
    plays.run(2)
    told = plays.last.operator
    assert not plays.last.inputs.jogging
    assert (told.motion_step, told.clearance_left) == (0, 0.0)


def test_an_arm_that_was_moved_while_it_was_disarmed_is_told_no_old_place(plays: Plays) -> None:
    plays.play(80)
    old = np.array(plays.last.command.posture)
    plays.ask(Disarm())
    plays.robot.place(draw(plays.robot.arm, 9))
    plays.robot.stop(1)  # it holds by itself where it was put
    plays.arm()
    assert np.abs(plays.q - old).max() > 0.1
    assert plays.last.command.posture == pytest.approx(plays.q, abs=0.01)


def test_a_recording_shows_what_was_played(tmp_path: Path) -> None:
    table = Plays(tmp_path, recorded=True)
    table.play(60)
    table.engine.close("done")
    session = Session.open(table.path)
    shown = [session.snapshot(tick).operator for tick in (5, session.ticks - 1)]
    assert [(told.motion, told.motion_count, told.motion_step) for told in shown] == [("near", 2, 0), ("near", 2, 1)]
    assert shown[1].motion_share > 0.0


def test_what_was_confirmed_begun_let_go_and_brought_to_its_end_is_recorded_with_who_did_it(tmp_path: Path) -> None:
    table = Plays(tmp_path, recorded=True)
    table.engine.attached("desk")
    table.play(60)
    table.play(220)
    table.ask(ChooseMotion(step=1))
    table.ask(Confirm(motion="there"))
    table.play(20)
    table.ask(Confirm(motion="there"))
    table.engine.post(Hold(axis="play", down=True, repeat=False, seq=next(SEQ)))
    table.run(5)
    table.page.raise_stop(Writer.CONSOLE)
    table.run(2)
    table.engine.close("done")
    events = [event for event in Session.open(table.path).events if event.kind == "motion"]
    assert [event.text for event in events] == [
        "PLAYS near by console desk",
        "STANDS near, step 1 of 1",
        "GOES ON near by console desk, step 1 of 1",
        "PLAYED near",
        "CONFIRMED there by console desk: Nobody is near.",
        "PLAYS there by console desk",
        "STANDS there, step 1 of 2",
        "CONFIRMED there by console desk: Nobody is near.",
        "GOES ON there by console desk, step 1 of 2",
        "STANDS there, step 1 of 2",
    ]
    assert all(one.tick < other.tick for one, other in itertools.pairwise(events))


def test_the_shipped_throw_takes_its_seconds_at_the_fastest_that_anything_is_played() -> None:
    arm, model, play, passed = So101Settings(), Kinematics(SO101), None, [0.0] * 4
    throw = next(motion for motion in motions.motions(Settings(robot="so101")) if motion.name == "throw")
    q, gripper = arm.target("home")
    while play is None or not playing.done(play, throw):
        passed[play.step if play is not None else 0] += DT
        play = playing.played(play, throw, q=q, gripper=gripper, tool_at=lambda q: model.pose(np.array(q)), speed=JOG_SPEED, dt=DT)
        assert play is not None
        *joints, gripper = playing.target(play, throw)
        q = tuple(joints)
        assert sum(passed) < 60.0
    assert passed == pytest.approx([step.seconds for step in throw.steps], abs=0.15)


def test_the_so101_s_motions_are_its_poses_then_its_macros_as_fast_as_they_are_written() -> None:
    arm = So101Settings()
    found = motions.motions(Settings(robot="so101"))
    assert [motion.name for motion in found] == [*arm.poses, *arm.macros]
    throw = next(motion for motion in found if motion.name == "throw")
    assert throw.clearance == arm.macros["throw"].clearance != ""
    assert [(step.q, step.gripper, step.seconds) for step in throw.steps] == [(*target, seconds) for target, seconds in arm.motion("throw")]
    assert all(motion.clearance == "" for motion in found if motion.name in arm.poses)
    assert motions.motions(Settings(robot="so101-sim")) == ()
