"""The six servos on an SO-101 that was put together somehow: where their encoders stand, how they are calibrated, and what pushes them."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from adapters.so101.emulator.servo import IDLE_AMPERES, MIDDLE, STEP, STEPS, VOLTS, Servo
from adapters.so101.motors import MOTORS

type Spans = tuple[tuple[float, float], ...]

_BENDS: Final = ((-1.9198, 1.9198), (-1.7453, 1.7453), (-1.69, 1.69), (-1.6580, 1.6580))
LIMITS: Final = (*_BENDS, (-2.7438, 2.8412), (-0.1745, 1.7453))  #: rad, where the model's joints stop
#: rad, between which each was moved when it was calibrated; the jaw from shut to as far open as the simulated one goes
CALIBRATED: Final = (*_BENDS, (-math.pi, math.pi), (-0.10, 0.70))
OFFSETS: Final = (-35, 212, -118, 64, 1407, -903)  #: steps, of each encoder from where its joint's middle would be 2047
HAND: Final = 200.0  #: N m/rad, of a hand that holds a joint
HAND_DAMPING: Final = 4.0  #: N m s/rad
OHMS: Final = 0.05  #: of the supply and its wires


class Servos:
    """The six, in the order of the chain, on one supply. The stops of the first four joints, and with them their calibrated ranges, lie
    ``wider`` rad further out than the model's, as those of an arm that was built so may."""

    def __init__(self, calibrated: bool, wider: float = 0.0) -> None:
        self.stops = _widened(LIMITS, wider)  #: (low, high) rad, where the joints stop
        self.all = tuple(
            Servo(number, (MIDDLE + offset - _middle(span) / STEP) % STEPS)
            for number, (span, offset) in enumerate(zip(CALIBRATED, OFFSETS, strict=True), start=1)
        )
        self.pushes = [0.0] * len(self.all)  #: N m, of something that presses on a joint
        self.hands: dict[int, float] = {}  #: rad, where hands hold joints, by 0..5
        self.outer = [0.0] * len(self.all)  #: N m, of both, for the step that was asked for last
        self._supply = VOLTS
        if calibrated:
            for servo, (low, high), offset in zip(self.all, _widened(CALIBRATED, wider), OFFSETS, strict=True):
                half = min(MIDDLE, round(0.5 * (high - low) / STEP))
                servo.set("Homing_Offset", offset)
                servo.set("Min_Position_Limit", MIDDLE - half)
                servo.set("Max_Position_Limit", MIDDLE + half if half < MIDDLE else STEPS - 1)

    def drive(self, q: Sequence[float], dq: Sequence[float], dt: float) -> list[float]:
        """(6,) N m of the motors for the next ``dt`` s at (6,) rad and rad/s; ``outer`` comes on top."""
        self.outer = self.pushes.copy()
        for joint, held in self.hands.items():
            self.outer[joint] += HAND * (held - q[joint]) - HAND_DAMPING * dq[joint]
        self._supply = VOLTS - OHMS * sum(servo.amperes - IDLE_AMPERES for servo in self.all)
        return [servo.drive(at, speed, self._supply, dt) for servo, at, speed in zip(self.all, q, dq, strict=True)]

    def hold(self, q: Sequence[float]) -> None:
        """Torque on, each joint's goal where it is, (6,) rad."""
        for servo, at in zip(self.all, q, strict=True):
            servo.q = at
            servo.write(42, round(servo.position()).to_bytes(2, "little"))


def _middle(span: tuple[float, float]) -> float:
    return 0.5 * (span[0] + span[1])


def _widened(spans: Spans, by: float) -> Spans:
    bends = len(_BENDS)
    return (*((low - by, high + by) for low, high in spans[:bends]), *spans[bends:])


def calibration(servos: Sequence[Servo]) -> dict[str, dict[str, int]]:
    """What LeRobot's calibration file says of servos in these registers, by motor."""
    return {
        name: {
            "id": servo.id,
            "drive_mode": 0,
            "homing_offset": servo.registers.get("Homing_Offset"),
            "range_min": servo.registers.get("Min_Position_Limit"),
            "range_max": servo.registers.get("Max_Position_Limit"),
        }
        for name, servo in zip(MOTORS, servos, strict=True)
    }


def save(found: dict[str, Any], folder: Path, id: str) -> Path:
    """Write a calibration where LeRobot looks for the one of a robot ``id``."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{id}.json"
    path.write_text(json.dumps(found, indent=4), encoding="utf-8")
    return path
