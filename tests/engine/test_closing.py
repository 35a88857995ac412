"""How a running engine is closed: the robot is stopped before anything is waited for that may hang."""

import threading
from pathlib import Path

from adapters.mujoco import cosaw
from engine.config import Settings
from engine.engine import Engine
from engine.faults.parts import FaultyRobot
from engine.faults.processes import until
from engine.policy.scripted import Scripted
from engine.stop import StopPage
from engine.types import Observation

SHORTER = 3.0  #: s than what a thread that hangs is given to end


class Hanging(FaultyRobot):
    """Does not answer until it is told to stop."""

    def __init__(self, seed: int) -> None:
        robot, self.rig = cosaw.build(seed, 64)
        super().__init__(robot)
        self.hangs, self._stopped = threading.Event(), threading.Event()
        self.was_stopped = False

    def hang(self, observation: Observation) -> Observation:
        self.hangs.set()
        self.was_stopped = self._stopped.wait(SHORTER)
        return observation

    def stop(self, category: int) -> None:
        self._stopped.set()
        super().stop(category)


def test_a_control_thread_that_hangs_keeps_no_robot_from_being_stopped(tmp_path: Path) -> None:
    robot = Hanging(3)
    engine = Engine(
        Settings(policy="scripted"),
        run="test",
        robot=robot,
        rig=robot.rig,
        load_policy=lambda progress: Scripted(),
        page=StopPage(tmp_path / "stop", create=True),
        recorder=None,
        console_required=False,
    )
    engine.start()
    until(engine.ready, "the engine was ready")
    robot.change = robot.hang
    until(robot.hangs.is_set, "the control thread hung")
    engine.close("over")
    assert robot.was_stopped
