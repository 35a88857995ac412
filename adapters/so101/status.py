"""What a servo's alarms and readings mean: one sentence each, and whether the arm stops for it.

The bits are of the status register (65) and of every reply's error byte alike; the servo sets them by its own limits, registers 13 to 15
and 34 to 38, and takes away torque for those that ``Unloading_Condition`` names (by default temperature, current and overload).
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from adapters.so101.motors import MOTORS, Reading

#: bit: what, what the servo says, what to do
ALARMS: Final = {
    1: ("voltage", "reports a supply voltage outside its limits", "check the power supply and its plug"),
    2: ("sensor", "reports that its angle sensor fails", "do not use the arm until the servo is replaced"),
    4: ("overheat", "reports that it is too hot and may let go", "support the arm and let it cool"),
    8: ("overcurrent", "reports too much current and may let go", "support the arm and free whatever blocks it"),
    16: ("angle", "reports an angle outside its limits", "move it back by hand, with the arm supported and its power off"),
    32: (
        "overload",
        "is overloaded and holds with a fraction of its torque",
        "support the arm and take the load off it",
    ),
}
OVERLOAD: Final = 32
LETS_GO: Final = 70.0  #: C, at which servos as they are shipped take their torque away
HOT: Final = 65.0  #: C, which leaves time to support the arm
WARM: Final = 60.0
SUPPLIES: Final = ((5.6, 5.0), (9.0, 7.4), (math.inf, 12.0))  #: V up to which it must be which supply: 7.4 V servos run on 5 V too
LOW: Final = 0.82  #: of the supply
SAGGING: Final = 0.88


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something about one servo that the operator has to know."""

    motor: str
    what: str  #: of ``ALARMS``, "hot", "warm", "low voltage" or "sagging"
    text: str
    stops: bool


def alarms(motor: str, bits: int) -> Iterator[Trouble]:
    """One trouble a bit that is set; a bit without a meaning stops too."""
    for bit in (1 << n for n in range(8)):
        if bits & bit:
            what, says, do = ALARMS.get(bit, ("unknown", f"reports alarm {bit}, which its manual does not name", "switch the arm off"))
            yield Trouble(motor, what, f"{motor} {says}: {do}.", stops=True)


def supply_of(volts: Iterable[float]) -> float:
    """V that the arm's supply is made for, by the highest that servos at rest measure."""
    highest = max(volts)
    return next(supply for most, supply in SUPPLIES if highest <= most)


def numbers(motor: str, celsius: float, volts: float, supply: float | None = None) -> Iterator[Trouble]:
    """Of temperature and voltage, whatever limits the servo itself was given; without ``supply`` by what it has now."""
    if celsius >= HOT:
        says = f"{motor} is at {celsius:.0f} °C and lets go at {LETS_GO:.0f}: support the arm and let it cool."
        yield Trouble(motor, "hot", says, stops=True)
    elif celsius >= WARM:
        yield Trouble(motor, "warm", f"{motor} is at {celsius:.0f} °C and stops at {HOT:.0f}: bring the arm to rest soon.", stops=False)
    supply = supply or supply_of((volts,))
    has = f"{motor} has {volts:.1f} V of a {supply:g} V supply"
    if volts <= LOW * supply:
        yield Trouble(motor, "low voltage", f"{has}, too little to hold the arm: check the supply and its plug.", stops=True)
    elif volts <= SAGGING * supply:
        yield Trouble(motor, "sagging", f"{has} and stops at {LOW * supply:.1f}: check the supply and its plug.", stops=False)


def troubles(reading: Reading) -> tuple[Trouble, ...]:
    """All of one reading, in the order of the motors; those that stop first."""
    found: list[Trouble] = []
    for motor, bits, celsius, volts in zip(MOTORS, reading.status, reading.celsius, reading.volts, strict=True):
        found += alarms(motor, bits)
        found += numbers(motor, celsius, volts, reading.supply)
    return tuple(sorted(found, key=lambda trouble: not trouble.stops))
