"""An STS3215's memory: signs, what nobody outside may write, and what is left without power."""

import itertools

import pytest

from adapters.so101.emulator.registers import TABLE, Registers


def test_a_new_servo_is_as_the_table_says() -> None:
    new = Registers(4)
    assert new.get("ID") == 4
    assert new.read(3, 2) == bytes((777 & 0xFF, 777 >> 8))
    assert {name: new.get(name) for name in ("P_Coefficient", "Max_Position_Limit", "Torque_Enable", "Lock")} == {
        "P_Coefficient": 32,
        "Max_Position_Limit": 4095,
        "Torque_Enable": 0,
        "Lock": 1,
    }


def test_registers_do_not_overlap() -> None:
    places = sorted((r.address, r.address + r.size) for r in TABLE.values())
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(places))


@pytest.mark.parametrize(("name", "value", "raw"), [("Homing_Offset", -5, 5 | 1 << 11), ("Present_Load", -1000, 1000 | 1 << 10)])
def test_signs_are_a_bit_of_their_own(name: str, value: int, raw: int) -> None:
    servo = Registers(1)
    servo.set(name, value)
    assert servo.get(name) == value
    assert int.from_bytes(servo.read(TABLE[name].address, 2), "little") == raw


def test_what_does_not_fit_is_refused() -> None:
    servo = Registers(1)
    for name, value in (("ID", 256), ("Homing_Offset", 2048), ("P_Coefficient", -1)):
        with pytest.raises(ValueError, match=name):
            servo.set(name, value)


def test_what_the_servo_alone_writes_stays() -> None:
    servo = Registers(1)
    assert servo.write(0, bytes((9, 9, 9, 9, 9, 7))) == ["ID"]
    assert (servo.get("ID"), servo.get("Model_Number")) == (7, 777)
    assert servo.write(56, bytes((1, 1))) == []


def test_settings_are_kept_only_while_the_lock_is_off() -> None:
    servo = Registers(1)
    servo.write(21, bytes((8,)))
    assert servo.get("P_Coefficient") == 8
    servo.power_up()
    assert servo.get("P_Coefficient") == 32
    servo.write(55, b"\x00")
    servo.write(21, bytes((8,)))
    servo.write(16, (500).to_bytes(2, "little"))
    servo.write(40, b"\x01")
    servo.power_up()
    assert [servo.get(n) for n in ("P_Coefficient", "Torque_Limit", "Torque_Enable", "Lock")] == [8, 500, 0, 1]
