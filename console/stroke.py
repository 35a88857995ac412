"""The last full stroke in figures: its energy ledger and the partner's force, from the snapshots that came in while it lasted."""

import math
from dataclasses import dataclass

from engine.account import TERMS, Account
from engine.types import Energy


@dataclass(frozen=True, slots=True, kw_only=True)
class Stroke(Account):
    """The account of one full stroke, and how the partner pulled in it."""

    seconds: float
    force_rms: float  #: N, on the partner along the stroke
    force_peak: float  #: N

    @property
    def closure(self) -> float:
        """The residue as a share of the throughput; NaN where nothing flowed."""
        return abs(self.residue) / self.throughput if self.throughput > 0.0 else math.nan


@dataclass
class Meter:
    """Cuts the run at each change of the stroke count. A stroke counts once both of its ends were seen."""

    last: Stroke | None = None
    _count: int | None = None
    _began_ns: int | None = None  #: None until a stroke's beginning was seen
    _begin: Energy | None = None
    _before: Energy | None = None  #: the reading before this one
    _flow: float = 0.0
    _squares: float = 0.0  #: sum of the forces squared
    _peak: float = 0.0  #: N
    _readings: int = 0

    def observe(self, t_ns: int, count: int, force: float, energy: Energy) -> None:
        """Take one reading in, at any rate: strokes so far, the partner's force in N, the account. Readings come in their order."""
        if self._before is not None:
            self._flow += _moved(self._before, energy)
        if self._count is not None and count != self._count:
            if self._begin is not None and self._began_ns is not None and count == self._count + 1:
                self.last = self._stroke(count, (t_ns - self._began_ns) / 1e9, self._begin, energy)
            self._began_ns, self._begin = t_ns, energy
            self._empty()
        self._count, self._before = count, energy
        self._squares += force * force
        self._peak = max(self._peak, abs(force))
        self._readings += 1

    def clear(self) -> None:
        """Forget everything: another past begins."""
        self.last = self._count = self._began_ns = self._begin = self._before = None
        self._empty()

    def _empty(self) -> None:
        self._flow = self._squares = self._peak = 0.0
        self._readings = 0

    def _stroke(self, number: int, seconds: float, before: Energy, after: Energy) -> Stroke:
        return Stroke(
            number=number,
            seconds=seconds,
            partner=after.partner - before.partner,
            grant=after.grant - before.grant,
            wood=after.wood - before.wood,
            damping=after.damping - before.damping,
            kept=after.tank + after.stored - before.tank - before.stored,
            throughput=self._flow,
            force_rms=math.sqrt(self._squares / self._readings) if self._readings else math.nan,
            force_peak=self._peak if self._readings else math.nan,
        )


def _moved(before: Energy, now: Energy) -> float:
    """J that flowed between two readings, whichever way."""
    return sum(abs(getattr(now, term) - getattr(before, term)) for term in TERMS)
