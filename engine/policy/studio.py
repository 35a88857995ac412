"""Pictures for training and evaluation: a course's renderer and its looks, as functions that speak torch."""

from collections.abc import Callable

import numpy as np
import torch
import torch.utils.dlpack
from torch import Tensor

from engine.policy.compact import IMAGE_SIZE
from engine.policy.course import Course
from engine.types import F32

Draw = Callable[[F32, F32 | None], Tensor]
WORLDS = {"cpu": 8, "cuda": 512}  #: pictures drawn at once, by kind of device
DISTINCT_LOOKS = 4000
NOMINAL_SHARE = 0.2


def looks(course: Course, count: int, seed: int, strength: float | None = None) -> F32:
    """(count, L) colours, light and camera placement drawn at random, all of one strength or of any; of those a share is nominal."""
    if strength is not None:
        return np.stack([course.look(seed + i, strength) for i in range(count)])
    rng = np.random.default_rng([seed, 12])
    drawn = np.stack([course.look(seed + i, float(rng.random())) for i in range(min(count, DISTINCT_LOOKS))])
    rows = drawn[rng.integers(len(drawn), size=count)]
    rows[rng.random(count) < NOMINAL_SHARE] = course.look(0, 0.0)
    return rows


def drawer(course: Course, device: str, worlds: int | None = None, pixels: int = IMAGE_SIZE) -> Draw:
    """The course's renderer as a function: poses (N, G) and looks (N, L) -> uint8 pictures (N, C, h, w, 3), left on ``device``.

    Any number of poses, ``worlds`` at a time.
    """
    worlds = worlds or WORLDS[torch.device(device).type]
    painter = course.painter(worlds, pixels, device)
    order = painter.order

    def some(poses: F32, looks: F32 | None) -> Tensor:
        packed = torch.utils.dlpack.from_dlpack(painter.draw_posed(poses, looks))
        whole = packed.view(torch.uint8).reshape(worlds, len(order), pixels, pixels, 4)
        return whole[: len(poses), order][..., [2, 1, 0]]

    def draw(poses: F32, looks: F32 | None) -> Tensor:
        starts = range(0, len(poses), worlds)
        return torch.cat([some(poses[i : i + worlds], None if looks is None else looks[i : i + worlds]) for i in starts])

    return draw
