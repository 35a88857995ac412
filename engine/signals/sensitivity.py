"""How far small changes of the pictures move the chunk: signals 15 and 16."""

from collections.abc import Sequence

from engine.signals.arrays import Array, like, namespace
from engine.signals.evidence import Pass


def response(now: Pass, perturbed: Array) -> Array:
    """(...) how far one perturbation moves the chunk, root mean square over members and chunk, in training spreads.

    ``perturbed`` (..., E, H, A) comes from the same noise as the pass's first sample, so that only the pictures differ.
    """
    moved = like(perturbed, now.chunks) / like(now.scale, now.chunks) - now.scaled[..., 0, :, :]
    return now.xp.sqrt((moved**2).mean(axis=(-1, -2, -3)))


def mean(responses: Sequence[Array]) -> Array | None:
    """15: mean of the responses to the perturbations; None until all are known."""
    return namespace(responses[0]).stack(tuple(responses)).mean(axis=0) if responses else None


def largest(responses: Sequence[Array]) -> Array | None:
    """16: the largest of the responses to the perturbations; None until all are known."""
    xp = namespace(responses[0]) if responses else None
    return xp.amax(xp.stack(tuple(responses)), axis=0) if xp else None
