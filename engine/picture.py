"""A picture resized for a screen: each pixel the mean of the source pixels it covers, or the nearest where it covers none."""

import numpy as np

from engine.types import U8


def resized(image: U8, width: int, height: int) -> U8:
    """(H, W, 3) to (height, width, 3)."""
    rows = np.linspace(0, image.shape[0], height, endpoint=False).astype(int)
    columns = np.linspace(0, image.shape[1], width, endpoint=False).astype(int)
    sums = np.add.reduceat(np.add.reduceat(image.astype(np.uint32), rows, axis=0), columns, axis=1)
    counts = np.diff([*rows, image.shape[0]]).clip(1)[:, None, None] * np.diff([*columns, image.shape[1]]).clip(1)[None, :, None]
    means: U8 = (sums // counts).astype(np.uint8)
    return means
