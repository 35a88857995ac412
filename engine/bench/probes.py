"""Short measurements of the machine itself: how late it wakes a sleeper, and how fast its disk takes what is recorded."""

import os
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from engine.clock import hurry
from engine.loops.control import DT
from engine.types import F64

CHUNK = 2**20  #: bytes written at once
CHUNKS = 32


def lateness(seconds: float) -> F64:
    """(n,) ms by which a thread that sleeps until every tick of an absolute schedule wakes too late."""
    late = np.zeros(max(1, round(seconds / DT)))
    due = time.monotonic()
    for number in range(len(late)):
        due += DT
        time.sleep(max(0.0, due - time.monotonic()))
        late[number] = (time.monotonic() - due) * 1e3
    return late


def hurried_lateness(seconds: float) -> tuple[str, F64]:
    """Why a thread may not go before every ordinary one, "" where it may; and its (n,) ms of lateness, scheduled as it may be."""
    refused: list[str] = []
    late: list[F64] = []

    def measure() -> None:
        refused.append(hurry())
        late.append(lateness(seconds))

    thread = threading.Thread(target=measure)
    thread.start()
    thread.join()
    return refused[0], late[0]


def disk_speed(folder: Path) -> float:
    """MB/s to the disk under ``folder``, waited for, of data that cannot be compressed; nothing stays. Raises OSError."""
    data = os.urandom(CHUNK)
    with tempfile.TemporaryFile(dir=folder) as file:
        begun = time.monotonic()
        for _ in range(CHUNKS):
            file.write(data)
        file.flush()
        os.fsync(file.fileno())
        return CHUNKS * CHUNK / 1e6 / (time.monotonic() - begun)
