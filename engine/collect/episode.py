"""One episode of a collection: the real engine in lock-step on a simulated robot, with pictures and inferences made elsewhere."""

from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from adapters.base import CameraRig, Disturbed, Happening
from adapters.mujoco import veil
from engine import host
from engine.clock import SimulatedClock
from engine.collect.board import Board
from engine.collect.operator import Counts, Operator
from engine.collect.plan import SEEN, CollectError, Outcome, Plan, Told
from engine.config import Settings
from engine.engine import LOCKSTEP_EXPOSE_EVERY, LOCKSTEP_EXPOSURE, LOCKSTEP_LATENCY, Engine
from engine.loops.control import DT
from engine.loops.foresight import Foresight
from engine.loops.inference import Policy
from engine.policy import courses
from engine.policy.scripted import Scripted
from engine.policy.telling import Asked, Measures, Said, Teller
from engine.session.recorder import Recorder
from engine.session.schema import header
from engine.signals import perturbation
from engine.stop import StopPage
from engine.types import F32, Frames, Inference, Observation, PolicyInfo, Reason

AFTER = 1.0  #: s that an episode goes on after its success or its first failure
START = 5.0  #: s after its time for the go, within which the robot must have gone


@dataclass(frozen=True)
class Shared:
    """What all episodes of a run have in common; handed to every worker."""

    operator: Callable[[Engine, Plan], Operator]
    foresight: Callable[[PolicyInfo], Foresight]  #: as an engine's
    device: str  #: where the policy runs
    store: Path | None  #: folder of the sessions
    info: PolicyInfo | None  #: of the policy; None where each episode brings its own
    measures: Measures | None  #: of its answers


def settings_of(plan: Plan, device: str, store: Path | None) -> Settings:
    """The settings that an episode is played with. Raises ValueError."""
    settings = Settings(
        robot=plan.robot,
        task=plan.task,
        seed=plan.seed,
        policy=plan.policy,
        device=device,
        record=store is not None,
        limits={"judged_by": plan.judged_by, **plan.limits},
        camera={"record": plan.images, **SEEN["camera"]},
        ensemble=SEEN["ensemble"],
    )
    return settings if store is None else settings.model_copy(update={"store": store})


class Film:
    """Cameras whose pictures are drawn elsewhere: they are in what ``capture`` gave once ``develop`` was called."""

    def __init__(self, rig: CameraRig, robot: Any, pose: Callable[[Any], F32], board: Board, place: int) -> None:
        self._rig, self._robot, self._pose, self._board, self._place = rig, robot, pose, board, place
        self.names = rig.names
        self.exposed: Frames | None = None

    def open(self) -> None: ...

    def capture(self, observation: Observation, seq: int, t_ns: int) -> Frames:
        board, place, robot = self._board, self._place, self._robot
        board["pose"][place] = self._pose(observation.plant[None])[0]
        board["veil"][place] = robot.veil() if isinstance(robot, Disturbed) else veil.clear(len(self.names))
        shape = board["pictures"].shape[2:]
        images = {name: np.empty(shape, np.uint8) for name in self.names}
        self.exposed = Frames(seq=seq, t_ns=t_ns, exposed_ns=observation.t_ns, observation=observation, images=images)
        return self.exposed

    def develop(self) -> None:
        """The pictures are on the board."""
        assert self.exposed is not None
        for picture, drawn in zip(self.exposed.images.values(), self._board["pictures"][self._place], strict=True):
            picture[:] = drawn

    def geometry(self) -> Mapping[str, Any]:
        return self._rig.geometry()

    def close(self) -> None: ...


class Relay:
    """A policy that is asked elsewhere: an inference is made of what the board says by then."""

    def __init__(self, info: PolicyInfo, measures: Measures, board: Board, place: int) -> None:
        self.info = info
        self._teller = Teller(measures)
        self._board, self._place = board, place
        self.count = 0
        self.told: dict[str, float] = {}  #: by the heads, of the newest exposure

    def warm_up(self, progress: Callable[[str], None], instruction: str | None = None) -> None: ...

    def infer(self, frames: Frames, instruction: str, id: int, previous: Inference | None, now_ns: Callable[[], int]) -> Inference:
        assert id == self.count + 1
        now, first, self.count = now_ns(), id == 1, id

        def heads(anew: bool) -> dict[str, float]:
            assert anew == first  # as the heads were told when they were asked
            return self.told

        return self._teller.inference(self._said(id), frames, instruction, id, previous, (now, now), now_ns, heads)

    def _said(self, id: int) -> Said:
        board, place = self._board, self._place
        (shown,) = perturbation.turn(1, id)
        perturbed = {shown: board["perturbed"][place, 0].copy()}
        return Said(board["chunks"][place].copy(), board["velocity"][place].copy(), board["features"][place].copy(), perturbed)


class Episode:
    """A plan being played at a place of the board, a round at a time. Raises AdapterError, SessionError, OSError."""

    def __init__(self, plan: Plan, shared: Shared, board: Board, place: int, page: Path) -> None:
        settings = settings_of(plan, shared.device, shared.store)
        robot, rig = host.open_robot(settings)
        robot.connect()
        self._happened: Callable[[], list[Happening]] = list
        self._delay: Callable[[], float] = lambda: 0.0
        self._oracle: Callable[[], F32] | None = None
        if isinstance(robot, Disturbed):
            if plan.disturbed:
                robot.disturb(plan.seed)
            self._happened, self._delay, self._oracle = robot.happened, robot.delay, robot.oracle
        self._board, self._place, self._instruction = board, place, settings.instruction
        course = courses.course(plan.robot)
        self._state = course.mapping.state_of if shared.measures is None else shared.measures.mapping.state_of
        self._film = Film(rig, robot, course.pose, board, place)
        self._policy: Policy = (
            Scripted(plan.robot, plan.task)
            if shared.info is None or shared.measures is None
            else Relay(shared.info, shared.measures, board, place)
        )
        self._page = StopPage(page, create=True)
        clock = SimulatedClock()
        self._recorder = (
            None
            if shared.store is None
            else Recorder(shared.store, header(settings, robot, self._film, plan.name), clock=clock, at_close=True)
        )
        self._engine = Engine(
            settings,
            run="collect",
            robot=robot,
            rig=self._film,
            load_policy=lambda progress: self._policy,
            page=self._page,
            recorder=self._recorder,
            console_required=False,
            clock=clock,
            foresight=shared.foresight,
        )
        self._plan = plan
        self._counts = Counts()
        self._began_ns = clock.now_ns()
        self._go_s: float | None = None
        self._until_s = plan.go_s + START
        self._success_s: float | None = None
        self._failures: list[Told] = []
        self._disturbances: list[Told] = []
        self._free_at = -1  #: tick at which the inference under way is there
        self._next = 0  #: tick
        self._engine.prepare_lockstep()
        self._operator = shared.operator(self._engine, plan)
        self._ticks = self._engine.ticking(_at_once, self._operator, self._latency)
        self._advance(LOCKSTEP_EXPOSURE)

    # --- rounds ---

    def asked(self) -> Asked:
        """What its newest exposure needs; pose, veil and state are on the board."""
        exposed = self._film.exposed
        assert exposed is not None
        self._board["state"][self._place] = self._state(exposed.observation)
        id = self._policy.count + 1 if isinstance(self._policy, Relay) else 0
        return Asked(self._place, self._instruction, id, exposed.exposed_ns, id == 1, id > 0 and self._next >= self._free_at)

    def round(self, told: dict[str, float]) -> Outcome | None:
        """Go on to where the next exposure's pictures come, with what was asked for on the board; its outcome when it is over."""
        self._film.develop()
        if isinstance(self._policy, Relay):
            self._policy.told = told
        return self._advance(LOCKSTEP_EXPOSE_EVERY)

    def _advance(self, ticks: int) -> Outcome | None:
        for _ in range(ticks):
            if self._next == self._free_at and self._recorder is not None and self._oracle is not None:
                self._recorder.truth(self._engine.clock.now_ns(), self._oracle())
            self._next = next(self._ticks) + 1
            self._look()
            over = self._over()
            if over:
                return self._end(over)
        return None

    def _latency(self, tick: int) -> int:
        latency = LOCKSTEP_LATENCY + round(self._delay() / DT)
        self._free_at = tick + latency
        return latency

    # --- what comes of it ---

    @property
    def _now_s(self) -> float:
        return (self._engine.clock.now_ns() - self._began_ns) * 1e-9

    def _look(self) -> None:
        now, engine = round(self._now_s, 3), self._engine
        last = engine.control.last
        if last is not None:
            if last.decision.going and self._go_s is None:
                self._go_s = now
                self._until_s = now + self._plan.limit_s
            self._counts.look(last.decision.intervention, last.decision.asking)
        for kind, what, text in self._happened():
            engine.note(kind, f"{what}: {text}" if what else text)
            if kind == "success":
                self._success_s = now
            elif kind == "failure":
                self._failures.append(Told(what, now, text))
            else:
                self._disturbances.append(Told(what, now, text))

    def _over(self) -> str:
        """Why the episode is over; "" while it is not."""
        now, plan = self._now_s, self._plan
        if self._success_s is not None and now >= self._success_s + AFTER:
            return "success"
        if self._failures and not plan.on_to_the_end and now >= self._failures[0].t_s + AFTER:
            return f"failure: {self._failures[0].what}"
        if self._operator.over:
            return "ended by the operator"
        if self._engine.failure:
            return self._engine.failure
        return "time is up" if now >= self._until_s else ""

    def _end(self, reason: str) -> Outcome:
        engine, plan = self._engine, self._plan
        error = engine.failure
        if self._go_s is None and not error:
            error = f"the robot was never let go: {engine.binding_sentence()}"
        told = self._operator.told()
        self.close(reason)
        last = engine.control.last
        return Outcome(
            plan=plan,
            session="" if self._recorder is None else self._recorder.path.name,
            policy_hash=self._policy.info.hash,
            go_s=self._go_s,
            success_s=self._success_s,
            failures=self._failures,
            disturbances=self._disturbances,
            end_s=round(self._now_s, 3),
            ticks=last.inputs.tick if last else 0,
            inferences=len(engine.inference.latencies_ms),
            stops=dict(Counter(stop.reason for stop in engine.stops)),
            interventions=self._counts.interventions,
            asks=self._counts.asks,
            bytes=0 if self._recorder is None else self._recorder.bytes,
            told=told,
            error=error,
        )

    def close(self, reason: str) -> None:
        """End and commit. Raises CollectError where the session could not be written whole."""
        self._engine.close(reason)
        self._page.close()
        if self._recorder is not None and self._recorder.fault != Reason.OK:
            raise CollectError(f"The sessions cannot be written ({self._recorder.fault_text}): make room, and go on with --resume.")


def _at_once(work: Callable[..., Any], *arguments: Any) -> "Future[Any]":
    """An executor's ``submit`` without a thread."""
    found: Future[Any] = Future()
    found.set_result(work(*arguments))
    return found
