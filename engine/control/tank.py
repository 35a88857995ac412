"""The energy tank: a change of the virtual spring that raises its energy must be paid for, so that stiffening never drives a person.

Plain floats throughout: it runs 500 times a second beside other threads. All functions are pure.

The spring's potential is that of the saturated one, V(e; K, F) = max over |f| <= F of f.e - f.K^-1 f / 2, once for the shift and
once for the turn. As a maximum of such terms it never falls when a stiffness, a limit or the size of one axis's stretch rises.

A change to another spring (pose, stiffness, limits) is therefore taken apart axis by axis. What goes down (a stiffness, a limit, a
stretch on its way to zero) is done in full and earns nothing. What remains only rises, together, by one share s in [0, 1]: V(s)
never falls in s, so the greatest share within the budget is well defined, and the one returned has been evaluated: its cost is
V(s) - V(after what went down) <= min(T - T_min, P_max dt), and never less than max(0, V(s) - V(before)).

The tank is refilled, at the share eta, from what the drives' damping has really taken out of the motion, less what the held
spring itself makes in a step of constant force: f.dx + V(after) - V(before), between 0 and dx.K dx / 2. Where damping takes less
than that, the tank pays the difference. So while the tank is not overdrawn, and for any motion whatever,

    energy out of the port, sum of (f_spring + f_damping).dx  <=  V_0 + T_0 + granted.

The recipe follows the tank of Ferraguti, Secchi & Fantuzzi (ICRA 2013), with the saturated spring's potential in place of e.K e / 2.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from engine.control.impedance import saturated
from engine.control.pose import Floats, error, from_rotation_vector, normalised, product
from engine.limits import Limits
from engine.safety.layer import unit

REST: Final = (0.0,) * 6
FITS: Final = 1.0 - 1e-3  #: of the share that a parabola predicts, so that rounding does not put it over the budget
WELL_SPENT: Final = 0.9  #: of the budget: a share that costs this much is good enough
HALVINGS: Final = 6  #: where the parabola does not fit: the share is then found to 1/64


@dataclass(frozen=True, slots=True)
class Spring:
    """A virtual spring, as commanded or as in effect."""

    pose: Floats = (0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0)  #: (7,) where it is at rest
    stiffness: Floats = REST  #: (6,) N/m, N m/rad
    force: float = 0.0  #: N, its limit
    torque: float = 0.0  #: N m


class Change(NamedTuple):
    """What has come of a wanted change."""

    spring: Spring  #: in effect from now on
    stretch: Floats  #: (6,) m, rad, of that spring
    stored: float  #: J, in that spring
    share: float  #: 0..1, of what raises the energy
    cost: float  #: J, to be paid from the tank, >= 0
    shed: float  #: J, lost by what went down, >= 0
    sound: bool  #: False: something was not finite or no spring at all; nothing has changed, and the robot must stop


def potential(stretch: Floats, stiffness: Floats, force: float, torque: float) -> float:
    """J, stored in a spring of stiffness (6,) at a stretch (6,), its force limited to ``force`` N and ``torque`` N m."""
    a, b, c, d, e, f = stretch
    ka, kb, kc, kd, ke, kf = stiffness
    return _third(a, b, c, ka, kb, kc, force) + _third(d, e, f, kd, ke, kf, torque)


def _third(a: float, b: float, c: float, ka: float, kb: float, kc: float, limit: float) -> float:
    """J, of three axes under one limit."""
    p, q, r = ka * a, kb * b, kc * c
    if p * p + q * q + r * r <= limit * limit:
        return 0.5 * (p * a + q * b + r * c)
    p, q, r = saturated((ka, kb, kc), (a, b, c), limit)
    back = (p * p / ka if p else 0.0) + (q * q / kb if q else 0.0) + (r * r / kc if r else 0.0)
    return p * a + q * b + r * c - 0.5 * back


def budget(level: float, limits: Limits, dt: float) -> float:
    """J, that may be paid within dt from a tank at ``level``."""
    return max(0.0, min(level - limits.tank_min, limits.tank_power * dt))


def change(
    level: float, spring: Spring, stretch: Floats, stored: float, goal: Spring, part: float, measured: Floats, limits: Limits, dt: float
) -> Change:
    """The spring after dt, on its way to ``goal``, with as much of what raises its energy as the tank can pay for.

    ``stretch`` (6,) and ``stored`` are those of ``spring`` at the pose ``measured`` (7,); ``part`` in (0, 1] is the part of the way to
    go now, for a goal that is to be reached over several steps.
    """
    if not _sound(level, stretch, stored, goal, measured):
        return Change(spring, stretch, stored, 0.0, 0.0, 0.0, False)
    if goal == spring:
        return Change(spring, stretch, stored, 1.0, 0.0, 0.0, True)
    far = stretch if goal.pose == spring.pose else error(goal.pose, measured)
    e, k, force, torque = far, goal.stiffness, goal.force, goal.torque
    if part < 1.0:
        e = tuple([now + part * (then - now) for now, then in zip(stretch, far, strict=True)])
        k = tuple([now + part * (then - now) for now, then in zip(spring.stiffness, k, strict=True)])
        force = spring.force + part * (force - spring.force)
        torque = spring.torque + part * (torque - spring.torque)

    e_low = tuple([_towards_zero(now, then) for now, then in zip(stretch, e, strict=True)])
    k_low = tuple([now if now < then else then for now, then in zip(spring.stiffness, k, strict=True)])
    force_low, torque_low = min(force, spring.force), min(torque, spring.torque)
    low = stored
    if e_low != stretch or k_low != spring.stiffness or force_low < spring.force or torque_low < spring.torque:
        low = min(stored, potential(e_low, k_low, force_low, torque_low))

    def raised(share: float) -> tuple[Floats, Floats, float, float]:
        if share == 1.0:
            return e, k, force, torque
        return (
            tuple([a + share * (b - a) for a, b in zip(e_low, e, strict=True)]),
            tuple([a + share * (b - a) for a, b in zip(k_low, k, strict=True)]),
            force_low + share * (force - force_low),
            torque_low + share * (torque - torque_low),
        )

    allowed = budget(level, limits, dt)
    share, high = 1.0, potential(e, k, force, torque)
    if not high - low <= allowed:
        if not math.isfinite(high):
            return Change(spring, stretch, stored, 0.0, 0.0, 0.0, False)
        share, high = _affordable(lambda s: potential(*raised(s)), low, high, allowed)
    e, k, force, torque = raised(share)
    whole = share == 1.0 and part == 1.0
    pose = goal.pose if whole or goal.pose == spring.pose else _placed(measured, e, stretch, spring.pose)
    return Change(Spring(pose, k, force, torque), e, high, share, max(0.0, high - low), stored - low, True)


def _affordable(energy: Callable[[float], float], low: float, high: float, allowed: float) -> tuple[float, float]:
    """(share, J): a share of a rise from ``low`` to ``high`` that costs at most ``allowed``, and near the greatest one.

    A rise of the stretch alone is a parabola below saturation, and close to one otherwise: it is fitted through the middle.
    Whatever is returned has been evaluated, so a poor fit costs time, never energy.
    """
    best, reached = 0.0, low
    if not allowed > 0.0:
        return best, reached
    middle, top = energy(0.5), 1.0
    if middle - low <= allowed:
        best, reached = 0.5, middle
    else:
        top = 0.5
    slope, bend = 4.0 * (middle - low) - (high - low), 2.0 * (high - low) - 4.0 * (middle - low)
    root = math.sqrt(max(0.0, slope * slope + 4.0 * bend * allowed))
    guess = FITS * 2.0 * allowed / (slope + root) if slope + root > 0.0 else 0.0
    if best < guess < top:
        cost = energy(guess)
        if cost - low <= allowed:
            best, reached = guess, cost
        else:
            top = guess
    for _ in range(HALVINGS):
        if reached - low >= WELL_SPENT * allowed:
            break
        guess = 0.5 * (best + top)
        cost = energy(guess)
        if cost - low <= allowed:
            best, reached = guess, cost
        else:
            top = guess
    return best, reached


def settled(level: float, damped: float, held: float, frozen: bool, limits: Limits) -> tuple[float, float, float, float]:
    """(level, refill, charge, short), J, after a step in which the drives' damping took ``damped`` J out and the held spring made ``held``.

    ``frozen`` in a stop: nothing refills then. ``charge`` is what the tank pays where damping took less than the spring made, or drove
    the motion. ``short`` > 0 is what it could not pay: the bound no longer holds, and the robot must stop; so too where something is
    not finite.
    """
    net = damped - held
    if not math.isfinite(net):
        return 0.0, 0.0, level, math.inf
    if net >= 0.0:
        refill = 0.0 if frozen else min(limits.tank_refill * net, max(0.0, limits.tank_max - level))
        return level + refill, refill, 0.0, 0.0
    if not level + net >= 0.0:
        return 0.0, 0.0, level, -(level + net)
    return level + net, 0.0, -net, 0.0


def grant(level: float, power: float, limits: Limits, dt: float) -> float:
    """J, of ``power`` W over dt that are let into a tank at ``level``: what does not fit is not granted."""
    if not 0.0 < power <= limits.task_power:
        power = limits.task_power if power > limits.task_power else 0.0
    return min(power * dt, max(0.0, limits.tank_max - level))


def followed(left: float, fed: float, damped: float) -> float:
    """0..1, how far the damper may follow the reference's velocity with ``left`` J to spare.

    At the present velocity the reference's would feed ``fed`` J into the motion within a step, and the damper takes ``damped`` J out.
    """
    if not fed - damped > left:
        return 1.0
    return max(0.0, (left + damped) / fed) if fed > 0.0 else 0.0


def _sound(level: float, stretch: Floats, stored: float, goal: Spring, measured: Floats) -> bool:
    """Whether everything is finite, the stiffnesses and limits are none below zero, and the attitudes are such."""
    if not math.isfinite(sum(goal.pose) + sum(goal.stiffness) + goal.force + goal.torque + sum(measured) + sum(stretch) + stored + level):
        return False
    if not (min(goal.stiffness) >= 0.0 and goal.force >= 0.0 and goal.torque >= 0.0):
        return False
    return unit(goal.pose) and unit(measured)


def _towards_zero(now: float, then: float) -> float:
    """``then`` where it is nearer to zero on the same side, zero where it is beyond, else ``now``."""
    if now > 0.0:
        return now if then >= now else max(then, 0.0)
    return now if then <= now else min(then, 0.0)


def _placed(measured: Floats, stretch: Floats, before: Floats, pose: Floats) -> Floats:
    """(7,) the pose that is ``stretch`` from the measured one; as turned as ``pose`` is where the turn has not changed from ``before``."""
    shift = (measured[0] + stretch[0], measured[1] + stretch[1], measured[2] + stretch[2])
    if stretch[3:] == before[3:]:
        return shift + pose[3:]
    return shift + normalised(product(from_rotation_vector(stretch[3:]), measured[3:]))
