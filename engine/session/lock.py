"""Who is writing a session: a lock that the system takes back when the writer dies, however it dies."""

import fcntl
import os
from pathlib import Path


def hold(session: Path) -> int | None:
    """Take the session for writing; None when another process, or another recorder here, has it. Closing the descriptor gives it back."""
    descriptor = os.open(session, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def held(session: Path) -> bool:
    """Somebody is writing the session now."""
    descriptor = hold(session)
    if descriptor is None:
        return True
    os.close(descriptor)
    return False
