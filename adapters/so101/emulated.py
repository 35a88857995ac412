"""The SO-101 on emulated servos that move the simulated table's arm: the same robot, whose world can be asked how the task goes."""

from collections.abc import Callable
from typing import Any

from adapters.mujoco.tabletop import truth
from adapters.mujoco.tabletop.so101 import SO101 as ARM
from adapters.mujoco.tabletop.tasks import Progress
from adapters.so101.robot import SO101
from engine.control.pose import floats
from engine.types import F64, Observation


class Emulated(SO101):
    """``plant`` gives the table's state (P,); ``task`` is one of the arm's."""

    def __init__(self, *given: Any, plant: Callable[[], F64 | None], task: str, **more: Any) -> None:
        super().__init__(*given, plant=plant, **more)
        self._progress = Progress(ARM, task)
        self._time: float | None = None

    def read(self, t_ns: int) -> Observation:
        """As the real arm's, with the table's state in it."""
        observation = super().read(t_ns)
        plant = observation.plant
        if len(plant):
            time = float(plant[0])
            places, speeds = truth.places(ARM, plant), truth.speeds(ARM, plant)
            now = truth.truth_of(ARM, floats(observation.pose), places, speeds, truth.zone(ARM, plant))
            self._progress.watch(now, time - self._time if self._time is not None else 0.0)
            self._time = time
        return observation

    def task_done(self) -> bool:
        """Whether the task has been done since the run began."""
        return self._progress.done
