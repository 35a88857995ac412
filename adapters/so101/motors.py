"""The SO-101's six servos: their names and ids, the registers that are read in one go, and what they say in SI units.

Registers and units are of the manufacturer's memory table of the STS3215, which LeRobot's ``motors/feetech/tables.py`` follows; two-byte
numbers are little-endian, signed ones sign and magnitude.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

JOINTS: Final = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll")
GRIPPER: Final = "gripper"
MOTORS: Final = (*JOINTS, GRIPPER)
IDS: Final = {name: number for number, name in enumerate(MOTORS, start=1)}
NAMES: Final = {number: name for name, number in IDS.items()}

MODEL: Final = 777  #: STS3215
TICKS: Final = 4095  #: LeRobot's steps a turn; it divides by the largest position, not by the 4096 there are
RAD: Final = 2.0 * math.pi / TICKS  #: rad a step
AMPERE: Final = 0.0065  #: a step of the current

SETTINGS: Final = range(0, 40)  #: registers kept without power
COMMANDS: Final = range(40, 56)  #: torque, goal, torque limit, lock
PRESENT: Final = range(56, 71)  #: position to current: one sync read


@dataclass(frozen=True, slots=True)
class Reading:
    """What six servos said in one round trip, in the order of ``MOTORS``; (5,) without the gripper."""

    t_ns: int
    q: tuple[float, ...]  #: (5,) rad, 0 in the middle of the calibrated range
    dq: tuple[float, ...]  #: (5,) rad/s
    load: tuple[float, ...]  #: (6,) -1..1, share of the full voltage that drives the motor; near standstill about that of the stall torque
    gripper: float  #: 0 open .. 1 closed
    volts: tuple[float, ...]  #: (6,)
    celsius: tuple[float, ...]  #: (6,)
    status: tuple[int, ...]  #: (6,) alarm bits, ``status.ALARMS``
    amps: tuple[float, ...]  #: (6,) without sign
    moving: tuple[bool, ...]  #: (6,)
    supply: float = 7.4  #: V, that the arm's supply is made for


@dataclass(frozen=True, slots=True)
class Present:
    """Registers 56 to 70 of one servo."""

    position: int  #: steps
    velocity: int  #: steps/s
    load: float
    volts: float
    celsius: float
    status: int
    moving: bool
    amps: float


@dataclass(frozen=True, slots=True)
class Servo:
    """All that is asked of one servo before it is used."""

    id: int
    model: int
    firmware: str
    low: int  #: steps, least position it accepts
    high: int
    homing: int  #: steps, that it subtracts from where its magnet stands
    mode: int  #: 0 holds a position
    p: int  #: P coefficient
    torque: bool
    goal: int  #: steps
    lock: bool  #: what is written below address 40 is forgotten without power
    present: Present

    @property
    def name(self) -> str:
        return NAMES.get(self.id, f"servo {self.id}")


def word(data: Sequence[int], at: int, sign: int | None = None) -> int:
    """The two-byte number at ``at``; ``sign`` is the bit that says negative."""
    value = data[at] | data[at + 1] << 8
    if sign is None:
        return value
    magnitude = value & (1 << sign) - 1
    return -magnitude if value >> sign & 1 else magnitude


def present(data: bytes, alarms: int = 0) -> Present:
    """Of registers 56 to 70 or more; ``alarms`` are the bits that the reply itself carried."""
    return Present(
        position=word(data, 0, 15),
        velocity=word(data, 2, 15),
        load=word(data, 4, 10) / 1000,
        volts=data[6] / 10,
        celsius=float(data[7]),
        status=data[9] | alarms,
        moving=bool(data[10]),
        amps=abs(word(data, 13, 15)) * AMPERE,
    )


def servo(number: int, settings: bytes, rest: bytes, alarms: int = 0) -> Servo:
    """Of registers 0 to 39 and 40 to 70."""
    return Servo(
        id=number,
        model=word(settings, 3),
        firmware=f"{settings[0]}.{settings[1]}",
        low=word(settings, 9),
        high=word(settings, 11),
        homing=word(settings, 31, 11),
        mode=settings[33],
        p=settings[21],
        torque=rest[0] == 1,
        goal=word(rest, 2, 15),
        lock=rest[15] == 1,
        present=present(rest[len(COMMANDS) :], alarms),
    )
