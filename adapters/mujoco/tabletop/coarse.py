"""A mesh file with as few triangles as a small picture can show."""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.types import F64

HEAD: Final = 84  #: bytes before the first triangle of a binary STL: 80 of text, 4 of the count
TRIANGLE: Final = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])


def mesh(path: Path, grid: float) -> tuple[F64, NDArray[np.int64]]:
    """Vertices (V, 3) in m and faces (F, 3) of a binary STL whose corners within each cube of ``grid`` m are drawn together.

    Triangles that shrink to a line vanish, and so do those that come to lie on one another (Rossignac and Borrel 1993).
    """
    corners = np.fromfile(path, TRIANGLE, offset=HEAD)["corners"].reshape(-1, 3).astype(np.float64)
    _, index = np.unique(np.floor(corners / grid).astype(np.int64), axis=0, return_inverse=True)
    index = index.ravel()
    share = np.bincount(index)
    vertices = np.stack([np.bincount(index, corners[:, axis]) / share for axis in range(3)], axis=1)
    faces = index.reshape(-1, 3)
    faces = faces[(faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])]
    _, first = np.unique(np.sort(faces, axis=1), axis=0, return_index=True)
    return vertices, faces[np.sort(first)]
