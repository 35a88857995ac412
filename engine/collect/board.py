"""What the process with the policy and those with the robots both see without sending it: arrays of one row a place."""

from collections.abc import Mapping
from multiprocessing.context import BaseContext
from typing import Any

import numpy as np

Shapes = Mapping[str, tuple[tuple[int, ...], str]]  #: of one row, and its type


class Board:
    """Shared arrays by name, (places, ...) each. It may be handed to a process that is being started; messages say whose turn it is."""

    def __init__(self, context: BaseContext, places: int, shapes: Shapes) -> None:
        self._shapes = {name: ((places, *shape), dtype) for name, (shape, dtype) in shapes.items()}
        self._memory: dict[str, Any] = {
            name: context.RawArray("B", max(1, int(np.prod(shape)) * np.dtype(dtype).itemsize))
            for name, (shape, dtype) in self._shapes.items()
        }

    def __contains__(self, name: str) -> bool:
        return name in self._shapes

    def __getitem__(self, name: str) -> Any:
        shape, dtype = self._shapes[name]
        return np.frombuffer(self._memory[name], dtype, int(np.prod(shape))).reshape(shape)
