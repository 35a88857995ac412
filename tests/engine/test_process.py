"""The real engine process on the real cell: what it does when consoles, shells and the kernel end things."""

import os
import signal
import threading

import pytest

from engine.control.holding import SLIP_SPEED
from engine.messages import Ended, Shutdown
from engine.session.verify import recompute, verify
from engine.types import ModelState, Reason, StopKind, Writer
from tests.engine.conftest import Line, Process


def test_a_killed_console_stops_the_robot_and_another_finds_it_disarmed(engine_process: Process) -> None:
    line = Line(engine_process.run)
    assert line.drive().run.model_state == ModelState.READY
    line.close()
    again = Line(engine_process.run)
    found = again.until(lambda s: s.decision.stop_reason == Reason.CONSOLE_LOST and not s.decision.armed)
    assert not found.decision.going
    assert found.decision.speed_limit == 0
    committed = again.until(lambda s: s.recorder.committed_ticks >= found.inputs.tick)
    assert not committed.decision.armed
    again.drive()
    again.close()


def test_a_killed_engine_loses_no_committed_row(engine_process: Process) -> None:
    line = Line(engine_process.run)
    line.drive()
    seen = line.until(lambda s: s.recorder.committed_ticks > 50)
    engine_process.kill()
    report = verify(engine_process.session)
    assert report.ok, report.problems
    assert report.committed >= seen.recorder.committed_ticks
    assert recompute(engine_process.session).ok


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (lambda process: process.page.raise_stop(Writer.CONSOLE), Reason.STOP_KEY),
        (lambda process: process.page.raise_stop(Writer.SHELL), Reason.STOP_SHELL),
        (lambda process: os.kill(process.popen.pid, signal.SIGHUP), Reason.STOP_SIGNAL),
    ],
    ids=["key", "shell", "hang-up"],
)
def test_a_stop_from_anywhere_stops_and_the_screen_stays_live(engine_process: Process, act: object, reason: Reason) -> None:
    assert callable(act)
    line = Line(engine_process.run)
    line.drive()
    act(engine_process)
    stopped = line.until(lambda s: s.decision.stop_reason == reason)
    assert not stopped.decision.armed
    later = line.until(lambda s: s.inputs.tick > stopped.inputs.tick + 50)
    assert max(abs(v) for v in later.inputs.twist[1:3]) < 0.02
    assert abs(later.inputs.twist[0]) <= 1.2 * SLIP_SPEED  # the stroke axis yields to the partner, and no faster
    assert later.decision.score > 0.1


def test_the_power_off_stop_latches_until_it_is_cleared_by_number(engine_process: Process) -> None:
    line = Line(engine_process.run)
    line.drive()
    engine_process.page.raise_stop(Writer.CONSOLE, latch=True)
    stopped = line.until(lambda s: s.decision.stop_kind == StopKind.LATCHED)
    later = line.until(lambda s: s.inputs.tick > stopped.inputs.tick + 100)
    assert later.decision.stop_kind == StopKind.LATCHED
    assert later.command.brakes


def test_sigterm_ends_in_good_order(engine_process: Process) -> None:
    line = Line(engine_process.run)
    line.drive()
    os.kill(engine_process.popen.pid, signal.SIGTERM)
    assert engine_process.popen.wait(30) == 130
    report = recompute(engine_process.session)
    assert report.ok
    assert report.lost == 0
    assert not engine_process.run.path.exists()


def test_the_operator_may_end_the_run(engine_process: Process) -> None:
    line = Line(engine_process.run)
    line.until(lambda s: s.inference is not None)
    line.say(Shutdown())
    *_, last = line.to_the_end()
    assert isinstance(last, Ended)
    assert last.exit_code == engine_process.popen.wait(30) == 0


def test_a_killed_engine_that_nobody_waited_for_counts_as_dead(engine_process: Process) -> None:
    Line(engine_process.run).until(lambda s: s.inputs.tick > 5)
    assert engine_process.run.alive
    os.kill(engine_process.popen.pid, signal.SIGKILL)
    os.waitid(os.P_PID, engine_process.popen.pid, os.WEXITED | os.WNOWAIT)
    assert not engine_process.run.alive


def test_a_frozen_engine_that_goes_on_stops_and_says_that_it_stalled(engine_process: Process) -> None:
    line = Line(engine_process.run)
    line.drive()
    os.kill(engine_process.popen.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, engine_process.popen.pid, os.WSTOPPED | os.WNOWAIT)
    threading.Event().wait(2.0)  # the silence itself is what is tested
    os.kill(engine_process.popen.pid, signal.SIGCONT)
    stopped = line.until(lambda s: s.decision.stop_count >= 1)
    assert stopped.decision.stop_reason in (Reason.WATCHDOG_CONTROL, Reason.CLOCK_STEPPED)
    assert not stopped.decision.armed
