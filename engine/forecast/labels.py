"""What there is to foresee at each inference, and the arithmetic of discrete competing risks.

At each of STEPS forecast steps the work ends by one of FAILURES or goes on. A step's hazard is the chance of an end by cause k in that
step, given that nothing has ended it before; cumulative incidence is F_k(h) = sum over j <= h of S(j - 1) lambda_k(j), with S(j) the
product of the chances to go on (Kalbfleisch and Prentice 2002, chapter 8; in discrete time Tutz and Schmid 2016).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.types import F64, FAILURES, FORECAST_STEP_S, HORIZONS

if TYPE_CHECKING:
    from engine.forecast.dataset import Dataset

STEPS = max(HORIZONS)
CAUSES = len(FAILURES)
EVEN = 1e-6  #: of a step: times are whole ticks, and a failure just at a step's end lies in that step


@dataclass(frozen=True)
class Targets:
    """Of R inferences."""

    step: NDArray[np.int64]  #: (R,) 1..STEPS in which the first failure falls; 0 = in none of them
    cause: NDArray[np.int64]  #: (R,) index into FAILURES; -1 where step is 0
    observed: NDArray[np.int64]  #: (R,) 0..STEPS, up to which step it is known what happened

    def take(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> "Targets":
        """Of some of the inferences."""
        return Targets(self.step[rows], self.cause[rows], self.observed[rows])


def targets(data: "Dataset") -> Targets:
    """What came after each inference. A success ends the work, so nothing fails after it; of a cut-off episode the rest is unknown.

    Before the operator's go nothing can fail, and to say so is no forecast: nothing of what comes after such an inference counts.
    """
    episode, gone = data.episode, data.gone
    left = np.where(data.failure >= 0, data.failure_s, np.inf)[episode] - data.t
    step = np.ceil(np.minimum(left / FORECAST_STEP_S, STEPS + 1.0) - EVEN).astype(np.int64).clip(1)
    within_reach = (step <= STEPS) & gone
    watched = np.where(data.cut, data.end_s, np.inf)[episode] - data.t
    known = np.floor(np.minimum(watched / FORECAST_STEP_S, float(STEPS)) + EVEN).astype(np.int64).clip(0)
    return Targets(
        step=np.where(within_reach, step, 0),
        cause=np.where(within_reach, data.failure[episode], -1).astype(np.int64),
        observed=np.where(within_reach, step, np.where(gone, known, 0)),
    )


def within(found: Targets, horizon: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(R, CAUSES) whether each cause ends the work within ``horizon`` steps, and (R,) whether that is known.

    Where another cause came first, or a success, it does not.
    """
    soon = (found.step > 0) & (found.step <= horizon)
    truth = soon[:, None] & (found.cause[:, None] == np.arange(CAUSES))
    return truth, soon | (found.observed >= horizon)


def hazards(logits: NDArray[np.floating], temperature: float = 1.0) -> F64:
    """(..., STEPS, CAUSES + 1) the chances of each step's ends, the last of them to go on, from logits of that shape."""
    z = logits.astype(np.float64) / temperature
    z = np.exp(z - z.max(axis=-1, keepdims=True))
    return z / z.sum(axis=-1, keepdims=True)  # type: ignore[no-any-return]


def mean_hazards(logits: NDArray[np.floating], temperature: float) -> F64:
    """(..., STEPS, CAUSES + 1) mean of the members' hazards, from logits (M, ..., STEPS, CAUSES + 1)."""
    return np.asarray(np.mean([hazards(member, temperature) for member in logits], axis=0))


def incidence(chances: F64) -> F64:
    """(..., CAUSES, STEPS) chance that each cause has ended the work by each step's end, from ``hazards``; it never falls with the step."""
    on = np.cumprod(chances[..., -1], axis=-1)
    before = np.concatenate((np.ones_like(on[..., :1]), on[..., :-1]), axis=-1)
    return np.cumsum(np.swapaxes(before[..., None] * chances[..., :-1], -1, -2), axis=-1)


def classes(found: Targets) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(R, STEPS) which end, or CAUSES to go on, and whether that step was reached and watched."""
    j = np.arange(1, STEPS + 1)
    ends = found.step[:, None] == j
    return np.where(ends, found.cause[:, None], CAUSES), j <= found.observed[:, None]
