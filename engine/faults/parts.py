"""Camera, policy, forecast, robot and clock that can be made to fail while the engine runs: each hands on the real part's work, changed."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from adapters.base import CameraRig, Robot
from engine.clock import Clock
from engine.loops.foresight import SHAPES, Foresight
from engine.loops.inference import Policy
from engine.safety.forecast import IN_FORCE
from engine.types import U8, Command, Frames, Inference, Observation, PolicyInfo, Vec6, Vec7


class FaultyRig:
    """Cameras whose exposures pass through ``change`` (fresh, last one handed on) while one is set; it may raise or block."""

    def __init__(self, rig: CameraRig) -> None:
        self._rig = rig
        self.names = rig.names
        self.change: Callable[[Frames, Frames], Frames] | None = None
        self._last: Frames | None = None

    def open(self) -> None:
        self._rig.open()

    def capture(self, observation: Observation, seq: int, t_ns: int) -> Frames:
        fresh = self._rig.capture(observation, seq, t_ns)
        change = self.change
        self._last = fresh if change is None or self._last is None else change(fresh, self._last)
        return self._last

    def geometry(self) -> Mapping[str, Any]:
        return self._rig.geometry()

    def close(self) -> None:
        self._rig.close()


class LentRig(FaultyRig):
    """Cameras that stay open for the next run."""

    def close(self) -> None: ...


def pictures(change: Callable[[U8], U8]) -> Callable[[Frames, Frames], Frames]:
    """Every picture becomes another, however fresh its exposure."""

    def changed(fresh: Frames, last: Frames) -> Frames:
        return msgspec.structs.replace(fresh, images={name: change(image) for name, image in fresh.images.items()})

    return changed


def standing_still(fresh: Frames, last: Frames) -> Frames:
    """The last exposure once more, with its old time."""
    return last


class FaultyPolicy:
    """A policy whose inferences pass through ``change`` (fresh, last one handed on) while one is set; it may raise or block."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.info: PolicyInfo = policy.info
        self.change: Callable[[Inference, Inference], Inference] | None = None
        self._last: Inference | None = None

    def warm_up(self, progress: Callable[[str], None], instruction: str | None = None) -> None:
        self._policy.warm_up(progress, instruction)

    def infer(self, frames: Frames, instruction: str, id: int, previous: Inference | None, now_ns: Callable[[], int]) -> Inference:
        fresh = self._policy.infer(frames, instruction, id, previous, now_ns)
        change = self.change
        self._last = fresh if change is None or self._last is None else change(fresh, self._last)
        return self._last


class LentPolicy(FaultyPolicy):
    """A policy that is warm already."""

    def warm_up(self, progress: Callable[[str], None], instruction: str | None = None) -> None: ...


class FaultyForecast:
    """A forecast in force that foresees nothing; its answers pass through ``change`` while one is set, which may raise or block."""

    def __init__(self) -> None:
        self.change: Callable[[Inference], Inference] | None = None

    def foresight(self, policy: PolicyInfo) -> Foresight:
        return Foresight(IN_FORCE, "", self._foresee)

    def _foresee(self, inference: Inference) -> Inference:
        calm = msgspec.structs.replace(inference, **{name: np.zeros(shape) for name, shape in SHAPES.items()})
        change = self.change
        return calm if change is None else change(calm)


class FaultyRobot:
    """A robot whose readings pass through ``change`` while one is set; it may raise or block."""

    def __init__(self, robot: Robot) -> None:
        self._robot = robot
        self.name, self.simulated, self.cell = robot.name, robot.simulated, robot.cell
        self.joint_limits = robot.joint_limits
        self.joint_velocity_limits = robot.joint_velocity_limits
        self.joint_torque_limits = robot.joint_torque_limits
        self.change: Callable[[Observation], Observation] | None = None

    def connect(self) -> None:
        self._robot.connect()

    def read(self, t_ns: int) -> Observation:
        observation = self._robot.read(t_ns)
        change = self.change
        return observation if change is None else change(observation)

    def command(self, command: Command) -> None:
        self._robot.command(command)

    def tool_at(self, q: Sequence[float]) -> Vec7:
        return self._robot.tool_at(q)

    def joint_twist(self, joint: int) -> Vec6:
        return self._robot.joint_twist(joint)

    def stop(self, category: int) -> None:
        self._robot.stop(category)

    def resume(self) -> None:
        self._robot.resume()

    def advance(self, dt: float) -> None:
        self._robot.advance(dt)

    def close(self) -> None:
        self._robot.close()


class FaultyClock:
    """A clock that can be made to step, and that ends the thread named ``fatal_to`` when it next asks for the time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.stepped_ns = 0
        self.fatal_to = ""
        self.before_end: Callable[[], None] = lambda: None  #: called by that thread

    def now_ns(self) -> int:
        if self.fatal_to and threading.current_thread().name == self.fatal_to:
            self.fatal_to = ""
            self.before_end()
            raise SystemExit  # ends a thread without a word, as a crash inside a library may
        return self._clock.now_ns() + self.stepped_ns
