"""The real engine process on the real cell: how it stops, is taken over, and ends. What faults do to it stands in ``tests/faults``."""

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from engine.config import Settings
from engine.faults.processes import EngineProcess, Line, until
from engine.faults.workshop import Workshop
from engine.limits import Limits
from engine.messages import ClearStop, Shutdown
from engine.session.verify import recompute
from engine.types import ModelState, Reason, Snapshot, StopKind, Writer


@pytest.fixture(scope="module")
def workshop() -> Iterator[Workshop]:
    with Workshop(Settings(policy="scripted"), logging.getLogger(__name__).info) as made:
        made.keep(())
        yield made


@pytest.fixture(scope="module")
def shared(workshop: Workshop) -> EngineProcess:
    """An engine that outlives the tests that stop it."""
    return EngineProcess(workshop)


@pytest.fixture
def line(shared: EngineProcess) -> Iterator[Line]:
    """A console of the shared engine, whose robot it has sawing."""
    with console(shared) as line:
        yield line


@contextmanager
def console(engine: EngineProcess) -> Iterator[Line]:
    line = Line(engine.run)
    line.drive()
    yield line
    line.close()


def later(line: Line, ticks: int) -> Snapshot:
    """The newest snapshot, at least ``ticks`` ticks from now."""
    tick = line.tick
    until(lambda: line.tick > tick + ticks, "the engine went on")
    assert line.newest is not None
    return line.newest


@pytest.mark.parametrize(("writer", "reason"), [(Writer.CONSOLE, Reason.STOP_KEY), (Writer.SHELL, Reason.STOP_SHELL)])
def test_a_stop_from_anywhere_stops_and_the_screen_stays_live(line: Line, shared: EngineProcess, writer: Writer, reason: Reason) -> None:
    shared.page.raise_stop(writer)
    until(lambda: line.seen(lambda s: s.decision.stop_reason == reason), "it stopped")
    held = later(line, 50)
    assert not held.decision.armed
    assert max(abs(v) for v in held.inputs.twist[1:3]) < 0.02
    assert abs(held.inputs.twist[0]) <= 1.2 * Limits().stroke_yield  # the stroke axis yields to the partner, and no faster
    assert held.decision.score > 0.1


def test_the_power_off_stop_latches_until_it_is_cleared_by_its_number(line: Line, shared: EngineProcess) -> None:
    shared.page.raise_stop(Writer.CONSOLE, latch=True)
    until(lambda: line.seen(lambda s: s.decision.stop_kind == StopKind.LATCHED), "it latched")
    held = later(line, 100)
    assert held.decision.stop_kind == StopKind.LATCHED
    assert held.command.brakes
    line.say(ClearStop(number=held.decision.stop_number - 1))
    assert later(line, 20).decision.stop_kind == StopKind.LATCHED
    line.say(ClearStop(number=held.decision.stop_number))
    until(lambda: line.seen(lambda s: s.decision.stop_kind == StopKind.NONE), "it was cleared")


def test_another_console_finds_the_robot_disarmed_and_may_drive_it(line: Line, shared: EngineProcess) -> None:
    assert line.newest is not None
    assert line.newest.run.model_state == ModelState.READY
    line.close()
    again = Line(shared.run)
    until(lambda: again.seen(lambda s: s.decision.stop_reason == Reason.CONSOLE_LOST), "it stopped")
    assert again.newest is not None
    found = again.newest.decision
    assert not found.armed
    assert not found.going
    assert found.speed_limit == 0
    again.drive()
    again.close()


def test_sigterm_ends_in_good_order(workshop: Workshop) -> None:
    engine = EngineProcess(workshop)
    with console(engine):
        os.kill(engine.process.pid, signal.SIGTERM)
        assert engine.process.wait(30) == 130
    report = recompute(engine.session)
    assert report.ok
    assert report.lost == 0
    assert not engine.run.path.exists()


def test_the_operator_may_end_the_run(shared: EngineProcess) -> None:
    line = Line(shared.run)
    until(lambda: line.newest is not None, "the engine ticked")
    line.say(Shutdown())
    assert shared.process.wait(30) == 0
    until(lambda: line.ended is not None, "the engine said that it ended")
    assert line.ended is not None
    assert line.ended.exit_code == 0
    line.close()


def test_a_killed_engine_that_nobody_waited_for_counts_as_dead(workshop: Workshop) -> None:
    engine = EngineProcess(workshop)
    line = Line(engine.run)
    until(lambda: line.tick > 5, "the engine ticked")
    line.close()
    assert engine.run.alive
    os.kill(engine.process.pid, signal.SIGKILL)
    os.waitid(os.P_PID, engine.process.pid, os.WEXITED | os.WNOWAIT)
    assert not engine.run.alive
