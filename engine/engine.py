"""Wires robot, cameras, policy, arbiter, recorder and operator together, in real time or in lock-step."""

import gc
import itertools
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from adapters.base import AdapterError, CameraRig, Robot
from engine import events
from engine.chosen import Chosen
from engine.clock import Clock, RealClock, SimulatedClock
from engine.config import Settings
from engine.control.playing import Motion
from engine.loops.camera import CameraLoop
from engine.loops.control import DT, Boxes, Controlling, ControlLoop, Decide
from engine.loops.foresight import Foresight, no_foresight
from engine.loops.heartbeats import Heartbeats, Standstill
from engine.loops.inference import InferenceLoop, Policy
from engine.loops.worker import Worker
from engine.mailbox import Latest
from engine.messages import Intent, Mark, Picture, Shutdown, WatchPicture
from engine.motions import told as played
from engine.operator import Operator
from engine.picture import resized
from engine.policy.errors import PolicyError
from engine.safety import arbiter
from engine.session.recorder import Recorder
from engine.snapshot import badges, snapshot
from engine.stop import StopPage
from engine.tasks import KINDS
from engine.types import (
    Event,
    Frames,
    Inference,
    LoopStats,
    ModelState,
    Observation,
    OperatorState,
    PolicyInfo,
    Reason,
    RecorderState,
    RunInfo,
    Snapshot,
    Tick,
    Writer,
)

log = logging.getLogger(__name__)

WATCH_EVERY = 0.01  #: s
LOCKSTEP_EXPOSE_EVERY = 16  #: ticks between exposures in lock-step
LOCKSTEP_EXPOSURE = 5  #: ticks from the moment of an exposure to its pictures
LOCKSTEP_LATENCY = 8  #: ticks from the pictures to their inference
INTENTS_WAITING = 100  #: that a tick takes up at most, more than any keyboard gives; of more the oldest are forgotten
NOT_RECORDED = RecorderState(on=False, session="", seconds=0.0, megabytes=0.0, queued=0, committed_ticks=0, fault="")


class Engine:
    """One robot under control. ``start`` and ``close``, or ``lockstep``; everything else may be called from any thread."""

    def __init__(
        self,
        settings: Settings,
        *,
        run: str,
        robot: Robot,
        rig: CameraRig,
        load_policy: Callable[[Callable[[str], None]], Policy],
        page: StopPage,
        recorder: Recorder | None,
        console_required: bool,
        clock: Clock | None = None,
        decide: Decide = arbiter.step,
        foresight: Callable[[PolicyInfo], Foresight] = no_foresight,
        motions: tuple[Motion, ...] = (),
    ) -> None:
        self.settings = settings
        self._run = run
        self._robot = robot
        self._rig = rig
        self._pushed = KINDS[settings.robot].pushed
        self.page = page
        self._recorder = recorder
        self.clock = clock or RealClock()
        self._beats = Heartbeats()
        self._late = Reason.OK
        self._watching, self._asking = Standstill(), Standstill()  # of the process, as the watchdog and the control thread see it
        self._boxes = Boxes(Latest(), Latest(), Latest(), deque(maxlen=INTENTS_WAITING))
        self._controlling = Controlling(console_required)
        self._controller = ""
        self._operator: OperatorState | None = None  #: as of the tick before
        self._offered = False
        self._events: deque[Event] = deque(maxlen=200)
        self._event_numbers = itertools.count(1)
        self._ending = threading.Event()
        self._workers: list[Worker] = []
        self._control_thread: threading.Thread | None = None
        self._started = time.monotonic()
        self._inference_times: deque[int] = deque(maxlen=20)
        self._frame_times: deque[int] = deque(maxlen=20)
        self._camera_open = False
        self.stops: list[events.StopEvent] = []
        self.failure = ""  #: why the run cannot go on; "" while it can
        self.on_shutdown: Callable[[], None] = lambda: None
        self.inference = InferenceLoop(
            load_policy,
            settings.instruction,
            self._boxes.frames,
            self._boxes.inferences,
            self.clock,
            self._beats,
            self._inferred,
            self._policy_ready,
            self._fault,
            foresight,
        )
        self.camera = CameraLoop(
            rig, self._boxes.observations, self._boxes.frames, self.clock, self._beats, self._exposed, self._fault, settings.camera.hz
        )
        self.control = ControlLoop(
            robot=robot,
            page=page,
            state=arbiter.initial(settings.limits, arbiter.RobotLimits.of(robot), robot.cell),
            operator=Operator(settings.limits, robot.name, len(robot.joint_limits), chosen=Chosen(motions), pushed=self._pushed),
            boxes=self._boxes,
            inference=self.inference,
            controlling=self._controlling,
            beats=self._beats,
            clock=self.clock,
            recorder=recorder,
            watchdog=self._watched,
            on_tick=self._ticked,
            on_fault=self._fault,
            decide=decide,
        )

    # --- real time ---

    def start(self) -> None:
        """Connect the robot and start every thread. Raises AdapterError."""
        self._robot.connect()
        self._workers = [
            Worker("camera", self._camera_once, self._worker_failed, nice=2),
            Worker("inference", self.inference.once, self._worker_failed, nice=4),
            Worker("watchdog", self._watch, self._worker_failed),
        ]
        self._control_thread = threading.Thread(target=self.control.run, args=(self._ending,), name="control", daemon=True)
        self._control_thread.start()
        for worker in self._workers:
            worker.start()

    def close(self, reason: str) -> None:
        """Stop the robot, end the threads, commit the session. Idempotent."""
        if self._ending.is_set():
            return
        self.note("system", f"ended: {reason}")
        self._ending.set()
        for patience in (0.2, 5.0):  # s; a control thread that hangs must not keep the robot from being stopped
            if self._control_thread not in (None, threading.current_thread()):
                self._control_thread.join(patience)
            self._robot.stop(1)
        for worker in self._workers:
            if not worker.end():
                log.warning("the %s thread is still in its work and is left behind", worker.name)
        self._rig.close()
        self._robot.close()
        if self._recorder is not None:
            self._recorder.close(reason)

    def _camera_once(self) -> None:
        if not self._camera_open:
            self._rig.open()
            self._camera_open = True
        self.camera.once()

    def _watch(self) -> None:
        """One round of the watchdog. A gap in its own rounds was the whole process standing still, for which no thread is blamed."""
        now = self._beats.watchdog = self.clock.now_ns()
        limits = self.settings.limits
        since = self._watching.seen(now)
        if self._recorder is not None:
            self._beats.recorder = self._recorder.heartbeat_ns
        late = self._beats.late(now, limits, since)
        if late == Reason.WATCHDOG_CONTROL and self._late != late and self.armed():
            self.page.raise_stop(Writer.WATCHDOG)
            if not self._ending.is_set():  # that it ends is no fault then
                self.note("fault", "the control thread is late")
        self._late = late
        if self._control_thread is not None and not (self._control_thread.is_alive() or self._ending.is_set()):
            self.failure = self.failure or "the control thread has ended"
        time.sleep(WATCH_EVERY)

    def _watched(self) -> Reason:
        """What the watchdog found, or will at its next round, or that it is late itself; asked by the control thread every tick."""
        now = self.clock.now_ns()
        since = self._asking.seen(now)
        if self._beats.watchdog_late(now, self.settings.limits, since):
            return Reason.WATCHDOG_SELF
        return self._late if self._late != Reason.OK else self._beats.late(now, self.settings.limits, since)

    def served(self) -> None:
        """The server thread has moved on."""
        self._beats.server = self.clock.now_ns()

    def _worker_failed(self, name: str, error: Exception) -> None:
        """A camera or inference thread has ended by an exception: the robot holds, and the screen says why."""
        log.error("the %s thread failed", name, exc_info=error)
        why = str(error) if isinstance(error, AdapterError | PolicyError) else f"{type(error).__name__}: {error}"
        if name == "inference":
            if self.inference.state == ModelState.LOADING:
                self.failure = why
            self.inference.failed(why)
        if name == "camera" and not self._camera_open:
            self.failure = why
        if name == "watchdog":
            self._beats.watchdog = 1  # late from now on
            self.page.raise_stop(Writer.WATCHDOG, latch=True)
            self.failure = f"the watchdog failed: {why}"
        self.note("fault", f"{name}: {why}")

    # --- lock-step ---

    def prepare_lockstep(self) -> None:
        """Everything that takes time before the first tick. Raises AdapterError and what loading the policy raises."""
        if not self._robot.simulated:
            raise AdapterError(f"{self._robot.name} is real: only a simulated robot plays in lock-step.")
        self._control_thread = threading.current_thread()
        self._robot.connect()
        self.control.step()
        self._rig.open()
        self.inference.prepare()

    def lockstep(
        self,
        ticks: int,
        *,
        script: Callable[[int], None] = lambda tick: None,
        latency: Callable[[int], int] = lambda tick: LOCKSTEP_LATENCY,
        pace: bool = False,
    ) -> None:
        """Run ``ticks`` ticks on a simulated clock: the same inputs give the same session, however fast the machine is.

        ``script`` is called before each tick with its number; ``latency`` says how many ticks an inference begun at a tick takes.
        With ``pace`` the ticks are held to real time where the machine keeps up.
        """
        due = time.monotonic()
        with ThreadPoolExecutor(1, thread_name_prefix="lockstep") as pool:
            for _ in itertools.islice(self.ticking(pool.submit, script, latency), ticks):
                if pace:
                    due = max(due + DT, time.monotonic() - DT)
                    time.sleep(max(0.0, due - time.monotonic()))

    def ticking(self, submit: Callable[..., Future[Any]], script: Callable[[int], None], latency: Callable[[int], int]) -> Iterator[int]:
        """The ticks of ``lockstep`` one at a time, each number when it is over, for whoever plays several engines side by side.

        ``submit`` is an executor's: exposures and inferences are handed to it, and asked for so many ticks later.
        """
        assert isinstance(self.clock, SimulatedClock)
        seeing: tuple[int, Future[Frames]] | None = None
        thinking: tuple[int, Future[Inference]] | None = None
        for tick in itertools.count():
            if self._ending.is_set():
                return
            script(tick)
            if thinking is not None and tick >= thinking[0]:
                self.inference.deliver(thinking[1].result())
                thinking = None
            if seeing is not None and tick >= seeing[0]:
                self.camera.deliver(seeing[1].result())
                seeing = None
                if thinking is None:
                    thinking = (tick + latency(tick), submit(self.inference.infer, self._newest_frames(), self._stopped_clock()))
            self.clock.advance(DT)
            self.control.step()
            if tick % LOCKSTEP_EXPOSE_EVERY == 0 and seeing is None:
                seeing = (tick + LOCKSTEP_EXPOSURE, submit(self.camera.capture, self._newest_observation()))
            yield tick

    def _stopped_clock(self) -> Callable[[], int]:
        """This tick's time, however long the thread that asks for it takes."""
        now = self.clock.now_ns()
        return lambda: now

    def _newest_observation(self) -> Observation:
        observation = self._boxes.observations.get()
        assert observation is not None
        return observation

    def _newest_frames(self) -> Frames:
        exposure = self._boxes.frames.get()
        assert exposure is not None
        return exposure[0]

    # --- what the threads report ---

    def _ticked(self, tick: Tick) -> None:
        operator, self._operator = self._operator, tick.operator
        before = self.control.previous
        if before is None or operator is None:
            return
        who = f"console {self._controller}" if self._controller else "the operator"
        for kind, text in played(operator, tick.operator, who):
            self.note(kind, text)
        now = tick.decision
        if now.stop_count > before.stop_count:
            self.stops.append(events.stop(now, tick.inputs.tick, DT))
        for kind, text in events.between(before, now):
            self.note(kind, text)

    def _exposed(self, frames: Frames) -> None:
        self._frame_times.append(frames.t_ns)
        if self._recorder is not None and self.settings.camera.record != "none":
            self._recorder.frames(frames)

    def _inferred(self, inference: Inference) -> None:
        self._inference_times.append(inference.end_ns)
        if self._recorder is not None:
            self._recorder.inference(inference)

    def _policy_ready(self, info: PolicyInfo) -> None:
        if info.forecast_note:
            self.note("system", f"forecast: {info.forecast_note}")
        if self._recorder is not None:
            self._recorder.policy(info)
        if isinstance(self.clock, SimulatedClock):
            return
        gc.collect()
        gc.freeze()
        gc.disable()  # a collection in the control loop would be a late tick

    def note(self, kind: str, text: str) -> None:
        """An event, shown, logged and recorded."""
        last = self.control.last
        event = Event(
            seq=next(self._event_numbers),
            tick=last.inputs.tick if last else 0,
            t_ns=self.clock.now_ns(),
            wall=time.time(),
            kind=kind,
            text=text,
        )
        self._events.append(event)
        log.info("%s: %s", kind, text)
        if self._recorder is not None:
            self._recorder.event(event)

    # --- what consoles ask ---

    def post(self, intent: Intent) -> None:
        if isinstance(intent, Mark):
            self.note("mark", intent.text)
        elif isinstance(intent, Shutdown):
            self.on_shutdown()
        else:
            self._boxes.intents.append(intent)

    def attached(self, console: str) -> None:
        self._controller = console
        self._controlling.heard(self.clock.now_ns())
        self.note("system", f"console {console} holds control")

    def offered(self, offered: bool) -> None:
        """Control is handed to whoever takes it, or no longer."""
        if offered != self._offered:
            self._offered = offered
            self.note("system", f"console {self._controller} offers control" if offered else "control is no longer offered")

    def detached(self, console: str) -> None:
        self._controller = ""
        self._controlling.lost()
        self.note("system", f"console {console} is gone")

    def heard(self, age: float) -> None:
        """The operator's end was proven to be there ``age`` s ago."""
        self._controlling.heard(self.clock.now_ns() - round(1e9 * age))

    def stop(self, latched: bool) -> None:
        self.page.raise_stop(Writer.OBSERVER, latch=latched)

    def _fault(self, text: str) -> None:
        self.note("fault", text)

    def snapshot(self) -> Snapshot | None:
        """All a screen may show now; None before the first tick."""
        tick = self.control.last
        if tick is None:
            return None
        return snapshot(
            wall=time.time(),
            tick=tick,
            inference=self._boxes.inferences.get(),
            inference_hz=_rate(self._inference_times),
            recorder=self.recorder_state(),
            run=self.run_info(),
            loop=self.loop_stats(),
            events=tuple(self._events),
        )

    def starting(self) -> str:
        """What it does before the first tick; "" where it has told nothing."""
        return self._events[-1].text if self._events else ""

    def ready(self) -> bool:
        """Pictures, policy and a first fresh inference are there."""
        return self.inference.state == ModelState.READY and self._boxes.inferences.get() is not None

    def armed(self) -> bool:
        return self.control.last is not None and self.control.last.decision.armed

    def binding_sentence(self) -> str:
        """Why the robot may not move now, in one sentence."""
        last = self.control.last
        return events.binding(last.decision) if last else "no control tick yet"

    def recorder_state(self) -> RecorderState:
        return self._recorder.state() if self._recorder else NOT_RECORDED

    def run_info(self) -> RunInfo:
        return RunInfo(
            run=self._run,
            robot=self.settings.robot,
            task=self.settings.task,
            instruction=self.settings.instruction,
            policy=self.inference.info,
            model_state=self.inference.state,
            model_note=self.inference.note,
            simulated=self._robot.simulated,
            controller=self._controller,
            offered=self._offered,
            badges=badges(dict(getattr(self.settings, self.settings.robot, ())), self.inference.info),
            pushed=self._pushed,
        )

    def loop_stats(self) -> LoopStats:
        spent = np.array(list(self.control.recent_ms))  # one call: an iterator kept across two would see the loop append
        tick = self.control.last
        wall = time.monotonic() - self.control.started if self.control.started else math.nan
        return LoopStats(
            tick_hz=tick.inputs.tick / wall if tick and wall > 0 else 1.0 / DT,
            late_p99_ms=float(np.percentile(spent, 99)) if len(spent) else 0.0,
            late_max_ms=float(spent.max()) if len(spent) else 0.0,
            real_time_factor=tick.inputs.tick * DT / wall if tick and wall > 0 else math.nan,
            camera_fps=_rate(self._frame_times),
            overruns=self.control.overruns,
        )

    def picture(self, wish: WatchPicture) -> Picture | None:
        """The newest picture of a camera, averaged down to the size asked for."""
        exposure = self._boxes.frames.get()
        if exposure is None or wish.camera not in exposure[0].images or wish.width < 1 or wish.height < 1:
            return None
        frames = exposure[0]
        return Picture(
            camera=wish.camera,
            width=wish.width,
            height=wish.height,
            age=(self.clock.now_ns() - frames.exposed_ns) / 1e9,
            rgb=resized(frames.images[wish.camera], wish.width, wish.height).tobytes(),
        )


def _rate(times: deque[int]) -> float:
    """Hz over the times kept."""
    kept = list(times)
    return (len(kept) - 1) / ((kept[-1] - kept[0]) / 1e9) if len(kept) > 1 and kept[-1] > kept[0] else 0.0
