"""The same commands in so101-sim and in Isaac Lab: the arms' traces, and how far apart they are.

The scripted expert does a task in so101-sim. What that told the servos every 10 ms, the arm's weight carried, is then told to Isaac Lab's
from the same start, one environment step each; nothing corrects it there.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from adapters.isaaclab import known
from adapters.isaaclab.robot import beginning
from adapters.isaaclab.vector import Config, Lockstep
from adapters.mujoco import layout
from adapters.mujoco.playback import Playback
from adapters.mujoco.tabletop import expert, servos, truth
from adapters.mujoco.tabletop.robot import Tabletop
from adapters.mujoco.tabletop.so101 import SO101
from adapters.mujoco.tabletop.tasks import DURATION
from engine.control import pose as poses
from engine.policy.course import LATENCY_S, REPLAN_STEPS
from engine.types import F64

TASKS: Final = {task.does: id for id, task in known.KNOWN.items() if task.arm == SO101.name and not task.play}
NAMES: Final = (*known.JOINTS, "jaw")
AFTERWARDS: Final = 0.5  #: s that are compared when so101-sim's task is done


@dataclass(frozen=True)
class Commands:
    """What the servos are told, one row for each 10 ms, and where that begins."""

    start: dict[str, Any]  #: of the handshake
    target: F64  #: (N, 5) rad
    sag: F64  #: (N, 5) rad, what of the targets carries the arm's weight
    gripper: F64  #: (N,) 0 open .. 1 closed


@dataclass(frozen=True)
class Trace:
    """Where everything was after each command, in one simulator."""

    joints: F64  #: (N, 6) rad, the jaw last
    tool: F64  #: (N, 3) m
    cube: F64  #: (N, 3) m, its middle
    done_at: float  #: s, when the task was done; NaN where it was not


@dataclass(frozen=True)
class Gap:
    """How far apart two traces are."""

    largest: float
    at: float  #: s from the start, when that was
    rms: float


@dataclass(frozen=True)
class Comparison:
    """Two traces of the same commands."""

    task: str
    seed: int
    step: float  #: s, of Isaac Lab's physics
    mujoco: Trace
    isaac: Trace

    @property
    def times(self) -> F64:
        """(N,) s from the start."""
        return np.array([known.STEP_S * count for count in range(1, len(self.mujoco.joints) + 1)])

    def joints(self) -> dict[str, Gap]:
        """rad, of each of ``NAMES``."""
        apart = np.abs(self.isaac.joints - self.mujoco.joints)
        return {name: self._gap(column) for name, column in zip(NAMES, apart.T, strict=True)}

    def tool(self) -> Gap:
        """m, between the places of the tools."""
        return self._gap(self.tool_apart())

    def tool_apart(self) -> F64:
        """(N,) m, the same after each command."""
        apart: F64 = np.sqrt(((self.isaac.tool - self.mujoco.tool) ** 2).sum(axis=1))
        return apart

    def cube(self) -> Gap:
        """m, between the places of the cubes."""
        return self._gap(np.sqrt(((self.isaac.cube - self.mujoco.cube) ** 2).sum(axis=1)))

    def widest(self) -> str:
        """The arm's joint that is farthest apart; the jaw is none."""
        found = self.joints()
        return max(known.JOINTS, key=lambda name: found[name].largest)

    def raised(self) -> tuple[float, float]:
        """m that the cube was over where it lay, at most: in so101-sim, in Isaac Lab."""
        low = truth.resting(SO101)
        return float(self.mujoco.cube[:, 2].max() - low), float(self.isaac.cube[:, 2].max() - low)

    def done_at(self) -> tuple[float, float]:
        """s from the start until the task was done, NaN where it was not: in so101-sim, in Isaac Lab."""
        return self.mujoco.done_at, self.isaac.done_at

    def _gap(self, apart: F64) -> Gap:
        worst = int(apart.argmax())
        return Gap(float(apart[worst]), float(self.times[worst]), math.sqrt(float((apart**2).mean())))


class Told(Tabletop):
    """so101-sim, which remembers what its servos were told."""

    def __init__(self, task: str, seed: int) -> None:
        super().__init__(SO101, "so101-sim", seed, task)
        self.connect()
        self.begun = beginning(self)
        self._rows: list[tuple[F64, F64, F64, F64, F64]] = []

    def advance(self, dt: float) -> None:
        sag = self._body.bias / servos.KP
        super().advance(dt)
        joints = self._body.qpos[: SO101.joints + SO101.fingers].copy()
        self._rows.append((self._body.ctrl.copy(), sag, joints, self._body.place.copy(), np.array(self.truth().cube)))

    def record(self) -> tuple[Commands, Trace]:
        """All since the start."""
        told, sag, joints, tool, cube = (np.array(column) for column in zip(*self._rows, strict=True))
        return Commands(self.begun, told[:, :-1], sag, np.array([servos.closedness(jaw) for jaw in told[:, -1]])), Trace(
            joints, tool, cube, self.done_at()
        )


def demonstrate(task: str, seed: int) -> tuple[Commands, Trace]:
    """The scripted expert's "reach" or "lift" in so101-sim, from the start that the seed sets. Raises AdapterError."""
    table = Told(task, seed)
    play = Playback(table, DURATION[task], LATENCY_S, REPLAN_STEPS)
    while not play.done and not table.time >= table.done_at() + AFTERWARDS:
        play.follow(expert.chunk_from(SO101, task, table.truth()))
    return table.record()


class Stepped(Protocol):
    """Of ``vector.Lockstep``, what is used here."""

    @property
    def state(self) -> Mapping[str, NDArray[Any]]: ...
    def act(self, target: F64, sag: F64, gripper: F64, shown: bool) -> None: ...


def repeat(link: Stepped, commands: Commands) -> Trace:
    """The same from the same start in Isaac Lab, where ``link`` stands at it. Raises AdapterError."""
    joints, tool, cube, done_at = [], [], [], math.nan
    for target, sag, gripper in zip(commands.target, commands.sag, commands.gripper, strict=True):
        link.act(target[None], sag[None], np.array([gripper]), shown=False)
        state = link.state
        place, turn = state["pose"][0, :3], state["pose"][0, 3:]
        joints.append([*state["q"][0], servos.jaw_at(float(state["gripper"][0]))])
        tool.append(place + poses.turned(turn, known.TIP))
        cube.append(state["object"][0, :3])
        if math.isnan(done_at) and state["success"][0]:
            done_at = known.STEP_S * len(cube)
    return Trace(np.array(joints), np.array(tool), np.array(cube), done_at)


def compare(task: str, seed: int, tell: Callable[[str], None], isaac_python: str = "", device: str = "cpu") -> list[Comparison]:
    """ "reach" or "lift" in so101-sim and in Isaac Lab: with physics steps as short as so101-sim's, then as long as Isaac Lab's are here.

    Starts Isaac Lab for each, and ends it; ``tell`` hears how that goes on. Raises AdapterError.
    """
    commands, mujoco = demonstrate(task, seed)
    config = Config(task=TASKS[task], seed=seed, isaac_python=isaac_python, device=device)
    found = []
    for steps in (round(known.STEP_S / layout.PHYSICS_S), known.DECIMATION):
        link = Lockstep(1, config, known.JOINTS, (), tell, start=commands.start, decimation=steps)
        try:
            found.append(Comparison(task, seed, known.STEP_S / steps, mujoco, repeat(link, commands)))
        finally:
            link.close()
    return found
