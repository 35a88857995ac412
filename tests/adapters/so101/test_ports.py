"""Finding the arm's port on Linux, macOS and Windows, from what a system lists."""

from pathlib import Path

import pytest

from adapters.base import AdapterError
from adapters.so101.ports import Port, found, look, only, plugged, unplugged

ACM = Port("/dev/ttyACM0", 0x1A86, 0x55D3, "USB Single Serial", "58FA083429")
ACM1 = Port("/dev/ttyACM1", 0x1A86, 0x55D3, "USB Single Serial", "58FA099999")
USB = Port("/dev/ttyUSB0", 0x10C4, 0xEA60, "CP2102 USB to UART Bridge Controller", "0001")
MAC = Port("/dev/cu.usbmodem58FA0834291", 0x1A86, 0x55D3, "USB Single Serial", "58FA083429")
COM = Port("COM7", 0x1A86, 0x7523, "USB-SERIAL CH340 (COM7)")
STRANGE = Port("/dev/ttyACM3", 0x2341, 0x0043, "Arduino Uno", "7583")
BOARD = Port("/dev/ttyS0")
BLUETOOTH = Port("/dev/cu.Bluetooth-Incoming-Port")
LPT = Port("COM1")  # a computer's own, not on USB


@pytest.mark.parametrize("port", [ACM, USB, MAC, COM])
def test_the_usual_adapters_are_known_on_every_system(port: Port) -> None:
    assert port.adapter
    assert only((BOARD, BLUETOOTH, LPT, port)) == port


def test_known_adapters_come_first_and_what_is_not_on_usb_never() -> None:
    assert found((BOARD, STRANGE, USB, ACM1, LPT, ACM)) == (ACM, ACM1, USB, STRANGE)


def test_one_known_among_strangers_is_it() -> None:
    assert only((STRANGE, ACM)) == ACM


def test_the_only_one_may_be_unknown() -> None:
    assert only((STRANGE, BOARD)) == STRANGE


def test_none_and_several_are_told_apart() -> None:
    with pytest.raises(AdapterError, match="No serial port on USB is there"):
        only((BOARD, BLUETOOTH))
    with pytest.raises(AdapterError, match="Several ports") as info:
        only((ACM, ACM1, STRANGE))
    assert "/dev/ttyACM0 (WCH CH343" in str(info.value)
    assert "58FA099999" in str(info.value)
    assert "Arduino" not in str(info.value)
    with pytest.raises(AdapterError, match=r"Several ports.*ttyACM3.*ttyACM4"):
        only((STRANGE, Port("/dev/ttyACM4", 0x2341, 0x0043)))


def test_the_port_that_went_away() -> None:
    assert unplugged((ACM, ACM1, BOARD), (ACM, BOARD)) == "/dev/ttyACM1"
    with pytest.raises(AdapterError, match="No port went away"):
        unplugged((ACM, BOARD), (ACM, BOARD))
    with pytest.raises(AdapterError, match=r"2 ports went away .*ttyACM0, /dev/ttyACM1"):
        unplugged((ACM, ACM1, BOARD), (BOARD,))


def test_the_port_that_came() -> None:
    assert plugged((BOARD,), (BOARD, USB)) == "/dev/ttyUSB0"
    assert plugged((ACM,), (ACM1, ACM)) == "/dev/ttyACM1"
    with pytest.raises(AdapterError, match="No port came"):
        plugged((ACM,), (ACM,))
    with pytest.raises(AdapterError, match="2 ports came"):
        plugged((), (ACM, ACM1))


def test_a_port_that_comes_back_under_another_name_is_found_by_coming() -> None:
    before, without, after = (ACM, BOARD), (BOARD,), (ACM1, BOARD)
    assert unplugged(before, without) == "/dev/ttyACM0"
    assert plugged(without, after) == "/dev/ttyACM1"


def test_looking_lists_what_this_machine_has() -> None:
    for port in look():
        assert Path(port.path).exists()
        assert (port.vendor is None) == (port.product is None)
