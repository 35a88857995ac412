"""The Isaac Lab link beside a pipe, and an environment of Isaac Lab stepped through it beside the same environment alone.

``python -m engine.bench.isaaclab WHAT LINK RATE`` is the process at the other end, of a pipe where LINK is "". Both processes read one
clock of one machine, so here, and only here, the writer's time is compared with the reader's.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from math import prod
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from adapters.isaaclab import known, launch
from adapters.isaaclab.shared import Handshake, Link, LinkError, attach, clock_ns, create, layout
from engine.bench.figure import Alternative, BenchError, Figure, Tell, figure
from engine.config import Settings

Numbers = NDArray[np.float64]

SECONDS: Final = 20.0
RATE: Final = 60.0  #: frames/s
SHAPE: Final = (480, 640, 3)
COUNT: Final = 100_000  #: frames handed over as fast as can be
TRIPS: Final = 5_000
BLOCKS: Final = 20  #: of steps, alone and through the link in turns, so that whatever else the machine does meets both
BLOCK: Final = 50
MODULUS: Final = 251
WITHIN: Final = 30.0  #: s for the other process to start, or to answer
HAND_OVER_MS: Final = 1.0
OVERHEAD_MS: Final = 2.0
PIPE: Final = "the same through a pipe"
PICKLED: Final = "the same through multiprocessing's pipe"
ALONE: Final = "the same environment alone"
TASK: Final = "Isaac-SO-ARM101-Reach-v0"
BARE: Final = launch.SCRIPT.with_name("bare.py")
NO_FRAMES: Final = {"environments": 1, "joints": list(known.JOINTS), "cameras": {}}


def measure(settings: Settings, seconds: float, tell: Tell) -> tuple[Figure, ...]:
    """``seconds`` for frames at their usual rate, half through the link and half through a pipe; the rest counts what it does.

    Where Isaac Lab is not installed its steps are left out. Raises BenchError when another process fails, AdapterError without uv.
    """
    frames = max(2, round(seconds / 2 * RATE))
    try:
        tell(f"{frames} frames of 640×480 through shared memory")
        own, torn = linked(frames, RATE)
        tell(PIPE)
        other = piped(frames, RATE)
        tell(f"{COUNT} of them as fast as can be")
        found = (*frame_figures(own, other), *torn_figures(torn, frames, linked(COUNT, 0.0)[1]))
        tell(f"{TRIPS} commands, each answered by a state, then {PICKLED}")
        found += round_trip_figures(linked_trips(), piped_trips())
    except LinkError as error:
        raise BenchError(str(error)) from None
    if not launch.prepared():
        tell(f"without the steps of Isaac Lab, which is not installed: `{launch.INSTALL}`")
        return found
    tell(f"{BLOCKS} × {BLOCK} steps of {TASK}, alone and through the link")
    return found + step_figures(*steps(tell))


def frame_figures(own: list[float], other: list[float]) -> tuple[Figure, ...]:
    """From ms of hand-over of each frame through the link and through the pipe."""
    return (
        beside("hand-over of 640×480×3", 50, own, PIPE, other),
        beside("hand-over of 640×480×3", 99, own, PIPE, other, HAND_OVER_MS),
    )


def torn_figures(slow: int, frames: int, fast: int) -> tuple[Figure, ...]:
    return (
        figure(f"torn among {frames} of those", slow, "", "lower", bar=0),
        figure(f"torn among {COUNT} of those, one after the other", fast, "", "lower", bar=0),
    )


def round_trip_figures(own: list[float], other: list[float]) -> tuple[Figure, ...]:
    """From ms of each command until its answer through the link and through the pipe."""
    return tuple(beside("command to another process and its state back", q, own, PICKLED, other) for q in (50, 99))


def step_figures(alone: list[float], through: list[float]) -> tuple[Figure, ...]:
    """From ms of each step of the environment in its own process, and of each through the link."""
    name = "an environment step of 10 ms through the link"
    more = float(np.percentile(through, 50) - np.percentile(alone, 50))
    return (
        beside(name, 50, through, ALONE, alone),
        beside(name, 99, through, ALONE, alone),
        figure("what the link adds to a step p50", more, "ms", "lower", bar=OVERHEAD_MS),
    )


def beside(name: str, q: int, own: list[float], what: str, other: list[float], bar: float | None = None) -> Figure:
    """A percentile of ms beside that of the alternative."""
    against = Alternative(what, float(np.percentile(other, q)))
    return figure(f"{name} p{q}", float(np.percentile(own, q)), "ms", "lower", bar=bar, against=against)


# --- frames ---


def linked(frames: int, rate: float) -> tuple[list[float], int]:
    """(ms from before the writing until the reader has its copy, for each frame; how many of them are torn). Raises LinkError."""
    spent, torn, number = list[float](), 0, 0
    with opened("frames", {"environments": 1, "joints": [], "cameras": {"a": SHAPE[:2]}}, rate) as link:
        for _ in range(frames):
            message = link.frames.after(number, WITHIN)
            now, number = clock_ns(), message.number
            spent.append((now - int(message.values["exposed_ns"])) / 1e6)
            torn += int(message.values["step"]) != number or bool((message.values["a"] != number % MODULUS).any())
    return spent, torn


def piped(frames: int, rate: float) -> list[float]:
    """ms from before the writing until the reader has its copy, of each frame. Raises BenchError where the other process ends."""
    spent = list[float]()
    with other_end("frames", "", rate) as (_, heard):
        for _ in range(frames):
            frame = read(heard, 8 + prod(SHAPE))
            spent.append((clock_ns() - int.from_bytes(frame[:8], "little")) / 1e6)
    return spent


def write_frames(name: str, rate: float) -> None:
    """Frame after frame until it is ended, or who began it has died; ``rate`` 0 is as fast as can be."""
    parent, numbers = os.getppid(), count(1)
    link = attach(name, WITHIN) if name else None
    while os.getppid() == parent:
        number = next(numbers)
        frame = np.full(SHAPE, number % MODULUS, np.uint8)
        begun = clock_ns()
        if link:
            link.frames.write(a=frame, exposed_ns=begun, step=number)
        else:
            os.writev(1, [begun.to_bytes(8, "little"), frame])
        if rate:
            time.sleep(1 / rate)
    if link:
        link.close()


# --- commands and states ---


def linked_trips() -> list[float]:
    """ms from each command until there is a state that answers it. Raises LinkError."""
    spent, command = list[float](), zeros("command")
    with opened("states", NO_FRAMES) as link:
        number = link.state.after(0, WITHIN).number
        for _ in range(TRIPS):
            begun = clock_ns()
            link.command.write(**command)
            number = link.state.after(number, WITHIN).number
            spent.append((clock_ns() - begun) / 1e6)
    return spent


def piped_trips() -> list[float]:
    """ms from each command until there is a state that answers it. Raises BenchError where the other process ends."""
    spent, command = list[float](), zeros("command")
    with other_end("states", "") as (told, heard), Connection(os.dup(told)) as out, Connection(os.dup(heard)) as back:
        try:
            back.recv()
            for _ in range(TRIPS):
                begun = clock_ns()
                out.send(command)
                back.recv()
                spent.append((clock_ns() - begun) / 1e6)
        except (EOFError, BrokenPipeError):
            raise BenchError(f"The process that answers commands ended after {len(spent)} of {TRIPS}.") from None
    return spent


def answer(name: str) -> None:
    """A state, then another for each command, until none comes."""
    state, number = zeros("state"), 0
    if name:
        with contextlib.closing(attach(name, WITHIN)) as link, contextlib.suppress(LinkError):
            while True:
                link.state.write(**state)
                number = link.command.after(number, WITHIN).number
    else:
        with Connection(os.dup(0)) as heard, Connection(os.dup(1)) as back, contextlib.suppress(EOFError):
            while True:
                back.send(state)
                heard.recv()


def zeros(ring: str) -> dict[str, Any]:
    """Every field of a ring."""
    return {name: np.zeros(field.shape, field.dtype) for name, field in layout(NO_FRAMES).rings[ring].fields.items()}


# --- steps of the real environment ---


def steps(tell: Tell) -> tuple[list[float], list[float]]:
    """(ms of each step of the environment in its own process, ms of each through the link), without cameras, in turns.

    Raises AdapterError where Isaac Lab does not start, BenchError where the environment alone ends.
    """
    from adapters.isaaclab import vector

    alone, through = list[float](), list[float]()
    config = vector.Config(task=TASK, table="radians", cameras=(), steps=1)
    with tempfile.TemporaryDirectory(prefix="sawhorse-bench-") as folder:
        log = Path(folder) / "log"
        python = launch.install(log, tell)
        with bare(python, log) as ask, contextlib.closing(vector.make_env(cfg=config)) as env:
            env.reset(seed=0)
            for block in range(1 + BLOCKS):
                actions = swinging(block * BLOCK, BLOCK)
                found = ask(actions), [timed(env.step, action[None]) for action in actions]
                if block:  # the first warms both
                    alone += found[0]
                    through += found[1]
    return alone, through


def swinging(first: int, steps: int) -> Numbers:
    """(steps, 6) the arm's joints, rad, around its home, and a gripper that stays open; step 0 is at home."""
    swing = 0.1 * np.sin(0.02 * np.arange(first, first + steps))
    return np.column_stack([np.array(known.HOME) + swing[:, None], np.zeros(steps)])


def timed(step: Callable[[Numbers], object], action: Numbers) -> float:
    begun = clock_ns()
    step(action)
    return (clock_ns() - begun) / 1e6


@contextmanager
def bare(python: Path, log: Path) -> Iterator[Callable[[Numbers], list[float]]]:
    """The environment in a process of its own: what is returned takes actions (n, 6) and gives the ms of each step.

    It raises BenchError where that process has ended.
    """
    with (
        log.open("ab") as out,
        subprocess.Popen(
            [python, BARE, TASK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=out, text=True, env=launch.environment(os.environ)
        ) as process,
    ):

        def ask(actions: Numbers) -> list[float]:
            assert process.stdin is not None
            assert process.stdout is not None
            with contextlib.suppress(BrokenPipeError):
                print(json.dumps(actions.tolist()), file=process.stdin, flush=True)
            if not (answered := process.stdout.readline()):
                said = log.read_text(errors="replace").strip() or "silently"
                raise BenchError(f"The environment alone ended: {said.splitlines()[-1]}")
            found: list[float] = json.loads(answered)
            return found

        try:
            yield ask
        finally:
            process.kill()


# --- the process at the other end ---


@contextmanager
def opened(what: str, handshake: Handshake, rate: float = 0.0) -> Iterator[Link]:
    """A link, and the process at its other end. Raises LinkError."""
    name = f"bench-{os.getpid()}"
    with contextlib.closing(create(name, handshake)) as link, other_end(what, name, rate):
        yield link


@contextmanager
def other_end(what: str, link: str, rate: float = 0.0) -> Iterator[tuple[int, int]]:
    """(its input, its output) of the other process, which ends with the context."""
    command = [sys.executable, "-m", "engine.bench.isaaclab", what, link, str(rate)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdin.fileno(), process.stdout.fileno()
        finally:
            process.kill()


def read(descriptor: int, size: int) -> bytearray:
    """So many bytes of a pipe. Raises BenchError where its other end is closed."""
    found = bytearray(size)
    rest = memoryview(found)
    while rest:
        got = os.readv(descriptor, [rest])
        if not got:
            raise BenchError("The process at the other end of a pipe ended.")
        rest = rest[got:]
    return found


if __name__ == "__main__":
    if sys.argv[1] == "frames":
        write_frames(sys.argv[2], float(sys.argv[3]))
    else:
        answer(sys.argv[2])
