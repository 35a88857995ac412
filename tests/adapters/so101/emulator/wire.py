"""A bare host for the emulated bus: bytes out, bytes in, told apart by nothing that the emulator uses."""

import os
import select
import termios
import time
import tty
from collections.abc import Callable

from adapters.so101.emulator import Emulator
from adapters.so101.emulator.line import TICK_S


def until(condition: Callable[[], bool], seconds: float = 60.0) -> bool:
    """Whether it has come true; so long is waited only where it does not."""
    end = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.005)
    return found


def pass_time(arm: Emulator) -> None:
    """0.3 s of the arm's own time."""
    ticks = arm.ticks
    assert until(lambda: arm.ticks >= ticks + round(0.3 / TICK_S))


class Wire:
    """An open port; what is asked is written, and what came within ``seconds`` is read."""

    def __init__(self, port: str, baud: int = termios.B1000000) -> None:
        self.fd = os.open(port, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self.fd)
        settings = termios.tcgetattr(self.fd)
        settings[4] = settings[5] = baud
        termios.tcsetattr(self.fd, termios.TCSANOW, settings)

    def close(self) -> None:
        os.close(self.fd)

    def send(self, id: int, instruction: int, *parameters: int) -> None:
        body = [id, len(parameters) + 2, instruction, *parameters]
        os.write(self.fd, bytes([0xFF, 0xFF, *body, ~sum(body) & 0xFF]))

    def hear(self, size: int, seconds: float = 30.0) -> bytes:
        """Up to ``size`` bytes."""
        got, end = b"", time.monotonic() + seconds
        while len(got) < size and (left := end - time.monotonic()) > 0:
            if select.select([self.fd], (), (), left)[0]:
                got += os.read(self.fd, size - len(got))
        return got

    def ask(self, size: int, id: int, instruction: int, *parameters: int) -> bytes:
        """The reply with so many bytes of data."""
        self.send(id, instruction, *parameters)
        return self.hear(6 + size)

    def still(self, id: int, instruction: int, *parameters: int) -> bool:
        """Whether nothing at all comes back; a servo that does answer is asked last, so that nobody waits in vain."""
        self.send(id, instruction, *parameters)
        return self.hear(1, 0.15) == b""
