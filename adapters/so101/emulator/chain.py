"""What a chain of servos does with an instruction: who hears it, what it changes, and who answers what and when."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from random import Random
from typing import Final, NamedTuple

from adapters.so101.emulator.packets import BROADCAST, Instruction, Packet, status
from adapters.so101.emulator.servo import Servo

BITS: Final = 10  #: of a byte on the wire
DELAY_S: Final = 2e-6  #: of one in Return_Delay_Time
TURN_S: Final = 8e-6  #: s, from the end of an instruction to a servo's first bit, at least
BAUDS: Final = (1_000_000, 500_000, 250_000, 128_000, 115_200, 57_600, 38_400, 19_200)  #: by Baud_Rate
KEPT: Final = 20_000  #: writes


class Write(NamedTuple):
    """A register write that came over the bus."""

    t_ns: int  #: time.monotonic_ns
    id: int
    name: str
    value: int


class Reply(NamedTuple):
    """Bytes that are on the host's side ``due`` s after the instruction was, monotonic clock."""

    due: float
    data: bytes


class Chain:
    """Servos on one wire. Its faults are attributes, which may be set at any time."""

    def __init__(self, servos: Sequence[Servo], seed: int) -> None:
        self.servos = servos
        self.writes: deque[Write] = deque(maxlen=KEPT)
        self.silent: set[int] = set()  #: places in the chain, from 1
        self.corrupt = 0.0  #: share of the replies with a flipped bit
        self.halves = 0  #: how many of the next replies break off half-way
        self.late: deque[float] = deque()  #: s, by which the next replies come later
        self.lag = 0.0  #: s, by which all others do
        self._random = Random(seed)
        self._free = 0.0  #: when the wire is free again

    def answer(self, packet: Packet, now: float, baud: int) -> list[Reply]:
        """Carry out an instruction that was received at ``now``, s of the monotonic clock, and say what comes back."""
        heard = [s for place, s in enumerate(self.servos, start=1) if place not in self.silent and BAUDS[s.registers.bytes[6] & 7] == baud]
        self._free = max(now, self._free) + packet.size * BITS / max(1, baud)
        found = []
        names = {servo: servo.id for servo in heard}  # a servo that is given another id confirms it by the old one
        for servo, data in self._carry_out(packet, heard, round(now * 1e9)):
            reply = status(names[servo], servo.error, data)
            self._free += TURN_S + servo.registers.bytes[7] * DELAY_S + len(reply) * BITS / baud
            found.append(Reply(self._free + (self.late.popleft() if self.late else self.lag), self._spoilt(reply)))
        return found

    def _carry_out(self, packet: Packet, heard: Sequence[Servo], t_ns: int) -> Iterator[tuple[Servo, bytes]]:
        """Each servo that answers, in the order of the wire, with its data."""
        p, meant = packet.parameters, [s for s in heard if packet.id in (s.id, BROADCAST)]
        match packet.instruction:
            case Instruction.PING:
                yield from ((s, b"") for s in sorted(meant, key=lambda s: s.id))
            case Instruction.READ if len(p) == 2 and packet.id != BROADCAST:
                yield from ((s, s.read(p[0], p[1])) for s in meant)
            case Instruction.WRITE if len(p) > 1:
                for servo in meant:
                    self._note(t_ns, servo.id, servo.write(p[0], p[1:]))
                if packet.id != BROADCAST:
                    yield from ((s, b"") for s in meant if s.registers.get("Response_Status_Level"))
            case Instruction.SYNC_READ if len(p) > 2:
                yield from ((s, s.read(p[0], p[1])) for id in p[2:] for s in heard if s.id == id)
            case Instruction.SYNC_WRITE if len(p) > 2:
                for at in range(2, len(p) - p[1], p[1] + 1):
                    for servo in heard:
                        if servo.id == p[at]:
                            self._note(t_ns, servo.id, servo.write(p[0], p[at + 1 : at + 1 + p[1]]))

    def _note(self, t_ns: int, id: int, written: Iterable[tuple[str, int]]) -> None:
        self.writes.extend(Write(t_ns, id, name, value) for name, value in written)

    def _spoilt(self, reply: bytes) -> bytes:
        """A reply as the faults let it through."""
        if self.halves > 0:
            self.halves -= 1
            return reply[: len(reply) // 2]
        if self.corrupt and self._random.random() < self.corrupt:
            at, bit = self._random.randrange(5, len(reply)), self._random.randrange(8)
            return reply[:at] + bytes((reply[at] ^ 1 << bit,)) + reply[at + 1 :]
        return reply
