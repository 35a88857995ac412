"""What a trouble does to readings, pictures and chunks on their way into the engine."""

from collections.abc import Callable

import msgspec
import numpy as np

from engine.types import U8, Inference, Observation


def repeated() -> Callable[[Observation], Observation]:
    """The robot's own reading stands still, with its time; the person's sensor, the handle's and the process sensors go on."""
    first: list[Observation] = []

    def change(fresh: Observation) -> Observation:
        if not first:
            first.append(fresh)
        old = first[0]
        return msgspec.structs.replace(
            fresh, t_ns=old.t_ns, seq=old.seq, q=old.q, dq=old.dq, tau=old.tau, pose=old.pose, twist=old.twist, wrench=old.wrench
        )

    return change


def without_numbers(fresh: Observation) -> Observation:
    """Joint speeds and torques are not numbers."""
    return msgspec.structs.replace(fresh, dq=np.full_like(fresh.dq, np.nan), tau=np.full_like(fresh.tau, np.nan))


def knocked(pixels: int) -> Callable[[U8], U8]:
    """Turned aside by so many pixels of 128."""
    return lambda image: np.roll(image, pixels * image.shape[1] // 128, axis=1)


def glared(image: U8) -> U8:
    """Half of it washed out."""
    washed = image.copy()
    washed[:, : image.shape[1] // 2] = 235
    return washed


def straying(away: tuple[float, float, float]) -> Callable[[Inference, Inference], Inference]:
    """Every chunk leads ``away`` (m) from where the tool was, in a second."""

    def changed(fresh: Inference, last: Inference) -> Inference:
        steps = np.minimum(np.arange(1, fresh.chunks.shape[2] + 1) * fresh.step_s, 1.0)
        chunks = fresh.chunks.copy()
        chunks[..., :3] = (steps[:, None] * np.array(away)).astype(chunks.dtype)
        return msgspec.structs.replace(fresh, chunks=chunks)

    return changed
