"""Frames handed from one process to another: the Isaac Lab link beside a pipe. No Isaac Lab is needed for it.

``python -m engine.bench.isaaclab LINK RATE`` is the process that hands over, through a pipe where LINK is "". Both processes read one
clock of one machine, so here, and only here, the writer's time is compared with the reader's.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from math import prod
from typing import Final

import numpy as np

from adapters.isaaclab.shared import LinkError, attach, clock_ns, create
from engine.bench.figure import Alternative, BenchError, Figure, Tell, figure
from engine.config import Settings

SECONDS: Final = 20.0
RATE: Final = 60.0  #: frames/s
SHAPE: Final = (480, 640, 3)
SMALL: Final = (16, 16, 3)
SMALL_COUNT: Final = 100_000  #: frames handed over as fast as can be
MODULUS: Final = 251
WITHIN: Final = 30.0  #: s for the other process to start, or for a frame
BAR_MS: Final = 1.0
PIPE: Final = "the same through a pipe"


def measure(settings: Settings, seconds: float, tell: Tell) -> tuple[Figure, ...]:
    """Half of the time for the link, half for the pipe, then small frames. Raises BenchError when the other process fails."""
    frames = max(2, round(seconds / 2 * RATE))
    try:
        tell(f"{frames} frames of 640×480 through shared memory")
        own, torn = linked(SHAPE, frames, RATE)
        tell("the same through a pipe")
        other = piped(frames, RATE)
        tell(f"{SMALL_COUNT} small frames as fast as can be")
        _, small_torn = linked(SMALL, SMALL_COUNT, 0.0)
    except LinkError as error:
        raise BenchError(str(error)) from None
    return figures(own, torn, other, small_torn)


def figures(own: list[float], torn: int, other: list[float], small_torn: int) -> tuple[Figure, ...]:
    """From ms of hand-over through the link and through the pipe, and the torn frames among large and small ones."""

    def beside(q: int, bar: float | None = None) -> Figure:
        against = Alternative(PIPE, float(np.percentile(other, q)))
        return figure(f"hand-over of 640×480×3 p{q}", float(np.percentile(own, q)), "ms", "lower", bar=bar, against=against)

    return (
        beside(50),
        beside(99, BAR_MS),
        figure(f"torn among {len(own)} of those", torn, "", "lower", bar=0),
        figure(f"torn among {SMALL_COUNT} frames of 16×16×3, one after the other", small_torn, "", "lower", bar=0),
    )


def linked(shape: tuple[int, int, int], frames: int, rate: float) -> tuple[list[float], int]:
    """(ms from before the writing until the reader has its copy, for each frame; how many of them are torn). Raises LinkError."""
    name, spent, torn, number = f"bench-{os.getpid()}", list[float](), 0, 0
    link = create(name, {"environments": 1, "joints": [], "cameras": {"a": shape[:2]}})
    try:
        with writer(name, rate):
            for _ in range(frames):
                message = link.frames.after(number, WITHIN)
                now, number = clock_ns(), message.number
                spent.append((now - int(message.values["exposed_ns"])) / 1e6)
                torn += int(message.values["step"]) != number or bool((message.values["a"] != number % MODULUS).any())
    finally:
        link.close()
    return spent, torn


def piped(frames: int, rate: float) -> list[float]:
    """ms from before the writing until the reader has its copy, of each frame. Raises BenchError where the other process ends."""
    spent = list[float]()
    with writer("", rate) as process:
        assert process.stdout is not None
        for _ in range(frames):
            frame = bytearray(8 + prod(SHAPE))
            rest = memoryview(frame)
            while rest:
                got = os.readv(process.stdout.fileno(), [rest])
                if not got:
                    raise BenchError(f"The process that writes frames ended after {len(spent)} of {frames}.")
                rest = rest[got:]
            spent.append((clock_ns() - int.from_bytes(frame[:8], "little")) / 1e6)
    return spent


@contextmanager
def writer(link: str, rate: float) -> Iterator["subprocess.Popen[bytes]"]:
    """The other process, ended with the context."""
    command = [sys.executable, "-m", "engine.bench.isaaclab", link, str(rate)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, bufsize=0) as process:
        try:
            yield process
        finally:
            process.kill()


def write(name: str, rate: float) -> None:
    """Frame after frame until it is ended, or who began it has died; ``rate`` 0 is as fast as can be."""
    parent, numbers = os.getppid(), count(1)
    link = attach(name, WITHIN) if name else None
    shape = (*link.handshake["cameras"]["a"], 3) if link else SHAPE
    while os.getppid() == parent:
        number = next(numbers)
        frame = np.full(shape, number % MODULUS, np.uint8)
        begun = clock_ns()
        if link:
            link.frames.write(a=frame, exposed_ns=begun, step=number)
        else:
            os.writev(1, [begun.to_bytes(8, "little"), frame])
        if rate:
            time.sleep(1 / rate)
    if link:
        link.close()


if __name__ == "__main__":
    write(sys.argv[1], float(sys.argv[2]))
