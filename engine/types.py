"""The frozen structs that flow through the program, with units; everything else imports these and nothing here imports back.

Frames and signs: base frame of the robot, x along the stroke towards the partner, y across (along the log), z up.
A pose is (x, y, z, qw, qx, qy, qz) in m; a twist and a wrench are (linear, angular) in base axes. SI units throughout.
Times ``t_ns`` are nanoseconds of the engine's clock, taken when the engine *received* the value. 0 means "never".
"""

from enum import IntEnum
from typing import Annotated, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
U8 = NDArray[np.uint8]


def _vector(n: int) -> msgspec.Meta:
    return msgspec.Meta(min_length=n, max_length=n)


Vec6 = Annotated[tuple[float, ...], _vector(6)]
Vec7 = Annotated[tuple[float, ...], _vector(7)]
Vec3 = Annotated[tuple[float, ...], _vector(3)]
Joints = Annotated[tuple[float, ...], msgspec.Meta(min_length=1, max_length=7)]  #: one number a joint of the arm, a gripper not among them
LinkPoints = Annotated[tuple[float, ...], _vector(12)]
PartPlaces = Annotated[tuple[float, ...], _vector(36)]
PartTimes = Annotated[tuple[int, ...], _vector(6)]
Layers = Annotated[tuple[float, ...], _vector(9)]
LayerCodes = Annotated[tuple[int, ...], _vector(9)]
Signals = Annotated[tuple[float, ...], _vector(18)]
SignalFlags = Annotated[tuple[bool, ...], _vector(18)]
Alarms = Annotated[tuple[float, ...], _vector(4)]
Risks = Annotated[tuple[float, ...], _vector(16)]
StopCounters = Annotated[tuple[int, ...], _vector(8)]

NAN18 = (float("nan"),) * 18
NAN36 = (float("nan"),) * 36
NAN4 = (float("nan"),) * 4

SIGNALS: tuple[str, ...] = (
    "epistemic",
    "aleatoric",
    "flow disagreement",
    "member variance",
    "overlap",
    "entropy",
    "magnitude",
    "jerk",
    "reversal",
    "divergence",
    "epistemic trend",
    "epistemic peak",
    "latent drift",
    "distance from training",
    "sensitivity mean",
    "sensitivity max",
    "execution mismatch",
    "joint-limit margin",
)

#: how the work can fail, as a forecast tells them apart; timeout is a stall of progress, not the clock
FAILURES: tuple[str, ...] = ("collision", "drop", "miss", "timeout")
HORIZONS = (6, 10, 13, 16)  #: forecast steps of FORECAST_STEP_S, up to which a forecast says how likely each failure is
FORECAST_STEP_S = 0.1

LAYERS: tuple[str, ...] = (
    "latch/watchdog",
    "validity",
    "robot limits",
    "separation",
    "contact",
    "uncertainty",
    "forecast",
    "vision",
    "operator",
)


#: what a sensor follows of a person, each a capsule; the last two are the arm on the handle, which contact answers for
PARTS: tuple[str, ...] = ("head", "torso", "free upper arm", "free hand", "handle upper arm", "handle hand")

#: points along the arm, a capsule between each two
LINKS: tuple[str, ...] = ("shoulder", "elbow", "wrist", "flange")


class Writer(IntEnum):
    """Who may raise the stop page; each owns one counter slot, so that no write can undo another."""

    CONSOLE = 0
    SIGNAL = 1
    WATCHDOG = 2
    OBSERVER = 3
    SHELL = 4
    ENGINE = 5
    PLANT = 6
    SPARE = 7


class StopCategory(IntEnum):
    """IEC 60204-1 stop categories; NONE while running."""

    NONE = -1
    CAT0 = 0
    CAT1 = 1
    CAT2 = 2


class StopKind(IntEnum):
    NONE = 0
    PROTECTIVE = 1  #: clears when its cause is gone; the operator re-arms
    LATCHED = 2  #: cleared by number, then armed


class Action(IntEnum):
    STOP = 0
    SLOW = 1
    CONTINUE = 2


class Intervention(IntEnum):
    """What is done about a failure that is foreseen, the graver the greater."""

    NONE = 0
    SLOW = 1
    RETRY = 2  #: open, retreat, and let the policy approach again
    ASK = 3  #: pause until the operator answers: go on, jog, or disarm
    STOP = 4  #: a protective stop


class ModelState(IntEnum):
    NONE = 0
    LOADING = 1
    READY = 2
    FAILED = 3


class Mode(IntEnum):
    """What the arrows and the jog keys act on; changed only at rest."""

    CUT = 0
    JOG_XYZ = 1  #: along the base's axes
    JOG_SAW = 2  #: along the saw's own
    JOG_JOINT = 3  #: one joint, and the saw with it
    MOTION = 4  #: a pose or a macro of the robot's, by name


class Zone(IntEnum):
    """What the blade is in."""

    NONE = -1  #: there is no saw
    AIR = 0
    SOFT = 1
    KNOT = 2
    CRACKED = 3


class Reason(IntEnum):
    """Why a layer says what it says. The screen's sentence for each is in ``engine.safety.reasons``."""

    OK = 0
    NOT_CONFIGURED = 1
    # latch and watchdog
    STOP_KEY = 10
    STOP_POWER_OFF = 11
    STOP_SIGNAL = 12
    STOP_SHELL = 13
    STOP_OBSERVER = 14
    WATCHDOG_CONTROL = 15
    WATCHDOG_CAMERA = 16
    WATCHDOG_INFERENCE = 17
    WATCHDOG_RECORDER = 18
    CONSOLE_LOST = 19
    ENGINE_FAULT = 20
    RECORDER_FULL = 21
    RECORDER_FAILED = 22
    PLANT_TIMEOUT = 23
    LATCHED = 24
    NOT_AT_REST = 25
    WATCHDOG_SERVER = 26
    WATCHDOG_SELF = 27
    # validity
    OBSERVATION_NONE = 30
    OBSERVATION_STALE = 31
    OBSERVATION_NOT_FINITE = 32
    OBSERVATION_REORDERED = 33
    CLOCK_STEPPED = 34
    CAMERA_NONE = 35
    CAMERA_STALE = 36
    CAMERA_FROZEN = 37
    CAMERA_DARK = 38
    CAMERA_WRONG = 39
    MODEL_NONE = 40
    MODEL_LOADING = 41
    MODEL_FAILED = 42
    CHUNK_STALE = 43
    CHUNK_NOT_FINITE = 44
    SIGNAL_MISSING = 45
    CHUNK_WRONG = 46
    CAMERA_SYNTHETIC = 47
    # robot limits
    JOINT_POSITION = 50
    JOINT_VELOCITY = 51
    JOINT_TORQUE = 52
    WORKSPACE = 53
    SINGULARITY = 54
    TOOL_SPEED = 55
    TILT = 56
    # uncertainty
    UNCERTAIN = 60
    FEW_MEMBERS = 61
    NO_NOMINAL = 62
    # operator
    NOT_ARMED = 70
    NOT_GOING = 71
    PAUSED = 72
    RAMPING = 73
    LET_GO = 74
    # separation
    SEPARATION = 80
    PERSON_NONE = 81
    PERSON_STALE = 82
    PERSON_NOT_FINITE = 83
    PERSON_REORDERED = 84
    NOT_SENSED = 85
    # contact
    GRIP_FORCE = 90
    CONTACT_SPEED = 91
    CRUSH = 92
    GRIP_NOT_FINITE = 93
    # separation, further
    PERSON_JUMPED = 94
    # vision
    VISION_HAND = 100
    VISION_PERSON = 101
    VISION_STUCK = 102
    VISION_MISSING = 103
    VISION_STALE = 104
    VISION_DISABLED = 105
    # forecast
    FORECAST = 110
    FORECAST_MISSING = 111
    FORECAST_STALE = 112
    FORECAST_UNPROVEN = 113
    ASKING = 114
    # what the robot itself says is wrong with it
    SERVO_FAULT = 120
    SERVO_OVERLOAD = 121
    SERVO_HOT = 122
    SERVO_VOLTAGE = 123
    SERVO_CURRENT = 124
    SERVO_ANGLE = 125
    OBSTRUCTED = 126


class SawState(msgspec.Struct, frozen=True, kw_only=True):
    """What the cell's process sensors report of the saw, the wood and the partner."""

    kerf_depth: float  #: m
    cut_line_y: float  #: m, where the projected line lies on the log
    log_top_z: float  #: m
    blade_y: float  #: m
    blade_height: float  #: m, lowest tooth above the kerf's bottom or the log's top; <= 0 in contact
    zone: int  #: Zone; NONE where the robot has no saw, and then every figure is NaN or 0
    in_kerf: bool
    stuck: bool
    press_force: float  #: N, blade on wood, >= 0
    cut_force: float  #: N, wood's resistance along x
    partner_force: float  #: N, partner on the saw along x, + pulls away from the robot
    partner_press: float  #: N, partner on the saw along -z
    partner_holding: bool
    phase_error: float  #: rad, robot's stroke phase less the partner's
    stroke_count: int
    stroke_depth: float  #: m, gained in the last full stroke
    robot_work: float  #: J, of the last full stroke
    partner_work: float  #: J, of the last full stroke
    handle_gap: float  #: m, partner's handle to the cradle
    free_hand_distance: float  #: m, truth; shown as "sim" only, no layer reads it

    @property
    def present(self) -> bool:
        """Whether the robot has a saw."""
        return self.zone != Zone.NONE


_NAN = float("nan")

#: what a robot without a saw reads
NO_SAW = SawState(
    kerf_depth=_NAN,
    cut_line_y=_NAN,
    log_top_z=_NAN,
    blade_y=_NAN,
    blade_height=_NAN,
    zone=Zone.NONE,
    in_kerf=False,
    stuck=False,
    press_force=_NAN,
    cut_force=_NAN,
    partner_force=_NAN,
    partner_press=_NAN,
    partner_holding=False,
    phase_error=_NAN,
    stroke_count=0,
    stroke_depth=_NAN,
    robot_work=_NAN,
    partner_work=_NAN,
    handle_gap=_NAN,
    free_hand_distance=_NAN,
)


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """What a sensor says of the person, never what a simulator knows. A part it does not see keeps its last place and grows old."""

    seq: int
    t_ns: int  #: received
    exposed_ns: tuple[int, ...]  #: (6,) when each of PARTS was last seen; 0 = never
    place: F64  #: (6, 2, 3) m, the two ends of each part's axis
    speed: F64  #: (6,) m/s, of the faster end; NaN where it is not measured


class Spring(msgspec.Struct, frozen=True, kw_only=True):
    """The virtual spring and damper in effect, as the energy tank has let the commanded one come about."""

    pose_d: Vec7
    stiffness: Vec6  #: N/m, N m/rad
    damping: Vec6  #: N s/m, N m s/rad, diagonal of the designed matrix
    force_max: float  #: N
    torque_max: float  #: N m
    target: Joints = (float("nan"),) * 7  #: rad, joint angles that position servos were last told; NaN where there are none
    volts: Vec6 = (float("nan"),) * 6  #: V, that such servos measure, the gripper's last; NaN where there are none
    celsius: Vec6 = (float("nan"),) * 6  #: their temperatures
    supply: float = float("nan")  #: V, that they are to be fed
    trip: float = float("nan")  #: s, that the newest question to all of them took until its answers were there


class Energy(msgspec.Struct, frozen=True, kw_only=True):
    """The impedance controller's account, J, summed since the robot was connected (tank and stored: as they stand).

    It closes: change of ``tank + stored`` = partner + grant - wood - damping, but for what a sampled simulation cannot see.
    """

    tank: float
    share: float  #: 0..1, the least share of a wanted change that the tank has let through in this tick
    partner: float  #: work of the person on the saw
    grant: float  #: let into the tank for the task
    wood: float  #: work of the saw on the wood
    damping: float  #: turned to heat by damping, friction and brakes, less what of it refilled the tank
    stored: float  #: in spring, motion and height
    paid: float  #: from the tank into the spring
    refill: float  #: from damping into the tank

    @property
    def present(self) -> bool:
        """Whether the robot keeps such an account."""
        return self.tank == self.tank


#: the account of a robot that keeps none: its drives follow positions
NO_ENERGY = Energy(tank=_NAN, share=_NAN, partner=_NAN, grant=_NAN, wood=_NAN, damping=_NAN, stored=_NAN, paid=_NAN, refill=_NAN)


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """One reading of the robot. Arrays are owned by the observation and never written again."""

    t_ns: int
    seq: int
    q: F64  #: (n,) rad, the arm's joints
    dq: F64  #: (n,) rad/s
    tau: F64  #: (n,) N m, applied
    pose: F64  #: (7,) tool frame
    twist: F64  #: (6,)
    wrench: F64  #: (6,) external, on the tool
    manipulability: float  #: sqrt(det(J J^T)), Yoshikawa 1985
    saw: SawState
    plant: F64  #: (P,) the plant's full state, enough to simulate on from this tick; (0,) where there is none
    links: F64  #: (4, 3) m, LINKS
    grip: F64  #: (3,) N, the person's hand on the far handle, base axes, by the handle's own sensor; NaN where there is none
    holds: bool  #: the person's hand is on the handle, by the same sensor
    person: Person | None  #: None where no sensor follows the person
    spring: Spring
    energy: Energy
    gripper: float = float("nan")  #: 0 open .. 1 closed, as measured; NaN where there is none
    fault: int = Reason.OK  #: what the robot itself says is wrong: SERVO_FAULT .. OBSTRUCTED
    fault_part: int = 0  #: the servo or joint that it is of, counted from 1; 0 = none in particular


class Frames(msgspec.Struct, frozen=True, kw_only=True):
    """One exposure of every camera: ``images[name]`` is uint8 RGB (H, W, 3)."""

    seq: int
    t_ns: int  #: received
    exposed_ns: int
    observation: Observation  #: the robot's reading at the exposure: policies get pictures and state of one moment
    images: dict[str, U8]


class Inference(msgspec.Struct, frozen=True, kw_only=True):
    """One fresh pass of the whole ensemble over one exposure."""

    id: int
    exposed_ns: int
    start_ns: int
    end_ns: int  #: received by the engine
    base_pose: F64  #: (7,) the pose the chunk is relative to
    chunks: F32  #: (E, B, H, A): members, noise samples, horizon, action in the policy's action space
    step_s: float  #: s between the chunk's actions; action i is due at exposed_ns + (i + 1) * step_s
    signals: F64  #: (18,)
    valid: NDArray[np.bool_]  #: (18,)
    signal_ns: NDArray[np.int64]  #: (18,) exposure that each signal was last computed from; 0 = never
    ratio: F64  #: (18,) signal / its nominal 95 % value; NaN where there is none
    quantile: F64  #: (18,) share of nominal inferences at or below this value; NaN where there is none
    heads: dict[str, float]  #: what the prefix heads read off the pictures, by name
    stage_ms: dict[str, float]  #: latency by stage: render, prepare, model, signals
    members: int
    finite: bool
    forecast: F64 = msgspec.field(default_factory=lambda: np.full((4, 4), np.nan))  #: (4, 4) probability of FAILURES by each of HORIZONS
    forecast_alarm: F64 = msgspec.field(default_factory=lambda: np.full(4, np.nan))  #: (4,) as ``Inputs.forecast_alarm``
    #: (18,) by how much less likely the likeliest failure would be if this signal had lately been nominal
    forecast_because: F64 = msgspec.field(default_factory=lambda: np.full(18, np.nan))


class PolicyInfo(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    action_space: str  #: "cartesian_delta"
    members: int
    parameters_m: float
    device: str
    hash: str
    placeholder: bool
    path: str  #: "shared prefix" or "member by member"
    fallback: str = ""  #: why this one stands in for the policy that was asked for; "" where it does not
    vision: int = 0  #: as ``Inputs.vision_state``
    nominal: bool = True  #: as ``Inputs.nominal_known``
    forecast: int = 0  #: as ``Inputs.forecast_state``
    forecast_note: str = ""  #: why no forecast is configured, or why it is unproven; "" where there is nothing to say


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """Everything ``arbiter.step`` reads in a tick, and nothing it does not. Recorded whole, so every decision can be recomputed."""

    tick: int
    t_ns: int
    # robot
    obs_t_ns: int
    obs_seq: int
    q: Joints
    dq: Joints
    tau: Joints
    pose: Vec7
    twist: Vec6
    wrench: Vec6
    manipulability: float
    # pictures
    frame_seq: int
    frame_t_ns: int  #: exposure
    frame_fault: int  #: Reason.OK, CAMERA_FROZEN, CAMERA_DARK or CAMERA_WRONG, as found by the camera thread
    # policy
    model_state: int
    inference_id: int
    inference_exposed_ns: int
    inference_finite: bool
    members: int
    signal_ratio: Signals
    signal_valid: SignalFlags
    action_magnitude: float  #: signal 7: norm of the six motion components in training spreads, root mean square over the mean chunk
    ensemble_spread: float  #: signal 1, epistemic: spread between the members' means in training spreads, not a ratio or quantile
    # operator
    arm_request: int  #: counts arm intents
    disarm_request: int
    go_request: int
    pause_request: int
    clear_request: int  #: counts clear intents
    clear_number: int  #: the stop it names
    jogging: bool  #: a jog grant is valid now
    console_t_ns: int  #: last byte from the controlling console; 0 = none attached
    console_required: bool
    # stops and threads
    stop_page: StopCounters
    stop_latch: StopCounters  #: the same, counting only the latching requests
    watchdog: int  #: Reason of the slowest thread past its limit, or OK
    recorder_fault: int  #: Reason.OK, RECORDER_FULL or RECORDER_FAILED
    engine_fault: bool
    mode: int = Mode.CUT  #: Mode; pictures and policy bind in CUT, jogging moves in the others only
    # the person
    links: LinkPoints = (float("nan"),) * 12  #: m, LINKS
    grip: Vec3 = (float("nan"),) * 3  #: N
    holds: bool = False
    person_seq: int = 0  #: 0 = no reading yet, or no sensor
    person_t_ns: int = 0
    person_exposed_ns: PartTimes = (0,) * 6
    person_place: PartPlaces = NAN36  #: m, two ends of each of PARTS
    person_speed: Vec6 = (float("nan"),) * 6  #: m/s
    nominal_known: bool = True  #: the policy came with what its signals are in nominal work
    inference_fault: int = Reason.OK  #: Reason.OK, or CHUNK_WRONG as found where the policy's answer arrives
    gripper: float = float("nan")  #: 0 open .. 1 closed; NaN where there is none
    # what the policy's heads see in the pictures alone; ``engine.safety.vision`` says how the scores come about
    vision_state: int = 0  #: 0 not configured, 1 in force, 2 disabled by its calibration
    vision_t_ns: int = 0  #: exposure that the others stem from; 0 = none yet
    vision_raw: float = float("nan")  #: [0.1, 1], score of that exposure alone
    vision_smooth: float = float("nan")  #: [0.1, 1], score smoothed over the exposures before it
    vision_hand: float = float("nan")  #: m, that the free hand surely is away from the blade; of raw and smoothed the smaller
    vision_human: float = float("nan")  #: probability that a person is seen, the smaller
    vision_stuck: float = float("nan")  #: probability that the saw is stuck, the greater
    # how the work is likely to fail; ``engine.safety.forecast`` says what is done about it
    forecast_state: int = 0  #: 0 not configured, 1 in force, 2 unproven: shown, and nothing is done about it
    forecast_ns: int = 0  #: exposure of the inference that the forecast was made at; 0 = none yet
    forecast_alarm: Alarms = NAN4  #: of each of FAILURES, its probability over the threshold its calibration set; from 1 on it is an alarm
    running: bool = True  #: the hold-to-run key is held, or the limits ask for none
    robot_fault: int = Reason.OK  #: as ``Observation.fault``
    robot_fault_part: int = 0


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What the robot may do this tick, and which layer says so."""

    score: float  #: [0.1, 1]
    score_raw: float
    #: a published rule, 0.85^[spread>0.3] clip(1 - 0.8 clip(|a|/2)), on ``action_magnitude`` and ``ensemble_spread``; recorded beside
    #: ours, drives nothing. Its 2 and 0.3 were set for another policy's action units, so only its course within a run compares
    score_published: float
    action: int  #: Action
    binding: int  #: index into LAYERS
    layer_score: Layers
    layer_scale: Layers
    layer_force: Layers  #: N, upper limit by layer; +inf where it sets none
    layer_reason: LayerCodes
    layer_margin: Layers  #: in the reason's own unit; NaN where it has none
    layer_age: Layers  #: s, oldest input; NaN where it reads none
    impedance_xy: float  #: normalised
    impedance_z: float
    force: float
    stiffness: Vec6  #: N/m, N m/rad, permitted upper limit
    force_limit: float  #: N
    torque_limit: float  #: N m
    speed_scale: float
    speed_limit: float  #: m/s, of the tool
    armed: bool
    going: bool
    ramp: float  #: 0..1 after arming
    stop_category: int
    stop_kind: int
    stop_number: int  #: of the stop that holds now; 0 = none
    stop_count: int
    stop_reason: int  #: Reason that raised it; after it has cleared, of the last one
    stop_layer: int
    stop_margin: float = float("nan")  #: its layer's margin and age at that moment
    stop_age: float = float("nan")
    refused: int = 0  #: Reason why the last arm, go or clear did nothing; OK if it did
    separation: float = float("nan")  #: m, from the part of the person that limits most to the nearest moving part of the robot
    separation_needed: float = float("nan")  #: m, for the speed that the other layers permit
    separation_part: int = -1  #: index into PARTS; -1 = none
    reaction: float = float("nan")  #: s, T_r in force for that part
    intervention: int = Intervention.NONE  #: what is being done about a failure that is foreseen
    foreseen: int = -1  #: index into FAILURES of that failure; -1 = none
    asking: bool = False  #: it waits for the operator's answer


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """What goes to the robot: an impedance command that it executes at its own rate, and what the cell's drives shall do."""

    command_tick: int
    pose_d: Vec7
    twist_d: Vec6
    stiffness_d: Vec6
    force_max: float  #: N
    torque_max: float  #: N m
    hold: bool  #: stopping or at rest: the stroke axis yields where somebody holds the tool's other end, the rest holds
    brakes: bool  #: category 0 or 1 done: power off on the brakes
    hand_force: float  #: N, keyboard partner along x (simulated robots only)
    hand_press: float  #: N, keyboard partner along -z
    line_y_d: float  #: m, where the cut line shall be projected
    log_top_d: float  #: m, where the cradle shall hold the log
    task_power: float = 0.0  #: W, granted to the energy tank in this tick
    posture: Joints = (float("nan"),) * 7  #: rad, joint angles to keep where the tool leaves a choice; NaN = the robot's own
    gripper_d: float = float("nan")  #: 0 open .. 1 closed; NaN = there is none


class OperatorState(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator has asked for, as the engine understands it; numbers, not wishes: grants have run out or not."""

    mode: int
    key_mode: str  #: "HOLD", "REPEAT" or "STEP"
    grant_left: float  #: s
    grant_axis: str  #: "" | "pull" | "push" | "press" | "+x" ... "-z" | "+j1" ... "-j7" | "level" | "+grip" | "-grip" | "play" | "run"
    hand_force_set: float  #: N, push-pull force of K and J
    hand_force: float
    hand_press: float
    cut_line_y: float
    log_top_z: float
    jog_step: float  #: m, of the saw's fastest point
    jog_speed: float  #: m/s, of the same
    recovering: str  #: "" or the step of freeing a stuck saw: "lighten", "reverse", "resume"
    refused: str  #: why the last key did nothing; "" if it did
    motion: str = ""  #: chosen to be played, by name; "" = the robot has none
    motion_number: int = 0  #: of it, from 1
    motion_count: int = 0  #: of the robot's motions
    motion_step: int = 0  #: under way or done last, from 1; 0 = not begun
    motion_steps: int = 0
    motion_share: float = 0.0  #: 0..1 of the way to that step
    clearance: str = ""  #: what is to be confirmed before the motion is played; "" = nothing
    clearance_left: float = 0.0  #: s in which it may be begun, as confirmed


class Tick(NamedTuple):
    """All that one tick of the control loop leaves behind, for the recorder and the screens."""

    inputs: Inputs
    decision: Decision
    command: Command
    saw: SawState
    spring: Spring
    energy: Energy
    operator: OperatorState
    plant: F64  #: (P,)


class InferenceBrief(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    age: float  #: s since exposure
    latency_ms: float
    rate_hz: float
    signals: Signals
    valid: SignalFlags
    quantile: Signals
    signal_age: Signals  #: s since the exposure that each was last computed from; NaN = never
    heads: dict[str, float]
    stage_ms: dict[str, float]
    forecast: Risks = (float("nan"),) * 16  #: as ``Inference.forecast``, row by row
    forecast_alarm: Alarms = NAN4
    forecast_because: Signals = NAN18
    due: float = float("nan")  #: actions of its chunk that are due by now; above ``horizon`` it has run out
    horizon: int = 0  #: actions of its chunk

    @property
    def confidence(self) -> float:
        """Of the target: the share of nominal inferences in which the members disagreed more; NaN where it is not known."""
        return 1.0 - self.quantile[SIGNALS.index("epistemic")]


class RecorderState(msgspec.Struct, frozen=True, kw_only=True):
    on: bool
    session: str  #: path
    seconds: float
    megabytes: float
    queued: int
    committed_ticks: int
    fault: str


class Event(msgspec.Struct, frozen=True, kw_only=True):
    seq: int
    tick: int
    t_ns: int
    wall: float  #: s since the epoch
    kind: str  #: such as "stop", "arm", "go", "refused", "score", "fault", "hazard", "forecast", "motion", "system"
    text: str


class RunInfo(msgspec.Struct, frozen=True, kw_only=True):
    run: str
    robot: str
    task: str
    instruction: str
    policy: PolicyInfo | None
    model_state: int
    model_note: str  #: progress while loading, or why it failed
    simulated: bool
    controller: str  #: console that holds control; "" if none
    offered: bool = False  #: its holder hands it to whoever takes it
    badges: tuple[str, ...] = ()  #: what sets this run apart from one with everything real, in capitals
    pushed: bool = False  #: keys pull and push it, though it has no saw


class LoopStats(msgspec.Struct, frozen=True, kw_only=True):
    tick_hz: float
    late_p99_ms: float
    late_max_ms: float
    real_time_factor: float
    camera_fps: float
    overruns: int


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """All a screen may show of one tick; live and in replay alike."""

    wall: float
    inputs: Inputs
    decision: Decision
    command: Command
    saw: SawState
    spring: Spring
    energy: Energy
    operator: OperatorState
    inference: InferenceBrief | None
    recorder: RecorderState
    run: RunInfo
    loop: LoopStats
    events: tuple[Event, ...]  #: newest last, at most 50
    frame_age: float  #: s; NaN if there is no picture
