"""Two ways to drive the same emulated SO-101, each in a process of its own: ``python -m engine.bench.so101_sides SIDE SETTINGS SECONDS``.

``ours`` is a run of the real engine without a screen, with the scripted policy, test pictures and a recorder: an operator jogs by keys,
and then cables come off. ``lerobot`` makes the calls of LeRobot's own teleoperation loop. The servos are in a process of their own
again, on a pty at the pace of 1 Mbaud, and note when each goal arrives. Prints one JSON object.
"""

import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from engine import unix_signals
from engine.bench.figure import BenchError

if TYPE_CHECKING:
    from adapters.so101.emulator import Remote
    from adapters.so101.emulator.chain import Write
    from engine.config import Settings
    from engine.host import Host
    from engine.messages import Intent

RATE: Final = 100.0  #: 1/s, of both
LONGEST: Final = 25.0  #: s of goals that the emulated servos remember
TRIPS: Final = 400  #: round trips as fast as they go
READY_WITHIN: Final = 120.0  #: s
HELD, LET_GO = 0.25, 0.45  #: s that a key is held, and that the arm then has to stand
RAMPED: Final = 1.3  #: s after arming, when it may move as fast as it will
FAULTS: Final = 4  #: of each kind
KINDS: Final = ("silent", "unplug")
MUTE: Final = 3  #: servo
TRIES: Final = 5  #: to be moving when a fault is put in


def ours(settings: "Settings", seconds: float) -> dict[str, Any]:
    """What is printed. Raises BenchError, AdapterError, SessionError, OSError."""
    from adapters.so101 import emulator
    from engine.host import alone

    host = alone(settings)
    robot: Any = host.robot
    reason = "not measured"
    try:
        arm = emulator.attach(robot.port)
        trips = _trips(robot.port, settings)
        drive = Drive(host, arm)
        host.engine.start()
        drive.until(host.engine.ready, "become ready")
        drive.arm()
        begun, keys = drive.keys(seconds)
        stops, periods = len(host.engine.stops), drive.periods()  # before the servos are asked, which are late with answers then
        found: dict[str, Any] = {"trips_ms": trips, "stops": stops, **_goals(arm, begun), "late_ms": _off(periods, begun)}
        found["key_ms"] = _obeyed(arm, keys, drive.moves, periods)
        found |= {kind: [drive.fault(kind) for _ in range(FAULTS)] for kind in KINDS}
        reason = "measured"
    finally:
        host.close(reason)
    return found


def lerobot(settings: "Settings", seconds: float) -> dict[str, Any]:
    """What is printed. Raises BenchError, AdapterError."""
    from adapters.so101 import emulator
    from adapters.so101.bus import follower_of

    with emulator.start("cube", seed=settings.seed, holding=True) as arm:
        follower = follower_of(arm.port, Path(arm.save_calibration(Path(arm.port).parent, settings.so101.id)))
        follower.connect(calibrate=False)
        action = follower.get_observation()
        trips = []
        for _ in range(TRIPS):
            begun = time.perf_counter()
            follower.get_observation()
            follower.send_action(action)
            trips.append((time.perf_counter() - begun) * 1e3)
        start, periods = time.monotonic_ns(), list[int]()
        while time.monotonic_ns() - start < seconds * 1e9:
            periods.append(time.monotonic_ns())
            begun = time.perf_counter()
            follower.get_observation()
            follower.send_action(action)
            time.sleep(max(1.0 / RATE - (time.perf_counter() - begun), 0.0))
        found = {"trips_ms": trips, **_goals(arm, start), "late_ms": _off(periods, start)}
        follower.disconnect()
    return found


class Drive:
    """The operator of one run, and the hand that pulls its cables."""

    def __init__(self, host: "Host", arm: "Remote") -> None:
        self._host, self._arm, self._engine = host, arm, host.engine
        self._robot: Any = host.robot
        self._seq = 0
        self.moves: list[tuple[int, bool]] = []  #: ns, and whether a command moves: the first of each kind
        self.stops: list[int] = []  #: ns, when the robot was told to stop
        self._boot_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.monotonic_ns()
        command, stop = self._robot.command, self._robot.stop

        def commanded(given: Any) -> None:
            command(given)
            if any(given.twist_d) != (bool(self.moves) and self.moves[-1][1]):
                self.moves.append((time.monotonic_ns(), any(given.twist_d)))

        def stopped(category: int) -> None:
            self.stops.append(time.monotonic_ns())
            stop(category)

        vars(self._robot).update(command=commanded, stop=stopped)  # the names by which the engine calls them

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait, with the operator's end alive. Raises BenchError."""
        end = time.monotonic() + READY_WITHIN
        while not condition():
            self._engine.heard(0.0)
            if self._host.wait(0.002) or time.monotonic() > end:
                raise BenchError(f"The engine did not {what}: {self._engine.failure or self._engine.binding_sentence()}")

    def arm(self) -> None:
        """Clear what stopped it, arm, and wait until it may move at the speed that is set."""
        from engine.messages import Arm, ClearStop, KeyTiming, SetMode
        from engine.types import Mode, StopKind

        engine = self._engine
        engine.post(KeyTiming(key_mode="HOLD", repeat_interval=0.0))
        asked = 0.0

        def armed() -> bool:
            nonlocal asked
            last = engine.control.last
            if last is None or last.decision.armed:
                return last is not None
            if time.monotonic() - asked > 0.2:
                asked = time.monotonic()
                latched = last.decision.stop_kind == StopKind.LATCHED
                engine.post(SetMode(mode=Mode.JOG_JOINT))
                engine.post(ClearStop(number=last.decision.stop_number) if latched else Arm(robot=self._host.settings.robot))
            return False

        self.until(armed, "arm")
        self.wait(RAMPED)

    def wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() >= end, "go on")

    def hold(self, axis: str, down: bool) -> None:
        from engine.messages import Hold

        self._seq += 1
        self._post(Hold(axis=axis, down=down, repeat=False, seq=self._seq))

    def _post(self, intent: "Intent") -> None:
        self._engine.heard(0.0)
        self._engine.post(intent)

    def keys(self, seconds: float) -> tuple[int, list[int]]:
        """(when it began, when each key went down), ns; the arm goes to and fro. A key during which something stops it does not count."""
        begun, pressed = time.monotonic_ns(), list[int]()
        while time.monotonic_ns() - begun < seconds * 1e9:
            if not self._engine.armed():
                self.arm()
            axis, at = f"{'-+'[len(pressed) % 2]}j1", time.monotonic_ns()
            self.hold(axis, True)
            self.wait(HELD)
            self.hold(axis, False)
            if self._engine.armed():
                pressed.append(at)
            self.wait(LET_GO + 0.0014 * (len(pressed) % 7))  # so that keys meet every moment of a tick
        return begun, pressed

    def periods(self) -> list[int]:
        """ns, when each period on the bus began."""
        return [trip.t_ns - self._boot_ns for trip in self._robot.trips]

    def fault(self, kind: str) -> float:
        """ms from a fault, put in while the arm moves, until the robot is told to stop. Raises BenchError."""
        for _ in range(TRIES):
            self.arm()
            self.hold("+j1", True)
            self.wait(HELD)
            if self._engine.armed():
                break
        else:
            raise BenchError(f"The robot stops by itself again and again: {self._engine.binding_sentence()}")
        self.stops.clear()
        begun = time.monotonic_ns()
        if kind == "silent":
            self._arm.silent(MUTE)
        else:
            self._arm.unplug()
        self.until(lambda: self.stops, "stop")
        stopped = self.stops[0]
        self.hold("+j1", False)
        self.until(self._lost, "lose the servos")
        self._arm.clear()
        self.until(lambda: not self._lost(), "find the servos again")
        return (stopped - begun) / 1e6

    def _lost(self) -> bool:
        last = self._engine.control.last
        return last is None or last.inputs.t_ns - last.inputs.obs_t_ns > 5e9 / RATE


def _trips(port: str, settings: "Settings") -> list[float]:
    """ms of each reading and writing of six servos, as fast as it goes."""
    from adapters.so101 import calibration
    from adapters.so101.bus import Bus

    bus = Bus()
    bus.connect(port, calibration.load(Path(port).parent / f"{settings.so101.id}.json"))
    try:
        bus.hold()
        q, gripper = bus.goals()
        trips = []
        for _ in range(TRIPS):
            begun = time.perf_counter()
            bus.read(0)
            bus.write(q, gripper)
            trips.append((time.perf_counter() - begun) * 1e3)
    finally:
        bus.close()
    return trips


def _arrivals(arm: "Remote", since_ns: int) -> list[int]:
    """ns, when each goal of the first servo arrived there."""
    written: Sequence[Write] = arm.writes("Goal_Position")
    return [write.t_ns for write in written if write.id == 1 and write.t_ns >= since_ns]


def _goals(arm: "Remote", since_ns: int) -> dict[str, Any]:
    """The rate at which goals arrive, 1/s, and by how many ms each comes off its time."""
    times = _arrivals(arm, since_ns)
    if len(times) < 2:
        raise BenchError("No goals arrived at the servos.")
    return {"rate": (len(times) - 1) / ((times[-1] - times[0]) / 1e9), "off_ms": _off(times, since_ns)}


def _off(times: Sequence[int], since_ns: int) -> list[float]:
    """ms by which each of the times, ns, that come after one comes sooner or later after the one before than a period."""
    counted = [t_ns for t_ns in times if t_ns >= since_ns]
    return [abs((after - before) / 1e6 - 1e3 / RATE) for before, after in itertools.pairwise(counted)]


def _obeyed(arm: "Remote", keys: Sequence[int], moves: Sequence[tuple[int, bool]], periods: Sequence[int]) -> list[float]:
    """ms from each key to the arrival of the first goal that obeys it: in the first period on the bus after the first command that does."""
    arrivals = _arrivals(arm, 0)
    found = []
    for key in keys:
        commanded = next((t_ns for t_ns, moving in moves if moving and t_ns > key), None)
        period = next((t_ns for t_ns in periods if commanded is not None and t_ns >= commanded), None)
        arrived = next((t_ns for t_ns in arrivals if period is not None and t_ns >= period), None)
        if arrived is None:
            raise BenchError("A key that was held did not move the arm.")
        found.append((arrived - key) / 1e6)
    return found


def main(side: str, chosen: Path, seconds: float) -> dict[str, Any]:
    """What is printed; {"refused": why} where nothing could be measured."""
    from adapters.base import AdapterError
    from engine.config import Settings
    from engine.session.layout import SessionError

    settings = Settings.model_validate_json(chosen.read_text())
    try:
        return {"ours": ours, "lerobot": lerobot}[side](settings, seconds)
    except (BenchError, AdapterError, SessionError, OSError) as error:
        return {"refused": str(error)}


if __name__ == "__main__":
    unix_signals.block()
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]))), flush=True)
    os._exit(0)  # threads of a robot that has lost its port need not be waited for
