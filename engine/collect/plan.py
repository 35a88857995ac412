"""What one episode of a collection is to be, and what came of it: one line of JSON each way."""

from typing import Any

import msgspec
import numpy as np

SECONDS = {"pickplace": 20.0, "so101-sim": 16.0, "cosaw": 25.0}  #: s that an episode may take from the go on
#: settings of all collections: a forecast knows no others
SEEN: dict[str, dict[str, Any]] = {"camera": {"pixels": 128, "hz": 8.0}, "ensemble": {"dtype": "float32", "perturbed": 1}}
GO = (0.5, 3.0)  #: s, between which the operator says go


class CollectError(Exception):
    """A collection cannot go on. The text is one sentence for the operator."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One episode. On one device equal plans give equal outcomes, whoever plays them and beside whom."""

    robot: str
    task: str
    seed: int
    policy: str = "compact"
    seconds: float = 0.0  #: that it may take from the go on; 0 = the robot's own of SECONDS
    delay: float | None = None  #: s to the go; None = drawn from the seed
    disturbed: bool = True  #: what goes wrong is drawn from the seed
    judged_by: str = "none"  #: as ``Limits.judged_by``
    limits: dict[str, Any] = {}  #: other fields of ``Limits``
    on_to_the_end: bool = False  #: goes on after a failure, until success or its time is up
    images: str = "none"  #: as ``CameraSettings.record``
    tag: str = ""  #: whatever tells plans of one seed apart

    @property
    def name(self) -> str:
        """Of its session."""
        return "-".join(part for part in (self.robot, self.task, f"{self.seed:08d}", self.tag) if part)

    @property
    def limit_s(self) -> float:
        """s that it may take from the go on."""
        return self.seconds or SECONDS[self.robot]

    @property
    def go_s(self) -> float:
        """s from the first tick to the operator's go."""
        if self.delay is not None:
            return self.delay
        return round(float(np.random.default_rng([self.seed, 31]).uniform(*GO)), 2)


class Told(msgspec.Struct, frozen=True):
    """Something that physics said has come to pass."""

    what: str  #: as ``adapters.base.Happening.what``
    t_s: float  #: since the session's first tick, as all times here
    text: str = ""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a plan."""

    plan: Plan
    session: str = ""  #: its folder's name; "" if none was recorded
    policy_hash: str = ""
    go_s: float | None = None  #: when the robot first went
    success_s: float | None = None
    failures: list[Told] = []
    disturbances: list[Told] = []
    end_s: float = 0.0
    ticks: int = 0
    inferences: int = 0
    stops: dict[str, int] = {}  #: by reason
    interventions: dict[str, int] = {}  #: of the forecast's layer, by kind: how often each began
    asks: int = 0  #: asked for help
    bytes: int = 0
    told: dict[str, Any] = {}  #: what the operator said at the end
    error: str = ""

    @property
    def failure(self) -> str:
        """The first, if it came before any success; "" if there was none."""
        first = min(self.failures, key=lambda one: one.t_s, default=None)
        return first.what if first is not None and (self.success_s is None or first.t_s <= self.success_s) else ""
