"""The operator of a study of interventions, who answers what the robot asks, and the tally of what a judgement did in an episode."""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from engine.collect.operator import Usual
from engine.collect.plan import Plan
from engine.engine import Engine
from engine.limits import Limits
from engine.loops.control import DT
from engine.messages import Go
from engine.types import LAYERS, Decision, Intervention

ANSWER = 3.0  #: s that a person takes to see why the robot stands, and to answer
BORNE = 3  #: answers of one episode; whoever is asked once more gives up
CALM = 0.5  #: s that a judgement must have been content until the next alarm is another one
JUDGES = tuple(LAYERS.index(name) for name in ("uncertainty", "forecast", "vision"))  #: layers of what is learned


class Answer(Enum):
    """What the operator does now."""

    USUAL = "arms and goes as in any run"
    WAIT = "has not made up their mind"
    RESUME = "lets it go on"
    GIVE_UP = "breaks the episode off"


@dataclass(frozen=True, slots=True)
class Helper:
    """What the operator remembers. They only ever resume: nothing is put back, wiped or moved for the robot."""

    begun: bool = False  #: the robot has been let go
    since: float | None = None  #: s, when it began to stand and wait
    asked: int = 0  #: how often it stood and asked


def answered(before: Helper, decision: Decision, now: float) -> tuple[Helper, Answer]:
    """The operator after a tick at ``now`` s. A robot that asks, or that a stop disarmed, stands until a person has come to it.

    An ask is answered by going on after ANSWER; the one after BORNE answers by giving up. After a stop they arm it again, as in any
    run, and as late.
    """
    if decision.going and not decision.asking:
        return replace(before, begun=True, since=None), Answer.USUAL
    if not before.begun:
        return before, Answer.USUAL
    since = now if before.since is None else before.since
    fresh = decision.asking and before.since is None
    after = replace(before, since=since, asked=before.asked + fresh)
    if now - since < ANSWER:
        return after, Answer.WAIT
    if not decision.asking:
        return after, Answer.USUAL
    if after.asked > BORNE:
        return after, Answer.GIVE_UP
    return after, Answer.RESUME


def alarmed(decision: Decision, limits: Limits) -> bool:
    """Whether what is learned slows or halts the robot: an intervention, or a layer whose score earns "slow" or less."""
    return decision.intervention != Intervention.NONE or any(not decision.layer_score[layer] >= limits.slow_below for layer in JUDGES)


class Tally:
    """Counts how often alarms begin and how long the robot waits. ``look`` once a tick."""

    def __init__(self, limits: Limits, dt: float) -> None:
        self._limits = limits
        self._dt = dt
        self._calm = CALM
        self.begun = False  #: the robot was let go
        self.alarms = 0
        self.halted = 0.0  #: s

    def look(self, decision: Decision) -> None:
        """What the arbiter decided in a tick; nothing counts before the robot is first let go."""
        self.begun = self.begun or decision.going
        if not self.begun:
            return
        if alarmed(decision, self._limits):
            self.alarms += self._calm >= CALM
            self._calm = 0.0
        else:
            self._calm += self._dt
        if decision.asking or not decision.going:
            self.halted += self._dt


class Attending:
    """An episode's operator: clears, arms and goes as in any run, answers as ``answered`` says, and tallies. Called before every tick."""

    def __init__(self, engine: Engine, plan: Plan) -> None:
        self._engine = engine
        self._usual = Usual(engine, plan)
        self._helper = Helper()
        self._tally = Tally(engine.settings.limits, DT)
        self.over = False

    def __call__(self, tick: int) -> None:
        last = self._engine.control.last
        if last is None:
            return
        self._tally.look(last.decision)
        self._helper, answer = answered(self._helper, last.decision, tick * DT)
        if answer is Answer.USUAL:
            self._usual(tick)
        elif answer is Answer.RESUME:
            self._engine.post(Go())
        elif answer is Answer.GIVE_UP:
            self.over = True

    def told(self) -> dict[str, Any]:
        """What ``engine.study.paired`` reads of an episode."""
        return {
            "alarms": self._tally.alarms,
            "halted_s": round(self._tally.halted, 2),
            "gave_up": self.over,
            "never_went": not self._tally.begun and not self._engine.failure,
        }
