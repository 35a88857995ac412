"""The person on the far handle: a hand that follows the saw's rhythm, pulls in its turn, keeps its end level, and can do harm.

The hand is a force-limited impedance on the handle along the stroke. Its rhythm is a phase oscillator that entrains to the
motion it feels (Kuramoto coupling), so it follows the robot and never leads it from rest; it pulls in its own half of the
stroke and is nearly limp in the other, as two people do with such a saw. Across and down it only steadies its end. A strong pull
takes hold of the whole force. Where hands and trunk are is in ``person``.
The reaction lag is one first-order filter on the whole force. Forces act on the handle, base axes, N.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from adapters.mujoco import layout, noise
from adapters.mujoco.hazards import Hazards, Kind
from adapters.mujoco.upsets import Strain

FEEL_AMPLITUDE: Final = 0.08  #: m, a stroke this large is felt as full motion
FEEL_RATE: Final = 2.4  #: rad/s, scale between place and speed in the felt phase
FEEL_TIME: Final = 0.5  #: s
FEEL_LEAST: Final = 0.03  #: m/s, a handle slower than this on average is not being sawn with
FEEL_SPAN: Final = 0.06  #: m/s, from there to sawing along fully
FORCE_MAX: Final = 45.0  #: N, along the stroke
STEADY_MAX: Final = 25.0  #: N, across and up or down
LEVEL_STIFFNESS: Final = 300.0  #: N/m
LEVEL_DAMPING: Final = 25.0  #: N s/m
ACROSS_STIFFNESS: Final = 15.0  #: N/m
ACROSS_DAMPING: Final = 8.0  #: N s/m
GRIP_DAMPING: Final = 8.0  #: N s/m, along the stroke
STUBBORN_STIFFNESS: Final = 180.0  #: N/m, of a hand that hesitates and just holds on
HOLDING_MAX: Final = 60.0  #: N, that a hand which holds back adds to FORCE_MAX
PULL_REACH: Final = 0.15  #: m from mid-stroke, to which a hand draws the handle that pulls ever harder
LIFT_REACH: Final = 0.15  #: m, as far as a hand lifts its end
HELD_SOFTLY: Final = 100.0  #: N/m, of holding back at which half of the own rhythm is left
STEP_SPEED: Final = 0.30  #: m/s, sideways, when the saw moves along the log
TREMOR_TIME: Final = 0.08  #: s, correlation time
STRONG_RISE: Final = 800.0  #: N/s, as fast as a hard pull comes
STRONG_REACH: Final = 0.25  #: m from mid-stroke, as far as the arm draws the handle
STRONG_STIFFNESS: Final = 1500.0  #: N/m, with which it ends there
EARLY: Final = 1.8  #: rad, how much too soon a hand pulls that pulls early


@dataclass(frozen=True, slots=True)
class Temper:
    """What a person is like; constant for an episode."""

    rate: float  #: rad/s, own rhythm
    coupling: float  #: 1/s, how quickly the rhythm follows
    pull: float  #: N, at the middle of the pull
    pull_stiffness: float  #: N/m
    push_stiffness: float  #: N/m
    lag: float  #: s
    press: float  #: N, down, while sawing
    tremor: float  #: N


@dataclass(slots=True)
class Hand:
    """The person's state."""

    phase: float = 0.0  #: rad, own rhythm; 0 = mid-stroke on the way to the person
    engaged: float = 0.0  #: 0..1, how much the person saws along
    felt_speed: float = 0.0  #: m/s, of the handle, as felt over the last half second
    fx: float = 0.0  #: N, on the handle
    fy: float = 0.0
    fz: float = 0.0
    tremor: float = 0.0  #: N
    random: float = 0.0  #: state of the person's noise
    stand_y: float = 0.0  #: m, where the person stands
    anchor_x: float = 0.0  #: m, where a hesitating hand holds on


@dataclass(frozen=True, slots=True)
class Handle:
    """What the hand feels: the handle's place along the stroke relative to mid-stroke, height over the level line, place across."""

    x: float  #: m
    vx: float  #: m/s
    y: float  #: m, base frame
    vy: float
    rise: float  #: m, above a level blade
    vz: float
    in_wood: bool


def draw(seed: int) -> Temper:
    """A person of their own for every seed."""
    rng = np.random.default_rng([seed, 2])
    return Temper(
        rate=float(rng.uniform(2.0, 2.7)),
        coupling=float(rng.uniform(3.0, 6.0)),
        pull=float(rng.uniform(9.0, 18.0)),
        pull_stiffness=float(rng.uniform(60.0, 140.0)),
        push_stiffness=float(rng.uniform(15.0, 40.0)),
        lag=float(rng.uniform(0.06, 0.14)),
        press=float(rng.uniform(0.0, 4.0)),
        tremor=float(rng.uniform(0.3, 1.2)),
    )


def felt_phase(x: float, vx: float) -> tuple[float, float]:
    """(phase, size) of a stroke from its place and speed about mid-stroke; phase 0 = mid-stroke moving +x, size 1 = a full stroke."""
    a, b = x / FEEL_AMPLITUDE, vx / (FEEL_AMPLITUDE * FEEL_RATE)
    return math.atan2(a, b), math.sqrt(a * a + b * b)


def step(
    hand: Hand, temper: Temper, handle: Handle, hazards: Hazards, holding: bool, time: float, dt: float, strain: Strain | None = None
) -> None:
    """Let dt pass for the hand, updated in place: its forces on the handle in fx, fy, fz. ``strain``: what upsets do to it."""
    hand.random, draw_ = noise.normal(hand.random)
    hand.tremor += (-hand.tremor * dt + temper.tremor * math.sqrt(2.0 * TREMOR_TIME * dt) * draw_) / TREMOR_TIME
    drift = STEP_SPEED * dt
    hand.stand_y += min(drift, max(-drift, handle.y - hand.stand_y))
    if not holding:
        hand.fx = hand.fy = hand.fz = 0.0
        hand.engaged = 0.0
        return
    phase, _ = felt_phase(handle.x, handle.vx)
    hand.felt_speed += (abs(handle.vx) - hand.felt_speed) * dt / FEEL_TIME
    moving = min(1.0, max(0.0, (hand.felt_speed - FEEL_LEAST) / FEEL_SPAN))
    hesitating = hazards.active(Kind.HESITATES, time) is not None
    wish = 0.0 if hesitating else moving
    hand.engaged += (wish - hand.engaged) * dt / 0.5
    hand.phase += (temper.rate * moving + temper.coupling * moving * math.sin(phase - hand.phase)) * dt
    hand.phase = math.remainder(hand.phase, 2.0 * math.pi)
    if hesitating:
        fx = STUBBORN_STIFFNESS * (hand.anchor_x - handle.x)
    else:
        if strain is None or strain.held_back == 0.0:
            hand.anchor_x = handle.x
        turn = math.cos(hand.phase)
        pulling = max(0.0, turn)
        stiffness = temper.push_stiffness + (temper.pull_stiffness - temper.push_stiffness) * pulling
        reference = layout.STROKE_REACH * 0.9 * math.sin(hand.phase)
        fx = hand.engaged * (stiffness * (reference - handle.x) + temper.pull * pulling)
    early = hazards.active(Kind.PULLS_EARLY, time)
    if early is not None:
        fx += early.force * max(0.0, math.cos(hand.phase + EARLY))
    strong = hazards.active(Kind.PULLS_HARD, time)
    most = FORCE_MAX
    if strong is not None:
        most = max(FORCE_MAX, strong.force)
        fx = min(strong.force, STRONG_RISE * (time - strong.at), STRONG_STIFFNESS * (STRONG_REACH - handle.x))
    most_steady = STEADY_MAX
    if strain is not None:
        fx = fx * HELD_SOFTLY / (HELD_SOFTLY + strain.held_back) + strain.held_back * (hand.anchor_x - handle.x)
        reach = PULL_REACH if strain.along > 0.0 else STRONG_REACH
        fx += _within(strain.along, STRONG_STIFFNESS * max(0.0, reach - (handle.x if strain.along > 0.0 else -handle.x)))
        most += abs(strain.along) + HOLDING_MAX * strain.held_back / (HELD_SOFTLY + strain.held_back)
        most_steady += abs(strain.across) + strain.up
    fx += hand.tremor - GRIP_DAMPING * handle.vx
    fy = -ACROSS_STIFFNESS * (handle.y - hand.stand_y) - ACROSS_DAMPING * handle.vy
    fz = -LEVEL_STIFFNESS * handle.rise - LEVEL_DAMPING * handle.vz
    if handle.in_wood:
        fz -= temper.press * hand.engaged
    if strain is not None:
        if strain.up > 0.0:
            fz = strain.up * max(0.0, 1.0 - handle.rise / LIFT_REACH) - LEVEL_DAMPING * handle.vz
        kept = 1.0 - strain.loose
        fx, fy, fz = kept * fx, kept * (fy + strain.across), kept * fz
    share = dt / temper.lag
    hand.fx += (_within(fx, most) - hand.fx) * share
    hand.fy += (_within(fy, most_steady) - hand.fy) * share
    hand.fz += (_within(fz, most_steady) - hand.fz) * min(1.0, share * 4.0)


def _within(value: float, limit: float) -> float:
    return min(limit, max(-limit, value))
