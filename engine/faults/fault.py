"""What a fault of the catalogue is, and what a run of it leaves behind to be judged."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.limits import Limits
from engine.types import Reason, StopCategory

if TYPE_CHECKING:
    from engine.faults.workshop import Workshop


class FaultError(Exception):
    """A fault could not be tried: the engine did not start, arm or saw. The text is one sentence for the operator."""


@dataclass(frozen=True, kw_only=True)
class PlantStop:
    """How the plant came to rest by its own means, where no engine was left to record it."""

    category: int | None  #: of its own stop, as the plant shows it; None if it made none
    ticks: int | None  #: until it held by itself; None if it never did
    rest_s: float | None  #: from then to standstill; None if it never came
    speed: float  #: m/s of the tool when the commands ended


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What one run of a fault has left."""

    session: Path | None  #: None where the fault keeps an engine from starting at all
    at_ns: int = 0  #: when the fault was put in, by the engine's clock; 0 = at the session's event that bears its name
    until_ns: int = 0  #: what comes after it is no more the fault's doing; 0 = to the end
    plant: PlantStop | None = None
    wrong: tuple[str, ...] = ()  #: what else should have been otherwise
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that goes wrong, and what must follow."""

    name: str
    run: Callable[["Workshop"], Trial]
    reasons: tuple[Reason, ...] = ()  #: the stop must have one of them; none = the robot must not stop
    limit: Callable[[Limits], float] | None = None  #: s that may pass until the stop; None where no stop is expected
    keeps: tuple[str, ...] = ()  #: names of the Limits that the fault is to run into; the other ages are given all the room they may have
    known: str = ""  #: from when the limit counts, where that is not the moment the fault is put in
    categories: tuple[StopCategory, ...] = (StopCategory.CAT2,)  #: the stop must be of one of them
