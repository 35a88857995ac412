"""How far members and noise samples lie apart: signals 1, 2, 3, 4, 6, 10 and 12.

Distances are in units of each action component's spread in training, so that metres and radians can be added. A signal that the
ensemble's shape does not allow is None; otherwise it has a value for each observation, (...).
"""

import math

import numpy as np

from engine.signals.arrays import Array, like
from engine.signals.evidence import Pass

ENTROPY_FLOOR = 1e-3  #: spread below which two actions are the same action, in training spreads


def epistemic_by_step(now: Pass) -> Array | None:
    """(..., H) root mean square over the action of the spread between the members' means; None with one member."""
    if now.members < 2:
        return None
    means = now.scaled.mean(axis=-3)
    return now.xp.sqrt(now.xp.var(means, axis=-3, correction=0).mean(axis=-1))


def epistemic(now: Pass) -> Array | None:
    """1: spread between members, each averaged over the noise, root mean square over the chunk (deep ensembles, Lakshminarayanan 2017)."""
    steps = epistemic_by_step(now)
    return None if steps is None else now.xp.sqrt((steps**2).mean(axis=-1))


def aleatoric(now: Pass) -> Array | None:
    """2: spread within a member over the noise bank, root mean square over members and chunk; None with one sample."""
    if now.samples < 2:
        return None
    return now.xp.sqrt(now.xp.var(now.scaled, axis=-3, correction=0).mean(axis=(-1, -2, -3)))


def flow_disagreement(now: Pass) -> Array | None:
    """3: spread between members of the flow's velocity at the first step, where all start from the same noise."""
    if now.velocity is None or now.members < 2:
        return None
    return now.xp.sqrt(now.xp.var(like(now.velocity, now.chunks), axis=-4, correction=0).mean(axis=(-1, -2, -3)))


def member_variance(now: Pass) -> Array | None:
    """4: variance between members at shared noise, averaged over noise and chunk."""
    if now.members < 2:
        return None
    return now.xp.var(now.scaled, axis=-4, correction=0).mean(axis=(-1, -2, -3))


def entropy(now: Pass) -> Array | None:
    """6: entropy in nats of a normal distribution fitted to all samples of a component, averaged; None with one sample.

    0.5 ln(2 pi e v) for variance v (Cover and Thomas, Elements of Information Theory, ch. 8).
    """
    if now.members * now.samples < 2:
        return None
    variance = now.xp.var(now.scaled, axis=(-4, -3), correction=0)
    return (0.5 * now.xp.log(2.0 * math.pi * math.e * (variance + ENTROPY_FLOOR**2))).mean(axis=(-1, -2))


def divergence(now: Pass) -> Array | None:
    """10: mean distance between the members' mean positions at the end of the horizon, over pairs; m, or rad of joints."""
    if now.members < 2:
        return None
    ends = now.displacement[..., -1, : now.space.positions].mean(axis=-2)
    first, second = (index.tolist() for index in np.triu_indices(now.members, k=1))
    return now.xp.sqrt(((ends[..., first, :] - ends[..., second, :]) ** 2).sum(axis=-1)).mean(axis=-1)


def epistemic_peak(now: Pass) -> Array | None:
    """12: the largest epistemic spread of any step of the chunk."""
    steps = epistemic_by_step(now)
    return None if steps is None else now.xp.amax(steps, axis=-1)
