"""The demonstration: one deterministic minute in lock-step, with hazards injected into the cell, the camera and the inference thread.

Nothing here writes a score, a limit or a stop: the hazards happen in the simulated world or to a thread's work, and what
follows is decided by the arbiter as in any run. A scripted operator arms, goes, and re-arms one second after a stop's cause is gone.
"""

import sys
from typing import Any, Protocol, TextIO, runtime_checkable

from adapters.base import AdapterError
from engine.attendant import Attendant
from engine.config import Settings
from engine.engine import LOCKSTEP_LATENCY, Engine
from engine.faults.parts import FaultyRig, standing_still
from engine.headless import Measured, summary
from engine.host import Host, alone
from engine.loops.control import DT
from engine.policy.errors import PolicyError

SECONDS = 60.0
HANG = (40.0, 42.5)  #: s, the inference thread's work takes this long
FREEZE = (30.0, 32.0)  #: s, the cameras show the same old exposure
HAZARDS = {  #: s: name in the cell, text for the log
    10.0: ("hand_reaches", "the partner's free hand reaches for the blade"),
    20.0: ("lets_go", "the partner lets go of the handle"),
    50.0: ("knot_binds", "the blade meets a knot and binds"),
}


@runtime_checkable
class Endangered(Protocol):
    """A cell in which things can be made to go wrong."""

    def hazard(self, name: str, in_s: float) -> None: ...


class Script:
    """The scripted operator and the times of the hazards; called before every tick."""

    def __init__(self, engine: Engine, cell: Endangered, rig: FaultyRig) -> None:
        self._engine = engine
        self._cell = cell
        self._rig = rig
        self._attendant = Attendant(engine)
        self._hazards = {round(at / DT): hazard for at, hazard in HAZARDS.items()}

    def __call__(self, tick: int) -> None:
        if tick in self._hazards:
            name, text = self._hazards[tick]
            self._cell.hazard(name, 0.0)
            self._engine.note("hazard", text)
        self._rig.change = standing_still if FREEZE[0] <= tick * DT < FREEZE[1] else None
        if tick == round(FREEZE[0] / DT):
            self._engine.note("hazard", "the cameras freeze")
        if tick == round(HANG[0] / DT):
            self._engine.note("hazard", "the model hangs")
        self._attendant(tick)


def latency(tick: int) -> int:
    """Ticks from the pictures at ``tick`` to their inference: constant, but for the hang."""
    if HANG[0] <= tick * DT < HANG[1]:
        return round((HANG[1] - tick * DT) / DT)
    return LOCKSTEP_LATENCY


def play(host: Host, *, pace: bool) -> None:
    """Load, then run the minute. Raises AdapterError, PolicyError."""
    robot, rig = host.robot, host.rig
    if not isinstance(robot, Endangered) or not isinstance(rig, FaultyRig):
        raise AdapterError(f"The robot {host.settings.robot} has no demonstration: nothing can be made to go wrong in it.")
    host.engine.prepare_lockstep()
    script = Script(host.engine, robot, rig)
    host.engine.lockstep(round(SECONDS / DT), script=script, latency=latency, pace=pace)


def run(settings: Settings, out: TextIO = sys.stderr) -> tuple[dict[str, Any], int]:
    """The minute without a screen, as fast as the machine allows. Returns the summary and the exit code. Raises AdapterError, OSError."""
    host = alone(settings)
    measured = Measured(host.engine)
    measured.begin()
    print("one minute in lock-step", file=out)
    try:
        play(host, pace=False)
    except (AdapterError, PolicyError) as error:
        host.engine.failure = str(error)
    measured.end()
    reason, code = host.close("the demonstration is over")
    return summary(host, measured, reason), code
