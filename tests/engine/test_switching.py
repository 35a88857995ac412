"""How long the interpreter's lock may be kept: within a tick by the control thread, between ticks by the others."""

import sys
import threading
from collections import deque
from types import SimpleNamespace

import pytest

from engine.loops.control import INTERVALS, ControlLoop


def test_a_tick_is_taken_apart_by_nobody_and_the_next_one_waits_for_nobody() -> None:
    ending = threading.Event()
    within: list[float] = []
    between: list[float] = []

    def step() -> None:
        within.append(sys.getswitchinterval())
        if len(within) == 3:
            ending.set()

    class Spent(deque[float]):
        def append(self, value: float) -> None:
            between.append(sys.getswitchinterval())

    loop = SimpleNamespace(step=step, intervals=INTERVALS, started=0.0, overruns=0, spent_ms=Spent(), recent_ms=Spent())
    before = sys.getswitchinterval()
    thread = threading.Thread(target=ControlLoop.run, args=(loop, ending))
    try:
        thread.start()
        thread.join()
    finally:
        sys.setswitchinterval(before)
    short, long = INTERVALS
    assert within == pytest.approx([long] * 3)
    assert between == pytest.approx([short] * 6)
    assert short < long
