"""The faults between processes: terminals, lines, signals, kills, tried on a real engine process and, where it matters, a real console.

The placeholder policy drives these engines: it starts fast, and none of these faults is the policy's. The moment a fault is put
in is taken from the machine's own clock, which is the one that stamps the recorded ticks.
"""

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from engine.clock import RealClock
from engine.config import Settings
from engine.faults.bench import AFTER, FAST, PAST
from engine.faults.desk import ARROW_UP, REPEAT, SIZE, Desk
from engine.faults.fault import Fault, FaultError, PlantStop, Trial
from engine.faults.inside import GAP
from engine.faults.processes import LOOK, EngineProcess, Line, until
from engine.faults.verdict import REST_WITHIN, moved_for
from engine.faults.workshop import Workshop
from engine.host import open_robot
from engine.limits import Limits
from engine.loops.control import DT
from engine.messages import Arm, Go, Pause, Shutdown, Stop
from engine.safety import stops
from engine.session.reader import Session
from engine.session.verify import verify
from engine.types import F64, Decision, Inputs, Reason, StopCategory

PASSING = 0.05  #: s
FROZEN_FOR = 2.0  #: s between SIGSTOP and SIGCONT
STALLED_FOR = 2.0  #: s in which nobody reads the terminal, while a key is held
MOVED_ON_FOR = 2.0  #: s that the robot must go on where no stop is expected
SMALL = (5, 20)  #: lines, columns
TYPED_AHEAD = 500  #: keys on a line that is held up
HELD_UP_FOR = 0.8  #: s, short of what stops the robot
OF_KEYS = ("operator_grant_axis", "operator_hand_force", "operator_hand_force_set", "operator_log_top_z")  #: that such keys would change
ENDED_WITHIN = 0.5  #: s from the last sign of life to the end of what a held key moves
OWN_STOP = 30  #: ticks that the plant is let go on without commands

_clock = RealClock()


def _stopped(line: Line, ticks: int) -> None:
    """Wait for a stop and what is recorded after it; that none comes is for the session to tell."""
    begun = line.tick
    stopped = 0
    end = time.monotonic() + ticks * DT * 3 + 5.0
    while time.monotonic() < end and (line.tick - stopped < AFTER if stopped else line.tick - begun <= ticks):
        if not stopped and line.seen(lambda s: s.decision.stop_number > 0):
            stopped = line.tick
        time.sleep(LOOK)


# --- with a line in place of a console ---


def _on_a_line(inject: Callable[[EngineProcess, Line], int]) -> Callable[[Workshop], Trial]:
    """Saw, put the fault in, wait for the stop, end the engine in good order. ``inject`` returns when it did."""

    def run(workshop: Workshop) -> Trial:
        engine = EngineProcess(workshop)
        line = Line(engine.run)
        workshop.ending.callback(line.close)
        line.drive()
        at_ns = inject(engine, line)
        _stopped(line, PAST)
        engine.end()
        line.close()
        return Trial(session=engine.session, at_ns=at_ns)

    return run


def _hang_up(engine: EngineProcess, line: Line) -> int:
    at_ns = _clock.now_ns()
    os.kill(engine.process.pid, signal.SIGHUP)
    return at_ns


def _suspend(engine: EngineProcess, line: Line) -> int:
    at_ns = _clock.now_ns()
    os.kill(engine.process.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, engine.process.pid, os.WSTOPPED | os.WNOWAIT)
    time.sleep(FROZEN_FOR)
    os.kill(engine.process.pid, signal.SIGCONT)
    return at_ns


def _two_consoles(workshop: Workshop) -> Trial:
    """The second one asks for everything and gets nothing, before and while the first one moves the robot; its stop is obeyed."""
    engine = EngineProcess(workshop)
    first = Line(engine.run)
    workshop.ending.callback(first.close)
    until(lambda: first.seen(lambda s: bool(s.run.controller)), "the first console held control")
    second = Line(engine.run)
    workshop.ending.callback(second.close)
    until(lambda: first.seen(lambda s: s.inference is not None and s.inputs.frame_seq > 0), "pictures and policy were there")
    begun = _clock.now_ns()
    second.say(Arm(robot="cosaw"))
    second.say(Go())
    until(lambda: len(second.refusals) >= 3, "the second console was refused control, arm and go")
    armed_by_first = _clock.now_ns()
    first.drive()
    moving = _clock.now_ns()
    second.say(Pause())
    second.say(Shutdown())
    until(lambda: len(second.refusals) >= 5, "the second console was refused pause and shutdown")
    time.sleep(0.3)
    at_ns = _clock.now_ns()
    second.say(Stop())
    _stopped(first, PAST)
    engine.end()
    wrong = []
    session = Session.open(engine.session)
    rows = session.structs(Inputs)
    if any(row.arm_request or row.go_request for row in rows if begun <= row.t_ns < armed_by_first):
        wrong.append("the engine heard the second console's arm or go")
    decisions = session.structs(Decision)
    if not all(d.going for row, d in zip(rows, decisions, strict=True) if moving <= row.t_ns < at_ns):
        wrong.append("the second console disturbed the first")
    return Trial(session=engine.session, at_ns=at_ns, wrong=tuple(wrong))


def _kill_engine(workshop: Workshop) -> Trial:
    """Nobody is left to stop the robot: the plant of a committed row goes on without commands, and its own time-out must hold it."""
    engine = EngineProcess(workshop)
    line = Line(engine.run)
    workshop.ending.callback(line.close)
    line.drive()
    until(lambda: line.seen(lambda s: s.recorder.committed_ticks > 100), "a second was committed")
    promised = line.newest.recorder.committed_ticks if line.newest else 0
    at_ns = _clock.now_ns()
    os.kill(engine.process.pid, signal.SIGKILL)
    engine.process.wait()
    line.close()
    report = verify(engine.session)
    wrong = list(report.problems)
    if report.committed < promised:
        wrong.append(f"{promised - report.committed} committed rows are lost")
    session = Session.open(engine.session)
    row = next((row for row in reversed(range(session.ticks)) if _fast(session, row)), session.ticks - 1)
    plant = plant_alone(session.rows("tick/plant", row, row + 1)[0], session.structs(Inputs, row, row + 1)[0], workshop.settings)
    note = f"the plant alone, from row {row + 1} of {report.committed} committed ones, the last in full motion"
    return Trial(session=engine.session, at_ns=at_ns, plant=plant, wrong=tuple(wrong), note=note)


def _fast(session: Session, row: int) -> bool:
    return abs(session.structs(Inputs, row, row + 1)[0].twist[0]) >= FAST


def plant_alone(plant: F64, inputs: Inputs, settings: Settings) -> PlantStop:
    """The plant (P,) of a committed row, let go on without a command."""
    robot: Any = open_robot(settings)[0]
    robot.restore(plant)
    control = robot.truth().cell.control
    held = None
    resting: list[bool] = []
    for tick in range(OWN_STOP + round(REST_WITHIN / DT)):
        robot.advance(DT)
        if held is None and control.own_hold:
            held = tick + 1
        twist = tuple(float(v) for v in robot.tool()[1])
        resting.append(stops.at_rest(_with_twist(inputs, twist), True, settings.limits))
    moving = [tick for tick, still in enumerate(resting) if not still]
    rests = moving[-1] + 1 if moving else 0
    rest_s = None if held is None or rests >= len(resting) else max(0, rests + 1 - held) * DT
    powered = StopCategory.CAT2 if held is not None and not control.braked else None
    return PlantStop(
        category=powered if control.own_stop < 0 else control.own_stop,
        ticks=held,
        rest_s=rest_s,
        speed=sum(v * v for v in inputs.twist[:3]) ** 0.5,
    )


def _with_twist(inputs: Inputs, twist: tuple[float, ...]) -> Inputs:
    return msgspec.structs.replace(inputs, twist=twist)


# --- with the real console in a real terminal ---


def _at_a_desk(
    inject: Callable[[Desk, Line], int],
    *,
    begin: Callable[[Desk, Line], None] = Desk.drive,
    releases: bool = False,
    stops: bool = True,
    wrong: Callable[[Session, int, int], tuple[str, ...]] = lambda session, at_ns, until_ns: (),
) -> Callable[[Workshop], Trial]:
    """The same with a console that an operator drives by its keys; a read-only line looks on. ``wrong`` is asked after the end."""

    def run(workshop: Workshop) -> Trial:
        engine = EngineProcess(workshop)
        observer = Line(engine.run, readonly=True)
        workshop.ending.callback(observer.close)
        desk = Desk(engine, workshop, releases=releases)
        until(lambda: observer.newest is not None, "the engine ticked")
        begin(desk, observer)
        at_ns = inject(desk, observer)
        until_ns = 0 if stops else _clock.now_ns()
        if stops:
            _stopped(observer, PAST + round(workshop.settings.limits.console_age_max / DT))
        desk.close()
        engine.end()
        observer.close()
        found = wrong(Session.open(engine.session), at_ns, until_ns)
        return Trial(session=engine.session, at_ns=at_ns, until_ns=until_ns, wrong=found)

    return run


def _stall_terminal(desk: Desk, observer: Line) -> int:
    """Nobody reads the screen any more, so it fills up; the keys still come, and with them the stop key."""
    desk.stalled.set()
    end = time.monotonic() + STALLED_FOR
    while time.monotonic() < end:
        desk.type(b"?")
        time.sleep(0.1)
    now = observer.newest
    if now is None or not now.decision.going:
        raise FaultError(
            f"The robot stopped before the stop key was pressed: {Reason(now.decision.stop_reason).name if now else 'silence'}."
        )
    at_ns = _clock.now_ns()
    desk.type(b" ")
    return at_ns


def _close_terminal(desk: Desk, observer: Line) -> int:
    at_ns = _clock.now_ns()
    desk.close()
    return at_ns


def _resize(desk: Desk, observer: Line) -> int:
    at_ns = _clock.now_ns()
    desk.resize(*SMALL)
    time.sleep(MOVED_ON_FOR / 2)
    desk.resize(*SIZE)
    time.sleep(MOVED_ON_FOR / 2)
    return at_ns


def _not_going(session: Session, at_ns: int, until_ns: int) -> tuple[str, ...]:
    """What is wrong where the robot should have gone on all the time."""
    rows = zip(session.times, session.rows("tick/going"), strict=True)
    going = [bool(going) for t_ns, going in rows if at_ns <= t_ns <= until_ns]
    wanted = 0.9 * (until_ns - at_ns) / 1e9 / DT
    return () if all(going) and len(going) >= wanted else ("the robot did not go on all the time",)


def _fall_silent(desk: Desk, observer: Line) -> int:
    """The line goes dead while K is held: no key, no release, no answer comes through any more."""
    end = time.monotonic() + 0.6
    while time.monotonic() < end:
        desk.type(b"k")
        time.sleep(REPEAT)
    desk.silent.set()
    return _clock.now_ns()


def _let_line_die(desk: Desk, observer: Line) -> int:
    """The line goes dead while the terminal still owes the release of the key that jogs: only the hold's proof can end the motion."""
    desk.silent.set()
    return _clock.now_ns()


def _moving_on(session: Session, at_ns: int, until_ns: int) -> tuple[str, ...]:
    """What is wrong where a jog must have ended by itself, before anything stops the robot."""
    moved = moved_for(session.times, session.rows("tick/twist")[:, 2], at_ns)
    return () if moved <= ENDED_WITHIN else (f"the jog went on for {moved:.2f} s, {ENDED_WITHIN} s are allowed",)


def _type_ahead(desk: Desk, observer: Line) -> int:
    """Keys that would pull, raise the log and press are typed while nothing comes through; then everything does at once."""
    desk.silent.set()
    for _ in range(TYPED_AHEAD // 4):
        desk.type(b"kj" + ARROW_UP + b"m")
    time.sleep(HELD_UP_FOR)
    at_ns = _clock.now_ns()
    desk.silent.clear()
    time.sleep(MOVED_ON_FOR)
    return at_ns


def _caught_up(session: Session, at_ns: int, until_ns: int) -> tuple[str, ...]:
    """What is wrong where keys must have had no effect; the robot itself saws on."""
    rows = slice(*np.searchsorted(session.times, (at_ns, until_ns)))
    wrong = [name for name in OF_KEYS if len(np.unique(session.rows(f"tick/{name}")[rows])) != 1]
    return (*_not_going(session, at_ns, until_ns), *(f"keys that came late changed {name}" for name in wrong))


def _kill_console(desk: Desk, observer: Line) -> int:
    at_ns = _clock.now_ns()
    os.kill(desk.process.pid, signal.SIGKILL)
    return at_ns


def _soon(limits: Limits) -> float:
    """What comes by a key, a signal or a message passes one other thread or process on its way to the stop page."""
    return PASSING


def _silence(limits: Limits) -> float:
    return limits.console_age_max


OUTSIDE = (
    Fault(name="terminal output stalled", run=_at_a_desk(_stall_terminal), reasons=(Reason.STOP_KEY,), limit=_soon, known="the stop key"),
    Fault(
        name="terminal closed",
        run=_at_a_desk(_close_terminal),
        reasons=(Reason.STOP_KEY, Reason.CONSOLE_LOST),
        limit=_silence,
        keeps=("console_age_max",),
    ),
    Fault(name="terminal resized to 20x5 and back", run=_at_a_desk(_resize, stops=False, wrong=_not_going)),
    Fault(
        name="link silent while a key is held",
        run=_at_a_desk(_fall_silent),
        reasons=(Reason.CONSOLE_LOST,),
        limit=_silence,
        keeps=("console_age_max",),
    ),
    Fault(
        name="link silent while a jog is held",
        run=_at_a_desk(_let_line_die, begin=Desk.jog, releases=True, wrong=_moving_on),
        reasons=(Reason.CONSOLE_LOST,),
        limit=_silence,
        keeps=("console_age_max",),
    ),
    Fault(
        name="500 keys on a line that is held up",
        run=_at_a_desk(_type_ahead, stops=False, wrong=_caught_up),
        keeps=("console_age_max",),
    ),
    Fault(name="console killed", run=_at_a_desk(_kill_console), reasons=(Reason.CONSOLE_LOST,), limit=_silence, keeps=("console_age_max",)),
    Fault(name="engine killed", run=_kill_engine, limit=lambda limits: 0.05, known="the last command"),
    Fault(name="SIGHUP", run=_on_a_line(_hang_up), reasons=(Reason.STOP_SIGNAL,), limit=_soon),
    Fault(
        name="SIGSTOP, then SIGCONT",
        run=_on_a_line(_suspend),
        reasons=(Reason.CLOCK_STEPPED,),
        limit=lambda limits: DT,
        known="SIGCONT",
        categories=GAP,
    ),
    Fault(name="two consoles on one robot", run=_two_consoles, reasons=(Reason.STOP_OBSERVER,), limit=_soon),
)
