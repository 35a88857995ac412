"""One episode of co-sawing in lock-step: a drawn start, an expert or a policy, and what came of it."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from msgspec import structs

from adapters.mujoco import distance, expert, layout, person
from adapters.mujoco.cutting import kerf_at
from adapters.mujoco.failing import SUCCESS_DEPTH, deepest
from adapters.mujoco.plant import Plant
from adapters.mujoco.playback import STIFFNESS, Playback
from adapters.mujoco.robot import Cosaw
from adapters.mujoco.zones import zone_at
from engine.control import sawing
from engine.policy.course import LATENCY_S, REPLAN_STEPS
from engine.types import F32, F64, PARTS, Command, Zone

DURATION: Final = 25.0  #: s
START_ALONG: Final = 0.05  #: m, of the tool's start from mid-stroke
START_ACROSS: Final = 0.15  #: m, from the line
START_ABOVE: Final = (0.03, 0.08)  #: m, over the log


@dataclass(frozen=True, slots=True)
class Outcome:
    seed: int
    success: bool  #: SUCCESS_DEPTH deep near the line in time, and not stuck
    depth_m: float  #: of the deepest kerf near the line (``failing.deepest``)
    lateral_m: float  #: the blade's distance from the line at the end
    stuck: bool
    strokes: int


class Episode(Playback[Cosaw]):
    """A running episode. ``halted`` begins at rest in mid-stroke, in a kerf. ``spread`` above 1 begins farther from the line, the handle
    and the log than any training episode does, up to so many times as far."""

    def __init__(
        self,
        seed: int,
        latency_s: float = LATENCY_S,
        replan_steps: int = REPLAN_STEPS,
        duration: float = DURATION,
        halted: bool = False,
        spread: float = 1.0,
    ) -> None:
        self.seed = seed
        robot = Cosaw(seed)
        rng = np.random.default_rng([seed, 4])
        line = float(rng.uniform(*layout.LINE_Y))
        top = float(rng.uniform(*layout.LOG_TOP))
        y = min(layout.LINE_Y[1], max(layout.LINE_Y[0], line + float(rng.uniform(-START_ACROSS, START_ACROSS))))
        start = (layout.STROKE_X + float(rng.uniform(-START_ALONG, START_ALONG)), y, top + float(rng.uniform(*START_ABOVE)))
        if spread > 1.0:
            start = _beyond(start, line, top, float(rng.uniform(1.0, spread)))
        robot.place(line, top, start)
        if halted:
            _halt(robot, line, top, rng)
        super().__init__(robot, duration, latency_s, replan_steps)
        self._heading, self._stroke = 0, sawing.STIFFNESS[Zone.AIR]

    # --- what a policy may see, and what an expert knows ---

    def state(self) -> F32:
        """(9,) tool position, tool linear velocity, external force."""
        pose, twist = self.robot.tool()
        return np.concatenate([pose[:3], twist[:3], self.robot.wrench()[:3]]).astype(np.float32)

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

    def outcome(self) -> Outcome:
        """What has come of it so far."""
        truth = self.robot.truth()
        line, wood = truth.cell.drives.line_y, truth.cell.wood
        depth = deepest(wood.kerf_y, wood.kerf_depth, line)
        pose, _ = self.robot.tool()
        return Outcome(
            seed=self.seed,
            success=depth >= SUCCESS_DEPTH and not wood.stuck,
            depth_m=depth,
            lateral_m=abs(float(pose[1]) - line),
            stuck=wood.stuck,
            strokes=truth.cell.meter.strokes,
        )

    def _fitted(self, command: Command) -> Command:
        """With the stroke's own stiffness, and line and log left where they are."""
        truth = self.robot.truth()
        self._heading = sawing.heading(self._heading, float(self.robot.tool()[1][0]))
        wanted = sawing.stroke_stiffness(truth.cell.meter.zone, self._heading, STIFFNESS[1])
        self._stroke = sawing.ramped(self._stroke, wanted, STIFFNESS[1], layout.TICK_S)
        drives = truth.cell.drives
        stiffness = (self._stroke, *STIFFNESS[1:])
        return structs.replace(command, stiffness_d=stiffness, line_y_d=drives.line_y, log_top_d=drives.log_top)


def _halt(robot: Cosaw, line: float, top: float, rng: np.random.Generator) -> None:
    """Begin with the saw at rest somewhere in its stroke, in a kerf already begun."""
    depth, y = float(rng.uniform(0.002, 0.025)), line + float(rng.uniform(-0.003, 0.003))
    x = layout.STROKE_X + float(rng.uniform(-expert.AMPLITUDE, expert.AMPLITUDE))
    robot.place(line, top, (x, y, top - depth + float(rng.uniform(-0.0005, 0.002))))
    wood = robot.truth().cell.wood
    wood.kerf_y[0], wood.kerf_depth[0] = y, depth


def _beyond(near: tuple[float, float, float], line: float, top: float, times: float) -> tuple[float, float, float]:
    """A start outside the range that ``near`` is drawn from: so many times its bounds, across on the side with more room."""
    along = layout.STROKE_X + math.copysign(START_ALONG * times, near[0] - layout.STROKE_X)
    return along, line - math.copysign(START_ACROSS * times, line), top + START_ABOVE[1] * times


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
