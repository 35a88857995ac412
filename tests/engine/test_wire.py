"""Framing survives any split of the stream, and refuses what is not ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.messages import Arm, ClearStop, Hold, Intent, Mark
from engine.wire import Unframer, WireError, framed, intent_decoder

intents = st.one_of(
    st.builds(Arm, robot=st.text(max_size=20)),
    st.builds(ClearStop, number=st.integers(0, 1000)),
    st.builds(Hold, axis=st.sampled_from(["pull", "push", "+x"]), down=st.booleans(), repeat=st.booleans(), seq=st.integers(0, 2**40)),
    st.builds(Mark, text=st.text(max_size=300)),
)


@given(st.lists(intents, max_size=8), st.integers(1, 40))
def test_messages_come_out_as_they_went_in_however_the_stream_is_cut(messages: list[Intent], size: int) -> None:
    stream = b"".join(framed(message) for message in messages)
    unframer = Unframer()
    found = []
    for start in range(0, len(stream), size):
        found += [intent_decoder.decode(body) for body in unframer.feed(stream[start : start + size])]
    assert found == messages


def test_a_length_no_message_has_is_refused() -> None:
    with pytest.raises(WireError):
        Unframer().feed(b"GET / HTTP/1.1\r\n")
