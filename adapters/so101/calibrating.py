"""Calibrating an arm: LeRobot's own way and its own questions, and everything as it was when that does not end well."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from adapters.base import AdapterError
from adapters.so101 import calibration as calibrations
from adapters.so101.bus import LOCK, bytes_of, configure, follower_of
from adapters.so101.examination import ALL, LIMIT, every, opened, six
from adapters.so101.line import BusError, Line
from adapters.so101.motors import Servo


def calibrate(port: str, name: str, folder: Path | None) -> Path:
    """LeRobot's own calibration with its own questions on the terminal; where its file is. The arm goes limp at once.

    A file that is there is replaced. When it does not end well (an error, Ctrl-C), servos and file are put back as they were. Raises
    AdapterError, and EOFError where nobody is left to answer a question.
    """
    path = calibrations.place(folder, name)
    line: Line | None = None
    try:
        follower = follower_of(port, path)
        follower.calibration = {}  # else it asks whether the file that is there will do
        before = _content(path)
        line = opened(follower.bus, LIMIT)
        servos = six(line, port)
        try:
            follower.bus.disable_torque(num_retry=2)
            configure(follower)
            follower.calibrate()
        except BaseException:
            try:
                _put_back(line, servos)
            finally:
                if _content(path) != before:
                    path.unlink() if before is None else path.write_bytes(before)
            raise
        finally:
            line.tell(LOCK, {servo: [1] for servo in ALL})
    except (OSError, RuntimeError, ValueError) as error:
        raise AdapterError(f"The calibration did not finish: {' '.join(str(error).split())}") from error
    finally:
        if line is not None:
            follower.bus.port_handler.closePort()
    return path


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _put_back(line: Line, servos: Sequence[Servo]) -> None:
    """Give the servos their calibration back, until they say that they have it: the first write may meet what was interrupted."""
    for _ in range(3):
        for servo in servos:
            line.tell(9, {servo.id: [*bytes_of(servo.low), *bytes_of(servo.high)]})
            line.tell(31, {servo.id: bytes_of(servo.homing if servo.homing >= 0 else 1 << 11 | -servo.homing)})
        with suppress(BusError):
            if [_calibrated(now) for now in every(line, ALL)] == [_calibrated(was) for was in servos]:
                return


def _calibrated(servo: Servo) -> tuple[int, int, int]:
    return servo.homing, servo.low, servo.high
