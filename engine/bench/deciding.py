"""What a decision costs: the arbiter folded over the inputs of a recorded run, step by step, on one core."""

import time
from pathlib import Path

import numpy as np

from engine.safety import arbiter
from engine.safety.cell import UNSENSED
from engine.session.reader import Session
from engine.session.verify import beginning
from engine.types import Inputs

TICKS = 3000  #: of the end of the run, at most


def medians(path: Path) -> tuple[float, float]:
    """(µs a step in the run's own cell, µs in a cell where nothing follows the person). Raises SessionError."""
    session = Session.open(path)
    inputs = session.structs(Inputs, max(0, session.ticks - TICKS), session.ticks)
    state = beginning(session.header)
    return _median(state, inputs), _median(arbiter.initial(state.limits, state.robot, UNSENSED), inputs)


def _median(state: arbiter.State, inputs: list[Inputs]) -> float:
    spent = np.zeros(len(inputs))
    for number, tick in enumerate(inputs):
        begun = time.perf_counter_ns()
        state, _ = arbiter.step(state, tick)
        spent[number] = time.perf_counter_ns() - begun
    return float(np.median(spent)) / 1e3
