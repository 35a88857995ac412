"""Stiffness, force and touch on servos that hold positions: APPROXIMATE, all of it. Pure.

A servo's P coefficient makes it a softer spring in its joint, not at the tool and not in one direction; its torque limit counts the share
of the voltage that drives the motor, gear friction and all; and load and following error tell of a touch only beyond friction, weight and
lag. So nothing here may stand for a measured force or a rated limit.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from adapters.mujoco.tabletop import servos
from engine.control.pose import Floats
from engine.safety import score

FULL: Final = 16  #: P coefficient at the stiffest, LeRobot's usual one, and with it ``servos.KP``
LEAST: Final = 6  #: at the softest: an arm that is fed its own weight still stands, and 0 would let it fall
GAIN_STEP: Final = 2  #: most that the coefficient changes in one write
EVERY_NS: Final = 200_000_000  #: between two writes
CARRIES: Final = 1.5  #: times its modelled weight that a joint may always bear
LEAST_TORQUE: Final = 0.3  #: share of the stall torque below which no joint is limited
TORQUE_STEP: Final = 0.05  #: share, limits are rounded up to whole ones

LAG_S: Final = 0.04  #: time constant with which a servo at FULL follows its goal under no load
DAMPING: Final = 0.6  #: N m s/rad, of a servo's gears, as its model has it
QUANTILE: Final = 0.99  #: of the following error of free motion, that the baseline is
LEARNING: Final = 5e-5  #: rad, by which one error moves it: a push that grows by more than 0.015 rad/s never becomes usual
BEGIN: Final = 0.02  #: rad, the baseline before anything was learned
FACTOR: Final = 3.0  #: times its baseline that a joint lags when it has hit something
BETWEEN: Final = (0.06, 0.14)  #: rad, bounds of what that comes to; the second holds until ENOUGH was learned
ENOUGH: Final = 200  #: errors of free motion
LASTS: Final = 4  #: readings in a row that a hit must show in
TOUCH: Final = 0.5  #: N m, from outside, that a joint feels beyond friction


def gain(stiffness: float) -> int:
    """P coefficient for a stiffness that the score permits in the plane, N/m: FULL at ``score.XY_MAX``, never below LEAST. Approximate."""
    share = min(stiffness / score.XY_MAX, 1.0)  # in this order NaN stays NaN
    return max(LEAST, round(FULL * share)) if share > 0.0 else LEAST


def torques(force: float, weight: Sequence[float], lever: Sequence[float]) -> Floats:
    """(n,) shares of the stall torque that the joints may use for ``force`` N at the tool. Approximate.

    ``weight`` (n,) N m carries the arm, ``lever`` (n,) m is how far the tool goes for each rad of a joint.
    """
    wanted = ((CARRIES * abs(w) + max(0.0, force) * arm) / servos.TORQUE for w, arm in zip(weight, lever, strict=True))
    return tuple(
        min(1.0, max(LEAST_TORQUE, -(-share // TORQUE_STEP) * TORQUE_STEP)) if share == share else LEAST_TORQUE for share in wanted
    )


@dataclass(frozen=True, slots=True)
class Softness:
    """What the servos were told last."""

    gain: int = FULL
    torque: Floats = (1.0,) * 5
    t_ns: int = 0


def softened(before: Softness, gain: int, torque: Floats, t_ns: int) -> Softness:
    """What they shall be told at ``t_ns``; ``before`` itself where there is nothing to write, or it is too early to."""
    if t_ns - before.t_ns < EVERY_NS or (gain, torque) == (before.gain, before.torque):
        return before
    step = min(GAIN_STEP, max(-GAIN_STEP, gain - before.gain))
    return Softness(before.gain + step, torque, t_ns)


def outer(tau: Sequence[float], weight: Sequence[float], dq: Sequence[float]) -> Floats:
    """(n,) N m from outside on each joint: what its servo exerts less what weight and gears take of it. Approximate."""
    return tuple(w + DAMPING * v - t for t, w, v in zip(tau, weight, dq, strict=True))


@dataclass(frozen=True, slots=True)
class Watch:
    """Following errors, by joint: what is usual while nothing is touched, and for how long each has been beyond that."""

    usual: Floats = (BEGIN,) * 5  #: rad, QUANTILE of the errors of free motion
    learned: int = 0  #: errors
    beyond: tuple[int, ...] = (0,) * 5  #: readings in a row

    @property
    def most(self) -> Floats:
        """(n,) rad, an error beyond which is a hit."""
        low, high = BETWEEN
        if self.learned < ENOUGH:
            return (high,) * len(self.usual)
        return tuple(min(high, max(low, FACTOR * usual)) for usual in self.usual)

    @property
    def hit(self) -> int:
        """The first joint that has hit something; -1 = none."""
        return next((joint for joint, lasted in enumerate(self.beyond) if lasted >= LASTS), -1)


def expected(before: Sequence[float], goal: Sequence[float], gain: int, dt: float) -> Floats:
    """(n,) rad where joints that touch nothing are ``dt`` s later: a first-order lag behind their goals, the longer the softer."""
    share = -math.expm1(-dt * gain / (FULL * LAG_S))
    return tuple(at + share * (to - at) for at, to in zip(before, goal, strict=True))


def watched(watch: Watch, error: Sequence[float], outer: Sequence[float], moves: bool) -> Watch:
    """The watch after one more reading: ``error`` (n,) rad off where the joints were ``expected``, ``outer`` (n,) N m.

    It learns only while the arm moves and no joint feels a touch, so that nobody's hand teaches it to be pushed.
    """
    sizes = tuple(map(abs, error))
    beyond = tuple(lasted + 1 if size > most else 0 for size, most, lasted in zip(sizes, watch.most, watch.beyond, strict=True))
    if not moves or any(beyond) or not all(abs(torque) < TOUCH for torque in outer):
        return replace(watch, beyond=beyond)
    usual = tuple(
        max(0.0, level + LEARNING * (QUANTILE if size > level else QUANTILE - 1.0)) for level, size in zip(watch.usual, sizes, strict=True)
    )
    return Watch(usual, watch.learned + 1, beyond)
