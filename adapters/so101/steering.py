"""From the engine's commands to the servos' goals, one period of the bus at a time: follow, or hold.

Joint targets come by damped least squares from the tool's wanted pose, as the simulated arm has them. The arm's own weight is fed forward,
as its model has it: a servo is a spring, and would sag.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from adapters.mujoco.tabletop import servos
from adapters.mujoco.tabletop.kinematics import Kinematics
from adapters.mujoco.tabletop.so101 import SO101
from adapters.so101 import compliance
from adapters.so101.compliance import Softness, Watch
from adapters.so101.figure import Figure
from adapters.so101.following import PERIOD, Bounds, Motion, Sample, aligned, follow
from adapters.so101.motors import JOINTS, Reading
from engine.control.pose import Floats, floats
from engine.types import Command

SILENCE_NS: Final = 50_000_000  #: without a command, then the arm holds by itself
ALIGNED_NS: Final = 3_000_000  #: that goals are behind the commands' own times: about what a command is old when it is written
ACCELERATION: Final = 30.0  #: rad/s^2
STEP: Final = 0.03  #: rad
TRAVEL: Final = servos.JAW_OPEN - servos.JAW_CLOSED  #: rad, of the jaw
STILL: Final = 0.05  #: rad/s, a slower joint stands
STANDS_AFTER: Final = 30  #: periods of holding, after which the arm holds where it is, still or not
LEAST: Final = 0.95  #: of LeRobot's own limit on the way ahead, that goals keep to, so that it need not cut them

NOWHERE: Final = (math.nan,) * 6


@dataclass(frozen=True, slots=True)
class Told:
    """A command and the engine's time when it was given."""

    t_ns: int
    command: Command


def bounds(ranges: Sequence[tuple[float, float]]) -> Bounds:
    """Of the five joints, calibrated for ``ranges`` rad, and of the gripper's closedness: as fast as the jaw's own servo turns."""
    both = [(max(a, low), min(b, high)) for (a, b), (low, high) in zip(SO101.joint_limits, ranges, strict=True)]
    return Bounds(
        low=(*(low for low, _ in both), 0.0),
        high=(*(high for _, high in both), 1.0),
        speed=(*(servos.SPEED,) * 5, servos.SPEED / TRAVEL),
        acceleration=(*(ACCELERATION,) * 5, ACCELERATION / TRAVEL),
        step=(*(STEP,) * 5, STEP / TRAVEL),
    )


class Steering:
    """Where the six goals go. For one thread.

    ``ranges`` (5, 2) rad that the servos are calibrated for; ``ahead`` rad that a goal may be from where its joint is, beyond which
    LeRobot's own check cuts it off: of the gripper its degrees count as hundredths of the way.
    """

    def __init__(self, ranges: Sequence[tuple[float, float]], ahead: float) -> None:
        self._kinematics = Kinematics(SO101, keeps=True)
        self._bounds = bounds(ranges)
        self._ahead = np.array([min(servos.AHEAD, LEAST * ahead)] * 5 + [LEAST * math.degrees(ahead) / 100.0])
        self.motion = Motion.still(NOWHERE)  #: goals (6,): joints with their weight, rad, and closedness
        self.target: Floats = NOWHERE[:5]  #: rad, joints as wanted
        self.unloaded: Floats = NOWHERE[:5]  #: rad, of the goals what does not carry the arm's weight
        self.holding = True  #: by itself
        self.softness = Softness()
        self.watch = Watch()
        self.hit_text = ""  #: what the last hit was, as far as following errors tell
        self._told: Told | None = None
        self._before = self._after = Sample(0, NOWHERE)
        self._held = 0  #: periods
        self._expected: Floats = ()

    def begin(self, reading: Reading, goals: Floats) -> None:
        """Hold where the arm is, from ``goals`` (6,) that its servos hold now.

        A goal that is farther off than goals ever go was never held: torque that is switched on without one holds where the servo stands.
        """
        here = (*reading.q, reading.gripper)
        held = (to if abs(to - at) <= most else at for at, to, most in zip(here, goals, floats(self._ahead), strict=True))
        self.motion = Motion.still(tuple(held))
        self.stand(reading)

    def stand(self, reading: Reading) -> None:
        """Hold at the measured joints with no error, the gripper as it was told; nothing is gone on with."""
        self.hold()
        self.target, self._held = reading.q, STANDS_AFTER
        self._expected, self.watch = reading.q, Watch(self.watch.usual, self.watch.learned)

    def hold(self) -> None:
        """Brake, and then stand where the arm has come to rest."""
        if not self.holding:
            self._held, self.target = 0, NOWHERE[:5]
        self.holding = True

    @property
    def hit(self) -> int:
        """The joint, from 0, that has hit something; -1 = none."""
        return self.watch.hit

    @property
    def _moves(self) -> bool:
        """The goals are under way; a weight that is felt a little differently from reading to reading is none."""
        return max(map(abs, self.motion.speed[:5])) >= STILL

    def step(self, reading: Reading, figure: Figure, told: Told | None, t_ns: int) -> None:
        """One period; ``told`` is the newest command, None while the arm is stopped."""
        if told is None or t_ns - told.t_ns > SILENCE_NS or told.command.brakes or not all(map(math.isfinite, told.command.pose_d)):
            self.hold()
        elif told is not self._told:
            self._take(told, reading)
            self._soften(told.command, figure, t_ns)
        self._told = told
        wanted = self._wanted(reading, t_ns)
        spring = servos.KP * self.softness.gain / compliance.FULL
        sag = tuple(weight / spring for weight in figure.weight)
        loaded = np.array([*(at + more for at, more in zip(wanted[:5], sag, strict=True)), wanted[5]])
        here = np.array([*reading.q, reading.gripper])
        goal = floats(np.clip(loaded, here - self._ahead, here + self._ahead))
        self.motion = follow(self.motion, goal, self._bounds)
        self._look_out(reading, figure, sag)

    def cut(self, goals: Floats) -> None:
        """Go on from ``goals`` (6,), which LeRobot's own check has left of them."""
        self.motion = Motion.still(goals)

    def _wanted(self, reading: Reading, t_ns: int) -> Floats:
        """(6,) targets now; NaN brakes."""
        if not self.holding:
            wanted = aligned(self._before, self._after, t_ns - ALIGNED_NS)
            self.target = wanted[:5]
            return wanted
        self._held += 1
        stands = not any(self.motion.speed[:5]) and max(map(abs, reading.dq)) < STILL
        if math.isnan(self.target[0]) and (stands or self._held >= STANDS_AFTER):
            self.target = reading.q
        return (*self.target, math.nan)

    def _take(self, told: Told, reading: Reading) -> None:
        """The newest command's joint targets, from those before it."""
        here, command = np.array(reading.q), told.command
        if self.holding:
            at = self.target if math.isfinite(self.target[0]) else reading.q
            self.holding, self._after = False, Sample(told.t_ns, (*at, math.nan))
        base = np.array(self._after.at[:5])
        passed = min(3.0 * PERIOD, max(PERIOD, (told.t_ns - self._after.t_ns) / 1e9))
        if len(command.posture) == 5 and all(map(math.isfinite, command.posture)):
            base = np.clip(np.array(command.posture), here - servos.AHEAD, here + servos.AHEAD)
        change = self._kinematics.step(base, command.pose_d)
        base = base + change * min(1.0, servos.SPEED * passed / max(1e-9, float(np.abs(change).max())))
        base = np.clip(base, here - servos.AHEAD, here + servos.AHEAD)
        self._before, self._after = self._after, Sample(told.t_ns, (*floats(base), command.gripper_d))

    def _soften(self, command: Command, figure: Figure, t_ns: int) -> None:
        torque = compliance.torques(command.force_max, figure.weight, figure.levers)
        self.softness = compliance.softened(self.softness, compliance.gain(command.stiffness_d[0]), torque, t_ns)

    def _look_out(self, reading: Reading, figure: Figure, sag: Floats) -> None:
        """Compare where the joints are with where they should be by now."""
        tau = [servos.TORQUE * load for load in reading.load[:5]]
        outer = compliance.outer(tau, figure.weight, reading.dq)
        error = [at - to for at, to in zip(reading.q, self._expected, strict=True)]
        self.watch = compliance.watched(self.watch, error, outer, self._moves)
        if self.hit >= 0:
            off, most = math.degrees(abs(error[self.hit])), math.degrees(self.watch.most[self.hit])
            self.hit_text = (
                f"{JOINTS[self.hit]} is {off:.1f}° off where it should be by now, {most:.1f}° at most in free motion: it is held up"
            )
        self.unloaded = tuple(at - more for at, more in zip(self.motion.at[:5], sag, strict=True))
        self._expected = compliance.expected(self._expected, self.unloaded, self.softness.gain, PERIOD)
