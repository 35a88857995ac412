"""The forecast that goes with each inference: what makes it, and a bound on how long that may take."""

import math
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

import msgspec
import numpy as np

from engine.types import FAILURES, HORIZONS, SIGNALS, Inference, PolicyInfo

Foresee = Callable[[Inference], Inference]

PATIENCE = 0.2  #: s that an inference waits for its forecast in real time; one takes a few ms

#: fields of ``Inference`` that a forecast fills in, and their shapes
SHAPES = {"forecast": (len(FAILURES), len(HORIZONS)), "forecast_alarm": (len(FAILURES),), "forecast_because": (len(SIGNALS),)}


@dataclass(frozen=True)
class Foresight:
    """What there is to forecast with; with none of it every inference stays as it is."""

    state: int = 0  #: as ``Inputs.forecast_state``
    note: str = ""  #: why it is not configured, or unproven
    foresee: Foresee | None = None  #: fills in the forecast of one inference after the other; it keeps what it has seen


def no_foresight(policy: PolicyInfo) -> Foresight:
    """Nothing to forecast with."""
    return Foresight()


class Foreteller:
    """Asks for each inference's forecast, takes nothing else from the answer, and never waits for longer than it may."""

    def __init__(self, foresee: Foresee) -> None:
        self._foresee = foresee
        self._asked: Future[Inference] | None = None

    def foretold(self, inference: Inference, patience: float) -> Inference:
        """The inference with its forecast, within ``patience`` s (infinite: on this thread).

        Raises TimeoutError where that is too short, or the one before has not come yet; ValueError where it is no forecast; and what
        the forecast raises. Then the inference goes without.
        """
        found = self._foresee(inference) if patience == math.inf else self._within(inference, patience)
        told = {name: np.array(getattr(found, name), np.float64) for name in SHAPES}
        wrong = [name for name, array in told.items() if array.shape != SHAPES[name]]
        if wrong:
            raise ValueError(f"{wrong[0]} has the shape {told[wrong[0]].shape} instead of {SHAPES[wrong[0]]}")
        return msgspec.structs.replace(inference, **told)

    def _within(self, inference: Inference, patience: float) -> Inference:
        if self._asked is not None and not self._asked.done():
            raise TimeoutError("it takes too long")
        asked: Future[Inference] = Future()
        self._asked = asked
        threading.Thread(target=self._answer, args=(inference, asked), name="forecast", daemon=True).start()
        try:
            return asked.result(patience)
        except TimeoutError as error:
            raise TimeoutError(f"it took more than {patience} s") from error

    def _answer(self, inference: Inference, asked: Future[Inference]) -> None:
        try:
            asked.set_result(self._foresee(inference))
        except Exception as error:  # whoever waits for the answer hears of it
            asked.set_exception(error)
