"""The arms at the table run through the same engine: they do their tasks under the arbiter, stop, keep what they hold, and replay."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.mujoco.tabletop.robot import Tabletop
from engine.attendant import Attendant
from engine.clock import SimulatedClock
from engine.config import Settings
from engine.control.playing import Motion
from engine.engine import Engine
from engine.host import open_robot
from engine.messages import AdjustForce, Arm, Hold, Intent, KeyTiming, MoveLine, Recover, SetMode
from engine.policy.scripted import Scripted
from engine.session.reader import Session
from engine.session.recorder import Recorder
from engine.session.schema import header
from engine.session.verify import recompute
from engine.stop import StopPage
from engine.types import Mode, Snapshot, StopKind, Tick, Writer

LONGEST = 1500  #: ticks
TASKS = {"pickplace": "pickplace", "so101-sim": "lift"}
JOINTS = {"pickplace": 7, "so101-sim": 5}


class Enough(Exception):
    """What was waited for has come about."""


class Table:
    """An engine in lock-step on a table; the attendant arms it and lets it go."""

    def __init__(self, robot: str, task: str, folder: Path, *, recorded: bool = False, motions: tuple[Motion, ...] = ()) -> None:
        settings = Settings(robot=robot, task=task, policy="scripted", seed=6, store=folder / "store", camera={"pixels": 64})
        built, rig = open_robot(settings)
        assert isinstance(built, Tabletop)
        self.robot, self.rig = built, rig
        clock = SimulatedClock()
        recorder = Recorder(settings.store, header(settings, built, rig), clock=clock, wait=True) if recorded else None
        self.path = recorder.path if recorder is not None else folder
        self.page = StopPage(folder / "stop", create=True)
        self.engine = Engine(
            settings,
            run="test",
            robot=built,
            rig=rig,
            load_policy=lambda progress: Scripted(robot, task),
            page=self.page,
            recorder=recorder,
            console_required=False,
            clock=clock,
            motions=motions,
        )
        self.engine.prepare_lockstep()

    def work(self, until: Callable[[], bool]) -> None:
        """Arm, go, and work until something has come about."""
        attendant = Attendant(self.engine)

        def script(tick: int) -> None:
            if until():
                raise Enough
            attendant(tick)

        with pytest.raises(Enough):
            self.engine.lockstep(LONGEST, script=script)

    def holds(self) -> bool:
        """The cube is in the air."""
        return self.last.inputs.gripper > 0.3 and self.height() > 0.01

    def height(self) -> float:
        """m, of the cube over the table."""
        truth = self.robot.truth()
        return truth.cube[2] - self.robot.arm.table - self.robot.arm.cube_half

    def ask(self, intent: Intent) -> str:
        """Why it was not followed; "" if it was."""
        self.engine.post(intent)
        self.engine.lockstep(1)
        return self.last.operator.refused

    def hold(self, axis: str, ticks: int) -> None:
        """Hold a jog key."""

        def press(tick: int) -> None:
            self.engine.heard(0.0)
            self.engine.post(Hold(axis=axis, down=True, repeat=tick > 0, seq=self.last.inputs.tick))

        self.engine.lockstep(ticks, script=press)
        self.ask(Hold(axis=axis, down=False, repeat=False, seq=self.last.inputs.tick))

    @property
    def last(self) -> Tick:
        assert self.engine.control.last is not None
        return self.engine.control.last

    def speed(self) -> float:
        return math.hypot(*self.last.inputs.twist[:3])


@pytest.fixture(scope="module", params=list(TASKS))
def worked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Table, Session]:
    """A recorded run to the end of the task."""
    robot = str(request.param)
    table = Table(robot, TASKS[robot], tmp_path_factory.mktemp(robot), recorded=True)
    table.work(table.robot.task_done)
    table.engine.close("done")
    return robot, table, Session.open(table.path)


def test_the_task_is_done_under_the_arbiter_without_a_stop(worked: tuple[str, Table, Session]) -> None:
    _, table, session = worked
    assert table.robot.task_done()
    assert table.engine.stops == []
    assert max(math.hypot(*row[:3]) for row in session.rows("tick/twist")) < 1.4 * table.engine.settings.limits.speed_unsensed


def test_a_session_is_as_wide_as_the_robot_has_joints_and_every_decision_follows_from_it(worked: tuple[str, Table, Session]) -> None:
    robot, _, session = worked
    report = recompute(session.path)
    assert report.ok, report.problems
    assert report.decisions_recomputed == session.ticks
    for name in ("q", "dq", "tau", "posture"):
        assert session.rows(f"tick/{name}").shape == (session.ticks, JOINTS[robot])


def test_what_a_screen_shows_comes_back_from_the_session(worked: tuple[str, Table, Session]) -> None:
    robot, table, session = worked
    shown: Snapshot = session.snapshot(session.ticks - 1)
    assert shown.run.instruction == table.engine.settings.instruction
    assert not shown.saw.present
    assert shown.energy.present == (robot == "pickplace")
    assert len(shown.inputs.q) == JOINTS[robot]
    assert shown.command.gripper_d == table.last.command.gripper_d


@pytest.fixture(scope="module", params=list(TASKS))
def stopped(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Table, list[Tick], float]:
    """A table whose robot was stopped with the cube in the air, the ticks of the second after that, and the cube's height then."""
    table = Table(str(request.param), "lift", tmp_path_factory.mktemp("stopped"))
    table.work(table.holds)
    table.page.raise_stop(Writer.SHELL)
    ticks, height = [], table.height()
    table.engine.lockstep(100, script=lambda tick: ticks.append(table.last))
    return table, ticks[1:], height


def test_a_stop_comes_to_rest_in_time_and_keeps_the_cube(stopped: tuple[Table, list[Tick], float]) -> None:
    table, ticks, height = stopped
    resting = [math.hypot(*tick.inputs.twist[:3]) <= table.engine.settings.limits.rest_speed for tick in ticks]
    assert all(resting[round(100 * table.engine.settings.limits.rest_within) + 1 :])
    assert [stop.reason for stop in table.engine.stops] == ["stop_shell"]
    assert table.height() > height - 0.005
    assert not any(tick.decision.armed for tick in ticks)
    assert {tick.decision.stop_kind for tick in ticks} == {StopKind.PROTECTIVE, StopKind.NONE}
    assert all(tick.command.gripper_d > tick.inputs.gripper for tick in ticks)


def test_no_axis_yields_where_nobody_holds_the_tool(stopped: tuple[Table, list[Tick], float]) -> None:
    _, ticks, _ = stopped
    assert all(tick.command.stiffness_d == ticks[0].command.stiffness_d for tick in ticks)


def test_what_belongs_to_a_saw_is_refused_in_words(stopped: tuple[Table, list[Tick], float]) -> None:
    table, _, _ = stopped
    pull = Hold(axis="pull", down=True, repeat=False, seq=table.last.inputs.tick)
    for asked in (pull, AdjustForce(delta=5.0), MoveLine(dy=0.05, dz=0.0), Recover()):
        assert table.ask(asked) == "This robot has no saw."
    assert table.last.operator.grant_axis == ""


def test_jogging_lifts_the_cube_and_only_a_held_key_lets_it_go(stopped: tuple[Table, list[Tick], float]) -> None:
    table, _, _ = stopped
    assert table.ask(SetMode(mode=Mode.JOG_XYZ)) == ""
    assert table.ask(Arm(robot=table.robot.name)) == ""
    table.engine.lockstep(110)
    table.ask(KeyTiming(key_mode="HOLD", repeat_interval=0.03))
    before = table.height()
    table.hold("+z", 60)
    table.engine.lockstep(30)
    assert table.height() > before + 0.02
    table.hold("-grip", 60)
    assert table.height() < 0.005
    assert table.last.inputs.gripper < 0.5
    assert table.last.decision.armed


def test_where_the_tool_would_be_at_the_measured_joints_is_where_it_is(worked: tuple[str, Table, Session]) -> None:
    _, table, _ = worked
    seen = table.last.inputs
    assert table.robot.tool_at(seen.q) == pytest.approx(seen.pose, abs=1e-9)
