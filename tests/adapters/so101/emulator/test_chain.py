"""What a chain answers and when, without a pty: order, pace, and replies that the wire spoils."""

from collections import deque

import pytest

from adapters.so101.emulator.arm import Servos
from adapters.so101.emulator.chain import Chain, Reply
from adapters.so101.emulator.packets import BROADCAST, Instruction, Packet, checksum

MBAUD = 1_000_000
BYTE_S = 10e-6
ALL = (1, 2, 3, 4, 5, 6)


def chain() -> Chain:
    return Chain(Servos(calibrated=True).all, 0)


def ask(chain: Chain, id: int, what: Instruction, *parameters: int, baud: int = MBAUD, now: float = 100.0) -> list[Reply]:
    return chain.answer(Packet(id, what, bytes(parameters), len(parameters) + 6), now, baud)


def ids(replies: list[Reply]) -> list[int]:
    return [reply.data[2] for reply in replies]


def whole(reply: bytes) -> bool:
    return len(reply) == reply[3] + 4 and reply[-1] == checksum(reply[2:-1])


def test_a_sync_read_is_answered_in_the_order_it_asks_at_the_pace_of_the_wire() -> None:
    replies = ask(chain(), BROADCAST, Instruction.SYNC_READ, 56, 15, 3, 1, 6)
    assert ids(replies) == [3, 1, 6]
    assert all(whole(reply.data) and len(reply.data) == 21 for reply in replies)
    asked = 11 * BYTE_S
    for n, reply in enumerate(replies, start=1):
        assert reply.due == pytest.approx(100.0 + asked + n * (21 * BYTE_S + 8e-6))


def test_a_servo_waits_its_return_delay_and_half_the_baud_takes_twice_as_long() -> None:
    fast, slow = chain(), chain()
    fast.servos[0].set("Return_Delay_Time", 250)
    assert ask(fast, 1, Instruction.PING)[0].due == pytest.approx(100.0 + 12 * BYTE_S + 8e-6 + 500e-6)
    slow.servos[0].set("Baud_Rate", 1)
    assert ask(slow, 1, Instruction.PING, baud=500_000)[0].due == pytest.approx(100.0 + 24 * BYTE_S + 8e-6)


def test_a_servo_hears_only_its_own_baud() -> None:
    line = chain()
    line.servos[1].set("Baud_Rate", 4)
    assert ids(ask(line, BROADCAST, Instruction.PING)) == [1, 3, 4, 5, 6]
    assert ids(ask(line, BROADCAST, Instruction.PING, baud=115_200)) == [2]


def test_an_instruction_waits_for_the_replies_before_it() -> None:
    line = chain()
    first = ask(line, BROADCAST, Instruction.SYNC_READ, 56, 15, *ALL)[-1]
    assert ask(line, 1, Instruction.PING, now=100.0001)[0].due > first.due


def test_a_sync_write_reaches_each_and_nobody_confirms_it() -> None:
    line = chain()
    data = [byte for id in ALL for byte in (id, 100 + id, 0)]
    assert ask(line, BROADCAST, Instruction.SYNC_WRITE, 48, 2, *data) == []
    assert [servo.get("Torque_Limit") for servo in line.servos] == [101, 102, 103, 104, 105, 106]
    assert len(line.writes) == 6


def test_a_servo_can_be_set_to_confirm_nothing_but_reads() -> None:
    line = chain()
    ask(line, 1, Instruction.WRITE, 8, 0)
    assert ask(line, 1, Instruction.WRITE, 41, 9) == []
    assert len(ask(line, 1, Instruction.READ, 41, 1)) == len(ask(line, 1, Instruction.PING)) == 1
    assert line.servos[0].get("Acceleration") == 9


def test_every_reply_carries_the_alarms() -> None:
    line = chain()
    line.servos[2].trip(True)
    assert [reply.data[4] for reply in ask(line, BROADCAST, Instruction.SYNC_READ, 56, 2, 2, 3)] == [0, 32]


def test_instructions_that_say_too_little_are_ignored() -> None:
    line = chain()
    short = {Instruction.READ: (1,), Instruction.WRITE: (40,), Instruction.SYNC_READ: (), Instruction.SYNC_WRITE: (42, 2)}
    for what, parameters in short.items():
        assert ask(line, 1, what, *parameters) == []
    assert ask(line, BROADCAST, Instruction.SYNC_WRITE, 42, 2, 1, 0x88) == []
    assert not line.writes


def test_corrupt_replies_are_as_many_as_told_and_never_pass_the_checksum() -> None:
    line = chain()
    line.corrupt = 0.5
    replies = [ask(line, 1, Instruction.READ, 56, 15)[0].data for _ in range(400)]
    spoilt = [reply for reply in replies if not whole(reply)]
    assert 150 < len(spoilt) < 250
    assert all(reply[:5] == replies[0][:5] for reply in replies)


def test_half_a_packet_is_half_and_only_as_often_as_told() -> None:
    line = chain()
    line.halves = 2
    assert [len(reply.data) for reply in ask(line, BROADCAST, Instruction.SYNC_READ, 56, 15, 1, 2, 3)] == [10, 10, 21]


def test_a_delay_moves_replies_and_keeps_the_pace_of_the_others() -> None:
    plain, late = chain(), chain()
    late.late = deque([0.2])
    expected = ask(plain, BROADCAST, Instruction.SYNC_READ, 56, 2, 1, 2)
    found = ask(late, BROADCAST, Instruction.SYNC_READ, 56, 2, 1, 2)
    assert [f.due - e.due for f, e in zip(found, expected, strict=True)] == pytest.approx([0.2, 0.0])
    late.lag = 0.1
    assert ask(late, 1, Instruction.PING, now=200.0)[0].due == pytest.approx(200.1 + 12 * BYTE_S + 8e-6)


def test_a_silent_servo_hears_nothing() -> None:
    line = chain()
    line.silent.add(3)
    assert ids(ask(line, BROADCAST, Instruction.SYNC_READ, 56, 2, *ALL)) == [1, 2, 4, 5, 6]
    assert ask(line, 3, Instruction.WRITE, 40, 1) == []
    assert line.servos[2].get("Torque_Enable") == 0


def test_a_new_id_is_confirmed_by_the_old_one() -> None:
    line = chain()
    assert ids(ask(line, 3, Instruction.WRITE, 5, 9)) == [3]
    assert ids(ask(line, 9, Instruction.PING)) == [9]


def test_two_servos_with_one_id_both_answer() -> None:
    line = chain()
    line.servos[4].set("ID", 4)
    assert ids(ask(line, 4, Instruction.PING)) == [4, 4]
    assert ask(line, 5, Instruction.PING) == []
