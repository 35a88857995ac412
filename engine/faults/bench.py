"""The real engine with its real threads in this process, on parts that can be made to fail."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from adapters.base import CameraRig
from engine.clock import RealClock
from engine.engine import Engine
from engine.faults.fault import FaultError, Trial
from engine.faults.parts import FaultyClock, FaultyForecast, FaultyRobot, LentPolicy, LentRig
from engine.faults.workshop import Workshop
from engine.host import open_robot
from engine.loops.foresight import no_foresight
from engine.loops.inference import Policy
from engine.loops.worker import Worker
from engine.messages import Arm, Go
from engine.server import Server
from engine.session.recorder import Recorder
from engine.session.schema import header
from engine.stop import StopPage

log = logging.getLogger(__name__)

SAWING = 150  #: ticks without a stop before a fault is put in
AFTER = 60  #: ticks recorded after the stop: to rest, and a little more
READY_WITHIN = 60.0  #: s for the engine to arm and saw
FAST = 0.12  #: m/s along the stroke: more than what counts as standing still there
FAST_WITHIN = 20.0  #: s to wait for that
PAST = 100  #: ticks waited for a stop beyond its limit
LOOK = 0.01  #: s


class Bench:
    """One run: ``saw``, put a fault in, ``watch``, ``close``. Everything that was changed is put right in ``mending`` before the end."""

    def __init__(
        self,
        name: str,
        rig: CameraRig,
        policy: Policy,
        workshop: Workshop,
        *,
        foresees: bool = False,
    ) -> None:
        """``name`` of the fault; ``foresees``: with a forecast in force. Raises AdapterError, OSError, SessionError."""
        self._name, self._marked = name, False
        folder = workshop.place()
        settings = workshop.settings
        robot, _ = open_robot(settings)
        self.robot, self.rig, self.policy = FaultyRobot(robot), LentRig(rig), LentPolicy(policy)
        self.forecast = FaultyForecast()
        self.clock = FaultyClock(RealClock())
        self.over = threading.Event()  #: set when the run is over; what hangs waits for it
        self.serving = threading.Event()
        self.serving.set()
        self.mending = ExitStack()
        self.page = StopPage(folder / "stop", create=True)
        self.recorder = Recorder(settings.store, header(settings, self.robot, self.rig), clock=self.clock)
        self.engine = Engine(
            settings,
            run=folder.name,
            robot=self.robot,
            rig=self.rig,
            load_policy=lambda tell: self.policy,
            page=self.page,
            recorder=self.recorder,
            console_required=False,
            clock=self.clock,
            foresight=self.forecast.foresight if foresees else no_foresight,
        )
        self._server = Server(folder / "engine.sock", self.engine, picture_hz=0)
        self._server_worker = Worker("server", self._serve, self._failed)
        self._closed = False

    @property
    def session(self) -> Path:
        return self.recorder.path

    def mark(self) -> None:
        """Say in the session that the fault is in, the first time; by the thread it is put into, if it is put into one."""
        if not self._marked:
            self._marked = True
            self.engine.note("hazard", self._name)

    def _serve(self) -> None:
        if not self.serving.is_set():
            self.mark()
        self.serving.wait()
        self._server.once()
        self.engine.served()

    def _failed(self, name: str, error: Exception) -> None:
        log.error("the %s thread failed", name, exc_info=error)

    @property
    def tick(self) -> int:
        last = self.engine.control.last
        return last.inputs.tick if last is not None else 0

    def start(self) -> None:
        """Raises AdapterError."""
        self.engine.start()
        self._server_worker.start()

    def saw(self) -> None:
        """Arm, go, and saw for ``SAWING`` ticks on end. Raises FaultError when that does not come about."""
        end = time.monotonic() + READY_WITHIN
        since = 0  # tick at which it began to saw
        while not (since and self.tick - since >= SAWING):
            last = self.engine.control.last
            decision = last.decision if last is not None else None
            if time.monotonic() > end or self.engine.failure:
                why = self.engine.failure or self.engine.binding_sentence()
                raise FaultError(f"The engine did not saw for {SAWING} ticks on end: {why}.")
            if decision is None or not self.engine.ready() or not decision.going:
                since = 0
            elif not since:
                since = self.tick
            if decision is not None and self.engine.ready() and not decision.armed and not decision.stop_number:
                self.engine.post(Arm(robot=self.engine.settings.robot))
                time.sleep(0.2)
            elif decision is not None and decision.armed and not decision.going:
                self.engine.post(Go())
                time.sleep(0.1)
            time.sleep(LOOK)

    def hasten(self) -> bool:
        """Wait for a moment of the stroke in which there is something to stop; False where something else has stopped the robot.

        Raises FaultError where no such moment comes.
        """
        end = time.monotonic() + FAST_WITHIN
        while self._going and abs(self._speed()) < FAST:
            if time.monotonic() > end:
                raise FaultError(f"The saw did not move at {FAST} m/s within {FAST_WITHIN:.0f} s.")
            time.sleep(LOOK / 2)
        return self._going

    @property
    def _going(self) -> bool:
        last = self.engine.control.last
        return last is not None and last.decision.going

    def _speed(self) -> float:
        last = self.engine.control.last
        return last.inputs.twist[0] if last is not None else 0.0

    def watch(self, ticks: int) -> None:
        """Wait for the next stop and ``AFTER`` ticks more; at most ``ticks`` ticks for the stop."""
        last = self.engine.control.last
        assert last is not None
        before, begun = last.decision.stop_count, last.inputs.tick
        stopped = 0
        end = time.monotonic() + READY_WITHIN
        while time.monotonic() < end and not (stopped and self.tick - stopped >= AFTER) and (stopped or self.tick - begun <= ticks):
            now = self.engine.control.last
            if not stopped and now is not None and now.decision.stop_count > before:
                stopped = now.inputs.tick
            time.sleep(LOOK)

    def close(self) -> None:
        """Put right what was changed, end the threads, commit. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self.over.set()
        self.serving.set()
        self.rig.change = self.policy.change = self.robot.change = self.forecast.change = None
        self.mending.close()
        self.engine.close("the fault has been tried")
        self._server_worker.end()
        self._server.close("the fault has been tried", 0)
        self.page.close()


def tried(
    inject: Callable[[Bench], None],
    ticks: int,
    name: str,
    rig: CameraRig,
    policy: Policy,
    workshop: Workshop,
    *,
    marks: bool = False,
    foresees: bool = False,
) -> Trial:
    """Saw, mark the fault in the session, put it in, watch for at most ``ticks`` ticks. Raises FaultError, AdapterError.

    ``marks``: the fault is put into a thread that marks it by itself when it comes to it. ``foresees``: a forecast is in force.
    """
    bench = Bench(name, rig, policy, workshop, foresees=foresees)
    with ExitStack() as ending:
        ending.callback(bench.close)
        bench.start()
        bench.saw()
        while not bench.hasten():
            bench.saw()
        if not marks:
            bench.mark()
        inject(bench)
        bench.watch(ticks)
    return Trial(session=bench.session)
