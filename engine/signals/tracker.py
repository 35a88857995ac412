"""The signals of a run, pass by pass, with what has to be kept from one pass to the next."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from engine.signals import perturbation, sensitivity
from engine.signals.arrays import Array
from engine.signals.compute import compute
from engine.signals.evidence import NS, Evidence, Pass
from engine.signals.familiarity import Familiarity
from engine.types import F64, SIGNALS

SENSITIVITIES = (SIGNALS.index("sensitivity mean"), SIGNALS.index("sensitivity max"))
RESPONSE_AGE_MAX = 1.0  #: s between the oldest of the perturbations' responses and this exposure; older ones tell of another scene
NONE: Mapping[int, Array] = MappingProxyType({})


@dataclass(frozen=True)
class Found:
    """The signals of one pass over ... observations."""

    values: F64  #: (..., 18), NaN where invalid
    valid: NDArray[np.bool_]  #: (..., 18)
    exposed_ns: NDArray[np.int64]  #: (18,) exposure that each was last computed from; 0 = never


class Tracker:
    """One run, or N episodes in step. Passes must come in the order of their exposures."""

    def __init__(self, familiarity: Familiarity | None, joint_limits: tuple[tuple[float, float], ...] | None) -> None:
        self._familiarity, self._joint_limits = familiarity, joint_limits
        self.forget()

    def forget(self) -> None:
        """Begin anew: what was kept is of another instruction, or of other cameras."""
        self._before: Pass | None = None
        self._epistemic: Array | None = None
        self._responses: dict[int, tuple[int, Array]] = {}
        self._exposed: NDArray[np.int64] = np.zeros(len(SIGNALS), np.int64)

    def signals(self, now: Pass, q: F64 | None = None, perturbed: Mapping[int, Array] = NONE, follows: bool = True) -> Found:
        """The 18 signals of this pass. ``q`` (..., n) rad; ``perturbed`` (..., E, H, A) chunks by number of the perturbation.

        The perturbations may run in turn: the newest response to each counts, until one is older than RESPONSE_AGE_MAX. ``follows``
        says that the robot went by the pass before; where it did not, nothing is compared with that pass.
        """
        for number, chunks in perturbed.items():
            self._responses[number] = (now.exposed_ns, sensitivity.response(now, chunks))
        oldest = min((exposed for exposed, _ in self._responses.values()), default=0)
        fresh = len(self._responses) == perturbation.COUNT and 0 <= (now.exposed_ns - oldest) * NS <= RESPONSE_AGE_MAX
        responses = tuple(found for _, found in self._responses.values()) if fresh else ()
        before, epistemic = (self._before, self._epistemic) if follows else (None, None)
        values, valid = compute(Evidence(now, before, epistemic, q, self._joint_limits, responses), self._familiarity)
        times = np.full(len(SIGNALS), now.exposed_ns, np.int64)
        times[list(SENSITIVITIES)] = oldest
        self._exposed = np.where(valid.reshape(-1, len(SIGNALS)).any(axis=0), times, self._exposed)
        self._before, self._epistemic = now, values[..., 0]
        return Found(values, valid, self._exposed)
