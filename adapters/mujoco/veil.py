"""What stands between a camera and the scene: a dimmed lens, a patch that hides part of the picture. Laid over what was drawn."""

from typing import Any, Final

import numpy as np

from engine.signals.arrays import like, namespace
from engine.types import F32

GAIN: Final = 0  #: column: brightness, 1 = as drawn
PATCH: Final = slice(1, 5)  #: columns x0, y0, x1, y1 as shares of the picture; empty where x1 <= x0
COLOUR: Final = slice(5, 8)  #: columns red, green, blue of the patch, 0 to 1
WIDTH: Final = 8


def clear(cameras: int) -> F32:
    """(C, 8) nothing before any camera."""
    veil = np.zeros((cameras, WIDTH), np.float32)
    veil[:, GAIN] = 1.0
    return veil


def veiled(pictures: Any, veil: F32) -> Any:
    """uint8 RGB (..., C, h, w, 3) behind a veil (..., C, 8), an array of the kind of ``pictures``; the same one where it is clear."""
    if np.array_equal(veil, np.broadcast_to(clear(veil.shape[-2]), veil.shape)):
        return pictures
    xp, (h, w) = namespace(pictures), pictures.shape[-3:-1]
    now = like(veil, pictures * 1.0)[..., None, None, :]
    x = like((np.arange(w, dtype=np.float32) + 0.5) / w, pictures * 1.0)[None, :]
    y = like((np.arange(h, dtype=np.float32) + 0.5) / h, pictures * 1.0)[:, None]
    x0, y0, x1, y1 = (now[..., PATCH][..., i] for i in range(4))
    inside = (x >= x0) & (x < x1) & (y >= y0) & (y < y1)
    seen = xp.where(inside[..., None], now[..., COLOUR] * 255.0, pictures * 1.0)
    dimmed = xp.clip(seen * now[..., GAIN : GAIN + 1], 0.0, 255.0) + 0.5
    return dimmed.astype(np.uint8) if xp is np else dimmed.to(pictures.dtype)
