"""One episode of co-sawing in lock-step: a drawn start, an expert or a policy, and what came of it."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from adapters.mujoco import distance, expert, layout, person
from adapters.mujoco.cutting import kerf_at
from adapters.mujoco.plant import Plant
from adapters.mujoco.robot import Cosaw
from adapters.mujoco.zones import zone_at
from engine.control import pose as poses
from engine.control import sawing
from engine.limits import Limits
from engine.types import F32, F64, PARTS, Command, Zone

DURATION: Final = 25.0  #: s
STEP_S: Final = expert.STEP_S
SUCCESS_DEPTH: Final = 0.010  #: m
SUCCESS_LATERAL: Final = 0.010  #: m
START_ALONG: Final = 0.05  #: m, of the tool's start from mid-stroke
START_ACROSS: Final = 0.15  #: m, from the line
START_ABOVE: Final = (0.03, 0.08)  #: m, over the log
OTHER_STIFFNESS: Final = (760.0, 570.0, 95.0, 95.0, 95.0)  #: N/m across and down, N m/rad; what a nominal score permits
FORCE_MAX: Final = 58.0  #: N
TORQUE_MAX: Final = 8.0  #: N m
SPEED_MAX: Final = 0.25  #: m/s, of the reference
TASK_POWER: Final = Limits().task_power  #: W

Policy = Callable[["Episode"], F32]


@dataclass(frozen=True, slots=True)
class Outcome:
    seed: int
    success: bool  #: SUCCESS_DEPTH deep within SUCCESS_LATERAL of the line in time, and not stuck
    depth_m: float  #: of the deepest kerf within SUCCESS_LATERAL of the line
    lateral_m: float  #: the blade's distance from the line at the end
    stuck: bool
    strokes: int


class Episode:
    """A running episode. Steps are 50 ms; a chunk given at a step is played by time, late by ``latency_s``, the old one until
    then. ``halted`` begins at rest in mid-stroke, in a kerf. ``spread`` above 1 begins farther from the line, the handle and the log
    than any training episode does, up to so many times as far."""

    def __init__(
        self,
        seed: int,
        latency_s: float = 0.20,
        replan_steps: int = 5,
        duration: float = DURATION,
        halted: bool = False,
        spread: float = 1.0,
    ) -> None:
        self.seed, self.duration, self.replan_steps = seed, duration, replan_steps
        self._late = latency_s
        self.robot = Cosaw(seed)
        rng = np.random.default_rng([seed, 4])
        line = float(rng.uniform(*layout.LINE_Y))
        top = float(rng.uniform(*layout.LOG_TOP))
        y = min(layout.LINE_Y[1], max(layout.LINE_Y[0], line + float(rng.uniform(-START_ACROSS, START_ACROSS))))
        start = (layout.STROKE_X + float(rng.uniform(-START_ALONG, START_ALONG)), y, top + float(rng.uniform(*START_ABOVE)))
        if spread > 1.0:
            start = _beyond(start, line, top, float(rng.uniform(1.0, spread)))
        self.robot.place(line, top, start)
        if halted:
            self._halt(line, top, rng)
        self._running: tuple[float, F64, F32] | None = None
        self._coming: deque[tuple[float, F64, F32]] = deque()
        self._reference: F64 = self._measured()
        self._heading, self._stroke = 0, sawing.STIFFNESS[Zone.AIR]

    def _halt(self, line: float, top: float, rng: np.random.Generator) -> None:
        """Begin with the saw at rest somewhere in its stroke, in a kerf already begun."""
        depth, y = float(rng.uniform(0.002, 0.025)), line + float(rng.uniform(-0.003, 0.003))
        x = layout.STROKE_X + float(rng.uniform(-expert.AMPLITUDE, expert.AMPLITUDE))
        self.robot.place(line, top, (x, y, top - depth + float(rng.uniform(-0.0005, 0.002))))
        wood = self.robot.truth().cell.wood
        wood.kerf_y[0], wood.kerf_depth[0] = y, depth

    # --- what a policy may see, and what an expert knows ---

    def plant(self) -> F64:
        """(P,)"""
        return self.robot.plant()

    def state(self) -> F32:
        """(9,) tool position, tool linear velocity, external force."""
        pose, twist = self.robot.tool()
        return np.concatenate([pose[:3], twist[:3], self.robot.wrench()[:3]]).astype(np.float32)

    def pose(self) -> F64:
        """(7,) of the tool."""
        return self._measured()

    def joints(self) -> F64:
        """(7,) rad."""
        return np.asarray(self.robot.truth().q, dtype=np.float64)

    def expert(self) -> F32:
        """(16, 7) of the scripted expert, here and now."""
        pose, twist = self.robot.tool()
        return expert.chunk_from(self.robot.truth(), pose, twist)

    def labels(self) -> dict[str, float]:
        """What a picture should tell: the auxiliary targets."""
        pose, _ = self.robot.tool()
        return labels_of(self.robot.truth(), (float(pose[0]), float(pose[1]), float(pose[2])))

    # --- running it ---

    def follow(self, chunk: F32, steps: int | None = None) -> None:
        """Hand over a chunk exposed now, and let so many 50 ms steps pass."""
        pose, _ = self.robot.tool()
        self._coming.append((self.robot.time, pose, np.asarray(chunk, np.float32)))
        for _ in range(round((steps or self.replan_steps) * STEP_S / layout.TICK_S)):
            self._tick()

    @property
    def done(self) -> bool:
        return self.robot.time >= self.duration - 1e-9

    def outcome(self) -> Outcome:
        """What has come of it so far."""
        truth = self.robot.truth()
        line, wood = truth.cell.drives.line_y, truth.cell.wood
        near = [d for y, d in zip(wood.kerf_y, wood.kerf_depth, strict=True) if abs(y - line) <= SUCCESS_LATERAL]
        depth = max(near, default=0.0)
        pose, _ = self.robot.tool()
        return Outcome(
            seed=self.seed,
            success=depth >= SUCCESS_DEPTH and not wood.stuck,
            depth_m=depth,
            lateral_m=abs(float(pose[1]) - line),
            stuck=wood.stuck,
            strokes=truth.cell.meter.strokes,
        )

    def _measured(self) -> F64:
        pose, _ = self.robot.tool()
        return pose

    def _tick(self) -> None:
        now = self.robot.time
        while self._coming and now >= self._coming[0][0] + self._late - 1e-9:
            self._running = self._coming.popleft()
        goal: F64 = self._reference.copy()
        if self._running is not None:
            exposed, base, chunk = self._running
            goal = pose_at(base, chunk, now + layout.TICK_S - exposed)
        before = self._reference
        step: F64 = goal[:3] - before[:3]
        length = float(np.linalg.norm(step))
        if length > SPEED_MAX * layout.TICK_S:
            goal[:3] = before[:3] + step * (SPEED_MAX * layout.TICK_S / length)
        twist = np.zeros(6)
        twist[:3] = (goal[:3] - before[:3]) / layout.TICK_S
        self._reference = goal
        truth = self.robot.truth()
        self._heading = sawing.heading(self._heading, float(self.robot.tool()[1][0]))
        wanted = sawing.stroke_stiffness(truth.cell.meter.zone, self._heading, OTHER_STIFFNESS[0])
        self._stroke = sawing.ramped(self._stroke, wanted, OTHER_STIFFNESS[0], layout.TICK_S)
        self.robot.command(
            Command(
                command_tick=round(now / layout.TICK_S),
                pose_d=tuple(goal.tolist()),
                twist_d=tuple(twist.tolist()),
                stiffness_d=(self._stroke, *OTHER_STIFFNESS),
                force_max=FORCE_MAX,
                torque_max=TORQUE_MAX,
                hold=False,
                brakes=False,
                hand_force=0.0,
                hand_press=0.0,
                line_y_d=truth.cell.drives.line_y,
                log_top_d=truth.cell.drives.log_top,
                task_power=TASK_POWER,
            )
        )
        self.robot.advance(layout.TICK_S)


def _beyond(near: tuple[float, float, float], line: float, top: float, times: float) -> tuple[float, float, float]:
    """A start outside the range that ``near`` is drawn from: so many times its bounds, across on the side with more room."""
    along = layout.STROKE_X + math.copysign(START_ALONG * times, near[0] - layout.STROKE_X)
    return along, line - math.copysign(START_ACROSS * times, line), top + START_ABOVE[1] * times


def pose_at(base: F64, chunk: F32, since: float) -> F64:
    """(7,) the reference ``since`` seconds after a chunk's exposure at the pose ``base``: straight between its actions, then its last."""
    place = since / STEP_S - 1.0
    i = min(len(chunk) - 1, max(-1, int(np.floor(place))))
    j = min(len(chunk) - 1, i + 1)
    share = min(1.0, max(0.0, place - i))
    first = chunk[i, :6] if i >= 0 else np.zeros(6, np.float32)
    mixed = (1.0 - share) * first + share * chunk[j, :6]
    return np.array(poses.moved(base, mixed.astype(np.float64)))


def labels_of(truth: Plant, tool: tuple[float, float, float]) -> dict[str, float]:
    """Auxiliary targets of a plant whose tool is at ``tool``: line and wood relative to the tool, zone, stuck, hand, depth, person."""
    cell = truth.cell
    kerf = kerf_at(cell.wood, tool[1])
    depth = cell.wood.kerf_depth[kerf] if kerf >= 0 else 0.0
    grip = (tool[0] + layout.HANDLE_AHEAD, tool[1], tool[2] + layout.HANDLE_UP)
    return {
        "line_dy": cell.drives.line_y - tool[1],
        "surface_dz": cell.drives.log_top - depth - tool[2],
        "log_top": cell.drives.log_top,
        "line_y": cell.drives.line_y,
        "zone": float(zone_at(cell.grain, cell.drives.line_y, depth)),
        "stuck": float(cell.wood.stuck),
        "hand_distance": distance.level(person.body(cell, truth.time, grip), tool, PARTS.index("free hand")),
        "depth": depth,
        "human": 1.0,
    }


def run(seed: int, policy: Policy | None = None, duration: float = DURATION, latency_s: float = 0.20, replan_steps: int = 5) -> Outcome:
    """A whole episode; without a policy the expert acts."""
    episode = Episode(seed, latency_s, replan_steps, duration)
    while not episode.done:
        episode.follow(episode.expert() if policy is None else policy(episode))
    return episode.outcome()
