"""One episode at the table in lock-step: a drawn start, an expert or a policy, and what came of it."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from adapters.mujoco import layout
from adapters.mujoco.episode import pose_at
from adapters.mujoco.tabletop import expert, setting, truth
from adapters.mujoco.tabletop.arms import arm as named
from adapters.mujoco.tabletop.robot import Tabletop
from adapters.mujoco.tabletop.tasks import DURATION
from engine.limits import Limits
from engine.types import F32, F64, Command

STEP_S: Final = expert.STEP_S
STIFFNESS: Final = (760.0, 760.0, 570.0, 95.0, 95.0, 95.0)  #: N/m, N m/rad; what a nominal score permits
FORCE_MAX: Final = 58.0  #: N
TORQUE_MAX: Final = 8.0  #: N m
SPEED_MAX: Final = 0.25  #: m/s, of the reference
TASK_POWER: Final = Limits().task_power  #: W
DROP: Final = 0.01  #: m, height from which a cube counts as dropped when it is no longer held
AFTERWARDS: Final = 1.0  #: s that an episode goes on when its task is done

Policy = Callable[["Episode"], F32]


@dataclass(frozen=True, slots=True)
class Outcome:
    seed: int
    success: bool
    done_s: float  #: from the start until the task was done; NaN
    drops: int  #: how often a held cube was lost other than where it belongs
    cube_m: float  #: from the tool to the cube at the end
    zone_m: float  #: from the cube to the zone's middle at the end; NaN where there is none
    lifted_m: float  #: the greatest height of the cube over where it lay


class Episode:
    """A running episode. Steps are 50 ms; a chunk given at a step is played by time, late by ``latency_s``, the old one until
    then. ``spread`` above 1 puts the cube beyond where training puts it; ``midway`` begins in mid-task."""

    def __init__(
        self,
        arm: str,
        task: str,
        seed: int,
        latency_s: float = 0.20,
        replan_steps: int = 5,
        duration: float | None = None,
        spread: float = 1.0,
        midway: bool = False,
    ) -> None:
        self.seed, self.task, self.replan_steps = seed, task, replan_steps
        self.arm = named(arm)
        self.duration = DURATION[task] if duration is None else duration
        self._late = latency_s
        self.robot = Tabletop(self.arm, arm, seed, task)
        self.robot.place(setting.draw(self.arm, seed, spread, midway))
        self._running: tuple[float, F64, F32] | None = None
        self._coming: deque[tuple[float, F64, F32]] = deque()
        self._reference: F64 = self.pose()
        self._held, self._drops, self._lifted = False, 0, 0.0

    # --- what a policy may see, and what an expert knows ---

    def plant(self) -> F64:
        """(P,)"""
        return self.robot.plant()

    def pose(self) -> F64:
        """(7,) of the tool."""
        return self.robot.tool()[0]

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

    def follow(self, chunk: F32, steps: int | None = None) -> None:
        """Hand over a chunk exposed now, and let so many 50 ms steps pass."""
        self._coming.append((self.robot.time, self.pose(), np.asarray(chunk, np.float32)))
        for _ in range(round((steps or self.replan_steps) * STEP_S / layout.TICK_S)):
            self._tick()

    @property
    def done(self) -> bool:
        """The time is up, or the task has been done for a while."""
        return self.robot.time >= self.duration - 1e-9 or self.robot.time >= self.robot.done_at() + AFTERWARDS - 1e-9

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
        now = self.robot.time
        while self._coming and now >= self._coming[0][0] + self._late - 1e-9:
            self._running = self._coming.popleft()
        goal, grip = self._reference.copy(), math.nan
        if self._running is not None:
            exposed, base, chunk = self._running
            since = now + layout.TICK_S - exposed
            goal, grip = pose_at(base, chunk, since), grip_at(chunk, since)
        before = self._reference
        step: F64 = goal[:3] - before[:3]
        length = float(np.linalg.norm(step))
        if length > SPEED_MAX * layout.TICK_S:
            goal[:3] = before[:3] + step * (SPEED_MAX * layout.TICK_S / length)
        twist = np.zeros(6)
        twist[:3] = (goal[:3] - before[:3]) / layout.TICK_S
        self._reference = goal
        self.robot.command(
            Command(
                command_tick=round(now / layout.TICK_S),
                pose_d=tuple(goal.tolist()),
                twist_d=tuple(twist.tolist()),
                stiffness_d=STIFFNESS,
                force_max=FORCE_MAX,
                torque_max=TORQUE_MAX,
                hold=False,
                brakes=False,
                hand_force=0.0,
                hand_press=0.0,
                line_y_d=0.0,
                log_top_d=0.0,
                task_power=TASK_POWER,
                gripper_d=grip,
            )
        )
        self.robot.advance(layout.TICK_S)
        self._watch()

    def _watch(self) -> None:
        """Count what has been lost on the way."""
        now = self.robot.truth()
        height = now.cube[2] - truth.resting(self.arm)
        self._lifted = max(self._lifted, height)
        holds = truth.holds(self.arm, now)
        if self._held and not holds and height > DROP:
            self._drops += 1
        self._held = holds


def grip_at(chunk: F32, since: float) -> float:
    """0 open .. 1 closed, ``since`` seconds after a chunk's exposure: its last action that is due, or its first."""
    return float(chunk[min(len(chunk) - 1, max(0, int(since / STEP_S - 1.0))), 6])


def run(
    arm: str, task: str, seed: int, policy: Policy | None = None, latency_s: float = 0.20, replan_steps: int = 5, spread: float = 1.0
) -> Outcome:
    """A whole episode; without a policy the expert acts."""
    episode = Episode(arm, task, seed, latency_s, replan_steps, spread=spread)
    while not episode.done:
        episode.follow(episode.expert() if policy is None else policy(episode))
    return episode.outcome()
