"""Where engines keep their sockets and sessions their pictures: paths, room and speed."""

import os
import shutil
from pathlib import Path

from console.doctor.check import Result
from engine.runs import SOCKET_PATH_MAX

STORE_FREE = 2.0  #: GB: about an hour of pictures and ticks
DISK = 20.0  #: MB/s: ten times what a recording with pictures writes


def runtime_folder(folder: Path) -> Result:
    """Where engines keep their sockets, whose paths the system keeps short."""
    socket = folder / "0000" / "engine.sock"
    length = len(os.fsencode(socket))
    found = f"{folder}, socket paths of {length} bytes"
    if length > SOCKET_PATH_MAX:
        return Result("fail", found, f"Set XDG_RUNTIME_DIR to a shorter folder: a socket's path may have {SOCKET_PATH_MAX} bytes.")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        return Result("fail", f"{found}: {error.strerror}", "Set XDG_RUNTIME_DIR to a folder of yours that can be written.")
    if not os.access(folder, os.W_OK | os.X_OK):
        return Result("fail", f"{found}: not writable", "Set XDG_RUNTIME_DIR to a folder of yours that can be written.")
    return Result("ok", found)


def store(folder: Path) -> Result:
    from engine.session.layout import SessionError
    from engine.session.recorder import check_store

    try:
        check_store(folder)
    except SessionError as error:
        return Result("fail", str(error), "Choose a folder that can be written with --store, or make room in this one.")
    free = shutil.disk_usage(folder).free / 1e9
    found = f"{folder}, {free:.1f} GB free"
    if free < STORE_FREE:
        return Result("warn", found, "Remove old sessions with `sawhorse sessions rm`, or choose another folder with --store.")
    return Result("ok", found)


def disk(folder: Path) -> Result:
    from engine.bench.probes import disk_speed

    try:
        speed = disk_speed(folder)
    except OSError as error:
        return Result("fail", f"{folder}: {error.strerror}", "Choose a folder that can be written with --store.")
    found = f"{speed:.0f} MB/s to {folder}"
    if speed < DISK:
        return Result("warn", found, "Choose a faster disk with --store: a recording that falls behind stops the robot.")
    return Result("ok", found)
