"""A decision and inputs to hand to the controller, and a point mass that obeys its commands."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from engine.control import impedance, pose
from engine.control import reference as references
from engine.control.pose import Floats
from engine.limits import Limits
from engine.safety import arbiter, score
from engine.types import Action, Command, Decision, Inputs, ModelState, SawState, Spring, StopCategory, StopKind, Zone

DT = 0.01
HOME = (0.5, 0.0, 0.6, 1.0, 0.0, 0.0, 0.0)
LIMITS = Limits()
FRANKA = arbiter.RobotLimits(position=((-2.9, 2.9),) * 7, velocity=(2.175,) * 7, torque=(87.0,) * 7)
BASE_INPUTS = {
    "tick": 1,
    "t_ns": 10**9,
    "obs_t_ns": 10**9,
    "obs_seq": 1,
    "q": (0.0,) * 7,
    "dq": (0.0,) * 7,
    "tau": (0.0,) * 7,
    "pose": HOME,
    "twist": (0.0,) * 6,
    "wrench": (0.0,) * 6,
    "manipulability": 0.08,
    "frame_seq": 1,
    "frame_t_ns": 10**9,
    "frame_fault": 0,
    "model_state": ModelState.READY,
    "inference_id": 1,
    "inference_exposed_ns": 10**9,
    "inference_finite": True,
    "members": 5,
    "signal_ratio": (0.8,) * 18,
    "signal_valid": (True,) * 18,
    "action_magnitude": 0.5,
    "ensemble_spread": 0.2,
    "arm_request": 0,
    "disarm_request": 0,
    "go_request": 0,
    "pause_request": 0,
    "clear_request": 0,
    "clear_number": 0,
    "jogging": False,
    "console_t_ns": 10**9,
    "console_required": False,
    "stop_page": (0,) * 8,
    "stop_latch": (0,) * 8,
    "watchdog": 0,
    "recorder_fault": 0,
    "engine_fault": False,
}


def inputs(**changed: object) -> Inputs:
    return Inputs(**(BASE_INPUTS | changed))  # type: ignore[arg-type]


def decision(**changed: object) -> Decision:
    """Sawing at full permission, unless changed."""
    _, base = arbiter.step(arbiter.initial(LIMITS, FRANKA), inputs())
    going: dict[str, object] = {
        "armed": True,
        "going": True,
        "action": Action.CONTINUE,
        "speed_limit": 0.25,
        "stiffness": (800.0, 800.0, 600.0, 100.0, 100.0, 100.0),
        "force_limit": 60.0,
        "torque_limit": 8.0,
    }
    fields = {name: getattr(base, name) for name in base.__struct_fields__}
    return Decision(**(fields | going | changed))  # type: ignore[arg-type]


def stopped(category: int = StopCategory.CAT2, **changed: object) -> Decision:
    return decision(
        armed=False, going=False, speed_limit=0.0, stop_category=category, stop_kind=StopKind.PROTECTIVE, stop_number=1, **changed
    )


def saw(zone: int = Zone.AIR, **changed: object) -> SawState:
    """A saw that touches the wood unless it is in the air."""
    fields: dict[str, object] = dict.fromkeys(SawState.__struct_fields__, 0.0)
    known: dict[str, object] = {
        "zone": zone,
        "blade_height": 0.06 if zone == Zone.AIR else -0.001,
        "in_kerf": zone != Zone.AIR,
        "stuck": False,
        "partner_holding": True,
        "stroke_count": 0,
    }
    return SawState(**(fields | known | changed))  # type: ignore[arg-type]


@dataclass
class PointMass:
    """6 kg on the end of the commanded impedance, pulled by ``push`` (3,) N; wood at ``floor`` bears what presses on it.

    ``lets`` is the share of a commanded move of the spring's place that it lets come about, as an energy tank does.
    """

    mass: float = 6.0
    pose: np.ndarray = field(default_factory=lambda: np.array(HOME))
    twist: np.ndarray = field(default_factory=lambda: np.zeros(6))
    push: np.ndarray = field(default_factory=lambda: np.zeros(3))
    floor: float = -np.inf
    lets: float = 1.0
    effect: Spring = field(init=False)
    inertia: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.inertia = np.diag([self.mass] * 3 + [0.1] * 3)
        self.effect = Spring(
            pose_d=tuple(self.pose.tolist()),
            stiffness=score.SOFTEST,
            damping=(70.0,) * 3 + (3.0,) * 3,
            force_max=60.0,
            torque_max=8.0,
        )

    def spring(self, command: Command) -> np.ndarray:
        """(6,) the spring's part alone."""
        still = np.zeros(6)
        return impedance.wrench(
            self.pose, still, command.pose_d, still, command.stiffness_d, np.zeros((6, 6)), command.force_max, command.torque_max
        )

    def obey(self, command: Command, dt: float = DT, step: float = 0.002) -> None:
        designed = impedance.damping(self.inertia, np.array(command.stiffness_d), 1.0)
        damping = impedance.yielding(designed) if command.hold else designed
        move = pose.error(command.pose_d, self.effect.pose_d)
        self.effect = Spring(
            pose_d=command.pose_d if self.lets == 1.0 else pose.moved(self.effect.pose_d, tuple(self.lets * v for v in move)),
            stiffness=command.stiffness_d,
            damping=tuple(np.diag(damping).tolist()),
            force_max=command.force_max,
            torque_max=command.torque_max,
        )
        for _ in range(round(dt / step)):
            tool = impedance.wrench(
                self.pose, self.twist, self.effect.pose_d, np.array(command.twist_d), command.stiffness_d, damping, command.force_max, 8.0
            )
            force = tool[:3] + self.push
            if self.pose[2] < self.floor:
                force[2] += 20_000.0 * (self.floor - self.pose[2]) - 200.0 * self.twist[2]
            self.twist[:3] += force / self.mass * step
            self.pose[:3] += self.twist[:3] * step


@dataclass
class Rig:
    """The controller and its point mass, tick by tick."""

    plant: PointMass = field(default_factory=PointMass)
    reference: references.Reference | None = None
    commands: list[Command] = field(default_factory=list)
    springs: list[np.ndarray] = field(default_factory=list)

    def step(self, now: Decision, target: Floats | None = None, **more: object) -> Command:
        tick = inputs(tick=len(self.commands), pose=tuple(self.plant.pose.tolist()), twist=tuple(self.plant.twist.tolist()))
        call: dict[str, object] = {
            "hand_force": 0.0,
            "hand_press": 0.0,
            "line_y": 0.0,
            "log_top": 0.55,
            "dt": DT,
            "limits": LIMITS,
            "spring": self.plant.effect,
            "saw": saw(),
        }
        self.reference, command = references.step(self.reference, tick, now, target, **(call | more))  # type: ignore[arg-type]
        self.springs.append(self.plant.spring(command))
        self.commands.append(command)
        self.plant.obey(command)
        return command

    def run(self, ticks: int, now: Decision, target: Floats | None = None, **more: object) -> Command:
        for _ in range(ticks):
            command = self.step(now, target, **more)
        return command


@dataclass(frozen=True)
class Material:
    inputs: Callable[..., Inputs]
    decision: Callable[..., Decision]
    stopped: Callable[..., Decision]
    saw: Callable[..., SawState]
    rig: Callable[..., Rig]
    plant: Callable[..., PointMass]
    limits: Limits
    home: Floats
    dt: float


@pytest.fixture(scope="session")
def make() -> Material:
    return Material(inputs, decision, stopped, saw, Rig, PointMass, LIMITS, HOME, DT)
