"""Telling replies apart in whatever bytes come."""

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.so101.emulator.packets import status
from adapters.so101.wire import missing, parse

SIX = (1, 2, 3, 4, 5, 6)


@given(st.binary(max_size=200), st.integers(0, 20))
@settings(deadline=None)
def test_any_bytes_are_read_without_harm(data: bytes, size: int) -> None:
    found = parse(data, size)
    taken = sum(6 + len(content) for _, content in found.whole.values()) + sum(6 + length for length in found.other.values())
    assert taken + found.waste <= len(data)


@given(
    st.lists(st.binary(min_size=15, max_size=15), min_size=6, max_size=6), st.binary(max_size=10).filter(lambda noise: 0xFF not in noise)
)
@settings(max_examples=50, deadline=None)
def test_whole_replies_are_found_after_noise(contents: list[bytes], noise: bytes) -> None:
    data = noise + b"".join(status(number, 4, content) for number, content in zip(SIX, contents, strict=True))
    found = parse(data, 15)
    assert found.whole == {number: (4, content) for number, content in zip(SIX, contents, strict=True)}
    assert (found.other, found.waste, missing(found, SIX)) == ({}, len(noise), ())


@given(st.binary(min_size=15, max_size=15), st.integers(2, 20), st.integers(0, 7))
@settings(max_examples=50, deadline=None)
def test_a_flipped_bit_makes_no_reply(content: bytes, at: int, bit: int) -> None:
    reply = bytearray(status(3, 0, content))
    reply[at] ^= 1 << bit
    assert parse(bytes(reply), 15).whole == {}


def test_half_a_reply_is_waste_and_the_next_one_whole() -> None:
    first, second = status(1, 0, bytes(15)), status(2, 0, bytes(range(15)))
    found = parse(first[:10] + second, 15)
    assert (set(found.whole), found.waste, missing(found, SIX)) == ({2}, 10, (1, 3, 4, 5, 6))


def test_an_answer_to_another_request_is_told_apart_by_its_length() -> None:
    found = parse(status(1, 0, bytes(16)) + status(2, 0, bytes(15)) + status(3, 0), 15)
    assert (set(found.whole), found.other, found.waste) == ({2}, {1: 16, 3: 0}, 0)
