"""The engine of a run, which notes when its robot heard of each stop: ``python -m engine.bench.stamped RUN_FOLDER``.

Prints, as it ends, a JSON list of [ns of the machine's clock, the stop page's counts by writer]: one for each command or stop that
was given to the robot on another page than the one before.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from engine import unix_signals

if TYPE_CHECKING:
    from adapters.base import CameraRig, Robot
    from engine.config import Settings
    from engine.stop import StopPage
    from engine.types import Command

Stamp = tuple[int, tuple[int, ...]]


class Stamped:
    """A robot, and the moments at which it was told of another stop page. A tick that finds the page moved on commands nothing:
    so what the page holds when a command comes is what the tick had seen."""

    def __init__(self, robot: "Robot", page: "StopPage", stamps: list[Stamp]) -> None:
        self._robot, self._page, self._stamps = robot, page, stamps

    def __getattr__(self, name: str) -> Any:
        return getattr(self._robot, name)

    def command(self, command: "Command") -> None:
        self._note()
        self._robot.command(command)

    def stop(self, category: int) -> None:
        self._note()
        self._robot.stop(category)

    def _note(self) -> None:
        counts = self._page.counts()
        if not self._stamps or self._stamps[-1][1] != counts:
            self._stamps.append((time.clock_gettime_ns(time.CLOCK_BOOTTIME), counts))


def main(folder: str) -> int:
    """Serve the run until it ends; returns the exit code."""
    from engine import host
    from engine.runs import Run
    from engine.stop import StopPage

    stamps: list[Stamp] = []
    plain, page = host.open_robot, StopPage(Run(Path(folder)).page, create=True)

    def opened(settings: "Settings") -> tuple["Robot", "CameraRig"]:
        robot, rig = plain(settings)
        return cast("Robot", Stamped(robot, page, stamps)), rig

    host.open_robot = opened
    code = host.main(folder)
    print(json.dumps(stamps), flush=True)
    return code


if __name__ == "__main__":
    unix_signals.block()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os._exit(main(sys.argv[1]))  # a thread that is left behind in torch would abort an interpreter that winds itself up
