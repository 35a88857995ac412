"""Plays one scene of a study: the real engine in lock-step on the simulated cell, with the scripted operator, hazards and troubles."""

import math
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from adapters.mujoco import hazards
from adapters.mujoco.harm import harm, placed
from adapters.mujoco.hazards import Hazard
from adapters.mujoco.robot import Cosaw
from engine import host
from engine.attendant import Attendant
from engine.clock import SimulatedClock
from engine.config import Settings
from engine.engine import LOCKSTEP_LATENCY, Engine
from engine.faults.parts import FaultyRobot, LentPolicy, LentRig, pictures, standing_still
from engine.loops.control import DT, Decide
from engine.messages import Disarm, Pause
from engine.safety.limits import RobotLimits
from engine.safety.readings import State
from engine.stop import StopPage
from engine.study import effects, gains, trouble
from engine.study.blindfold import blindfolded
from engine.study.harms import Watch
from engine.study.plan import Outcome, Plan
from engine.study.trouble import BAD_AFTER, Kind, Trouble
from engine.types import Decision, Inputs, Reason, Writer


class Lent:
    """Cameras and policy, made ready once and lent to every scene that a process plays."""

    def __init__(self, plan: Plan) -> None:
        """Raises AdapterError, PolicyError."""
        settings = _settings(plan)
        robot, self.rig = host.open_robot(settings)
        self.rig.open()
        self.policy = host.policy_loader(settings, robot, self.rig)(lambda text: None)
        self.policy.warm_up(lambda text: None, settings.instruction)


_lent: dict[tuple[str, str, int], Lent] = {}


def lent(plan: Plan) -> Lent:
    """What this process has for such plans; made on the first call. Raises AdapterError, PolicyError."""
    key = (plan.policy, plan.device, plan.pixels)
    if key not in _lent:
        _lent[key] = Lent(plan)
    return _lent[key]


def play(plan: Plan, lent: Lent, dangers: Sequence[Hazard] | None = None) -> Outcome:
    """What came of a plan, with the hazards its seed draws or with ``dangers``. Raises AdapterError, PolicyError, OSError."""
    with tempfile.TemporaryDirectory(prefix="saw-") as folder, StopPage(Path(folder) / "stop", create=True) as page:
        scene = _Scene(plan, lent, page, _dangers(plan) if dangers is None else dangers)
        scene.run()
        return scene.outcome()


def _dangers(plan: Plan) -> Sequence[Hazard]:
    """The hazards that a seed draws; beside troubles only the person's first, or the robot would stand for most of the scene."""
    drawn = hazards.draw(plan.seed)
    return [one for one in drawn if one.kind < hazards.Kind.SENSOR_DROPS][:1] if plan.study == "ablation" else drawn


def _settings(plan: Plan) -> Settings:
    settings = Settings(seed=plan.seed, policy=plan.policy, device=plan.device, record=False)
    camera = settings.camera.model_copy(update={"pixels": plan.pixels})
    return settings.model_copy(update={"camera": camera, "limits": gains.limits_of(plan.gains, settings.limits)})


class _Scene:
    def __init__(self, plan: Plan, lent: Lent, page: StopPage, dangers: Sequence[Hazard]) -> None:
        settings = _settings(plan)
        self._plan = plan
        self._page = page
        self._dangers = dangers
        self._troubles = trouble.draw(plan.seed, plan.seconds) if plan.study == "ablation" else ()
        robot, _ = host.open_robot(settings)
        assert isinstance(robot, Cosaw)
        self._cell = robot
        self._robot = FaultyRobot(robot)
        self._rig = LentRig(lent.rig)
        self._policy = LentPolicy(lent.policy)
        self._engine = Engine(
            settings,
            run="study",
            robot=self._robot,
            rig=self._rig,
            load_policy=lambda progress: self._policy,
            page=page,
            recorder=None,
            console_required=False,
            clock=SimulatedClock(),
            decide=self._late(blindfolded(plan.without, gains.chosen(plan.gains))),
        )
        self._attendant = Attendant(self._engine)
        self._watch = Watch(settings.limits, RobotLimits.of(robot), DT)
        self._now = 0.0  #: s
        self._under_way: dict[Kind, Trouble] = {}
        self._halted_by = "operator"
        self._least, self._separation, self._gap, self._peak, self._contact = math.inf, math.inf, math.inf, 0.0, 0.0
        self._scores: list[float] = []

    def run(self) -> None:
        """Raises AdapterError and what the policy raises."""
        self._engine.prepare_lockstep()
        self._before_now = placed(self._cell)
        self._cell.endanger(self._dangers)
        self._engine.lockstep(round(self._plan.seconds / DT), script=self._before, latency=self._latency)
        self._look()

    def _before(self, tick: int) -> None:
        """Look at what the last tick left, then let the operator act and trouble begin and end."""
        self._look()
        if gains.without_tank(self._plan.gains):
            self._cell.truth().cell.control.account.tank = gains.ENDLESS  # never runs dry
        self._now = tick * DT
        for one in self._troubles:
            if one.at <= self._now < one.at + DT:
                self._begin(one)
        for one in [one for one in self._under_way.values() if self._now >= one.ends]:
            self._end(one)
        self._attendant(tick)

    # --- trouble ---

    def _begin(self, one: Trouble) -> None:
        match one.kind:
            case Kind.STOP_REQUESTED:
                self._page.raise_stop(Writer.SHELL)
                self._halt("stop")
                return
            case Kind.PAUSED | Kind.DISARMED:
                self._engine.post(Pause() if one.kind == Kind.PAUSED else Disarm())
                self._halt("operator")
                return
            case Kind.READINGS_OLD:
                self._robot.change = effects.repeated()
            case Kind.READINGS_NAN:
                self._robot.change = effects.without_numbers
            case Kind.PICTURES_BLACK:
                self._rig.change = pictures(np.zeros_like)
            case Kind.PICTURES_OLD:
                self._rig.change = standing_still
            case Kind.CAMERA_KNOCKED:
                self._rig.change = pictures(effects.knocked(one.shift))
            case Kind.CAMERA_GLARED:
                self._rig.change = pictures(effects.glared)
            case Kind.MODEL_STRAYS:
                self._policy.change = effects.straying(one.away)
        self._under_way[one.kind] = one

    def _end(self, one: Trouble) -> None:
        del self._under_way[one.kind]
        self._robot.change = self._rig.change = self._policy.change = None

    def _halt(self, by: str) -> None:
        self._halted_by = by
        self._attendant.authorised = False

    def _latency(self, tick: int) -> int:
        hang = self._under_way.get(Kind.MODEL_HANGS)
        return LOCKSTEP_LATENCY if hang is None else max(LOCKSTEP_LATENCY, round((hang.ends - tick * DT) / DT))

    def _late(self, decide: Decide) -> Decide:
        """A late thread is what the watchdog tells the arbiter; in lock-step no thread can be late by itself."""

        def step(state: State, inputs: Inputs) -> tuple[State, Decision]:
            if Kind.THREAD_LATE in self._under_way:
                inputs = msgspec.structs.replace(inputs, watchdog=Reason.WATCHDOG_RECORDER)
            return decide(state, inputs)

        return step

    # --- what came of it ---

    def _look(self) -> None:
        last = self._engine.control.last
        if last is None:
            return
        if self._attendant.authorised:
            self._halted_by = ""
        elif not self._halted_by:
            self._halted_by = "arbiter"  # which answers for itself until the operator lets the robot go again
        found = harm(self._cell, self._before_now)
        self._before_now = placed(self._cell)
        touching = found.speed if found.contact else 0.0
        self._contact = max(self._contact, touching)
        self._least, self._gap = min(self._least, found.distance), min(self._gap, last.saw.handle_gap)
        if math.isfinite(last.decision.separation):
            self._separation = min(self._separation, last.decision.separation)
        force = math.hypot(*last.inputs.grip)
        self._peak = max(self._peak, force) if math.isfinite(force) else self._peak
        if last.decision.going:
            self._scores.append(last.decision.score)
        self._watch.look(
            last,
            contact_speed=touching,
            halted_by=self._halted_by,
            late=Kind.THREAD_LATE in self._under_way,
            bad_data=any(self._now >= one.at + BAD_AFTER.get(one.kind, math.inf) for one in self._under_way.values()),
        )

    def outcome(self) -> Outcome:
        last = self._engine.control.last
        return Outcome(
            plan=self._plan,
            scene=tuple([f"{one.kind.name.lower()} at {one.at:.1f} s" for one in self._dangers] + [str(one) for one in self._troubles]),
            harms=dict(self._watch.counts),
            grip_peak_n=round(self._peak, 2),
            distance_least_m=round(self._least, 4) if math.isfinite(self._least) else None,
            separation_least_m=round(self._separation, 4) if math.isfinite(self._separation) else None,
            gap_least_m=round(self._gap, 4) if math.isfinite(self._gap) else None,
            contact_speed=round(self._contact, 4),
            stops=dict(Counter(stop.reason for stop in self._engine.stops)),
            depth_mm=round(1e3 * last.saw.kerf_depth, 3) if last else 0.0,
            going_s=round(len(self._scores) * DT, 2),
            score_mean=round(float(np.mean(self._scores)), 3) if self._scores else None,
            error=self._engine.failure,
        )
