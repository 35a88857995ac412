"""The wire to the servos: LeRobot's opened port, one request at a time, every answer checked, every way to fail one clear error.

Traps of the layers below that end here:
- Nothing tells which request a reply answers, so a late one passes for the next request's. The input is emptied before each transmit,
  for all of LeRobot's own calls too; block reads differ in length from one to the next (15, 16 or 17 bytes), and a length whose
  answer may still come is not asked for again.
- The SDK polls without sleeping. The port is given a timeout, so that its reads block.
- A pulled plug raises ``termios.error``, which is no OSError, and a port whose other end takes nothing blocks a write for ever.
- An exception in the SDK leaves the port marked as in use.
"""

import contextlib
import errno
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from adapters.base import AdapterError
from adapters.so101 import wire
from adapters.so101.motors import NAMES

try:
    import fcntl
    import termios

    _TROUBLE: tuple[type[Exception], ...] = (OSError, termios.error)
except ImportError:  # Windows, where every port is exclusive by itself
    _TROUBLE = (OSError,)

Kind = Literal["silent", "corrupt", "late", "gone"]

TRIES: Final = 2  #: of a block read
SLICE: Final = 0.002  #: s, that one read of the port may block
STUCK: Final = 1.0  #: s, that a write may take; pyserial fails a finished one too when this thread did not run for so long
PATIENCE: Final = 0.5  #: s, after which an answer is not expected any more
SIZES: Final = (15, 16, 17)  #: bytes of block reads from the present position on
BROADCAST: Final = 254
SCAN: Final = 0.8  #: s, in which servos of any id answer a broadcast ping, as LeRobot waits
QUIET: Final = 0.1  #: s, without another one once all that are expected have


class BusError(AdapterError):
    """The servos cannot be spoken with; the text is one sentence for the operator."""

    def __init__(self, kind: Kind, text: str, motor: str = "") -> None:
        super().__init__(text)
        self.kind: Kind = kind
        self.motor = motor  #: the first servo that it concerns, "" for all


class Line:
    """One open port. For one thread at a time; every method raises BusError."""

    def __init__(self, bus: Any, limit_s: float) -> None:
        """``bus`` is a connected ``FeetechMotorsBus``; a block read that is not answered fails after ``limit_s``."""
        self._bus, self._limit = bus, limit_s
        self._port, self._packets = bus.port_handler, bus.packet_handler
        self._unanswered: dict[int, float] = {}  #: by size of block: when it was asked for
        self._fault: BusError | None = None
        with self.guarded():
            serial = self._port.ser
            serial.timeout, serial.write_timeout = SLICE, STUCK
            if hasattr(serial, "fd"):
                serial.exclusive = True
                fcntl.ioctl(serial.fd, termios.TIOCEXCL)
        transmit = self._packets.txPacket

        def emptied(port: Any, packet: list[int]) -> int:
            port.ser.reset_input_buffer()
            return int(transmit(port, packet))

        self._packets.txPacket = emptied

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """Turns whatever a lost port raises into one error."""
        try:
            if self._port.ser is None or not self._port.ser.is_open:
                raise BusError("gone", f"The port {self._bus.port} is closed.")
            yield
        except _TROUBLE as error:
            if isinstance(error, BlockingIOError) or getattr(error, "errno", None) in (errno.EAGAIN, errno.EBUSY):
                raise BusError("gone", f"The port {self._bus.port} is in use by another program: end that first.") from error
            raise BusError("gone", f"The port {self._bus.port} is gone: is the arm's USB cable in?") from error
        finally:
            self._port.is_using = False

    def ask(self, servo: int, address: int, size: int, tries: int = 3) -> tuple[int, bytes] | None:
        """(alarm bits, registers from ``address`` on) of one servo; None when it does not answer."""
        for _ in range(tries):
            with self.guarded():
                self._packets.readTx(self._port, servo, address, size)
                found, _ = self._listen((servo,), size)
            if servo in found.whole:
                return found.whole[servo]
        return None

    def ping(self, expected: Sequence[int]) -> tuple[int, ...]:
        """Ids of all servos on the bus that answer; at once when they are the ``expected`` ones, else after ``SCAN``."""
        data = bytearray()
        with self.guarded():
            self._packets.txPacket(self._port, [0, 0, BROADCAST, 2, 1, 0])
            end = time.monotonic() + SCAN
            quiet = time.monotonic() + QUIET
            while (now := time.monotonic()) < end:
                heard = self._port.ser.read(256)
                if heard:
                    data += heard
                    quiet = now + QUIET
                elif now > quiet and not wire.missing(wire.parse(bytes(data), 0), expected):
                    break
        return tuple(sorted(wire.parse(bytes(data), 0).whole))

    def tell(self, address: int, values: Mapping[int, Sequence[int]]) -> None:
        """Write bytes to several servos at once, by id. None of them answers: one that is mute is not noticed."""
        param = [byte for servo, data in values.items() for byte in (servo, *data)]
        size = len(next(iter(values.values())))
        with self.guarded():
            self._packets.syncWriteTxOnly(self._port, address, size, param, len(param))

    def block(self, address: int, asked: Sequence[int]) -> dict[int, tuple[int, bytes]]:
        """(alarm bits, 15 to 17 registers from ``address`` on) by id, all of one round trip, which is tried twice."""
        for _ in range(TRIES):
            now = time.monotonic()
            self._unanswered = {size: at for size, at in self._unanswered.items() if now - at < PATIENCE}
            size = next((size for size in SIZES if size not in self._unanswered), None)
            with self.guarded():
                late = bool(self._unanswered) and self._port.ser.in_waiting > 0
                if size is None:
                    found, heard = self._listen(asked, 0)
                else:
                    self._unanswered[size] = now
                    self._packets.syncReadTx(self._port, address, size, list(asked), len(asked))
                    found, heard = self._listen(asked, size)
            lost = wire.missing(found, asked)
            if not lost:
                self._unanswered.clear()
                return found.whole
            if size is not None and not found.other and heard >= len(asked) * (size + wire.OVERHEAD):
                del self._unanswered[size]
            self._fault = self._why(found, lost, asked, late, waited=size is None)
        assert self._fault is not None
        raise self._fault

    def _listen(self, asked: Sequence[int], size: int) -> tuple[wire.Replies, int]:
        """What came until all ``asked`` had answered, or the time was over; and how many bytes."""
        serial = self._port.ser
        wanted = len(asked) * (size + wire.OVERHEAD)
        data = bytearray()
        end = time.monotonic() + self._limit / TRIES - SLICE  # the last look may take that long
        while True:
            over = time.monotonic() > end  # before the last look, so that what came while this thread did not run counts
            heard = serial.read(max(1, wanted - len(data), serial.in_waiting))
            data += heard
            if over or len(data) >= wanted:
                found = wire.parse(bytes(data), size)
                damaged = not heard and not found.other
                if over or damaged or not wire.missing(found, asked):
                    return found, len(data)

    def _why(self, found: wire.Replies, lost: Sequence[int], asked: Sequence[int], late: bool, waited: bool) -> BusError:
        ms = round(1000 * self._limit)
        name = NAMES[lost[0]]
        strangers = sorted(set(found.whole) - set(asked))
        if late or found.other:
            return BusError(
                "late", f"The servos answer later than {ms} ms, too late to move by: check the USB cable and the computer's load.", name
            )
        if waited and self._fault:
            return self._fault
        if found.waste and len(lost) == len(asked):
            return BusError(
                "corrupt", "All that the servos answer arrives damaged: check the cables, and end other programs that use the port."
            )
        if found.waste:
            return BusError("corrupt", f"What {name} (servo {lost[0]}) answers arrives damaged: check the cables between the servos.", name)
        if strangers:
            return BusError("silent", f"{name} (servo {lost[0]}) does not answer and servo {strangers[0]} does: its id has changed.", name)
        if len(lost) == len(asked):
            return BusError("silent", f"No servo has answered for {ms} ms: is the arm's power on?")
        return BusError("silent", silent(lost, asked), name)


def silent(lost: Sequence[int], asked: Sequence[int]) -> str:
    """One sentence about some servos that do not answer; from one to the end of the chain it is the cable."""
    name = f"{NAMES[lost[0]]} (servo {lost[0]})"
    if len(lost) > 1 and tuple(lost) == tuple(asked)[-len(lost) :]:
        return f"{name} and all servos behind it do not answer: check the cable that goes into it."
    if len(lost) > 1:
        return f"Servos {', '.join(map(str, lost))} ({', '.join(NAMES[number] for number in lost)}) do not answer: check their cables."
    return f"{name} does not answer: check its cables."
