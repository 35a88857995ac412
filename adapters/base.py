"""The two protocols a robot and its cameras keep; an adapter is whatever satisfies them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

from engine.safety.cell import Cell
from engine.types import F32, Command, Frames, Observation, Vec6, Vec7


class AdapterError(Exception):
    """The robot or its cameras could not be reached, or stopped answering. The text is one sentence for the operator."""


class Robot(Protocol):
    """A robot the engine drives at 100 Hz.

    The control thread calls it; ``stop`` and ``close`` may also come from the thread that ends the run.
    """

    name: str
    simulated: bool
    joint_limits: tuple[tuple[float, float], ...]  #: rad, one pair a joint
    joint_velocity_limits: tuple[float, ...]  #: rad/s
    joint_torque_limits: tuple[float, ...]  #: N m
    cell: Cell  #: its shape and its sensor of the person, as commissioned

    def connect(self) -> None:
        """Raises AdapterError."""

    def read(self, t_ns: int) -> Observation:
        """The newest reading, stamped with the engine's time of receipt. Raises AdapterError when the robot is gone."""

    def command(self, command: Command) -> None:
        """Hand over the impedance command for the next tick. Without one for 50 ms the robot brakes and holds by itself."""

    def tool_at(self, q: Sequence[float]) -> Vec7:
        """(7,) where the tool would be at the joints' angles q (n,), rad."""

    def joint_twist(self, joint: int) -> Vec6:
        """(6,) m and rad: how the tool moves for each radian of one joint, counted from 1, where the arm stood at the last reading."""

    def stop(self, category: int) -> None:
        """Stop now, by the robot's own means, whatever was commanded; from then on commands do nothing until ``resume``.

        Bounded work, no wait. Idempotent.
        """

    def resume(self) -> None:
        """Leave a stop: hold at the measured pose with zero error. Called only when the operator has re-armed."""

    def advance(self, dt: float) -> None:
        """Simulated robots: let dt seconds of physics pass. Real ones: nothing."""

    def close(self) -> None:
        """Idempotent; never drops a load."""


class CameraRig(Protocol):
    """All cameras of a robot. The camera thread calls it; ``close`` may also come from the thread that ends the run."""

    names: tuple[str, ...]

    def open(self) -> None:
        """May take seconds (kernel compilation). Raises AdapterError."""

    def capture(self, observation: Observation, seq: int, t_ns: int) -> Frames:
        """Blocks for one exposure of every camera. Simulated rigs draw the observation's own plant state."""

    def geometry(self) -> Mapping[str, Any]:
        """Per camera: size, vertical field of view (deg), pose; recorded with the session."""

    def close(self) -> None: ...


@runtime_checkable
class Resting(Protocol):
    """A real robot without brakes: it says itself what it does and refuses, and lets go only where it holds itself up."""

    tell: Callable[[str, str], None]  #: takes an event's kind and its sentence; called by any thread

    def release(self) -> bool:
        """Take the power off; False where the robot would fall, and holds. Raises AdapterError where the power does not go off."""


class Happening(NamedTuple):
    """Something that physics, not anybody's judgement, says has come to pass; recorded as an event of that kind."""

    kind: str  #: "failure", "success" or "disturbance"
    what: str  #: of a failure one of ``engine.types.FAILURES``, of a disturbance its kind; of a success ""
    text: str  #: one clause with its numbers


@runtime_checkable
class Disturbed(Protocol):
    """A simulated robot in whose world things go wrong, at random times and for real reasons."""

    def disturb(self, seed: int) -> None:
        """Draw what will go wrong from ``seed``, from the present moment on; some seeds draw nothing. It is part of ``plant``."""

    def happened(self) -> list[Happening]:
        """What has come to pass since the last call, in order; each failure is told when it begins."""

    def veil(self) -> F32:
        """(C, 8) what stands before each camera now, as ``adapters.mujoco.veil`` lays it over a picture."""

    def delay(self) -> float:
        """s by which what the policy says arrives later than usual now."""

    def oracle(self) -> F32:
        """(12,) what the simulator alone knows of how the work will go, each about within [-1, 1]; no policy and no layer reads it."""
