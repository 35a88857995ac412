"""When a task is done: what must hold of the table, and for how long."""

import math
from collections.abc import Callable
from typing import Final

from adapters.mujoco.tabletop.arm import Arm
from adapters.mujoco.tabletop.truth import SLACK, Truth, resting, target

WITHIN: Final = 0.015  #: m, of the place to reach
IN_ZONE: Final = 0.045  #: m, from the cube's middle to the zone's: the whole cube is then inside
LYING: Final = 0.004  #: m, that a lying cube's middle may be off its height
AT_REST: Final = 0.01  #: m/s
DURATION: Final = {"pickplace": 10.0, "lift": 8.0, "reach": 6.0}  #: s, at most


def reached(arm: Arm, truth: Truth) -> bool:
    """The tool is just over the cube."""
    return math.dist(truth.tool[:3], target(arm, truth)) <= WITHIN


def lifted(arm: Arm, truth: Truth) -> bool:
    """The cube is ``Arm.lift`` over where it lay."""
    return truth.cube[2] - resting(arm) >= arm.lift


def lies_in_zone(arm: Arm, truth: Truth) -> bool:
    """The cube lies within the zone, whether or not the fingers still touch it."""
    return math.dist(truth.cube[:2], truth.zone) <= IN_ZONE and abs(truth.cube[2] - resting(arm)) <= LYING


def placed(arm: Arm, truth: Truth) -> bool:
    """The cube lies within the zone, at rest, and the fingers have let it go."""
    off = truth.closed < arm.holding - SLACK or math.dist(truth.tool[:3], truth.cube) > 2.0 * arm.cube_half
    return lies_in_zone(arm, truth) and truth.speed < AT_REST and off


CONDITIONS: Final[dict[str, tuple[Callable[[Arm, Truth], bool], float]]] = {
    "pickplace": (placed, 0.3),
    "lift": (lifted, 0.5),
    "reach": (reached, 0.5),
}  #: and for how long, s


class Progress:
    """Follows one task from its beginning."""

    def __init__(self, arm: Arm, task: str) -> None:
        self._arm = arm
        self._holds, self._for = CONDITIONS[task]
        self._since = 0.0
        self._time = 0.0
        self.done_at = math.nan  #: s from the beginning; NaN until the task is done

    def watch(self, truth: Truth, dt: float, keep: float = 0.0) -> None:
        """dt has passed and this is how things stand; what is to be so must stay so ``keep`` s longer than usual."""
        self._time += dt
        self._since = self._since + dt if self._holds(self._arm, truth) else 0.0
        if math.isnan(self.done_at) and self._since >= self._for + keep - 1e-9:
            self.done_at = self._time

    @property
    def kept(self) -> bool:
        """Things are as they shall be, and have to stay so."""
        return self._since > 0.0

    @property
    def done(self) -> bool:
        """Once done, done."""
        return not math.isnan(self.done_at)
