"""From the layers to the score, its action, and the stiffness, force and speed that follow: minimum, maps and hysteresis."""

from dataclasses import dataclass

from engine.limits import Limits
from engine.safety.layer import NAN, SCORE_MAX, SCORE_MIN, Layer, clip
from engine.types import Action

DWELL = 0.5  #: s that a better score must last before the action follows it; a worse one is followed at once
SLOW_SCALE = 0.4  #: of ``Limits.speed_max`` while the action is slow, 0.2 m/s: under the reduced speed, so that it shows

XY_MIN, XY_MAX = 200.0, 800.0  #: N/m
Z_MIN, Z_MAX = 200.0, 600.0  #: N/m
TURN_MIN, TURN_MAX = 40.0, 100.0  #: N m/rad: at the softest, the blade's own weight tilts it by less than 2 degrees
SOFTEST = (XY_MIN, XY_MIN, Z_MIN, TURN_MIN, TURN_MIN, TURN_MIN)


def least(scores: tuple[float, ...]) -> float:
    """The smallest score, within [0.1, 1]; NaN counts as 0.1."""
    smallest = SCORE_MAX
    for value in scores:
        if not value >= smallest:
            smallest = clip(value, SCORE_MIN, SCORE_MAX)
    return smallest


def binding(layers: tuple[Layer, ...]) -> int:
    """Index of the layer that limits most: one that lets nothing move before one that does, then by score, scale and force."""
    return min(range(len(layers)), key=lambda i: (layers[i].scale > 0.0, layers[i].score, layers[i].scale, layers[i].force, i))


def impedance_xy(score: float) -> float:
    """Normalised stiffness in the horizontal plane, [0.2, 0.9]."""
    return clip(0.7 * score + 0.2, 0.2, 0.9)


def impedance_z(score: float) -> float:
    """Normalised stiffness of pressing, [0.3, 0.9]."""
    return clip(0.6 * score + 0.3, 0.3, 0.9)


def force(score: float) -> float:
    """Normalised force limit, [0.4, 0.9]."""
    return clip(0.5 * score + 0.4, 0.4, 0.9)


def stiffness(xy: float, z: float, share: float) -> tuple[float, ...]:
    """(6,) N/m and N m/rad permitted at these normalised values, ``share`` of the way up from the softest; never less than that."""
    part = (xy - 0.2) / 0.7
    across = (XY_MAX - XY_MIN) * part
    turn = (TURN_MAX - TURN_MIN) * part
    press = (Z_MAX - Z_MIN) * ((z - 0.3) / 0.6)
    risen = clip(share, 0.0, 1.0)
    return tuple(low + risen * more for low, more in zip(SOFTEST, (across, across, press, turn, turn, turn), strict=True))


def force_share(normalised: float) -> float:
    """Share of ``Limits.force_max`` and ``torque_max``, which are what a normalised force of 0.9 permits."""
    return normalised / 0.9


def least_force(permitted: float, layers: tuple[Layer, ...]) -> float:
    """N: the score's own limit, or a layer's where that is smaller; NaN counts as nothing."""
    smallest = permitted
    for layer in layers:
        if not layer.force >= smallest:
            smallest = clip(layer.force, 0.0, permitted)
    return smallest


def published(magnitude: float, spread: float) -> float:
    """Another system's score, from the size of the action and the ensemble's spread alone; recorded to compare, drives nothing.

    It fails open: a frozen model that repeats small actions scores well. NaN where there is no action to score. Its 2 and 0.3
    were set for another policy's action units; the arbiter hands it training spreads of the mean chunk, in which the compact
    policy's nominal magnitude is 2.3 to 2.8 and its spread 0.016 at most (95 %): there it says 0.2 nearly always.
    """
    if not magnitude >= 0.0:
        return NAN
    score = clip(1.0 - 0.8 * clip(magnitude / 2.0, 0.0, 1.0), 0.1, 1.0)
    return score * 0.85 if spread > 0.3 else score


@dataclass(frozen=True, slots=True)
class Held:
    """The action in force and since when the score has been good enough for a better one; 0 = it is not."""

    action: Action = Action.STOP
    better_ns: int = 0


def deserved(score: float, limits: Limits, now: Action) -> Action:
    """The action a score earns, with the higher threshold where *continue* has to be regained."""
    if not score >= limits.stop_below:
        return Action.STOP
    threshold = limits.slow_below if now == Action.CONTINUE else limits.continue_above
    return Action.CONTINUE if score >= threshold else Action.SLOW


def held(before: Held, score: float, t_ns: int, limits: Limits) -> Held:
    """The action after this tick: down at once, up one step at a time, each after the dwell."""
    earned = deserved(score, limits, before.action)
    if earned <= before.action:
        return Held(earned)
    since = before.better_ns if before.better_ns > 0 else t_ns
    if not (t_ns - since) / 1e9 >= DWELL:
        return Held(before.action, since)
    better = Action(before.action + 1)
    return Held(better, t_ns if earned > better else 0)


def speed_scale(layers: tuple[Layer, ...], action: Action) -> float:
    """The smallest scale of all layers; nothing on a stop, at most ``SLOW_SCALE`` while slow."""
    smallest = 0.0 if action == Action.STOP else SLOW_SCALE if action == Action.SLOW else 1.0
    for layer in layers:
        if not layer.scale >= smallest:
            smallest = clip(layer.scale, 0.0, 1.0)
    return smallest
