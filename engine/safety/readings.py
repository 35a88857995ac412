"""What the arbiter remembers from tick to tick, and what its layers read off a tick's inputs before stops and operator have their say."""

from dataclasses import dataclass, field

from engine.limits import Limits
from engine.safety import (
    contact,
    forecast,
    judging,
    latch,
    limits,
    operator,
    score,
    separation,
    sighting,
    stops,
    uncertainty,
    unconfigured,
    validity,
)
from engine.safety.cell import Cell
from engine.safety.forecast import Watch
from engine.safety.layer import NAN, Layer
from engine.safety.limits import RobotLimits
from engine.safety.separation import Ages, Verdict
from engine.safety.sighting import Sighting
from engine.safety.stops import Stop
from engine.safety.validity import Seen
from engine.types import LAYERS, Inputs, Mode, Reason, Writer

LATCH, VALIDITY, LIMITS, SEPARATION, CONTACT, UNCERTAINTY, FORECAST, VISION = (
    LAYERS.index(name)
    for name in ("latch/watchdog", "validity", "robot limits", "separation", "contact", "uncertainty", "forecast", "vision")
)

_ZEROS = (0,) * len(Writer)


@dataclass(frozen=True, slots=True)
class State:
    """What the arbiter remembers from tick to tick; the start state is neither armed nor going."""

    limits: Limits
    robot: RobotLimits
    cell: Cell
    bearable: contact.Bearable | None  #: what the cell's body table permits the arm on the handle; None where there is none
    seen: Seen = field(default_factory=Seen)
    page: tuple[int, ...] = _ZEROS
    latch: tuple[int, ...] = _ZEROS
    arm_request: int = 0
    disarm_request: int = 0
    go_request: int = 0
    pause_request: int = 0
    clear_request: int = 0
    armed: bool = False
    going: bool = False
    paused: bool = False
    armed_ns: int = 0
    going_ns: int = 0  #: since when going
    stiffness: float = 1.0  #: the ramp's share of the spring; stays where it is when disarmed
    required: tuple[int, ...] = ()  #: signals declared when the operator went
    smooth: float = NAN  #: uncertainty score, low-passed
    uncertain_ns: int = 0  #: since when uncertainty or vision says stop while going; 0 = neither does
    watch: Watch = field(default_factory=Watch)  #: of the failures that are foreseen
    sight: Sighting = field(default_factory=Sighting)  #: of the person's parts, as far as it is believed
    ages: Ages = field(default_factory=Ages)  #: of the person's parts, over the reaction window
    fast_ns: int = 0  #: ns for which the robot has been faster than the separation permits, as its verdict counts them
    moving_ns: int = 0  #: since when the robot moves though nothing lets it and no stop holds; 0 = it stands, or may move
    stood: bool = False  #: unarmed, and at rest when it was last seen
    gap: bool = False  #: the last tick came after a gap in time
    held: score.Held = field(default_factory=score.Held)
    stop: Stop | None = None  #: the one that holds
    last_stop: Stop | None = None
    stop_count: int = 0
    refused: Reason = Reason.OK


@dataclass(frozen=True, slots=True)
class Readings:
    """The layers that look at the world, before stops and operator."""

    condition: Layer
    observation: Layer
    perception: Layer
    validity: Layer  #: the worse of the two before
    limits: Layer
    separation: Verdict
    contact: Layer
    uncertainty: Layer
    forecast: Layer
    vision: Layer
    watch: Watch
    sight: Sighting
    ages: Ages
    raw: float  #: the smaller of uncertainty's and vision's score before smoothing
    smooth: float
    resting: bool

    def of(self, layer: int) -> Layer:
        """The reading of one of the layers that can raise a stop."""
        return {
            LATCH: self.condition,
            VALIDITY: self.validity,
            LIMITS: self.limits,
            SEPARATION: self.separation.layer,
            CONTACT: self.contact,
            UNCERTAINTY: self.uncertainty,
            FORECAST: self.forecast,
            VISION: self.vision,
        }[layer]

    def obstacle(self, bounds: Limits) -> Reason:
        """Why no layer but the operator's would let the robot move; OK if all would."""
        learned = (self.uncertainty, self.forecast, self.vision)
        for layer in (self.condition, self.validity, self.limits, self.separation.layer, self.contact, *learned):
            if blocks(layer, bounds):
                return layer.reason
        return Reason.OK


def _worse(observation: Layer, perception: Layer) -> Layer:
    if observation.reason != Reason.OK:
        return observation
    return perception if perception.reason != Reason.OK or perception.margin < observation.margin else observation


def read(state: State, inputs: Inputs) -> Readings:
    """Every layer's verdict on a tick."""
    observation = validity.observation(inputs, state.seen, state.limits)
    perception = validity.perception(inputs, state.seen, state.required, state.limits)
    moving = state.going and (inputs.t_ns - state.going_ns) / 1e9 >= uncertainty.SETTLE
    raw = judging.raw(inputs, moving, state.limits)
    dt = (inputs.t_ns - state.seen.t_ns) / 1e9 if state.seen.t_ns > 0 else NAN
    ready = inputs.mode == Mode.CUT and uncertainty.judged(inputs)
    smooth = uncertainty.smoothed(state.smooth, raw, dt) if ready else NAN
    robot = limits.layer(inputs, state.limits, state.robot)
    touch = unconfigured.reduced_force() if state.bearable is None else contact.layer(inputs, state.limits, state.cell, state.bearable)
    doubt = judging.doubt(inputs, raw, smooth, moving, state.limits)
    foresees = judging.judges("forecast", state.limits)
    watch = forecast.watched(state.watch, inputs, state.limits, state.going and foresees)
    coming = forecast.layer(inputs, watch, state.limits, going=state.going, judges=foresees)
    seen_raw, seen = judging.sight(inputs, state.limits)
    wanted = _wanted(inputs, state.limits, (robot, touch, doubt, coming, seen))
    sight = sighting.sighted(state.sight, state.seen, inputs, state.limits)
    ages = separation.aged(state.ages, inputs.t_ns, sight.exposed_ns, state.limits)
    return Readings(
        condition=latch.condition(inputs, state.limits),
        observation=observation,
        perception=perception,
        validity=_worse(observation, perception),
        limits=robot,
        separation=separation.assess(inputs, state.seen, sight, ages, wanted, state.fast_ns, state.limits, state.cell),
        contact=touch,
        uncertainty=doubt,
        forecast=coming,
        vision=seen,
        watch=watch,
        sight=sight,
        ages=ages,
        raw=score.least((raw, seen_raw)),
        smooth=smooth,
        resting=stops.at_rest(inputs, observation.reason == Reason.OK, state.limits),
    )


def _wanted(inputs: Inputs, bounds: Limits, others: tuple[Layer, ...]) -> float:
    """m/s that the layers beside separation would permit a robot that goes, or jogs; latch and validity permit all or nothing."""
    speed = min(bounds.speed_max * layer.scale for layer in others)
    return min(speed, operator.JOG_SPEED) if inputs.mode != Mode.CUT else speed


def blocks(layer: Layer, bounds: Limits) -> bool:
    """Whether a layer's score is a stop."""
    return not layer.score >= bounds.stop_below
