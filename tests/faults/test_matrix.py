"""Every fault of the catalogue, put into a running engine: the stop, its cause, the time to it and the readable session."""

import contextlib
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from engine.faults.bench import Bench, tried
from engine.faults.fault import Fault, Trial
from engine.faults.matrix import FAULTS
from engine.faults.matrix import tried as row
from engine.faults.outside import plant_alone
from engine.faults.verdict import Verdict, judge
from engine.faults.workshop import Workshop
from engine.host import open_robot
from engine.limits import Limits
from engine.session.reader import Session
from engine.session.verify import recompute
from engine.types import Inputs, Reason, StopCategory

BY_NAME = {fault.name: fault for fault in FAULTS}


def zombie() -> object:
    """A process of ours that has ended and was not waited for, if there is one."""
    with contextlib.suppress(ChildProcessError):
        return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    return None


@pytest.mark.parametrize("name", BY_NAME)
def test_the_fault_ends_in_its_stop_and_a_readable_session(name: str, workshop: Workshop) -> None:
    found = row(BY_NAME[name], workshop)
    assert found.ok, found
    assert zombie() is None
    assert found.rows_lost == 0
    if BY_NAME[name].limit is not None:
        assert found.stop_category in BY_NAME[name].categories
        assert found.ticks_to_stop is not None
        assert found.limit_ticks is not None
        assert found.ticks_to_stop <= found.limit_ticks + 1
        assert found.rest_s is not None
        assert found.rest_s <= 0.3


@pytest.fixture(scope="module")
def unharmed(workshop: Workshop) -> Trial:
    """What a fault leaves behind whose injector does nothing."""
    workshop.keep(())
    return tried(lambda bench: None, 60, "camera gone", workshop.rig, workshop.policy, workshop)


def test_a_fault_that_was_never_put_in_is_not_passed(unharmed: Trial, workshop: Workshop) -> None:
    found = judge(BY_NAME["camera gone"], unharmed, workshop.settings.limits)
    assert not found.ok
    assert (found.stop_category, found.ticks_to_stop) == (None, None)
    assert "no stop followed" in found.note
    assert unharmed.session is not None
    assert recompute(unharmed.session).ok


def test_a_session_that_does_not_say_when_the_fault_came_proves_nothing(unharmed: Trial, workshop: Workshop) -> None:
    found = judge(BY_NAME["camera black"], unharmed, workshop.settings.limits)
    assert not found.ok
    assert "does not show when" in found.note


@pytest.mark.parametrize("category", [StopCategory.CAT1, StopCategory.CAT2])
def test_how_a_plant_alone_stops_is_read_from_it(category: StopCategory, unharmed: Trial, workshop: Workshop) -> None:
    assert unharmed.session is not None
    (inputs,) = Session.open(unharmed.session).structs(Inputs, 0, 1)
    robot: Any = open_robot(workshop.settings)[0]
    robot.connect()
    if category == StopCategory.CAT1:
        robot.stop(category)
    alone = plant_alone(robot.plant(), inputs, workshop.settings)
    assert alone.category == category
    found = judge(BY_NAME["engine killed"], replace(unharmed, at_ns=inputs.t_ns, plant=alone), workshop.settings.limits)
    assert found.stop_category == category
    assert found.ok == (category == StopCategory.CAT2), found.note


@pytest.fixture(scope="module")
def stopped(workshop: Workshop) -> Trial:
    def stop(bench: Bench) -> None:
        bench.engine.stop(latched=False)

    workshop.keep(())
    return tried(stop, 60, "stopped", workshop.rig, workshop.policy, workshop)


def verdict(stopped: Trial, workshop: Workshop, *, reason: Reason, limit: Callable[[Limits], float] | None, category: int = 2) -> Verdict:
    fault = Fault(name="stopped", run=lambda workshop: stopped, reasons=(reason,), limit=limit, categories=(StopCategory(category),))
    return judge(fault, stopped, workshop.settings.limits)


def test_a_stop_counts_only_with_its_own_reason_category_and_time(stopped: Trial, workshop: Workshop) -> None:
    assert verdict(stopped, workshop, reason=Reason.STOP_OBSERVER, limit=lambda limits: 0.05).ok
    assert not verdict(stopped, workshop, reason=Reason.CAMERA_STALE, limit=lambda limits: 0.05).ok
    assert not verdict(stopped, workshop, reason=Reason.STOP_OBSERVER, limit=lambda limits: -0.05).ok
    assert not verdict(stopped, workshop, reason=Reason.STOP_OBSERVER, limit=lambda limits: 0.05, category=1).ok
    assert not verdict(stopped, workshop, reason=Reason.STOP_OBSERVER, limit=None).ok


def test_what_else_is_wrong_fails_the_row(stopped: Trial, workshop: Workshop) -> None:
    assert not verdict(replace(stopped, wrong=("a window was open",)), workshop, reason=Reason.STOP_OBSERVER, limit=lambda limits: 0.05).ok
