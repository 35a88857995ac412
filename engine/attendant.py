"""The scripted operator of runs in lock-step: clears, arms and goes, one act a second, never while a protective stop holds."""

from engine.engine import Engine
from engine.messages import Arm, ClearStop, Go
from engine.types import StopKind

FIRST_ACT = 50  #: tick
PAUSE = 100  #: ticks between two acts


class Attendant:
    """Called before every tick. ``authorised``: the last thing this operator did was to let the robot go; whoever halts it resets that."""

    def __init__(self, engine: Engine, first_act: int = FIRST_ACT, first_pause: int = PAUSE) -> None:
        self._engine = engine
        self._act_at = first_act
        self._pause = first_pause
        self.authorised = False

    def __call__(self, tick: int) -> None:
        last = self._engine.control.last
        if last is None:
            return
        decision = last.decision
        if decision.stop_number:
            self.authorised = False
        if tick < self._act_at:
            return
        if decision.stop_kind == StopKind.LATCHED:
            self._engine.post(ClearStop(number=decision.stop_number))
        elif decision.stop_kind == StopKind.PROTECTIVE:
            return
        elif not decision.armed:
            self._engine.post(Arm(robot=self._engine.settings.robot))
        elif not decision.going:
            self._engine.post(Go())
            self.authorised = True
        else:
            return
        self._act_at, self._pause = tick + self._pause, PAUSE
