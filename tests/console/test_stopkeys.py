"""Stop keys in raw bytes: every form, every split, after anything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.stopkeys import Found, StopMatcher

PROTECTIVE = [
    b" ",
    b"\x00",
    b"\x1b ",
    b"\x1b[32u",
    b"\x1b[32;;32u",
    b"\x1b[32;1u",
    b"\x1b[32;1:1u",
    b"\x1b[32;1:2u",
    b"\x1b[32;2:1;32u",
    b"\x1b[32:32;1:1;32u",
    b"\x1b[27;5;32~",
]
LATCHING = [
    b"x",
    b"X",
    b"\x03",
    b"\x1bx",
    b"\x1b[120u",
    b"\x1b[120;2;88u",
    b"\x1b[120:88;2:1;88u",
    b"\x1b[88;1u",
    b"\x1b[99;5u",
    b"\x1b[99;5:1u",
    b"\x1b[99;69:1u",
    b"\x1b[27;5;99~",
]
NEITHER = [
    b"k",
    b"\x1b[A",
    b"\x1b[1;1:2A",
    b"\x1b[32;1:3u",
    b"\x1b[120;1:3u",
    b"\x1b[99;5:3u",
    b"\x1b[99;1u",
    b"\x1b[107;1:1;107u",
    b"\x1b[?27u",
    b"\x1b[0n",
    b"\x1b[132u",
    b"\x1b[320u",
    b"\x1b[<35;32;12M",
    b"\x1b[48;34;120;680;1200t",
    "é☃".encode(),
]
LEADS = [b"", b"\x1b", b"\x1b[", b"\x1b[3", b"\x1b[32;", b"\x1bO", b"k", b"\x1b\x1b", b"\x1b[" + b"1" * 200]


def fed(*parts: bytes) -> Found:
    matcher = StopMatcher()
    found = [matcher.feed(part) for part in parts]
    return Found(any(f.protective for f in found), any(f.latching for f in found))


@given(st.sampled_from(PROTECTIVE), st.sampled_from(LEADS), st.data())
def test_every_form_of_space_stops_however_the_reads_are_split(form: bytes, lead: bytes, data: st.DataObject) -> None:
    whole = lead + form
    at = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    parts = [whole[a:b] for a, b in zip([0, *at], [*at, len(whole)], strict=True)]
    assert fed(*parts).protective


@given(st.sampled_from(LATCHING), st.sampled_from(LEADS), st.data())
def test_every_form_of_x_and_ctrl_c_latches_however_the_reads_are_split(form: bytes, lead: bytes, data: st.DataObject) -> None:
    whole = lead + form
    at = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    parts = [whole[a:b] for a, b in zip([0, *at], [*at, len(whole)], strict=True)]
    assert fed(*parts).latching


@pytest.mark.parametrize("other", NEITHER)
def test_other_keys_replies_and_releases_are_no_stops(other: bytes) -> None:
    assert not fed(other)
    assert not fed(*(bytes([byte]) for byte in other))


@given(st.binary(max_size=200))
def test_random_bytes_never_raise_and_a_space_in_them_always_stops(noise: bytes) -> None:
    found = fed(noise, b" ")
    assert found.protective
