"""The emulated bus as a file that is opened: what comes through the pty, faults while it runs, and the cable pulled and put back."""

import math
import os
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.so101.emulator import Emulator
from tests.adapters.so101.emulator.wire import Wire, pass_time, until

PING, READ, WRITE, SYNC_READ = 1, 2, 3, 0x82
EVERYBODY = 0xFE


@pytest.fixture
def arm() -> Iterator[Emulator]:
    with Emulator(holding=True) as emulator:
        yield emulator


@pytest.fixture
def wire(arm: Emulator) -> Iterator[Wire]:
    opened = Wire(arm.port)
    yield opened
    opened.close()


def test_a_servo_answers_over_the_pty(arm: Emulator, wire: Wire) -> None:
    assert wire.ask(0, 1, PING) == bytes.fromhex("FF FF 01 02 00 FC")
    assert wire.ask(2, 6, READ, 3, 2)[5:7] == (777).to_bytes(2, "little")
    wire.send(EVERYBODY, SYNC_READ, 56, 15, 1, 2, 3, 4, 5, 6)
    assert [wire.hear(21)[2] for _ in range(6)] == [1, 2, 3, 4, 5, 6]


def test_an_instruction_may_come_in_pieces(wire: Wire) -> None:
    for byte in bytes.fromhex("FF FF 01 02 01 FB"):
        os.write(wire.fd, bytes((byte,)))
    assert len(wire.hear(6)) == 6


def test_at_another_baud_nobody_answers(arm: Emulator) -> None:
    slow = Wire(arm.port, termios.B115200)
    assert slow.still(1, PING)
    slow.close()
    fast = Wire(arm.port)
    assert len(fast.ask(0, 1, PING)) == 6
    fast.close()


def test_time_passes_for_the_arm(arm: Emulator, wire: Wire) -> None:
    goal = (2047 + 200).to_bytes(2, "little")
    wire.ask(0, 1, WRITE, 42, *goal)
    assert until(lambda: abs(arm.joints()[0] - 200 * math.tau / 4096) < 0.003)
    assert until(lambda: wire.ask(1, 1, READ, 66, 1)[5] == 0)
    assert [write.value for write in arm.writes("Goal_Position")] == [2247]


def test_faults_come_and_go_while_it_runs(arm: Emulator, wire: Wire) -> None:
    arm.silent(3)
    assert wire.still(3, PING)
    arm.silent(3, False)
    assert len(wire.ask(0, 3, PING)) == 6
    arm.wrong_id(3, 9)
    assert wire.ask(0, 9, PING)[2] == 9
    arm.half_packet()
    wire.send(1, PING)
    assert wire.hear(3) == bytes.fromhex("FF FF 01")
    assert wire.ask(0, 1, PING) == bytes.fromhex("FF FF 01 02 00 FC")  # the other half did not come
    arm.corrupt(1.0)
    assert wire.ask(0, 1, PING) != bytes.fromhex("FF FF 01 02 00 FC")
    arm.temperature(2, 70.0)
    arm.voltage(4, 6.0)
    assert until(lambda: (arm.get(2, "Present_Temperature"), arm.get(4, "Present_Voltage")) == (70, 60))
    arm.clear()
    assert until(lambda: arm.get(2, "Status") == 0 and arm.get(4, "Present_Voltage") > 70)
    arm.overload(5)
    assert wire.ask(0, 1, PING)[4] == 0
    assert wire.ask(0, 5, PING)[4] == 32
    assert arm.get(2, "Present_Temperature") < 40


def test_a_late_reply_comes_when_the_next_is_awaited(arm: Emulator, wire: Wire) -> None:
    arm.delay(1.0, 1)
    wire.send(1, PING)
    assert wire.hear(6, 0.02) == b""
    wire.send(2, PING)
    assert [wire.hear(6)[2], wire.hear(6)[2]] == [1, 2]


def test_a_place_that_does_not_exist_is_refused(arm: Emulator) -> None:
    with pytest.raises(ValueError, match="no servo 7"):
        arm.silent(7)
    with pytest.raises(ValueError, match="does not know explode"):
        arm.tell("explode")
    with pytest.raises(ValueError, match="no emulated arm leg"):
        Emulator("leg")


def test_a_pulled_cable_hangs_up_and_the_same_path_comes_back(arm: Emulator, wire: Wire) -> None:
    arm.unplug()
    assert not os.path.lexists(arm.port)
    with pytest.raises(termios.error):
        termios.tcdrain(wire.fd)
    assert arm.get(1, "Torque_Enable") == 1
    arm.replug()
    again = Wire(arm.port)
    assert len(again.ask(0, 1, PING)) == 6
    again.close()


def test_the_arm_holds_while_nobody_is_there_and_falls_without_power(arm: Emulator) -> None:
    before = arm.joints()
    arm.unplug()
    pass_time(arm)
    assert arm.joints() == pytest.approx(before, abs=0.05)
    arm.power_cycle()
    assert until(lambda: arm.joints()[1] > before[1] + 0.1)
    assert arm.get(2, "Torque_Enable") == 0


def test_a_hand_holds_a_limp_joint_until_it_lets_go(arm: Emulator) -> None:
    arm.power_cycle()
    arm.place(2, 0.5)
    assert until(lambda: arm.get(3, "Moving") == 1)
    assert arm.joints()[1] == pytest.approx(0.5, abs=0.01)
    arm.place(2, None)
    assert until(lambda: arm.joints()[1] > 0.6)


def test_a_push_bends_the_arm(arm: Emulator) -> None:
    arm.push(1, 1.0)
    assert until(lambda: arm.joints()[0] > 0.02)
    assert arm.get(1, "Present_Load") < -50


def test_a_path_of_choice_is_free_again_afterwards_and_taken_meanwhile(tmp_path: Path) -> None:
    link = tmp_path / "arm"
    with Emulator(link=link) as arm:
        assert arm.port == str(link)
        with pytest.raises(FileExistsError):
            Emulator(link=link)
        assert link.is_symlink()
    arm.close()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="closed"):
        arm.joints()


def test_nobody_reading_does_not_stop_it(arm: Emulator, wire: Wire) -> None:
    for _ in range(100):
        wire.send(EVERYBODY, SYNC_READ, 0, 80, 1, 2, 3, 4, 5, 6)
    arm.unplug()
    arm.replug()
    again = Wire(arm.port)
    assert len(again.ask(0, 1, PING)) == 6
    again.close()
