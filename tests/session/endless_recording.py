"""Records until it is killed: the victim of ``test_kill``. Row ``n`` of its session is ``row(n)``, whoever asks.

As a program it starts one recording, in a process of its own, for each store named on its standard input, prints the process's
number, and prints how it ended.
"""

import itertools
import os
import sys
from pathlib import Path

import msgspec
import session_material as material

from engine.session import recorder as recording
from engine.types import Frames, Inference, Tick

ROWS = list(itertools.islice(material.ticks(7), 150))
EVERY = 10  #: ticks between two exposures


def row(number: int) -> Tick:
    """Tick ``number``: the rows of ``ROWS`` again and again, with numbers and times that go on."""
    base = ROWS[number % len(ROWS)]
    inputs = msgspec.structs.replace(base.inputs, tick=number, t_ns=1_000_000_000 + number * material.DT_NS)
    return base._replace(inputs=inputs)


def exposure(number: int) -> Frames:
    return material.frames(number % 20, 1_000_000_000 + number * EVERY * material.DT_NS, ROWS[0])


def inference(number: int) -> Inference:
    return msgspec.structs.replace(material.inference(number % 20, 1_000_000_000 + number * EVERY * material.DT_NS), id=number)


def record(store: Path) -> None:
    """Commit as often as the disk allows, so that a kill falls into every part of a commit."""
    recording.COMMIT_EVERY = recording.POLL = 0.001
    recording.TICKS_QUEUED = 100
    recorder = recording.Recorder(store, material.header(), wait=True)
    for number in itertools.count():
        if number % EVERY == 0:
            recorder.inference(inference(number // EVERY))
            recorder.frames(exposure(number // EVERY))
            recorder.event(material.event(number // EVERY, number, "mark", f"at {number}"))
        recorder.tick(row(number))


if __name__ == "__main__":
    for line in sys.stdin:
        child = os.fork()
        if not child:
            record(Path(line.strip()))
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
