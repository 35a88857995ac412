"""A stop while a person pulls hard at the other handle: the force on that hand, and where the saw goes, by the way the robot holds.

Every seed is a log and a person of its own, sawing until a moment of its own in the stroke. There the hand begins to insist: a
spring on a place that moves away at the pace of a stroke, as strong as an arm. Shortly after comes the stop, and from the very same
plant on the robot holds in three ways.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from adapters.mujoco.expert import chunk_from
from adapters.mujoco.robot import Cosaw
from engine.bench.figure import Alternative, Figure, Tell, figure
from engine.commissioning import commissioned
from engine.config import Settings
from engine.control import pose as poses
from engine.control import reference as references
from engine.limits import Limits
from engine.loops.control import DT
from engine.loops.gather import reading
from engine.safety import arbiter, stops
from engine.types import F64, NAN18, Command, Decision, Inputs, ModelState, Observation, Writer

SECONDS: Final = 12.0
SEED_TAKES: Final = 1.0  #: s, about
ARM_AT, GO_AT = 120, 130  #: ticks
SAWING_FROM: Final = 800  #: ticks, by then every seed saws
PHASE: Final = 26  #: ticks by which each seed stops later than the one before, a tenth of a stroke
WATCHED: Final = 150  #: ticks after the stop

HAND_STIFFNESS: Final = 600.0  #: N/m
HAND_FORCE: Final = 200.0  #: N, the strongest it gets
HAND_SPEED: Final = 0.3  #: m/s
HAND_BEFORE: Final = 15  #: ticks that it has pulled when the stop comes
HAND_TRAVEL: Final = 0.25  #: m that it goes on after the stop
PEAK_BAR: Final = 140.0  #: N, quasi-static, a hand: ISO/TS 15066, table A.2
REST_BAR: Final = 0.3  #: s

Hold = Callable[[Command, Command], Command]


@dataclass(frozen=True)
class Moment:
    """A running cell between two ticks; ``plant`` (P,) is all of it."""

    plant: F64
    state: arbiter.State
    reference: references.Reference | None
    tick: int
    command: Command | None = None  #: the last one
    decision: Decision | None = None


@dataclass(frozen=True)
class Stopped:
    """What became of one stop."""

    peak: float  #: N, of the force on the hand
    travel: float  #: m, the farthest that the saw went along the stroke
    fastest: float  #: m/s along the stroke, from 0.1 s after the stop on
    rest: float  #: s until first at rest, or dragged by the hand, as the arbiter watches it; the whole time watched if never


def measure(settings: Settings, seconds: float, tell: Tell) -> tuple[Figure, ...]:
    """The worst of as many seeds as fit into ``seconds``, two at least. Raises AdapterError."""
    found: dict[str, list[Stopped]] = {name: [] for name in HOLDS}
    for seed in range(max(2, round(seconds / SEED_TAKES))):
        tell(f"sawing, then a stop under a hard pull: seed {seed}")
        for name, result in stops_of(seed, settings.limits).items():
            found[name].append(result)
    own, firm, loose = (found[name] for name in HOLDS)
    return figures(own, firm, loose)


def figures(own: list[Stopped], firm: list[Stopped], loose: list[Stopped]) -> tuple[Figure, ...]:
    """From the same stops under the three holds."""

    return (
        figure(
            "peak force on a pulling hand through a stop",
            max(one.peak for one in own),
            "N",
            "lower",
            bar=PEAK_BAR,
            against=Alternative("a stiff hold of the last target", max(one.peak for one in firm)),
        ),
        figure("stop to standstill, or to giving way to the hand", max(one.rest for one in own), "s", "lower", bar=REST_BAR),
        figure(
            "how far the saw is then dragged",
            max(one.travel for one in own),
            "m",
            "lower",
            against=Alternative("stiffness to zero at once", max(one.travel for one in loose)),
        ),
        figure(
            "how fast the saw is then dragged",
            max(one.fastest for one in own),
            "m/s",
            "lower",
            against=Alternative("stiffness to zero at once", max(one.fastest for one in loose)),
        ),
    )


def stops_of(seed: int, limits: Limits) -> dict[str, Stopped]:
    """One stop under each of ``HOLDS``, from the same plant on."""
    bench = Bench(seed, limits)
    moment = bench.sawn(SAWING_FROM + PHASE * seed)
    return {name: bench.stopped(moment, hold) for name, hold in HOLDS.items()}


def ours(command: Command, before: Command) -> Command:
    """The hold of ``engine.control``."""
    return command


def stiff(command: Command, before: Command) -> Command:
    """The last target held with all the stiffness there is, as a position controller does."""
    k = (800.0, *before.stiffness_d[1:])
    still = (0.0,) * 6
    return msgspec.structs.replace(before, command_tick=command.command_tick, twist_d=still, stiffness_d=k, force_max=1e3, task_power=0.0)


def limp(command: Command, before: Command) -> Command:
    """No stiffness at all from one tick to the next."""
    still = (0.0,) * 6
    return msgspec.structs.replace(before, command_tick=command.command_tick, twist_d=still, stiffness_d=still, task_power=0.0)


HOLDS: Final[dict[str, Hold]] = {"ours": ours, "stiff": stiff, "limp": limp}


class Bench:
    """The cell under the real arbiter and the real reference, its policy the scripted expert."""

    def __init__(self, seed: int, limits: Limits) -> None:
        self.robot = Cosaw(seed, commissioned(None, None, limits), limits)
        self.robot.connect()
        self.limits = limits
        self.start = arbiter.initial(limits, arbiter.RobotLimits.of(self.robot), self.robot.cell)

    def sawn(self, ticks: int) -> Moment:
        """After so many ticks from rest, the last ``HAND_BEFORE`` of them with the hand pulling hard."""
        moment = Moment(self.robot.plant(), self.start, None, 0)
        for _ in range(ticks - HAND_BEFORE):
            moment, _ = self.tick(moment, 0.0, stop=False)
        start = self.x
        for n in range(HAND_BEFORE):
            moment, _ = self.tick(moment, pull(start + HAND_SPEED * n * DT, self.x), stop=False)
        return replace(moment, plant=self.robot.plant())

    def stopped(self, moment: Moment, hold: Hold) -> Stopped:
        """From ``moment`` on with a stop and the hand going on."""
        self.robot.restore(moment.plant)
        begin, before = self.x, moment.command
        ahead = self.x + (before.hand_force if before is not None else 0.0) / HAND_STIFFNESS
        peak = travel = fastest = 0.0
        rest = WATCHED * DT
        for n in range(WATCHED):
            force = pull(ahead + min(HAND_SPEED * (n + 1) * DT, HAND_TRAVEL), self.x)
            moment, seen = self.tick(moment, force, stop=True, hold=hold, before=before)
            truth = self.robot.truth().cell
            peak = max(peak, math.hypot(truth.hand.fx + force, truth.hand.fy, truth.hand.fz))
            travel = max(travel, abs(self.x - begin))
            if n >= 10:
                fastest = max(fastest, abs(seen.twist[0]))
            if n and rest == WATCHED * DT and (stops.at_rest(seen, True, self.limits) or stops.dragged(seen, True)):
                rest = n * DT
        return Stopped(peak, travel, fastest, rest)

    @property
    def x(self) -> float:
        """m, of the tool."""
        return float(self.robot.tool()[0][0])

    def tick(self, moment: Moment, force: float, *, stop: bool, hold: Hold = ours, before: Command | None = None) -> tuple[Moment, Inputs]:
        """One tick with ``force`` N on the handle besides the person's own."""
        now = 10**9 + moment.tick * 10**7
        seen = self.robot.read(now)
        inputs = nominal(moment.tick, now, seen, stop)
        state, decision = arbiter.step(moment.state, inputs)
        reference, command = references.step(
            moment.reference,
            inputs,
            decision,
            self.target(seen) if decision.going else None,
            spring=seen.spring,
            saw=seen.saw,
            hand_force=0.0,
            hand_press=0.0,
            line_y=0.0,
            log_top=0.55,
            dt=DT,
            limits=self.limits,
        )
        if decision.armed and moment.decision is not None and not moment.decision.armed:
            self.robot.resume()
        if before is not None:
            command = hold(command, before)
        command = msgspec.structs.replace(command, hand_force=force)
        self.robot.command(command)
        self.robot.advance(DT)
        return Moment(moment.plant, state, reference, moment.tick + 1, command, decision), inputs

    def target(self, seen: Observation) -> poses.Floats:
        """(7,) where the expert wants the tool a plan's delay from now."""
        chunk = chunk_from(self.robot.truth(), seen.pose, seen.twist)
        return poses.moved(seen.pose, chunk[2, :6].astype(float))


def pull(target: float, x: float) -> float:
    """N of the insisting hand."""
    return min(HAND_FORCE, max(-HAND_FORCE, HAND_STIFFNESS * (target - x)))


def nominal(tick: int, now: int, seen: Observation, stop: bool) -> Inputs:
    """A tick in which nothing is wrong, and an operator who arms and goes; with ``stop`` the stop key has been pressed."""
    page = [0] * len(Writer)
    page[Writer.CONSOLE] = int(stop)
    return Inputs(
        tick=tick,
        t_ns=now,
        frame_seq=tick + 1,
        frame_t_ns=now,
        frame_fault=0,
        model_state=ModelState.READY,
        inference_id=tick + 1,
        inference_exposed_ns=now,
        inference_finite=True,
        members=1,
        signal_ratio=NAN18,
        signal_valid=(False,) * 18,
        action_magnitude=0.5,
        ensemble_spread=0.0,
        arm_request=int(tick >= ARM_AT),
        disarm_request=0,
        go_request=int(tick >= GO_AT),
        pause_request=0,
        clear_request=0,
        clear_number=0,
        jogging=False,
        console_t_ns=now,
        console_required=False,
        stop_page=tuple(page),
        stop_latch=(0,) * len(Writer),
        watchdog=0,
        recorder_fault=0,
        engine_fault=False,
        **reading(seen),
    )
