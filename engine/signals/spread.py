"""How far members and noise samples lie apart: signals 1, 2, 3, 4, 6, 10 and 12.

Distances are in units of each action component's spread in training, so that metres and radians can be added.
"""

import numpy as np

from engine.signals.evidence import Pass
from engine.types import F64

ENTROPY_FLOOR = 1e-3  #: spread below which two actions are the same action, in training spreads


def scaled(now: Pass) -> F64:
    """(E, B, H, A) actions over their training spread."""
    return now.chunks.astype(np.float64) / now.scale


def epistemic_by_step(now: Pass) -> F64 | None:
    """(H,) root mean square over the action of the spread between the members' means; None with one member."""
    if now.chunks.shape[0] < 2:
        return None
    return np.sqrt(scaled(now).mean(axis=1).var(axis=0).mean(axis=-1))  # type: ignore[no-any-return]


def epistemic(now: Pass) -> float | None:
    """1: spread between members, each averaged over the noise, root mean square over the chunk."""
    steps = epistemic_by_step(now)
    return None if steps is None else float(np.sqrt(np.mean(steps**2)))


def aleatoric(now: Pass) -> float | None:
    """2: spread within a member over the noise bank, root mean square over members and chunk; None with one sample."""
    if now.chunks.shape[1] < 2:
        return None
    return float(np.sqrt(scaled(now).var(axis=1).mean()))


def flow_disagreement(now: Pass) -> float | None:
    """3: spread between members of the flow's velocity at the first step, where all start from the same noise."""
    if now.velocity is None or now.velocity.shape[0] < 2:
        return None
    return float(np.sqrt(now.velocity.astype(np.float64).var(axis=0).mean()))


def member_variance(now: Pass) -> float | None:
    """4: variance between members at shared noise, averaged over noise and chunk."""
    if now.chunks.shape[0] < 2:
        return None
    return float(scaled(now).var(axis=0).mean())


def entropy(now: Pass) -> float | None:
    """6: entropy in nats of a normal distribution fitted to all samples of a component, averaged; None with one sample."""
    flat = scaled(now).reshape(-1, *now.chunks.shape[2:])
    if flat.shape[0] < 2:
        return None
    return float(np.mean(0.5 * np.log(2.0 * np.pi * np.e * (flat.var(axis=0) + ENTROPY_FLOOR**2))))


def divergence(now: Pass) -> float | None:
    """10: mean distance in m between the members' mean positions at the end of the horizon, over pairs."""
    if now.chunks.shape[0] < 2:
        return None
    ends = now.chunks[:, :, -1, :3].astype(np.float64).mean(axis=1)
    first, second = np.triu_indices(len(ends), k=1)
    return float(np.linalg.norm(ends[first] - ends[second], axis=-1).mean())


def epistemic_peak(now: Pass) -> float | None:
    """12: the largest epistemic spread of any step of the chunk."""
    steps = epistemic_by_step(now)
    return None if steps is None else float(steps.max())
