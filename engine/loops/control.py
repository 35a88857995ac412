"""The control loop: read, decide, command, let physics pass; 100 times a second, in real time or in lock-step."""

import logging
import math
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from adapters.base import AdapterError, Robot
from engine.clock import Clock, hurry
from engine.control import chunk, gripping, jog, playing, recovery, reference, retrying
from engine.control.chunk import Aim
from engine.control.pose import Floats, floats
from engine.loops.gather import foreseen, reading, sight
from engine.loops.heartbeats import Heartbeats
from engine.loops.inference import InferenceLoop
from engine.mailbox import Latest
from engine.messages import Intent
from engine.operator import Operator
from engine.safety import arbiter
from engine.session.recorder import Recorder
from engine.stop import StopPage
from engine.types import (
    FAILURES,
    NAN18,
    Command,
    Decision,
    Frames,
    Inference,
    Inputs,
    Intervention,
    Mode,
    Observation,
    Reason,
    StopCounters,
    StopKind,
    Tick,
    Writer,
)

log = logging.getLogger(__name__)

DT = 0.01  #: s
Decide = Callable[[arbiter.State, Inputs], tuple[arbiter.State, Decision]]

#: s, how long a thread may keep the interpreter's lock while another waits: between ticks short, so that a tick begins in time, and
#: within one longer than it takes, since every thread that got the lock meanwhile would end the tick later
INTERVALS = (50e-6, 10e-3)
CATCH_UP = 5  #: ticks; later than this the schedule starts anew and the overrun is counted


@dataclass
class Boxes:
    """The mailboxes between the threads."""

    observations: Latest[Observation]
    frames: Latest[tuple[Frames, Reason]]
    inferences: Latest[Inference]
    intents: deque[Intent]


class Controlling:
    """What the control thread needs to know of the console that holds control."""

    def __init__(self, required: bool) -> None:
        self.required = required
        self._heard_ns = 0
        self._lost = False

    def heard(self, at_ns: int) -> None:
        """The operator's end was there at ``at_ns``; an older proof takes nothing from a newer one."""
        self._heard_ns = max(self._heard_ns, at_ns)

    def lost(self) -> None:
        """The console is gone; the next tick learns of it even if another console has taken its place by then."""
        self._lost = True

    def last_heard(self) -> int:
        """ns at which the controlling console's operator was last proven to be there; 0 = none is, or was none since the last call."""
        if self._lost:
            self._lost = False
            self._heard_ns = 0
            return 0
        return self._heard_ns


class ControlLoop:
    def __init__(
        self,
        *,
        robot: Robot,
        page: StopPage,
        state: arbiter.State,
        operator: Operator,
        boxes: Boxes,
        inference: InferenceLoop,
        controlling: Controlling,
        beats: Heartbeats,
        clock: Clock,
        recorder: Recorder | None,
        watchdog: Callable[[], Reason],
        on_tick: Callable[[Tick], None],
        on_fault: Callable[[str], None],
        decide: Decide = arbiter.step,
    ) -> None:
        self._decide = decide
        self._robot = robot
        self._page = page
        self._state = state
        self._operator = operator
        self._limits = operator.limits
        self._boxes = boxes
        self._inference = inference
        self._controlling = controlling
        self._beats = beats
        self._clock = clock
        self._recorder = recorder
        self._watchdog = watchdog
        self._on_tick = on_tick
        self._on_fault = on_fault
        self._reference: reference.Reference | None = None
        self._posture: Floats | None = None  #: that a jogged joint has left; None = the robot's own
        self._recovery: recovery.Recovery | None = None
        self._recover_requests = 0
        self._retry: retrying.Retry | None = None
        self._retried = False  #: the retry that the arbiter asks for has begun
        self._observation: Observation | None = None
        self._tick = 0  #: of the last tick passed on
        self._counts: StopCounters = page.counts()
        self._latching: StopCounters = page.latching()
        self._engine_fault = False
        self._silent = False  #: the robot did not answer when it was last asked
        self._seen: Inference | None = None
        self._ratio = NAN18
        self._valid = (False,) * 18
        self._was_armed = False
        self._fault_text = ""
        self.last: Tick | None = None
        self.previous: Decision | None = None  #: the decision before ``last``'s
        self.intervals = INTERVALS
        self.started = 0.0  #: monotonic s of the first tick in real time
        self.overruns = 0
        self.spent_ms: deque[float] = deque(maxlen=60_000)  #: lateness of the start + work, by tick
        self.recent_ms: deque[float] = deque(maxlen=1000)  #: the newest of them, for the screen

    def run(self, ending: threading.Event) -> None:
        """Tick on an absolute schedule until ``ending``."""
        if refused := hurry():
            log.info("the control thread runs at ordinary priority: %s", refused)
        sys.setswitchinterval(self.intervals[0])
        due = self.started = time.monotonic()
        while not ending.is_set():
            pause = due - time.monotonic()
            if pause > 0:
                time.sleep(pause)
            sys.setswitchinterval(self.intervals[1])
            self.step()
            sys.setswitchinterval(self.intervals[0])
            spent = (time.monotonic() - due) * 1e3
            self.spent_ms.append(spent)
            self.recent_ms.append(spent)
            due += DT
            if time.monotonic() > due + CATCH_UP * DT:
                self.overruns += 1
                due = time.monotonic()

    def step(self) -> None:
        """One tick. Whatever goes wrong in it stops the robot by its own means and is a fault from then on."""
        try:
            self._step()
        except Exception as error:
            self._engine_fault = True
            self._robot.stop(1)
            self._report(f"control: {type(error).__name__}: {error}")

    def _step(self) -> None:
        now = self._clock.now_ns()
        self._beats.control = now
        observation = self._read(now)
        page = self._read_page()  # after it, so that a robot that does not answer is stopped for in the same tick
        if observation is None:
            return
        inputs = self._gather(now, observation)
        state, decision = self._decide(self._state, inputs)
        command = self._command(now, observation, inputs, decision)
        self._send(command, decision, page)
        self._robot.advance(DT)
        self._state = state  # only with the tick recorded, so that the recorded ticks alone lead to every decision
        self._pass_on(
            Tick(
                inputs,
                decision,
                command,
                observation.saw,
                observation.spring,
                observation.energy,
                self._operator.state(now),
                observation.plant,
            )
        )

    def _read_page(self) -> StopCounters:
        """The stop page's counts. A writer raises the latching slot before the plain one; until the plain one follows, neither counts."""
        counts, latching = self._page.counts(), self._page.latching()
        self._latching = tuple(
            new if now != before else old for now, before, new, old in zip(counts, self._counts, latching, self._latching, strict=True)
        )
        self._counts = counts
        return counts

    def _read(self, now: int) -> Observation | None:
        """The newest observation; when the robot does not answer, the last one, and one stop for as long as that lasts."""
        try:
            self._observation = self._robot.read(now)
            self._boxes.observations.put(self._observation)
            if self._silent:
                self._silent, self._fault_text = False, ""  # should it fall silent again, that is news
        except AdapterError as error:
            self._robot.stop(1)
            if not self._silent:
                self._page.raise_stop(Writer.PLANT)
            self._silent = True
            self._report(str(error))
        return self._observation

    def _gather(self, now: int, observation: Observation) -> Inputs:
        operator = self._operator
        at_rest = math.hypot(*observation.twist[:3]) < self._limits.rest_speed
        armed = self.last is not None and self.last.decision.armed
        for _ in range(len(self._boxes.intents)):  # what comes meanwhile waits for the next tick
            operator.apply(
                self._boxes.intents.popleft(),
                now,
                at_rest=at_rest and not self._going,
                in_kerf=observation.saw.in_kerf,
                armed=armed,
                going=self._going,
                stuck=observation.saw.stuck,
                saw=observation.saw.present,
                gripper=math.isfinite(observation.gripper),
            )
        heard = self._controlling.last_heard()
        if self._controlling.required and heard == 0:
            operator.released()
        operator.tick(now, heard)
        exposure = self._boxes.frames.get()
        inference = self._boxes.inferences.get()
        if inference is not self._seen and inference is not None:
            self._seen = inference
            self._ratio = tuple(inference.ratio.tolist())
            self._valid = tuple(inference.valid.tolist())
        return Inputs(
            tick=self._tick + 1,
            t_ns=now,
            frame_seq=exposure[0].seq if exposure else 0,
            frame_t_ns=exposure[0].exposed_ns if exposure else 0,
            frame_fault=exposure[1] if exposure else Reason.OK,
            model_state=self._inference.state,
            inference_id=inference.id if inference else 0,
            inference_exposed_ns=inference.exposed_ns if inference else 0,
            inference_finite=inference.finite if inference else False,
            members=inference.members if inference else 0,
            signal_ratio=self._ratio,
            signal_valid=self._valid,
            action_magnitude=float(inference.signals[6]) if inference else math.nan,
            ensemble_spread=float(inference.signals[0]) if inference else math.nan,
            arm_request=operator.arm_requests,
            disarm_request=operator.disarm_requests,
            go_request=operator.go_requests,
            pause_request=operator.pause_requests,
            clear_request=operator.clear_requests,
            clear_number=operator.clear_number,
            jogging=bool(operator.jog_axes),
            running=operator.running or not self._limits.hold_to_run,
            mode=operator.mode,
            console_t_ns=heard,
            console_required=self._controlling.required,
            stop_page=self._counts,
            stop_latch=self._latching,
            watchdog=self._watchdog(),
            recorder_fault=self._recorder.fault if self._recorder else Reason.OK,
            engine_fault=self._engine_fault,
            inference_fault=self._inference.fault,
            nominal_known=self._inference.info is None or self._inference.info.nominal,
            **reading(observation),
            **sight(self._inference.info, inference),
            **foreseen(self._inference.info, inference),
        )

    @property
    def _going(self) -> bool:
        return self.last is not None and self.last.decision.going

    def _command(self, now: int, observation: Observation, inputs: Inputs, decision: Decision) -> Command:
        operator = self._operator
        if self._was_armed and not decision.armed:
            operator.revoke()
        elif decision.armed and not self._was_armed and self._posture is not None:
            self._posture = floats(observation.q)  # what it was told before may be far from where it is by now
        self._recover(observation, decision)
        self._try_again(observation, decision)
        aim = self._aim(now, observation, decision)
        self._reference, command = reference.step(
            self._reference,
            inputs,
            decision,
            aim.pose,
            spring=observation.spring,
            saw=observation.saw,
            hand_force=operator.hand_force,
            hand_press=operator.press,
            line_y=operator.line_y,
            log_top=operator.log_top_z,
            dt=DT,
            limits=self._limits,
            posture=aim.posture,
            grip=aim.grip,
        )
        return command

    def _aim(self, now: int, observation: Observation, decision: Decision) -> Aim:
        """What the jog, the freeing of a stuck saw, a retry or the policy wants."""
        if decision.armed and self._operator.jog_axes and self._reference is not None:
            if self._operator.mode == Mode.MOTION:
                return self._played(observation, decision, self._reference)
            return self._jogged(observation, self._reference)
        if decision.going:
            self._posture = None
        if self._recovery is not None:
            return Aim(self._recovery.target)
        if self._retry is not None:
            return Aim(self._retry.target, grip=self._retry.grip)
        policy = self._inference.info
        if decision.going and self._seen is not None and policy is not None:
            return chunk.aim(self._seen, now, policy.action_space, self._robot)
        return Aim(posture=self._posture)

    def _jogged(self, observation: Observation, present: reference.Reference) -> Aim:
        operator, grip = self._operator, math.nan
        for axis in operator.jog_axes:
            if axis in jog.GRIP:
                grip = gripping.nudged(present.grip, observation.gripper, axis == "+grip", DT)
        asked = jog.jogged(
            operator.mode,
            tuple(axis for axis in operator.jog_axes if axis not in jog.GRIP),
            operator.jog_speed,
            pose=present.pose,
            q=observation.q,
            tau=observation.tau,
            posture=self._posture,
            robot=self._robot,
            dt=DT,
            limits=self._limits,
        )
        self._posture = asked.posture
        if asked.edge:
            operator.refused = asked.edge
        return Aim(asked.target, asked.posture, grip)

    def _played(self, observation: Observation, decision: Decision, present: reference.Reference) -> Aim:
        """On along the chosen motion; the gripper from what it is told, so that it keeps what it holds."""
        operator, chosen = self._operator, self._operator.chosen
        told = present.grip.told
        if chosen.motion is not None:
            chosen.play = playing.played(
                chosen.play,
                chosen.motion,
                q=floats(observation.q),
                gripper=told if math.isfinite(told) else observation.gripper,
                tool_at=self._robot.tool_at,
                speed=min(operator.jog_speed, decision.speed_limit),
                dt=DT,
            )
        if chosen.motion is None or chosen.play is None:
            return Aim(posture=self._posture)
        *joints, grip = playing.target(chosen.play, chosen.motion)
        if chosen.play.behind:
            operator.refused = f"Joint {chosen.play.behind} lags behind, so {chosen.motion.name} waits: see what holds up the arm."
        self._posture = tuple(joints)
        return Aim(floats(self._robot.tool_at(self._posture)), self._posture, grip)

    def _recover(self, observation: Observation, decision: Decision) -> None:
        """Begin to free a stuck saw where the operator has asked for it, and follow that through."""
        operator, stuck = self._operator, observation.saw.stuck
        going = decision.going and decision.stop_kind == StopKind.NONE
        if self._recovery is not None:
            self._recovery = recovery.followed(self._recovery, going=going, stuck=stuck, dt=DT)
        elif operator.recover_requests != self._recover_requests and going and stuck and self._reference is not None:
            self._recovery = recovery.begun(floats(observation.pose), self._reference.pose)
        self._recover_requests = operator.recover_requests
        operator.recovering = self._recovery.step if self._recovery is not None else ""

    def _try_again(self, observation: Observation, decision: Decision) -> None:
        """Begin a retry where the arbiter asks for one, follow it through, and give it up where it no longer does."""
        wanted = decision.intervention == Intervention.RETRY and decision.going and decision.stop_kind == StopKind.NONE
        if self._retry is not None:
            self._retry = retrying.followed(self._retry, going=wanted, dt=DT)
        elif wanted and not self._retried and self._reference is not None:
            at, measured = self._reference, floats(observation.pose)
            if math.isfinite(observation.gripper):
                miss = decision.foreseen == FAILURES.index("miss")
                self._retry = retrying.at_gripper(at.pose, at.grip, observation.gripper, miss, DT, self._limits)
            elif observation.saw.present:
                self._retry = retrying.at_saw(measured, at.pose, self._limits)
        self._retried = wanted

    def _send(self, command: Command, decision: Decision, page: StopCounters) -> None:
        """The stop page is read once more right before the command goes out; a stop raised meanwhile is the robot's own to make."""
        begins = decision.armed and not self._was_armed
        self._was_armed = decision.armed
        if self._page.counts() != page:
            self._robot.stop(2)
            return
        if begins:
            self._robot.resume()
        self._robot.command(command)

    def _pass_on(self, tick: Tick) -> None:
        self.previous = self.last.decision if self.last else None
        self.last = tick
        self._tick = tick.inputs.tick
        self._on_tick(tick)
        if self._recorder is not None:
            self._recorder.tick(tick)

    def _report(self, text: str) -> None:
        if text != self._fault_text:
            self._fault_text = text
            self._on_fault(text)
