"""The simulated arm's plant vector in memory that other processes read: one writer, and readers that notice a torn copy.

A counter stands before the numbers, odd while they change. Python has no memory fences, so this holds for processors that keep the
order of writes, which is x86.
"""

import mmap
import time
from pathlib import Path
from typing import Final

import numpy as np

from adapters.base import AdapterError
from engine.types import F64

PATIENCE_S: Final = 0.2  #: for a whole copy, of which there are some hundreds a second
AGAIN_S: Final = 0.0002  #: between two tries


class SharedPlant:
    """(P,) numbers in a file that is mapped into memory. With a ``size`` it is made anew, else it is there already (OSError if not)."""

    def __init__(self, path: Path, size: int | None = None) -> None:
        self.path, self._owns = path, size is not None
        if size is not None:
            path.write_bytes(bytes(8 * (size + 1)))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        self._count = np.frombuffer(self._map, np.int64, 1)
        self._numbers = np.frombuffer(self._map, np.float64, offset=8)

    def write(self, plant: F64) -> None:
        """Show another moment."""
        self._count[0] += 1
        self._numbers[:] = plant
        self._count[0] += 1

    def read(self) -> F64:
        """(P,) of the newest moment. Raises AdapterError where none is whole within PATIENCE_S."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            before = int(self._count[0])
            found = self._numbers.copy()
            if before % 2 == 0 and int(self._count[0]) == before:
                return found
            time.sleep(AGAIN_S)
        raise AdapterError("The emulated arm's table cannot be read: its process stands still or has died, so begin a new run.")

    def close(self) -> None:
        """Let go of it; who made it also removes it."""
        del self._count, self._numbers
        self._map.close()
        if self._owns:
            self.path.unlink(missing_ok=True)
