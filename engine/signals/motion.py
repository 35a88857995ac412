"""What the mean chunk would have the robot do: signals 7, 8 and 9."""

import math

from engine.signals.arrays import Array, like
from engine.signals.evidence import Pass

STILL = 1e-4  #: m of the tool, or rad of the joints, between two actions, below which a displacement has no direction


def mean_displacement(now: Pass) -> Array:
    """(..., H, M) motion from the origin, mean over members and noise."""
    return now.displacement.mean(axis=(-4, -3))


def magnitude(now: Pass) -> Array:
    """7: norm of the motion from the origin in training spreads, root mean square over the chunk."""
    motion = mean_displacement(now) / like(now.scale[: now.space.motion], now.chunks)
    return now.xp.sqrt((motion**2).sum(axis=-1).mean(axis=-1))


def jerk(now: Pass) -> Array | None:
    """8: third difference of the position over the step cubed, root mean square; m/s^3, or rad/s^3 of joints.

    None if the horizon is shorter than four.
    """
    if now.horizon < 4:
        return None
    third = now.xp.diff(mean_displacement(now)[..., : now.space.positions], n=3, axis=-2) / now.step_s**3
    return now.xp.sqrt((third**2).sum(axis=-1).mean(axis=-1))


def reversal(now: Pass) -> Array:
    """9: share of neighbouring displacements that point against each other; NaN where nothing moves."""
    xp = now.xp
    position = mean_displacement(now)[..., : now.space.positions]
    step = xp.diff(xp.concatenate((xp.zeros_like(position[..., :1, :]), position), axis=-2), axis=-2)
    moving = xp.sqrt((step**2).sum(axis=-1)) > STILL
    pairs = moving[..., 1:] & moving[..., :-1]
    against = (step[..., 1:, :] * step[..., :-1, :]).sum(axis=-1) < 0.0
    counted = like(pairs.sum(axis=-1), now.chunks)
    return like((against & pairs).sum(axis=-1), now.chunks) / xp.where(counted > 0.0, counted, math.nan)
