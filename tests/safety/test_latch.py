"""The latch layer: who asks for a stop, and what is wrong that nobody had to ask about."""

import pytest

from engine.limits import Limits
from engine.safety import latch
from engine.types import Mode, Reason, Writer

LIMITS = Limits()
NONE = (0,) * 8


def counted(writer, count=1):
    return tuple(count if slot == writer else 0 for slot in range(8))


@pytest.mark.parametrize(
    ("writer", "reason"),
    [
        (Writer.CONSOLE, Reason.STOP_KEY),
        (Writer.SIGNAL, Reason.STOP_SIGNAL),
        (Writer.WATCHDOG, Reason.WATCHDOG_CONTROL),
        (Writer.OBSERVER, Reason.STOP_OBSERVER),
        (Writer.SHELL, Reason.STOP_SHELL),
        (Writer.ENGINE, Reason.ENGINE_FAULT),
        (Writer.PLANT, Reason.PLANT_TIMEOUT),
        (Writer.SPARE, Reason.ENGINE_FAULT),
    ],
)
def test_every_writer_is_heard_and_named(make, writer, reason):
    request = latch.request(NONE, NONE, make.inputs(stop_page=counted(writer)))
    assert request == latch.Request(reason, latched=False)


def test_the_same_count_asks_once_and_a_falling_one_asks_too(make):
    page = counted(Writer.SHELL, 3)
    assert latch.request(page, NONE, make.inputs(stop_page=page)) is None
    assert latch.request(page, NONE, make.inputs(stop_page=counted(Writer.SHELL, 2))) is not None
    fallen = latch.request(page, page, make.inputs(stop_page=page))
    assert fallen == latch.Request(Reason.STOP_SHELL, latched=True)


def test_a_latching_request_comes_before_the_others(make):
    both = tuple(1 for _ in range(8))
    request = latch.request(NONE, NONE, make.inputs(stop_page=both, stop_latch=counted(Writer.SHELL)))
    assert request == latch.Request(Reason.STOP_SHELL, latched=True)
    power = latch.request(NONE, NONE, make.inputs(stop_page=both, stop_latch=counted(Writer.CONSOLE)))
    assert power == latch.Request(Reason.STOP_POWER_OFF, latched=True)


def test_the_watchdog_names_its_thread(make):
    for thread in (Reason.WATCHDOG_CAMERA, Reason.WATCHDOG_SERVER, Reason.WATCHDOG_SELF):
        tick = make.inputs(stop_page=counted(Writer.WATCHDOG), watchdog=thread)
        assert latch.request(NONE, NONE, tick) == latch.Request(thread, latched=False)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"engine_fault": True}, Reason.ENGINE_FAULT),
        ({"watchdog": Reason.WATCHDOG_CONTROL}, Reason.WATCHDOG_CONTROL),
        ({"watchdog": Reason.WATCHDOG_INFERENCE}, Reason.WATCHDOG_INFERENCE),
        ({"watchdog": Reason.WATCHDOG_SERVER}, Reason.WATCHDOG_SERVER),
        ({"watchdog": Reason.WATCHDOG_SELF}, Reason.WATCHDOG_SELF),
        ({"watchdog": 999}, Reason.ENGINE_FAULT),
        ({"recorder_fault": Reason.RECORDER_FULL}, Reason.RECORDER_FULL),
        ({"recorder_fault": 999}, Reason.RECORDER_FAILED),
        ({"console_t_ns": 0}, Reason.CONSOLE_LOST),
        ({"console_t_ns": 1_000_000_000 - 1}, Reason.CONSOLE_LOST),
        ({"console_t_ns": 2_100_000_000}, Reason.CONSOLE_LOST),
    ],
)
def test_what_is_wrong_lets_nothing_move(make, changed, reason):
    layer = latch.condition(make.inputs(100, **changed), LIMITS)
    assert (layer.reason, layer.score, layer.scale) == (reason, 0.1, 0.0)


def test_a_quiet_line_slows_before_it_stops(make):
    quiet = latch.condition(make.inputs(100, console_t_ns=2_000_000_000 - 600_000_000), LIMITS)
    assert (quiet.reason, quiet.score, quiet.scale) == (Reason.CONSOLE_LOST, 0.6, 0.2)
    assert latch.condition(make.inputs(100, console_t_ns=1_500_000_000), LIMITS).reason == Reason.OK


def test_no_console_is_needed_where_none_is_required(make):
    assert latch.condition(make.inputs(console_required=False, console_t_ns=0), LIMITS).reason == Reason.OK


def test_a_stalled_camera_or_inference_thread_does_not_bind_jogging(make):
    for thread in latch.SEEING:
        assert latch.condition(make.inputs(watchdog=thread, mode=Mode.JOG_XYZ), LIMITS).scale == 1.0
    assert latch.condition(make.inputs(watchdog=Reason.WATCHDOG_RECORDER, mode=Mode.JOG_XYZ), LIMITS).scale == 0.0
