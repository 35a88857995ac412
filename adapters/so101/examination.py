"""What answers on a port: opened through LeRobot for nobody else to use, six servos asked for all they are, nothing written."""

import contextlib
import errno
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from adapters.base import AdapterError
from adapters.so101 import motors
from adapters.so101.line import BusError, Line, silent
from adapters.so101.motors import IDS, Servo

LIMIT: Final = 0.04  #: s, that a round trip may take with its second try
ALL: Final = tuple(IDS.values())


@dataclass(frozen=True, slots=True)
class Examination:
    """What answers on a port."""

    servos: tuple[Servo, ...]  #: of the six, those that do
    missing: tuple[int, ...]  #: ids of the six that do not
    strange: tuple[int, ...]  #: other ids that do


def examine(port: str) -> Examination:
    """Ask all servos and change nothing. Raises AdapterError only when the port cannot be opened or is lost."""
    with _look(port) as line:
        return _examination(line)


@contextlib.contextmanager
def _look(port: str) -> Iterator[Line]:
    from lerobot.motors.feetech import FeetechMotorsBus

    bus = FeetechMotorsBus(port, {})
    line = opened(bus, LIMIT)
    try:
        yield line
    finally:
        with contextlib.suppress(Exception):
            bus.port_handler.closePort()


def opened(bus: Any, limit_s: float) -> Line:
    """Raises AdapterError with why the port cannot be had."""
    try:
        bus.connect(handshake=False)
    except ConnectionError as error:
        raise AdapterError(refusal(bus.port, error.__cause__ or error)) from error
    try:
        return Line(bus, limit_s)
    except BaseException:
        with contextlib.suppress(Exception):
            bus.port_handler.closePort()
        raise


def refusal(port: str, cause: BaseException) -> str:
    """One sentence for why a port does not open: by the error's number, on Windows by pyserial's text."""
    number = getattr(cause, "errno", None)
    if number == errno.ENOENT or "FileNotFoundError" in str(cause):
        return f"There is no port {port}: plug the arm in, or find its port with `sawhorse find-port`."
    if number == errno.EBUSY or (sys.platform == "win32" and "PermissionError" in str(cause)):
        return f"The port {port} is in use by another program: end that first."
    if number == errno.EACCES:
        return f"The port {port} may not be opened by you: join its group with `sudo usermod -aG {_group(port)} $USER` and log in again."
    return f"The port {port} cannot be opened as a serial port ({cause}): find the arm's with `sawhorse find-port`."


def _group(port: str) -> str:
    try:
        import grp

        return grp.getgrgid(os.stat(port).st_gid).gr_name
    except (ImportError, OSError, KeyError):
        return "dialout"


def _examination(line: Line) -> Examination:
    there = line.ping(ALL)
    servos = tuple(servo for number in ALL if (servo := _servo(line, number)))
    answered = {servo.id for servo in servos}
    return Examination(servos, tuple(n for n in ALL if n not in answered), tuple(n for n in there if n not in ALL))


def _servo(line: Line, number: int) -> Servo | None:
    settings = line.ask(number, motors.SETTINGS.start, len(motors.SETTINGS))
    rest = settings and line.ask(number, motors.COMMANDS.start, len(motors.COMMANDS) + len(motors.PRESENT))
    return motors.servo(number, settings[1], rest[1], rest[0]) if settings and rest else None


def every(line: Line, numbers: Sequence[int]) -> tuple[Servo, ...]:
    servos = {number: _servo(line, number) for number in numbers}
    lost = [number for number, servo in servos.items() if servo is None]
    if lost:
        raise BusError("silent", silent(lost, numbers), motors.NAMES[lost[0]])
    return tuple(servo for servo in servos.values() if servo)


def six(line: Line, port: str) -> tuple[Servo, ...]:
    """The six servos. Raises AdapterError when they are not all there, are others as well, or differ in kind."""
    seen = _examination(line)
    text = unfit(seen, port) or unlike(seen.servos)
    if seen.missing:
        raise BusError("silent", text, motors.NAMES[seen.missing[0]] if seen.servos else "")
    if text:
        raise AdapterError(text)
    return seen.servos


def unfit(seen: Examination, port: str) -> str:
    """Why these are not an SO-101's six, in one sentence: what is wrong, a colon, what to do; "" where they are."""
    if not seen.servos:
        return f"No servo answers on {port}: switch the arm's power on, or find its port with `sawhorse find-port`."
    if seen.missing and seen.strange:
        name = motors.NAMES[seen.missing[0]]
        return f"{name} (servo {seen.missing[0]}) does not answer and servo {seen.strange[0]} does: set its id with `lerobot-setup-motors`."
    if seen.missing:
        return silent(seen.missing, ALL)
    if seen.strange:
        return f"Servo {seen.strange[0]} is on the bus and none of the arm's six: unplug it."
    foreign = (servo for servo in seen.servos if servo.model != motors.MODEL)
    return next((f"{servo.name} is of model {servo.model} and must be an STS3215 ({motors.MODEL}): replace it." for servo in foreign), "")


def unlike(servos: Sequence[Servo]) -> str:
    """Which servo has another firmware than most, which LeRobot drives no arm with; a sentence as ``unfit``'s."""
    versions = [servo.firmware for servo in servos]
    for servo in servos:
        if servo.firmware != (usual := max(versions, key=versions.count)):
            differs = f"{servo.name} has firmware {servo.firmware} and the others {usual}"
            return f"{differs}: bring them to one version with Feetech's own software."
    return ""
