"""Who lets the robots of a collection go: arms once, says go when the plan does, and again whenever a stop is over."""

from typing import Any, Protocol

from engine.attendant import Attendant
from engine.collect.plan import Plan
from engine.engine import Engine
from engine.loops.control import DT
from engine.types import Intervention

ARM_BEFORE = 0.2  #: s before the go


class Operator(Protocol):
    """Somebody at the desk of one episode, made by a callable of its engine and plan that can be handed to another process."""

    over: bool  #: there is nothing more to be done: the episode ends

    def __call__(self, tick: int) -> None:
        """Act before a tick; ``engine.control.last`` is the one before it."""

    def told(self) -> dict[str, Any]:
        """What to say of the episode at its end."""


class Usual:
    """Keeps to the plan; answers an ask for help by letting the robot go on."""

    over = False

    def __init__(self, engine: Engine, plan: Plan) -> None:
        go, before = round(plan.go_s / DT), round(ARM_BEFORE / DT)
        self._attendant = Attendant(engine, go - before, before)

    def __call__(self, tick: int) -> None:
        self._attendant(tick)

    def told(self) -> dict[str, Any]:
        return {}


class Counts:
    """What the decisions of an episode were, counted as they begin."""

    def __init__(self) -> None:
        self.interventions: dict[str, int] = {}
        self.asks = 0
        self._before = (Intervention.NONE, False)

    def look(self, intervention: int, asking: bool) -> None:
        """At the newest decision."""
        now = (Intervention(intervention), asking)
        if now == self._before:
            return
        if now[0] not in (Intervention.NONE, self._before[0]):
            name = now[0].name.lower()
            self.interventions[name] = self.interventions.get(name, 0) + 1
        self.asks += asking and not self._before[1]
        self._before = now
