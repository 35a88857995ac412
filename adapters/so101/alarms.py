"""What the servos say is wrong with them, as the engine and the operator are told of it."""

from collections.abc import Callable
from typing import Final

from adapters.so101 import status
from adapters.so101.motors import MOTORS, Reading
from engine.types import Reason

DIPS: Final = 2  #: readings in a row that a wrong voltage must show in: it dips when six motors start
DIPPING: Final = ("voltage", "low voltage")

#: of ``status.Trouble.what``
REASONS: Final = {
    "voltage": Reason.SERVO_VOLTAGE,
    "low voltage": Reason.SERVO_VOLTAGE,
    "sensor": Reason.SERVO_ANGLE,
    "angle": Reason.SERVO_FAULT,
    "overheat": Reason.SERVO_HOT,
    "hot": Reason.SERVO_HOT,
    "overcurrent": Reason.SERVO_CURRENT,
    "overload": Reason.SERVO_OVERLOAD,
}


class Alarms:
    """Follows one run's readings; each trouble is told once, until it is over: ("fault" where it stops, else "system", a sentence)."""

    def __init__(self, tell: Callable[[str, str], None]) -> None:
        self._tell = tell
        self._told: set[tuple[str, str]] = set()
        self._dips = 0

    def of(self, reading: Reading) -> tuple[Reason, int]:
        """(why the arm must stop, by which servo from 1); (OK, 0) if it need not."""
        found = status.troubles(reading)
        self._dips = self._dips + 1 if any(one.what in DIPPING for one in found) else 0
        if self._dips < DIPS:
            found = tuple(one for one in found if one.what not in DIPPING)
        for one in found:
            if (one.motor, one.what) not in self._told:
                self._tell("fault" if one.stops else "system", one.text)
        self._told = {(one.motor, one.what) for one in found}
        if not found or not found[0].stops:
            return Reason.OK, 0
        return REASONS.get(found[0].what, Reason.SERVO_FAULT), MOTORS.index(found[0].motor) + 1
