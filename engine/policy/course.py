"""What one checkpoint learns, and from whom: a robot's tasks, the worlds they are played in, and the numbers that fit them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from engine.policy.mapping import Mapping
from engine.policy.readings import Sights
from engine.types import F32, F64

LATENCY_S = 0.20  #: from exposure to the chunk's first use, as in a live run on two cores
REPLAN_STEPS = 5  #: of 50 ms between two inferences


class Episode(Protocol):
    """A simulated episode in steps of 50 ms. P = plant, S = state, n = joints."""

    duration: float  #: s that it may take

    def plant(self) -> F64: ...
    def state(self) -> F32: ...
    def pose(self) -> F64: ...
    def joints(self) -> F64: ...
    def expert(self) -> F32: ...
    def labels(self) -> dict[str, float]: ...
    def follow(self, chunk: F32, steps: int | None = None) -> None: ...
    @property
    def done(self) -> bool: ...
    def outcome(self) -> Any: ...


class Painter(Protocol):
    """A renderer of many worlds: poses (N, G) of what is to be drawn, looks (N, L) -> a warp array (worlds, C * px * px) on its device."""

    order: list[int]

    def draw_posed(self, poses: F32, look: F32 | None = None) -> Any: ...


@dataclass(frozen=True)
class Task:
    """One thing to do, asked for by one sentence."""

    name: str
    instruction: str
    wrong: str  #: a sentence that asks for something else; a policy that reads fails the task with it
    share: float = 1.0  #: of the episodes, relative to the other tasks


@dataclass(frozen=True)
class Start:
    """How an episode begins."""

    task: str
    seed: int
    duration: float | None = None  #: s; None = the task's own
    latency_s: float = LATENCY_S
    replan_steps: int = REPLAN_STEPS
    spread: float = 1.0  #: above 1, the start lies outside the range trained on, up to so many times as far
    midway: bool = False  #: begin in the middle of the task


@dataclass(frozen=True)
class Shake:
    """How an expert's demonstration is disturbed, so that there is something to recover from."""

    push_chance: float = 0.03  #: that a quiet step begins a push of the reference
    push_steps: tuple[int, int] = (4, 14)
    push_spread: tuple[float, float, float] = (0.04, 0.03, 0.02)  #: m along x, y and z
    halt_chance: float = 0.006  #: that a quiet step begins a halt
    halt_steps: tuple[int, int] = (10, 30)
    midway_share: float = 0.15  #: of the episodes that begin in mid-task


@dataclass(frozen=True)
class Course:
    """One checkpoint: its robot, its tasks and how they are taught. Everything in it can be handed to another process."""

    robot: str
    name: str  #: of the checkpoint
    tasks: tuple[Task, ...]
    mapping: Mapping  #: the policy's state and actions as parts of the robot's
    state_floor: tuple[float, ...]  #: (S,) least spread a state component is normalised by
    action_floor: tuple[float, ...]  #: (A,)
    action_weight: tuple[float, ...]  #: (A,) of each component in the flow's loss
    sights: Sights  #: what the heads read off the pictures
    begin: Callable[[Start], Episode]
    pose: Callable[[F64], F32]  #: plants (N, P) -> poses (N, G), what a painter reads
    painter: Callable[[int, int, str], Painter]  #: worlds, pixels, device
    look: Callable[[int, float], F32]  #: seed, strength -> (L,)
    joint_limits: Callable[[], tuple[tuple[float, float], ...]]  #: rad
    short_s: float | None = None  #: of most demonstrations; None = the task's own time
    long_s: float | None = None  #: of the others, of practice and of evaluation
    long_share: float = 0.3
    shake: Shake = Shake()

    @property
    def state_size(self) -> int:
        return len(self.state_floor)

    @property
    def action_size(self) -> int:
        return len(self.action_floor)

    def dealt(self, count: int) -> list[Task]:
        """A task for each of so many episodes, in their shares, evenly mixed."""
        whole = sum(task.share for task in self.tasks)
        had = [0] * len(self.tasks)
        found = []
        for number in range(1, count + 1):
            chosen = max(range(len(had)), key=lambda i: self.tasks[i].share / whole * number - had[i])
            had[chosen] += 1
            found.append(self.tasks[chosen])
        return found

    def start(self, task: str, seed: int, duration: float | None = None, spread: float = 1.0) -> Start:
        """A whole episode with a live run's latency and replanning."""
        return Start(task, seed, self.long_s if duration is None else duration, spread=spread)
