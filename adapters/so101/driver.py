"""The thread that speaks with the servos, a hundred times a second: read, look what was ordered, write where to go.

The engine's threads leave orders and take the newest of what was seen; no thread waits for another. When the servos cannot be spoken with,
or one of them raises an alarm, nothing is written any more until the arm is armed again, since a servo that is told of a goal takes up
torque: all hold the goals they had.
"""

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from adapters.base import AdapterError
from adapters.mujoco.tabletop import servos
from adapters.so101 import compliance
from adapters.so101.alarms import Alarms
from adapters.so101.bus import Bus, BusError
from adapters.so101.calibration import Calibration
from adapters.so101.figure import Figure, Model
from adapters.so101.following import PERIOD
from adapters.so101.motors import MOTORS, Reading
from adapters.so101.steering import Steering, Told
from engine.clock import Clock, hurry
from engine.control.pose import Floats
from engine.types import F64, Reason

log = logging.getLogger(__name__)

GRIP_TORQUE: Final = (
    0.24  #: share of its stall torque: a jaw that LeRobot has set up lets go of what it squeezes for 2 s with more than 0.25
)
SENSED_S: Final = 0.03  #: s, of the low-pass of what the joints feel
PHASE_S: Final = 0.0015  #: s after a command that a period shall begin
SHIFT_S: Final = 0.0002  #: s, at most, by which a period is longer or shorter for that
WRITE_S: Final = 0.005  #: s after the begin of a period that goals go out, however long its reading took less than that
GOOD: Final = 3  #: readings in a row, after which lost servos are there again
DAMAGED: Final = 2  #: periods in a row without a sound answer, after which they are lost
LOOK_S: Final = 0.5  #: s between two looks for a port that is gone
HIT_NS: Final = 300_000_000  #: that a hit is told of
ACTION_NS: Final = 50_000_000  #: between the actions that a dry run shows
STOPS_S: Final = 0.4  #: s that ``close`` gives the arm to come to a stand
STANDING: Final = 0.02  #: rad/s
SUPPORTED: Final = 0.05  #: rad that a joint may be from the pose in which the arm holds itself up

KNOWN: Final = {
    "gone": "The servos hold the goals they had; nothing is known of them until the cable is in again.",
    "silent": "The others hold the goals they had; whether those that are silent hold is not known.",
    "late": "The servos hold the goals they had; where the arm is now is not known.",
    "corrupt": "The servos hold the goals they had; where the arm is now is not known.",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """All that is known after one period."""

    seq: int
    reading: Reading
    figure: Figure
    wrench: F64  #: (6,)
    trip: float  #: s, that the reading took
    target: Floats  #: (5,) rad, of what the servos were told, or would have been, what does not carry the arm's weight
    holding: bool  #: by itself
    fault: Reason
    part: int  #: servo or joint of the fault, from 1


@dataclass(frozen=True, slots=True)
class Trip:
    """One period on the bus."""

    t_ns: int  #: when it began
    ms: float  #: that it took


@dataclass(frozen=True, slots=True)
class Orders:
    """What the engine's threads want; replaced whole, under a lock."""

    stop: int = -1  #: category of the stop it is in, -1 = none
    resumes: int = 0  #: times that it was armed
    told: Told | None = None
    let_go: bool = False  #: torque off


class Driver:
    """One arm on its bus. ``connect`` before all else; then everything may be called from any thread."""

    def __init__(self, bus: Bus, port: str, calibration: Calibration, ahead: float, dry_actions: int, clock: Clock) -> None:
        self.tell: Callable[[str, str], None] = lambda kind, text: log.info("%s: %s", kind, text)
        self.dry: tuple[str, ...] = ()  #: the first actions of a dry run
        self.trips: deque[Trip] = deque(maxlen=6000)
        self.seen: Seen | None = None
        self.lost = ""  #: why the servos cannot be spoken with; "" while they can
        self.limp = False  #: torque was taken off
        self.orders = Orders()
        self._lock = threading.Lock()
        self._bus, self._port, self._calibration, self._clock = bus, port, calibration, clock
        self._ahead, self._dry_actions = math.degrees(ahead), dry_actions
        self._checked: Callable[[dict[str, tuple[float, float]], float], dict[str, float]]
        self._thread: threading.Thread | None = None
        self._ending = threading.Event()
        # the bus thread's own
        self._model = Model()
        self._steering = Steering(calibration.limits, ahead)
        self._alarms = Alarms(lambda kind, text: self.tell(kind, text))
        self._resumes = 0
        self._good = self._bad = 0
        self._gone = False
        self._asleep = False  #: nothing is written
        self._looked = 0.0
        self._outer: Floats = (0.0,) * 5
        self._hit, self._hit_until = 0, 0
        self._shown_ns = 0

    def connect(self) -> None:
        """Find the six servos and take the arm where it is; in a dry run only look. Raises AdapterError."""
        if self._thread is not None:
            return
        from lerobot.robots.utils import ensure_safe_goal_position

        self._checked = ensure_safe_goal_position
        try:
            self._bus.connect(self._port, self._calibration)
            self._take()
            self._period(self._clock.now_ns())
        except BaseException:
            self._bus.close()
            raise
        self._thread = threading.Thread(target=self._run, name="bus", daemon=True)
        self._thread.start()

    @property
    def runs(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def close(self) -> None:
        """Stop, leave the servos holding, and let go of the port. Idempotent."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self.stop(1)
        until = time.monotonic() + STOPS_S
        while time.monotonic() < until and not self.lost and self.seen is not None and max(map(abs, self.seen.reading.dq)) > STANDING:
            time.sleep(PERIOD)
        self._ending.set()
        thread.join(2.0)
        self._bus.close()

    # --- orders ---

    def told(self, told: Told) -> bool:
        """The newest command; whether it is followed: not in a stop."""
        with self._lock:
            if self.orders.stop >= 0:
                return False
            self.orders = replace(self.orders, told=told)
        return True

    def stop(self, category: int) -> bool:
        """Brake and hold; False where as grave a stop holds already."""
        with self._lock:
            if 0 <= self.orders.stop <= category:
                return False
            self.orders = Orders(category, self.orders.resumes)
        return True

    def resume(self) -> None:
        """It was armed: hold where the arm is, and follow commands again."""
        with self._lock:
            self.orders = Orders(-1, self.orders.resumes + 1)

    def let_go(self, place: Floats) -> bool:
        """Torque off; False where the arm does not stand at joints ``place`` (5,) rad, whatever way its base is turned, or must not."""
        with self._lock:
            if self._dry_actions or self.lost or self._asleep or self.orders.stop >= 0 or not self.runs or self.seen is None:
                return False
            reading = self.seen.reading
            off = max(abs(at - to) for at, to in zip(reading.q[1:], place[1:], strict=True))
            if off > SUPPORTED or max(map(abs, reading.dq)) > STANDING:
                return False
            self.orders = replace(self.orders, let_go=True)
        return True

    # --- the bus thread ---

    def _run(self) -> None:
        hurry()
        due = time.monotonic()
        while not self._ending.is_set():
            time.sleep(max(0.0, due - time.monotonic()))
            begun = self._clock.now_ns()
            try:
                self._period(begun)
            except BusError as error:
                self._unread(error)
            except Exception as error:  # whatever it is, the servos hold and the engine learns of it
                log.exception("the bus thread failed")
                self.lost = f"The arm is not driven any more ({type(error).__name__}: {error}); its servos hold: begin a new run."
                return
            self.trips.append(Trip(begun, (self._clock.now_ns() - begun) / 1e6))
            due = max(due + PERIOD + self._shift(begun), time.monotonic())

    def _shift(self, begun: int) -> float:
        """s to wait longer, so that periods come to begin just after the engine's commands."""
        told = self.orders.told
        if told is None or not 0 <= begun - told.t_ns < 3e9 * PERIOD:
            return 0.0
        early = (PHASE_S - (begun - told.t_ns) / 1e9) % PERIOD
        return max(-SHIFT_S, min(SHIFT_S, 0.1 * (early if early < PERIOD / 2.0 else early - PERIOD)))

    def _period(self, begun: int) -> None:
        if self._gone and not self._found_again():
            return
        reading = self._bus.read(begun)
        trip = (self._clock.now_ns() - begun) / 1e9
        self._bad, self._good = 0, self._good + 1
        if self.lost and self._good >= GOOD:
            self.lost = ""
            self.tell("system", "The servos answer again: arm to move the arm.")
        orders = self.orders
        fault, part = self._alarms.of(reading)
        if self.lost or fault != Reason.OK:
            self._asleep = True
        elif orders.resumes != self._resumes:
            self._resume(reading)
        self._resumes = orders.resumes
        figure = self._model.figure(reading.q, reading.dq, reading.gripper)
        if not (self._asleep or self.limp):
            self._steer(reading, figure, orders)
        if fault == Reason.OK and begun < self._hit_until:
            fault, part = Reason.OBSTRUCTED, self._hit
        felt = compliance.outer([servos.TORQUE * load for load in reading.load[:5]], figure.weight, reading.dq)
        self._outer = tuple(a + (b - a) * min(1.0, PERIOD / SENSED_S) for a, b in zip(self._outer, felt, strict=True))
        self.seen = Seen(
            seq=1 if self.seen is None else self.seen.seq + 1,
            reading=reading,
            figure=figure,
            wrench=figure.wrench(self._outer),
            trip=trip,
            target=self._steering.unloaded,
            holding=self._steering.holding or self._asleep or self.limp,
            fault=fault,
            part=part,
        )

    def _steer(self, reading: Reading, figure: Figure, orders: Orders) -> None:
        """Where the servos go next, and tell them."""
        steering, soft, told = self._steering, self._steering.softness, orders.told
        if orders.let_go:
            self._bus.release()
            self.limp = True
            return
        steering.step(reading, figure, told, self._clock.now_ns())
        goals = self._within(reading)
        if self._dry_actions:
            if told is not None and not (steering.holding or told.command.hold):
                self._show(goals, reading.t_ns)
            return
        if steering.softness is not soft:
            self._soften()
        time.sleep(max(0.0, WRITE_S - (self._clock.now_ns() - reading.t_ns) / 1e9))
        self._bus.write(goals[:5], goals[5])
        if steering.hit >= 0 and self.stop(1):
            self._hit, self._hit_until = steering.hit + 1, reading.t_ns + HIT_NS
            self.tell("fault", steering.hit_text)

    def _within(self, reading: Reading) -> Floats:
        """(6,) goals that LeRobot's own check of how far they are ahead has left."""
        goals = self._steering.motion.at
        present = _spoken((*reading.q, reading.gripper))
        safe = self._checked({motor: (to, at) for motor, to, at in zip(MOTORS, _spoken(goals), present, strict=True)}, self._ahead)
        left = (*(math.radians(safe[motor]) for motor in MOTORS[:5]), 1.0 - safe[MOTORS[5]] / 100.0)
        if max(abs(a - b) for a, b in zip(left, goals, strict=True)) < 1e-6:
            return goals
        self._steering.cut(left)
        return left

    def _show(self, goals: Floats, t_ns: int) -> None:
        """One of the first actions of a dry run."""
        if len(self.dry) < self._dry_actions and t_ns - self._shown_ns >= ACTION_NS:
            self._shown_ns = t_ns
            numbers = "  ".join(f"{motor} {value:.1f}" for motor, value in zip(MOTORS, _spoken(goals), strict=True))
            line = f"dry run {len(self.dry) + 1}/{self._dry_actions}, not sent: {numbers}"
            self.dry = (*self.dry, line)
            self.tell("system", line)

    def _soften(self) -> None:
        soft = self._steering.softness
        self._bus.stiffness((soft.gain,) * 5 + (compliance.FULL,))
        self._bus.torque_limits((*soft.torque, GRIP_TORQUE))

    def _take(self) -> None:
        """Torque where there is none, and hold where the arm is, from what its servos were told last."""
        if not self._dry_actions:
            gain = min(gains := self._bus.hold())
            if gain < compliance.LEAST:
                soft = f"{MOTORS[gains.index(gain)]} has a P coefficient of {gain}, too soft to carry the arm"
                raise AdapterError(f"{soft}: support it, and switch its power off and on.")
            self._steering.softness = compliance.Softness(gain)
            self._soften()
        reading = self._bus.read(self._clock.now_ns())
        q, gripper = (reading.q, reading.gripper) if self._dry_actions else self._bus.goals()
        self._steering.begin(reading, (*q, gripper))

    def _resume(self, reading: Reading) -> None:
        """It was armed again: hold where it is measured; servos that lost their power or let go get torque where they stand."""
        if not self._asleep:
            self._steering.stand(reading)
            return
        try:
            self._take()
        except BusError:
            raise
        except AdapterError as error:
            self.stop(1)
            self.tell("fault", str(error))
        else:
            self._asleep = False

    # --- servos that cannot be spoken with ---

    def _unread(self, error: BusError) -> None:
        self._good, self._bad = 0, self._bad + 1
        self._gone = self._gone or error.kind == "gone"
        begins = not self.lost and (error.kind != "corrupt" or self._bad >= DAMAGED)
        if begins or error.kind == "late":  # an answer that comes late seemed to be none before
            self._asleep, self.lost = True, f"{error} {KNOWN[error.kind]}"

    def _found_again(self) -> bool:
        """Look for the port that is gone; it may only be read from until the arm is armed again."""
        if time.monotonic() - self._looked < LOOK_S:
            return False
        self._looked = time.monotonic()
        try:
            self._bus.connect(self._port, self._calibration)
        except AdapterError as error:
            log.info("the servos are not back: %s", error)
            if Path(self._port).exists():  # something is plugged in
                self.lost = str(error)
            return False
        self._gone = False
        return True


def _spoken(goals: Sequence[float]) -> list[float]:
    """(6,) in LeRobot's units: degrees, and the gripper 0 closed .. 100 open."""
    return [*map(math.degrees, goals[:5]), 100.0 * (1.0 - goals[5])]
