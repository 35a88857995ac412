"""What goes wrong at one table and what comes of it, from tick to tick, and what of it a plant keeps."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from adapters.base import Happening
from adapters.mujoco.body import Body
from adapters.mujoco.tabletop import disturbances, effects, failing
from adapters.mujoco.tabletop.arm import Arm
from adapters.mujoco.tabletop.disturbances import EMPTY, SLOTS, Course, Disturbance, Kind
from adapters.mujoco.tabletop.effects import Effects, Stranger
from adapters.mujoco.tabletop.failing import Effort, Signs
from adapters.mujoco.tabletop.truth import Truth
from engine.types import F32

STRANGERS: Final = (Kind.DISTRACTOR, Kind.OBSTACLE)


@dataclass(slots=True)
class Memory:
    """What lasts from one tick to the next."""

    course: Course = field(default_factory=Course)
    signs: Signs = field(default_factory=Signs)
    strangers: list[Stranger] = field(default_factory=lambda: [Stranger(), Stranger()])  #: decoy and post; last, for ``truth.strangers``


class Trouble:
    """One table's; ``memory`` is replaced when a plant is restored."""

    def __init__(self, arm: Arm, task: str, body: Body) -> None:
        self.memory = Memory()
        self._arm, self._task, self._body = arm, task, body
        self._effects = Effects(arm, body)
        self._happened: list[Happening] = []

    def take(self, memory: Memory, time: float) -> None:
        """Go on from a memory, at a time of the table's clock."""
        self.memory = memory
        self._happened.clear()
        self._act(time)

    def endanger(self, found: Sequence[Disturbance], time: float, keep: float = 0.0) -> None:
        """Let at most SLOTS disturbances happen at their times, in the place of all others; a start beyond the edge is one at once."""
        for one in found:
            if one.kind == Kind.EDGE:
                self._body.qpos[self._arm.joints + self._arm.fingers :][:2] = one.along, one.across
        self.take(Memory(Course([*found, *[EMPTY] * (SLOTS - len(found))], keep=keep)), time)

    def drift(self, time: float) -> tuple[float, float]:
        """(2,) m/s, how fast the zone is being moved."""
        return effects.drift(self.memory.course, time)

    def pass_on(self, truth: Truth, effort: Effort, kept: bool, done: bool, time: float, dt: float) -> None:
        """dt has passed and this is how things stand: see what has come of it, and let what goes wrong act for the next tick."""
        memory = self.memory
        for i, one in enumerate(memory.course.slots):
            if not memory.course.told[i] and 0.0 <= one.at <= time:
                memory.course.told[i] = 1.0
                self._happened.append(Happening("disturbance", one.kind.name.lower(), disturbances.told(one)))
        touches = self.touches()
        self._happened += failing.watch(memory.signs, self._arm, self._task, truth, touches, effort, kept, done, dt)
        if not memory.course.empty:
            _, _, _, at_post, at_decoy, _, cube_at_post, *_ = touches
            for stranger, kind, touched in zip(memory.strangers, STRANGERS, (at_decoy, at_post + cube_at_post), strict=True):
                stranger.slide(kind, self._arm, memory.course, time, touched > 0.0, dt)
            self._act(time)

    def happened(self) -> list[Happening]:
        """What has come to pass since the last call, in order."""
        told, self._happened = self._happened, []
        return told

    def touches(self) -> list[float]:
        """(len(TOUCHES),) N, contact forces in the last physics step."""
        forces: list[float] = np.linalg.norm(self._body.sensed.reshape(-1, 3), axis=1).tolist()
        return forces

    def oracle(self, truth: Truth, time: float) -> F32:
        """(12,) as ``failing.ORACLE`` names them."""
        signs, moving = self.memory.signs, len(self._body.qvel) - 6
        cube = self._body.qvel[moving : moving + 3]
        slip = cube - self._body.twist()[:3] if signs.squeeze > 2.0 * failing.TOUCH else cube
        speed = math.hypot(*slip.tolist())
        return failing.oracle(signs, self.memory.course, self._arm, self._task, truth, speed, self.memory.strangers, time)

    def _act(self, time: float) -> None:
        self._effects.apply(self.memory.course, time, self.memory.signs.squeeze, self.memory.strangers)
