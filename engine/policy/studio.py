"""Pictures for training and evaluation: the cell's own renderer and its looks, as functions that speak torch."""

from collections.abc import Callable

import numpy as np
import torch
import torch.utils.dlpack
from torch import Tensor

from engine.policy.compact import IMAGE_SIZE
from engine.types import F32, F64

Draw = Callable[[F64, F32 | None], Tensor]
DISTINCT_LOOKS = 4000
NOMINAL_SHARE = 0.2


def looks(count: int, seed: int) -> F32:
    """(count, L) colours, light and camera placement drawn at random, some far from nominal, some near; a share of them nominal."""
    from adapters.mujoco import looks as cell_looks

    rng = np.random.default_rng([seed, 12])
    drawn = np.stack([cell_looks.draw(seed + i, float(rng.random())) for i in range(min(count, DISTINCT_LOOKS))])
    rows = drawn[rng.integers(len(drawn), size=count)]
    rows[rng.random(count) < NOMINAL_SHARE] = cell_looks.nominal()
    return rows


def painter(worlds: int, device: str) -> Draw:
    """The cell's renderer as a function: plants (N, P) and looks (N, L) -> uint8 pictures (N, C, h, w, 3), left on ``device``."""
    from adapters.mujoco.render import Renderer

    renderer = Renderer(worlds, IMAGE_SIZE, device)
    order = renderer.order

    def draw(plants: F64, looks: F32 | None) -> Tensor:
        packed = torch.utils.dlpack.from_dlpack(renderer.draw_device(plants, looks))
        whole = packed.view(torch.uint8).reshape(worlds, len(order), IMAGE_SIZE, IMAGE_SIZE, 4)
        return whole[: len(plants), order][..., [2, 1, 0]]

    return draw
