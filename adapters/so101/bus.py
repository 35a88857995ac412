"""The SO-101's bus as the robot uses it, on LeRobot's ``SO101Follower``: connecting only looks, holding never jerks, closing never drops.

What LeRobot does that a standing arm does not survive is not used: ``connect`` (takes the torque away to configure, gives it back towards
a goal of long ago), ``disconnect`` (takes the torque away, half of the arm's if one servo is mute), ``send_action`` (never notices that
nobody listens). Its ports, packets, motors, calibration and settings are.

The P coefficient (21) and all that LeRobot configures lie among the EEPROM's addresses. They are written under Lock (55) = 1 only, with
which a servo uses what it is told and forgets it without power, so the EEPROM is not worn: the manufacturer's memory table of the STS3215
says so of address 0x37. It was not tried on a servo here; the emulated ones do as the table says.
"""

import contextlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from adapters.base import AdapterError
from adapters.so101 import calibration as calibrations
from adapters.so101 import motors, status
from adapters.so101.calibration import Calibration
from adapters.so101.examination import ALL, LIMIT, every, opened, six
from adapters.so101.line import BusError as BusError
from adapters.so101.line import Line, silent
from adapters.so101.motors import IDS, RAD, Reading

P, TORQUE, GOAL, TORQUE_LIMIT, LOCK = 21, 40, 42, 48, 55
GRIP: Final = 500  #: of 1000: LeRobot's Max_Torque_Limit of the gripper, which a servo makes its torque limit only when power comes on
BEYOND: Final = 64  #: steps outside its range from which a joint would jump back when torque goes on


class Bus:
    """Six servos on one port. For one thread at a time. Methods raise BusError when the servos cannot be spoken with."""

    def __init__(self, limit_s: float = LIMIT) -> None:
        self._limit = limit_s
        self._follower: Any = None
        self._line: Line | None = None
        self._calibration: Calibration | None = None
        self._supply = 0.0

    def connect(self, port: str, calibration: Calibration) -> None:
        """Open the port and look: no register is written. Raises AdapterError unless six fitting servos with this calibration answer."""
        self.close()
        self._follower = follower_of(port, calibration.path)
        try:
            self._line = opened(self._follower.bus, self._limit)
            servos = six(self._line, port)
            calibrations.judge(calibration, servos)
            self._supply = status.supply_of(servo.present.volts for servo in servos)
        except BaseException:
            self.close()
            raise
        self._calibration = calibration

    def hold(self) -> tuple[int, ...]:
        """Give torque to every servo that has none, where it stands. Servos that have it keep their goals and their gains.

        The P coefficients of the five joints are returned. Raises AdapterError when a servo's alarm or place forbids it; then no
        torque was given.
        """
        line, calibration = self._opened()
        line.tell(LOCK, {servo: [1] for servo in ALL})
        servos = every(line, ALL)
        if wearing := [servo.name for servo in servos if not servo.lock]:
            raise BusError("corrupt", f"{', '.join(wearing)} did not take up the lock of the settings: check the cables.", wearing[0])
        limp = [servo for servo in servos if not servo.torque or servo.present.status & status.OVERLOAD]
        if not limp:
            return tuple(servo.p for servo in servos[:-1])
        for servo in servos:
            if servo.torque and servo.mode != 0:
                raise AdapterError(f"{servo.name} has torque in mode {servo.mode}, not in 0, position: switch the arm's power off and on.")
        off = [servo.id for servo in limp if not servo.torque]
        if off:
            line.tell(TORQUE, {servo: [0] for servo in off})  # forgets an overload
        self._refuse_alarms()
        if len(off) == len(ALL):
            with line.guarded():
                configure(self._follower)
            line.tell(TORQUE_LIMIT, {IDS[motors.GRIPPER]: bytes_of(GRIP)})
        places = self._places(line, calibration, [servo.id for servo in limp])
        line.tell(GOAL, {servo: bytes_of(at) for servo, at in places.items()})
        line.tell(TORQUE, {servo: [1] for servo in places})
        servos = every(line, ALL)
        weak = [servo.name for servo in servos if not servo.torque or servo.goal != places.get(servo.id, servo.goal)]
        if weak:
            raise BusError(
                "corrupt", f"{', '.join(weak)} did not take up torque: support the arm and switch its power off and on.", weak[0]
            )
        return tuple(servo.p for servo in servos[:-1])

    def release(self) -> None:
        """Take the torque of all six at once: the arm falls unless it rests on something."""
        line, _ = self._opened()
        holding: list[int] = []
        for _ in range(3):
            line.tell(TORQUE, {servo: [0] for servo in ALL})
            holding = [servo for servo in ALL if (answer := line.ask(servo, TORQUE, 1)) is None or answer[1][0]]
            if not holding:
                return
        raise BusError("silent", f"The arm is limp but for what may still hold: {silent(holding, ALL)}", motors.NAMES[holding[0]])

    def read(self, t_ns: int) -> Reading:
        """One round trip of all six servos, stamped ``t_ns``."""
        line, calibration = self._opened()
        said = [motors.present(data, alarms) for _, (alarms, data) in sorted(line.block(motors.PRESENT.start, ALL).items())]
        q, gripper = calibration.angles([one.position for one in said])
        return Reading(
            t_ns=t_ns,
            q=q,
            dq=tuple(one.velocity * RAD for one in said[:-1]),
            load=tuple(one.load for one in said),
            gripper=gripper,
            volts=tuple(one.volts for one in said),
            celsius=tuple(one.celsius for one in said),
            status=tuple(one.status for one in said),
            amps=tuple(one.amps for one in said),
            moving=tuple(one.moving for one in said),
            supply=self._supply,
        )

    def goals(self) -> tuple[tuple[float, ...], float]:
        """Where the servos are told to be now: (5,) rad and the gripper, 0 open .. 1 closed."""
        line, calibration = self._opened()
        held = line.block(GOAL, ALL)
        return calibration.angles([motors.word(held[servo][1], 0, 15) for servo in ALL])

    def write(self, q: Sequence[float], gripper: float) -> None:
        """Where to be: q (5,) rad and gripper 0 open .. 1 closed, each brought within its calibrated range. A servo takes up torque by it.

        Raises ValueError for what is no number. Nobody answers: only ``read`` notices a mute servo.
        """
        line, calibration = self._opened()
        line.tell(GOAL, {servo: bytes_of(at) for servo, at in zip(ALL, calibration.steps(q, gripper), strict=True)})

    def stiffness(self, gains: Sequence[int]) -> None:
        """P coefficients (6,), LeRobot's usual being 16. Raises ValueError for 0, which would let go, and above 254."""
        if not all(0 < gain < 255 for gain in gains):
            raise ValueError(f"P coefficients must be 1 to 254, not {list(gains)}")
        line, _ = self._opened()
        line.tell(P, {servo: [gain] for servo, gain in zip(ALL, gains, strict=True)})

    def torque_limits(self, shares: Sequence[float]) -> None:
        """Most torque of each servo (6,), above 0 to 1 of its stall torque. Raises ValueError for any that would let go."""
        if not all(0.0 < share <= 1.0 for share in shares):
            raise ValueError(f"torque limits must be above 0 and at most 1, not {list(shares)}")
        line, _ = self._opened()
        line.tell(TORQUE_LIMIT, {servo: bytes_of(math.ceil(1000 * share)) for servo, share in zip(ALL, shares, strict=True)})

    def close(self) -> None:
        """Close the port and leave the torque as it is: a standing arm stands. Idempotent, never raises."""
        follower, self._follower, self._line = self._follower, None, None
        if follower is not None:
            with contextlib.suppress(Exception):
                follower.bus.port_handler.closePort()

    def _opened(self) -> tuple[Line, Calibration]:
        if self._line is None or self._calibration is None:
            raise BusError("gone", "The arm is not connected.")
        return self._line, self._calibration

    def _refuse_alarms(self) -> None:
        for trouble in status.troubles(self.read(0)):
            if trouble.stops and trouble.what != "overload":
                raise AdapterError(f"The arm is not given torque: {trouble.text}")

    @staticmethod
    def _places(line: Line, calibration: Calibration, servos: Sequence[int]) -> dict[int, int]:
        """Steps at which to hold ``servos``, by id: where they are, and at the range's end where they are a little beyond it."""
        said = line.block(motors.PRESENT.start, ALL)
        places = {}
        for servo in servos:
            at, span = motors.word(said[servo][1], 0, 15), calibration.spans[servo - 1]
            places[servo] = min(span.high, max(span.low, at))
            if abs(places[servo] - at) > BEYOND:
                degrees = math.degrees(abs(places[servo] - at) * RAD)
                raise AdapterError(
                    f"{motors.NAMES[servo]} is {degrees:.0f} degrees outside its calibrated range: move it back by hand, or calibrate."
                )
        return places


def follower_of(port: str, path: Path) -> Any:
    from lerobot.robots.so_follower import SO101Follower, SO101FollowerConfig

    class SOFollower(SO101Follower):  # type: ignore[misc]  # of a package without types
        def _load_calibration(self, fpath: Path | None = None) -> None:
            with contextlib.suppress(Exception):  # ``calibration.load`` judges the file, and a damaged one is there to be replaced
                super()._load_calibration(fpath)

    follower = SOFollower(SO101FollowerConfig(port=port, id=path.stem, calibration_dir=path.parent, disable_torque_on_disconnect=False))
    follower.bus.torque_disabled = contextlib.nullcontext  # so that its configure() leaves the torque alone
    return follower


def configure(follower: Any) -> None:
    """LeRobot's settings of a follower, tried again when an answer is lost."""
    for tries in range(3):
        try:
            follower.configure()
            return
        except ConnectionError:
            if tries == 2:
                raise BusError("corrupt", "The servos do not take their settings: check the cables between them.") from None
        except RuntimeError as error:
            raise AdapterError(f"A servo raises an alarm while it is set up: {' '.join(str(error).split())}") from error


def bytes_of(value: int) -> list[int]:
    return [value & 0xFF, value >> 8]
