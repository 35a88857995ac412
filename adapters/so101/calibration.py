"""LeRobot's calibration of an SO-101: where its file is, whether it can be believed, whether it is this arm's, and the angles that follow.

LeRobot writes the same numbers into the file and into the servos (``Homing_Offset``, ``Min_`` and ``Max_Position_Limit``), so the servos
themselves tell a file that is another arm's, or that was edited.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from adapters.base import AdapterError
from adapters.so101.motors import GRIPPER, IDS, JOINTS, MOTORS, RAD, TICKS, Servo

#: steps from stop to stop, about, of the arm's own joints (its MJCF's ranges; the roll turns freely, and LeRobot writes 0 to 4095)
WIDTHS: Final = {"shoulder_pan": 2502, "shoulder_lift": 2275, "elbow_flex": 2203, "wrist_flex": 2161, "wrist_roll": 3640, GRIPPER: 1250}
LEAST: Final = 0.4  #: of a width: a joint that was not moved to its stops while the ranges were recorded
MOST: Final = 1.35
OFF_MIDDLE: Final = 700  #: steps, of a joint's range from the middle pose that calibration starts in
FIELDS: Final = ("id", "drive_mode", "homing_offset", "range_min", "range_max")
ANOTHER: Final = 4  #: joints whose homing differs: one was edited, so many are of another arm


class CalibrationError(AdapterError):
    """There is no calibration that this arm could move by; one sentence that says why and what to do."""


@dataclass(frozen=True, slots=True)
class Span:
    """One motor's line of the file, in steps."""

    homing: int
    low: int
    high: int

    @property
    def middle(self) -> float:
        return (self.low + self.high) / 2


@dataclass(frozen=True, slots=True)
class Calibration:
    """The six motors' spans in the order of ``MOTORS``, and the file they came from."""

    path: Path
    spans: tuple[Span, ...]

    @property
    def limits(self) -> tuple[tuple[float, float], ...]:
        """(lower, upper) rad of the five joints: half the recorded range to either side of its middle."""
        return tuple(((span.low - span.middle) * RAD, (span.high - span.middle) * RAD) for span in self.spans[: len(JOINTS)])

    def angles(self, steps: Sequence[int]) -> tuple[tuple[float, ...], float]:
        """(5,) rad and the gripper, 0 open .. 1 closed, of six positions; as LeRobot's 360/4095 degrees a step."""
        grip = self.spans[-1]
        opened = min(1.0, max(0.0, (steps[-1] - grip.low) / (grip.high - grip.low)))
        return tuple((at - span.middle) * RAD for at, span in zip(steps, self.spans[:-1], strict=False)), 1.0 - opened

    def steps(self, q: Sequence[float], gripper: float) -> tuple[int, ...]:
        """(6,) positions for finite q (5,) rad and gripper 0 open .. 1 closed, each within its calibrated range. Raises ValueError."""
        if len(q) != len(JOINTS):
            raise ValueError(f"the arm has {len(JOINTS)} joints and the command {len(q)}")
        grip = self.spans[-1]
        wanted = [angle / RAD + span.middle for angle, span in zip(q, self.spans, strict=False)]
        wanted.append(grip.low + (1.0 - gripper) * (grip.high - grip.low))
        for name, value in zip(MOTORS, wanted, strict=True):
            if not abs(value) < float("inf"):
                raise ValueError(f"the command for {name} is no number")
        return tuple(min(span.high, max(span.low, round(value))) for value, span in zip(wanted, self.spans, strict=True))


def place(folder: Path | None, name: str) -> Path:
    """Where LeRobot keeps the calibration of the follower called ``name``; ``folder`` as in its ``--robot.calibration_dir``."""
    if folder is None:
        folder = _home() / "robots" / "so_follower"
    return folder / f"{name}.json"


def _home() -> Path:
    """LeRobot's folder of calibrations, without the seconds that importing LeRobot takes."""
    from huggingface_hub.constants import HF_HOME

    lerobot = os.environ.get("HF_LEROBOT_HOME", str(Path(HF_HOME) / "lerobot"))
    return Path(os.environ.get("HF_LEROBOT_CALIBRATION", str(Path(lerobot).expanduser() / "calibration"))).expanduser()


def load(path: Path) -> Calibration:
    """Raises CalibrationError when the file is missing, cannot be read, or holds what no SO-101's calibration can."""
    try:
        motors = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CalibrationError(f"There is no calibration at {path}: calibrate the arm with `sawhorse calibrate`.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise CalibrationError(f"The calibration {path} cannot be read ({error}): calibrate the arm again.") from error
    fault = implausible(motors)
    if fault:
        raise CalibrationError(f"The calibration {path} cannot be right: {fault}; calibrate the arm again.")
    return Calibration(
        path, tuple(Span(motors[name]["homing_offset"], motors[name]["range_min"], motors[name]["range_max"]) for name in MOTORS)
    )


def implausible(motors: object) -> str:
    """One clause that says what is wrong with the parsed file, "" when nothing is."""
    if not isinstance(motors, dict) or set(motors) != set(MOTORS):
        return f"it is not of the six motors {', '.join(MOTORS)}"
    for name, entry in motors.items():
        fault = _entry(name, entry)
        if fault:
            return f"{name} {fault}"
    return ""


def _entry(name: str, entry: object) -> str:
    if not isinstance(entry, dict) or any(type(entry.get(key)) is not int for key in FIELDS):
        return f"has not the whole numbers {', '.join(FIELDS)}"
    low, high = entry["range_min"], entry["range_max"]
    width, usual = high - low, WIDTHS[name]
    degrees = 360 / TICKS
    if entry["id"] != IDS[name]:
        return f"has id {entry['id']} and must have {IDS[name]}"
    if entry["drive_mode"] != 0:
        return f"has drive_mode {entry['drive_mode']}, which LeRobot does not honour for joints in degrees"
    if abs(entry["homing_offset"]) > 2047:
        return f"has homing_offset {entry['homing_offset']}, beyond the servo's 2047"
    if not 0 <= low < high <= TICKS:
        return f"ranges from {low} to {high}, which is not within 0 to {TICKS}"
    if width < LEAST * usual:
        return f"moves only {width * degrees:.0f} degrees and should move about {usual * degrees:.0f}"
    if width > MOST * usual:
        return f"moves {width * degrees:.0f} degrees and should move about {usual * degrees:.0f}"
    off = (low + high) / 2 - TICKS / 2
    if name in JOINTS and abs(off) > OFF_MIDDLE:
        return f"has the middle of its range {abs(off) * degrees:.0f} degrees from the middle pose that calibration starts in"
    return ""


def judge(calibration: Calibration, servos: Sequence[Servo]) -> None:
    """Raises CalibrationError unless the six ``servos`` hold the file's own numbers."""
    pairs = list(zip(MOTORS, calibration.spans, servos, strict=True))
    moved = [name for name, span, servo in pairs if span.homing != servo.homing]
    ranged = [name for name, span, servo in pairs if (span.low, span.high) != (servo.low, servo.high)]
    if len(moved) >= ANOTHER:
        raise CalibrationError(
            f"The calibration {calibration.path} is of another arm: {len(moved)} of the six servos have another homing offset; "
            "name this arm's calibration with --id, or calibrate it."
        )
    if moved or ranged:
        odd = [name for name in MOTORS if name in moved or name in ranged]
        raise CalibrationError(
            f"The calibration {calibration.path} was edited, or the servos were calibrated since: {', '.join(odd)} differ from what the "
            "servos hold; calibrate the arm again."
        )
