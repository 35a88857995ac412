"""What the signals are computed from: one fresh pass of the ensemble, and what is kept of the passes before it.

Arrays are numpy's or torch's: what is computed goes on where the chunks are. ``...`` stands for observations that are looked at
together: none in a run, N in episodes in step.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from engine.signals.arrays import Array, like, namespace
from engine.types import F64

NS = 1e-9  #: s in a nanosecond


@dataclass(frozen=True)
class Space:
    """What the leading components of an action are. Whatever follows them, a grip, is no motion."""

    positions: int  #: components that are a position: of the tool in m, or of the joints in rad
    motion: int  #: components that move the robot: the positions and, for a tool, a rotation vector in rad
    relative: bool  #: they are displacements from the pass's origin; else the places themselves


CARTESIAN = Space(positions=3, motion=6, relative=True)


def joints(number: int) -> Space:
    """The space of ``number`` joint positions in rad."""
    return Space(positions=number, motion=number, relative=False)


@dataclass(frozen=True)
class Pass:
    """One inference. E members, B noise samples, H horizon, A action components, P positions of the space."""

    chunks: Array  #: (..., E, B, H, A) in the action's own units
    exposed_ns: int
    origin: Array  #: (..., P) where the robot was at the exposure: the tool in m, or the joints in rad
    step_s: float  #: s, action i is due (i + 1) * step_s after the exposure
    scale: F64  #: (A,) spread of each action component in training; distances are counted in it
    space: Space = CARTESIAN
    velocity: Array | None = None  #: (..., E, B, H, A) flow at the first step, in normalised action units
    features: Array | None = None  #: (..., F) pooled prefix features

    @property
    def xp(self) -> Any:
        """``numpy`` or ``torch``."""
        return namespace(self.chunks)

    @property
    def horizon(self) -> int:
        return int(self.chunks.shape[-2])

    @property
    def members(self) -> int:
        return int(self.chunks.shape[-4])

    @property
    def samples(self) -> int:
        return int(self.chunks.shape[-3])

    @cached_property
    def scaled(self) -> Array:
        """(..., E, B, H, A) actions over their training spread."""
        return like(self.chunks, self.chunks) / like(self.scale, self.chunks)

    @cached_property
    def displacement(self) -> Array:
        """(..., E, B, H, M) motion from the origin, in the action's own units."""
        motion = like(self.chunks[..., : self.space.motion], self.chunks)
        return motion if self.space.relative else motion - like(self.origin, self.chunks)[..., None, None, None, :]


@dataclass(frozen=True)
class Evidence:
    """A pass, what is kept of the ones before it, and the robot at the moment of the exposure."""

    now: Pass
    before: Pass | None = None
    epistemic_before: Array | None = None  #: (...) signal 1 of the pass before; NaN where it had none
    q: F64 | None = None  #: (..., n) rad
    joint_limits: tuple[tuple[float, float], ...] | None = None  #: n pairs, rad
    responses: tuple[
        Array, ...
    ] = ()  #: (...) each: how far each perturbation of the pictures has moved the chunk; none until all are known


def elapsed(evidence: Evidence) -> float:
    """Seconds from the exposure before to this one; NaN without one, or if it does not lie before."""
    if evidence.before is None or evidence.before.exposed_ns >= evidence.now.exposed_ns:
        return float("nan")
    return (evidence.now.exposed_ns - evidence.before.exposed_ns) * NS


def position_at(planned: Pass, times: F64) -> Array:
    """(..., E, B, T, P) where a pass has the robot at ``times`` (T,) s after its exposure, linear between actions; m or rad.

    Before the first action the path runs from the origin. Times past the horizon must not be asked for.
    """
    xp = planned.xp
    moved = planned.displacement[..., : planned.space.positions]
    path = xp.concatenate((xp.zeros_like(moved[..., :1, :]), moved), axis=-2)
    index = np.clip(times / planned.step_s, 0.0, planned.horizon)
    low = np.minimum(index.astype(np.int64), planned.horizon - 1)
    share = like((index - low)[:, None], planned.chunks)
    between = path[..., low.tolist(), :] * (1.0 - share) + path[..., (low + 1).tolist(), :] * share
    return like(planned.origin, planned.chunks)[..., None, None, None, :] + between
