"""What the console sends over the line and takes of the machine, and how soon a key, a command or a dead line ends motion.

The real console in a real terminal, attached to a real engine that saws by the policy of the settings. Keys are pressed by a
terminal that reports releases; when the robot heard of them is noted by the engine's process itself, on the machine's one clock.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np

from engine.bench import stock
from engine.bench.figure import Alternative, BenchError, Figure, Tell, figure
from engine.clock import RealClock
from engine.config import Settings
from engine.faults.desk import FREE, PAGE_UP, PRESS, RELEASE, Desk, event, surroundings
from engine.faults.fault import FaultError
from engine.faults.processes import PROGRAM, EngineProcess, Line, until
from engine.faults.verdict import moved_for
from engine.faults.workshop import Workshop
from engine.session.reader import Session
from engine.stop import StopPage
from engine.types import StopKind, Writer

SECONDS = 60.0
SIZES = ((24, 80), (34, 120), (48, 160))  #: lines, columns
DESIGN = (34, 120)  #: the size that the figures for one size alone are of
SPANS = 8  #: equal parts of the time: six for bytes, one on the slow line, one more because its start does not count
SETTLES = 1.5  #: s until a changed size or picture is drawn
SLOW = 8000.0  #: bytes/s: 64 kbit/s
PRESSES = 200  #: with nobody reading the terminal
PRESSES_SLOW = 40
SPREAD = 0.02  #: s over which presses are spread, so that they meet every moment of a tick
COMMANDS = 5
SILENCES = 3
SILENT_FOR = 2.0  #: s
FILLS = 5.0  #: s in which an unread terminal fills up
STOP_KEYS = (b" ", event(b" ", PRESS) + event(b" ", RELEASE))  #: as terminals without releases send it, and with

_HEADER = re.compile(rb"\x1b\[1;(?!1H)\d+H")  # the heartbeat in the first line, which changes with every telemetry that is drawn
_clock = RealClock()

Press = tuple[int, int]
Stamp = tuple[int, Sequence[int]]


@dataclass(frozen=True)
class Screen:
    """One size."""

    frames: list[int]  #: bytes of each, without pictures
    plain: float  #: kbit/s, without pictures
    pictured: float  #: kbit/s, with them


@dataclass
class Found:
    """All that is measured in one run."""

    screens: dict[tuple[int, int], Screen] = field(default_factory=dict)
    redrawn: int = 0  #: bytes of a whole screen of the design size
    cpu: float = 0.0  #: %, of one core
    tick_p99: float = 0.0  #: ms
    slow_hz: float = 0.0  #: telemetry on the slow line
    slow_delay: float = 0.0  #: s that the screen was behind there, at most
    slow: list[float] = field(default_factory=list)  #: ms from key to robot there
    stalled: list[float] = field(default_factory=list)  #: ms from key to robot, nobody reading
    shell: list[float] = field(default_factory=list)  #: ms from ``sawhorse stop`` to robot
    silent: list[float] = field(default_factory=list)  #: s from a dead line to the end of the jog
    textual: float = 0.0  #: ms


def measure(settings: Settings, seconds: float, tell: Tell) -> tuple[Figure, ...]:
    """Raises BenchError where engine or console do not do their part."""
    try:
        with Workshop(settings, tell) as workshop:
            workshop.keep(("console_age_max",))
            found = run(workshop, seconds / SPANS, tell)
    except FaultError as error:
        raise BenchError(str(error)) from error
    tell("a key through Textual's own handler")
    found.textual = stock.key_to_handler() * 1e3
    return figures(found)


def run(workshop: Workshop, span: float, tell: Tell) -> Found:
    """One engine, one console, everything in turn; ``span`` s for each thing that takes its time. Raises FaultError, SessionError."""
    found = Found()
    tell("starting the engine")
    engine = EngineProcess(workshop, module="engine.bench.stamped", settings=workshop.settings)
    observer = Line(engine.run, readonly=True)
    workshop.ending.callback(observer.close)
    desk = Desk(engine, workshop, releases=True)
    with engine.page as page:
        for size in SIZES:
            tell(f"bytes at {size[1]}×{size[0]}")
            if not observer.seen(lambda s: s.decision.going):
                cleared(desk, observer)
                desk.drive(observer)
            found.screens[size] = screen(desk, size, span, found)
            found.tick_p99 = max(found.tick_p99, observer.newest.loop.late_p99_ms if observer.newest else 0.0)
        desk.resize(*DESIGN)
        time.sleep(SETTLES)
        tell("a line of 64 kbit/s")
        slow = slow_line(desk, page, span, found)
        tell("stops while nobody reads the terminal")
        stalled = unread(desk, page)
        tell("sawhorse stop")
        shell = commands(engine, page)
    desk.close()
    engine.end()
    stamps: list[Stamp] = json.loads((engine.runtime / "engine.out").read_text().splitlines()[-1])
    found.slow, found.stalled, found.shell = (
        waits(presses, stamps, writer) for presses, writer in ((slow, Writer.CONSOLE), (stalled, Writer.CONSOLE), (shell, Writer.SHELL))
    )
    tell("a line that dies while a jog key is held")
    found.silent = silences(workshop)
    return found


# --- what is measured while it saws ---


def screen(desk: Desk, size: tuple[int, int], span: float, found: Found) -> Screen:
    """The traffic of one size, with the pictures that there are and without."""
    before = len(desk.output)
    desk.resize(*size)
    time.sleep(SETTLES)
    if size == DESIGN:
        found.redrawn = max(map(len, _HEADER.split(bytes(desk.output[before:]))))
    spent = cpu_s(desk.process.pid)
    begun = time.monotonic()
    pictured, _ = traffic(desk, span)
    if size == DESIGN:
        found.cpu = 100.0 * (cpu_s(desk.process.pid) - spent) / (time.monotonic() - begun)
    cameras(desk, 3)
    plain, sent = traffic(desk, span)
    cameras(desk, 1)
    return Screen(frames=frames(sent), plain=plain, pictured=pictured)


def cameras(desk: Desk, presses: int) -> None:
    """Turn to another camera: three on is none, and one more the first again."""
    for _ in range(presses):
        desk.press(b"v")
        time.sleep(0.2)
    time.sleep(SETTLES)


def traffic(desk: Desk, span: float) -> tuple[float, bytes]:
    """(kbit/s, what was sent) over ``span`` s."""
    before, begun = len(desk.output), time.monotonic()
    time.sleep(span)
    sent = bytes(desk.output[before:])
    return len(sent) * 8e-3 / (time.monotonic() - begun), sent


def frames(sent: bytes) -> list[int]:
    """Bytes of each frame, from one heartbeat to the next; before the first and after the last there is no whole one."""
    starts = [match.start() for match in _HEADER.finditer(sent)]
    return [after - before for before, after in pairwise(starts)]


def cpu_s(pid: int) -> float:
    """s of processor time that a process has taken."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def slow_line(desk: Desk, page: StopPage, span: float, found: Found) -> list[Press]:
    """The line carries 64 kbit/s: how often telemetry arrives, how old it is; then stops are pressed."""
    desk.rate = SLOW
    time.sleep(span)  # until what it can hold is full
    before, begun = len(desk.output), time.monotonic()
    while time.monotonic() - begun < span:
        found.slow_delay = max(found.slow_delay, desk.delayed / SLOW)
        time.sleep(0.05)
    found.slow_hz = len(frames(bytes(desk.output[before:]))) / (time.monotonic() - begun)
    presses = pressed(desk, page, PRESSES_SLOW)
    desk.rate = FREE
    time.sleep(SETTLES)
    return presses


# --- what ends motion ---


def unread(desk: Desk, page: StopPage) -> list[Press]:
    """Stops pressed while nobody reads the terminal."""
    desk.stalled.set()
    time.sleep(FILLS)
    presses = pressed(desk, page, PRESSES)
    desk.stalled.clear()
    time.sleep(SETTLES)
    return presses


def pressed(desk: Desk, page: StopPage, count: int) -> list[Press]:
    """(ns at the press, what the page counts after it), each."""
    return [_raised(partial(desk.type, STOP_KEYS[n % 2]), page, Writer.CONSOLE, n) for n in range(count)]


def commands(engine: EngineProcess, page: StopPage) -> list[Press]:
    """The same of ``sawhorse stop`` in another shell."""

    def stop() -> None:
        subprocess.run([sys.executable, "-c", PROGRAM, "stop", engine.run.name], env=surroundings(engine), capture_output=True, check=True)

    return [_raised(stop, page, Writer.SHELL, n) for n in range(COMMANDS)]


def _raised(act: Callable[[], None], page: StopPage, writer: Writer, number: int) -> Press:
    time.sleep(SPREAD * (0.618 * number % 1.0))
    before, at_ns = page.counts()[writer], _clock.now_ns()
    act()
    until(lambda: page.counts()[writer] > before, "the stop was raised", 5.0)
    return at_ns, page.counts()[writer]


def waits(presses: Sequence[Press], stamps: Sequence[Stamp], writer: Writer) -> list[float]:
    """ms from each press to the robot. Raises FaultError where one never came."""
    found = []
    for at_ns, count in presses:
        heard = next((t_ns for t_ns, counts in stamps if counts[writer] >= count), None)
        if heard is None:
            raise FaultError("The robot never heard of a stop.")
        found.append((heard - at_ns) / 1e6)
    return found


def silences(workshop: Workshop) -> list[float]:
    """s from each dead line to the end of the jog; of a robot that has not sawn, whose saw is level and may be jogged fast."""
    engine = EngineProcess(workshop, settings=workshop.settings)
    observer = Line(engine.run, readonly=True)
    workshop.ending.callback(observer.close)
    desk = Desk(engine, workshop, releases=True)
    died = [silence(desk, observer) for _ in range(SILENCES)]
    desk.close()
    engine.end()
    return [jogged_on(Session.open(engine.session), at_ns) for at_ns in died]


def silence(desk: Desk, observer: Line) -> int:
    """The line dies while a jog key is held, and comes back later; ns at which it died."""
    cleared(desk, observer)
    desk.jog(observer)
    desk.silent.set()
    at_ns = _clock.now_ns()
    time.sleep(SILENT_FOR)
    desk.silent.clear()
    desk.type(event(PAGE_UP, RELEASE))
    time.sleep(SETTLES)
    return at_ns


def cleared(desk: Desk, observer: Line) -> None:
    """Clear a stop that latches, if there is one, so that the robot can be armed."""
    if observer.seen(lambda s: s.decision.stop_kind == StopKind.LATCHED):
        desk.press(b"c")
        time.sleep(0.5)


def jogged_on(session: Session, at_ns: int) -> float:
    """s that the tool moved on upwards."""
    first, last = np.searchsorted(session.times, (at_ns, at_ns + round(SILENT_FOR * 1e9)))
    return moved_for(session.times[first:last], session.rows("tick/twist", int(first), int(last))[:, 2], at_ns)


# --- the figures ---


def figures(found: Found) -> tuple[Figure, ...]:
    """Each beside its bar."""
    whole = Alternative("drawing the whole screen", found.redrawn)
    handler = Alternative("through Textual's own handler, in a terminal that takes nothing for 4 s more", found.textual)
    made = []
    for (lines, columns), one in found.screens.items():
        at = f"at {columns}×{lines}"
        if not one.frames:
            raise BenchError(f"No frame was drawn {at}.")
        against = whole if (lines, columns) == DESIGN else None
        made += [
            figure(f"a frame {at}, mean", float(np.mean(one.frames)), "bytes", "lower", bar=3000.0, against=against),
            figure(f"a frame {at}, p99", float(np.percentile(one.frames, 99)), "bytes", "lower"),
            figure(f"all {at}, without pictures", one.plain, "kbit/s", "lower"),
            figure(f"all {at}, with pictures", one.pictured, "kbit/s", "lower", bar=600.0),
        ]
    return (
        *made,
        figure("console's share of a core at 10 Hz, 120×34", found.cpu, "%", "lower", bar=15.0),
        figure("control tick p99 meanwhile", found.tick_p99, "ms", "lower", bar=5.0),
        figure("telemetry at 64 kbit/s", found.slow_hz, "1/s", "higher", bar=2.0),
        figure("screen behind there, at most", found.slow_delay, "s", "lower"),
        figure("stop key to robot there, p99", float(np.percentile(found.slow, 99)), "ms", "lower", bar=20.0),
        figure("stop key to robot, nobody reading, p50", float(np.percentile(found.stalled, 50)), "ms", "lower"),
        figure("stop key to robot, nobody reading, p99", float(np.percentile(found.stalled, 99)), "ms", "lower", bar=20.0, against=handler),
        figure("stop key to robot, nobody reading, max", max(found.stalled), "ms", "lower"),
        figure("sawhorse stop to robot, its start included, max", max(found.shell), "ms", "lower"),
        figure("line dead while a jog key is held, to the end of motion, max", max(found.silent), "s", "lower", bar=0.5),
    )
