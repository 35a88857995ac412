"""Protocol 0: instructions are found in bytes however they arrive, and nothing else is."""

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.so101.emulator.packets import HEADER, Instruction, Parser, checksum, status


def instruction(id: int, what: int, parameters: bytes = b"") -> bytes:
    body = bytes((id, len(parameters) + 2, what)) + parameters
    return HEADER + body + bytes((checksum(body),))


packets = st.tuples(st.integers(0, 254), st.sampled_from(list(Instruction)), st.binary(max_size=40))


@settings(max_examples=40, deadline=None)
@given(st.lists(packets, max_size=6), st.lists(st.integers(1, 9), min_size=1))
def test_every_packet_is_found_in_whatever_pieces_it_comes(sent: list[tuple[int, Instruction, bytes]], pieces: list[int]) -> None:
    stream = b"".join(instruction(*packet) for packet in sent)
    parser, found, at, turn = Parser(), [], 0, 0
    while at < len(stream):
        size = pieces[turn % len(pieces)]
        found += parser.feed(stream[at : at + size])
        at, turn = at + size, turn + 1
    assert [(p.id, p.instruction, p.parameters) for p in found] == [(id, int(what), data) for id, what, data in sent]
    assert sum(p.size for p in found) == len(stream)


def test_a_packet_is_the_one_of_the_manual() -> None:
    (found,) = Parser().feed(bytes.fromhex("FF FF 01 02 01 FB"))
    assert (found.id, found.instruction, found.parameters) == (1, Instruction.PING, b"")
    assert status(1, 0) == bytes.fromhex("FF FF 01 02 00 FC")
    assert status(1, 0, b"\x18\x05") == bytes.fromhex("FF FF 01 04 00 18 05 DD")


def test_noise_and_a_wrong_checksum_hide_only_themselves() -> None:
    good = instruction(3, Instruction.READ, b"\x38\x02")
    bad = bytearray(instruction(2, Instruction.READ, b"\x38\x02"))
    bad[-1] ^= 1
    for before in (b"\x00\x17", b"\xff", b"\xff\xff\xff", bytes(bad), b"\xff\xff\x01\x00"):
        assert [p.id for p in Parser().feed(before + good)] == [3], before


def test_the_beginning_of_a_packet_can_be_forgotten() -> None:
    parser, whole = Parser(), instruction(1, Instruction.PING)
    assert list(parser.feed(instruction(9, Instruction.WRITE, bytes(20))[:12])) == []
    parser.reset()
    assert [p.id for p in parser.feed(whole)] == [1]
