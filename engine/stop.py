"""The stop page: a memory-mapped file with one counter slot for each kind of writer; raising a stop is one write.

Layout: little-endian int64, ``2 * len(Writer)`` slots. Slot ``w`` counts the stops that writer ``w`` has asked for;
slot ``len(Writer) + w`` counts those among them that latch and take the power off. Each kind of writer has its own slot, so no
kind undoes another's stop; readers compare counts, so a stop is acted on once. Two writers of one kind, such as two shells,
that write in the same instant may count as one stop.
"""

import mmap
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from engine.types import Writer

SLOTS = len(Writer)
SIZE = 2 * SLOTS * 8


class StopPage:
    """One process's view of the page. Aligned 8-byte stores are single on x86-64, the only machine this is shown on."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        """Raises OSError if the page cannot be made (``create``) or is not there."""
        flags = os.O_RDWR | (os.O_CREAT if create else 0)
        descriptor = os.open(path, flags, 0o600)
        try:
            if create:
                os.ftruncate(descriptor, SIZE)
            self._map = mmap.mmap(descriptor, SIZE)
        finally:
            os.close(descriptor)
        self._slots = memoryview(self._map).cast("q")

    def raise_stop(self, writer: Writer, *, latch: bool = False) -> None:
        """Ask for a stop: bounded work, from any thread. The latching slot is written first, lest it be taken for a plain one."""
        if latch:
            self._slots[SLOTS + writer] += 1
        self._slots[writer] += 1

    def counts(self) -> tuple[int, ...]:
        """Stops asked for so far, by writer."""
        return tuple(self._slots[:SLOTS])

    def latching(self) -> tuple[int, ...]:
        """Of those, the latching ones."""
        return tuple(self._slots[SLOTS:])

    def close(self) -> None:
        self._slots.release()
        self._map.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
