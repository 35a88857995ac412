"""From the shell's Enter to ``--help``, and to the live screen's first frame in a real terminal, beside the interpreter alone."""

import contextlib
import fcntl
import os
import pty
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from engine.bench.figure import Alternative, BenchError, Figure, Tell, figure
from engine.config import Settings
from engine.faults.desk import DRAWN, SIZE
from engine.faults.processes import PROGRAM
from engine.runs import Run

SECONDS = 8.0
REPEATS_MIN = 3
FRAME_WITHIN = 60.0  #: s
ENGINE_WITHIN = 60.0  #: s an engine is given to say that it is there, and to end


def measure(settings: Settings, seconds: float, tell: Tell) -> tuple[Figure, ...]:
    """Raises BenchError when the program does not start."""
    bare: list[float] = []
    helped: list[float] = []
    tell("the command line's help")
    end = time.monotonic() + seconds / 2
    while len(helped) < REPEATS_MIN or time.monotonic() < end:
        bare.append(wall([sys.executable, "-c", "pass"]))
        helped.append(wall([sys.executable, "-c", PROGRAM, "--help"]))
    frames: list[float] = []
    end = time.monotonic() + seconds / 2
    while not frames or time.monotonic() < end:
        tell("the live screen in a terminal of its own")
        frames.append(first_frame(settings))
    other = Alternative("python -c pass", median(bare))
    return (
        figure("sawhorse --help", median(helped), "s", "lower", bar=0.4, against=other),
        figure("the live screen's first frame", median(frames), "s", "lower", bar=1.5, against=other),
    )


def wall(command: list[str]) -> float:
    """s from start to end of a command. Raises BenchError when it fails."""
    begun = time.perf_counter()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    spent = time.perf_counter() - begun
    if done.returncode:
        raise BenchError(f"{' '.join(command[:3])} failed: {(done.stderr.strip() or 'it said nothing').splitlines()[-1]}.")
    return spent


def first_frame(settings: Settings) -> float:
    """s from the start of ``sawhorse`` until its live screen is drawn, engine and model still loading. Raises BenchError.

    The engine that this starts is ended again; its runs and sessions lie in a folder of their own.
    """
    folder = Path(tempfile.mkdtemp(prefix="saw-"))
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(folder), "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    arguments = ["run", "--policy", settings.policy, "--seed", str(settings.seed), "--store", str(folder / "sessions")]
    try:
        with terminal() as (master, slave):
            begun = time.perf_counter()
            program = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, *arguments],
                stdin=slave,
                stdout=slave,
                stderr=slave,
                start_new_session=True,
                env=environment,
            )
            try:
                return drawn(master, program) - begun
            finally:
                program.kill()
                program.wait()
    finally:
        end_engines(folder / "sawhorse" / "runs")
        shutil.rmtree(folder, ignore_errors=True)


def end_engines(runs: Path) -> None:
    """End every engine whose run lies in the folder, and return when they have committed and gone. Raises BenchError."""
    for path in list(runs.iterdir()) if runs.is_dir() else []:
        end_engine(Run(path))


def end_engine(run: Run) -> None:
    """The same for one. Its own process belongs to nobody here, so its folder is watched, which it takes away last."""
    _until(lambda: bool(run.pid), f"The engine {run.name} did not start")
    os.kill(run.pid, signal.SIGTERM)
    _until(lambda: not run.path.exists(), f"The engine {run.name} did not end")


def _until(condition: Callable[[], bool], failure: str) -> None:
    end = time.monotonic() + ENGINE_WITHIN
    while not condition():
        if time.monotonic() > end:
            raise BenchError(f"{failure} within {ENGINE_WITHIN:.0f} s: end it by hand.")
        time.sleep(0.05)


def drawn(master: int, program: "subprocess.Popen[bytes]") -> float:
    """When the first frame had come out of the terminal, on perf_counter's clock. Raises BenchError."""
    output = b""
    end = time.monotonic() + FRAME_WITHIN
    while time.monotonic() < end and program.poll() is None:
        if select.select([master], [], [], 0.05)[0]:
            output += os.read(master, 65536)
            if DRAWN in output:
                return time.perf_counter()
    said = output.decode(errors="replace").strip().splitlines()
    raise BenchError(f"The live screen was not drawn within {FRAME_WITHIN:.0f} s: {said[-1] if said else 'nothing came'}.")


@contextlib.contextmanager
def terminal() -> Iterator[tuple[int, int]]:
    """Both ends of a new pseudo-terminal."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *SIZE, 0, 0))
    try:
        yield master, slave
    finally:
        os.close(slave)
        os.close(master)
