"""What a console may say is bounded: a message out of bounds is refused whole, before anything reads it."""

import math

import msgspec
import pytest

from engine.limits import Limits
from engine.messages import AdjustForce, Alive, ClearStop, Hello, Hold, Mark, SetJog, WatchPicture
from engine.operator import JOG_SPEEDS, JOG_STEPS, Operator
from engine.wire import Unframer, framed, intent_decoder


@pytest.mark.parametrize(
    "message",
    [
        WatchPicture(camera="front", width=100_000, height=10),
        WatchPicture(camera="front", width=-1, height=10),
        Mark(text="x" * 10_000),
        Hello(console="x" * 10_000),
        ClearStop(number=2**63 + 5),
        Hold(axis="pull", down=True, repeat=False, seq=2**63 - 1),
        Alive(age=math.nan),
        Alive(age=-0.1),
        Alive(age=10.1),
    ],
)
def test_a_message_out_of_bounds_is_refused(message: object) -> None:
    (body,) = Unframer().feed(framed(message))  # type: ignore[arg-type]
    with pytest.raises(msgspec.ValidationError):
        intent_decoder.decode(body)


def test_a_jog_that_is_no_number_changes_nothing() -> None:
    subject = Operator(Limits(), "cosaw")
    for bad in (math.nan, math.inf, -math.inf):
        subject.apply(SetJog(step=bad, speed=bad), 0, at_rest=True, in_kerf=False, armed=True)
        assert subject.jog_step in JOG_STEPS
        assert subject.jog_speed in JOG_SPEEDS
    subject.apply(AdjustForce(delta=math.nan), 0, at_rest=True, in_kerf=False, armed=True)
    assert math.isfinite(subject.force_set)
