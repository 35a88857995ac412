"""A thread past its limit is found, and of several the one that binds most is named."""

from dataclasses import fields

import pytest

from engine.limits import Limits
from engine.loops.heartbeats import Heartbeats, Standstill
from engine.types import Reason

S = 1_000_000_000
LIMITS = Limits()


@pytest.mark.parametrize("name", ["control", "camera", "inference", "recorder", "server"])
def test_each_thread_has_its_limit(name: str) -> None:
    beats = Heartbeats()
    setattr(beats, name, 10 * S)
    limit = next(getattr(LIMITS, field.name) for field in fields(Limits) if field.name == f"watchdog_{name}")
    assert beats.late(10 * S + round(limit * S), LIMITS) == Reason.OK
    assert beats.late(10 * S + round(limit * S) + 1, LIMITS) == Reason[f"WATCHDOG_{name.upper()}"]


def test_a_thread_without_duty_is_never_late() -> None:
    assert Heartbeats().late(10**15, LIMITS) == Reason.OK
    assert not Heartbeats().watchdog_late(10**15, LIMITS)


def test_the_watchdog_has_its_own_limit() -> None:
    beats = Heartbeats()
    beats.watchdog = 10 * S
    assert not beats.watchdog_late(10 * S + round(LIMITS.watchdog_self * S), LIMITS)
    assert beats.watchdog_late(10 * S + round(LIMITS.watchdog_self * S) + 1, LIMITS)
    assert beats.late(100 * S, LIMITS) == Reason.OK, "it is for the control thread to find"


def test_time_in_which_nothing_ran_is_held_against_nobody() -> None:
    beats = Heartbeats()
    beats.control = beats.camera = beats.watchdog = 10 * S
    resumed = 60 * S
    assert beats.late(resumed + round(LIMITS.watchdog_control * S), LIMITS, resumed) == Reason.OK
    assert beats.late(resumed + round(LIMITS.watchdog_control * S) + 1, LIMITS, resumed) == Reason.WATCHDOG_CONTROL
    assert not beats.watchdog_late(resumed + round(LIMITS.watchdog_self * S), LIMITS, resumed)


def test_what_only_the_policy_needs_hides_no_thread_that_binds_always() -> None:
    beats = Heartbeats()
    beats.camera = beats.inference = beats.server = 1
    assert beats.late(100 * S, LIMITS) == Reason.WATCHDOG_SERVER


def test_the_control_thread_is_named_before_the_others() -> None:
    beats = Heartbeats()
    beats.control = beats.camera = beats.inference = beats.recorder = 1
    assert beats.late(100 * S, LIMITS) == Reason.WATCHDOG_CONTROL


def test_one_gap_of_the_whole_process_is_excused_and_a_slow_watchdog_is_not() -> None:
    frozen = Standstill()
    assert [frozen.seen(at * S // 100) for at in (100, 101, 400, 401)] == [0, 0, 4 * S, 4 * S]
    slow = Standstill()
    assert [slow.seen(at * S // 10) for at in (10, 13, 16, 19)] == [0, 13 * S // 10, 13 * S // 10, 13 * S // 10]
