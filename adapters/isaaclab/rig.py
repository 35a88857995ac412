"""The cameras of an Isaac Lab environment: its newest pictures, with what the robot observed when they were taken."""

from collections.abc import Mapping
from typing import Any, Final

from adapters.isaaclab import known
from adapters.isaaclab.robot import Isaac
from adapters.mujoco.cameras import geometry
from engine.types import Frames, Observation

PERIODS: Final = 4.0  #: of the cameras, that an exposure may take before it counts as lost
LEAST_S: Final = 0.5  #: s, and at least this


class IsaacRig:
    """The pictures that the worker of a ``robot`` draws every ``every`` environment steps, ``px`` × ``px`` each."""

    def __init__(self, robot: Isaac, names: tuple[str, ...], px: int, every: int) -> None:
        self.names = names
        self._robot, self._px = robot, px
        self._within = max(LEAST_S, PERIODS * every * known.STEP_S)
        self._number = 0

    def open(self) -> None:
        """Nothing: they draw as soon as the robot is connected."""

    def capture(self, observation: Observation, seq: int, t_ns: int) -> Frames:
        """The next pictures, with the observation and the time of the state that they show. Raises AdapterError where none come."""
        found, seen = self._robot.exposure(self._number, self._within)
        self._number = found.number
        images = {name: found.values[name] for name in self.names}
        return Frames(seq=seq, t_ns=t_ns, exposed_ns=seen.t_ns, observation=seen, images=images)

    def geometry(self) -> Mapping[str, Any]:
        return geometry({name: view for name, view in known.VIEWS.items() if name in self.names}, self._px)

    def close(self) -> None:
        """Nothing: they end with the robot."""
