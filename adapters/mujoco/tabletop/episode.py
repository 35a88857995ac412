"""One episode at the table in lock-step: a drawn start, an expert or a policy, and what came of it."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from adapters.mujoco.playback import Playback
from adapters.mujoco.tabletop import expert, setting, truth
from adapters.mujoco.tabletop.arms import arm as named
from adapters.mujoco.tabletop.robot import Tabletop
from adapters.mujoco.tabletop.tasks import DURATION
from engine.policy.course import LATENCY_S, REPLAN_STEPS
from engine.types import F32, F64

DROP: Final = 0.01  #: m, height from which a cube counts as dropped when it is no longer held
AFTERWARDS: Final = 1.0  #: s that an episode goes on when its task is done


@dataclass(frozen=True, slots=True)
class Outcome:
    seed: int
    success: bool
    done_s: float  #: from the start until the task was done; NaN
    drops: int  #: how often a held cube was lost other than where it belongs
    cube_m: float  #: from the tool to the cube at the end
    zone_m: float  #: from the cube to the zone's middle at the end; NaN where there is none
    lifted_m: float  #: the greatest height of the cube over where it lay


class Episode(Playback[Tabletop]):
    """A running episode. ``spread`` above 1 puts the cube beyond where training puts it; ``midway`` begins in mid-task."""

    def __init__(
        self,
        arm: str,
        task: str,
        seed: int,
        latency_s: float = LATENCY_S,
        replan_steps: int = REPLAN_STEPS,
        duration: float | None = None,
        spread: float = 1.0,
        midway: bool = False,
    ) -> None:
        self.seed, self.task, self.arm = seed, task, named(arm)
        robot = Tabletop(self.arm, arm, seed, task)
        robot.place(setting.draw(self.arm, seed, spread, midway))
        super().__init__(robot, DURATION[task] if duration is None else duration, latency_s, replan_steps)
        self._held, self._drops, self._lifted = False, 0, 0.0

    # --- what a policy may see, and what an expert knows ---

    def joints(self) -> F64:
        """(n,) rad"""
        return self.robot.joints()

    def state(self) -> F32:
        """(S,) the joints, rad, then the fingers' places as their mean closedness tells them."""
        return np.array([*self.robot.joints(), *self.arm.placed(self.robot.closed())], np.float32)

    def expert(self) -> F32:
        """(16, 7) of the scripted expert, here and now."""
        return expert.chunk_from(self.arm, self.task, self.robot.truth())

    def labels(self) -> dict[str, float]:
        """What a picture should tell: the auxiliary targets."""
        return truth.labels(self.arm, self.robot.truth())

    # --- running it ---

    @property
    def done(self) -> bool:
        """The time is up, or the task has been done for a while."""
        return super().done or self.robot.time >= self.robot.done_at() + AFTERWARDS - 1e-9

    def outcome(self) -> Outcome:
        """What has come of it so far."""
        now = self.robot.truth()
        return Outcome(
            seed=self.seed,
            success=self.robot.task_done(),
            done_s=self.robot.done_at(),
            drops=self._drops,
            cube_m=math.dist(now.tool[:3], now.cube),
            zone_m=math.nan if self.arm.zones is None else math.dist(now.cube[:2], now.zone),
            lifted_m=self._lifted,
        )

    def _tick(self) -> None:
        super()._tick()
        now = self.robot.truth()
        height = now.cube[2] - truth.resting(self.arm)
        self._lifted = max(self._lifted, height)
        holds = truth.holds(self.arm, now)
        if self._held and not holds and height > DROP:
            self._drops += 1
        self._held = holds
