"""One session as one tar file, which any tar unpacks into a session again."""

import tarfile
from pathlib import Path

from engine.session.commit import COMMIT
from engine.session.layout import SessionError
from engine.session.lock import held


def export(session: Path, out: Path) -> int:
    """Write ``session`` to the tar file ``out``; returns its size in bytes.

    The rows are compressed already, so the tar is not. What is half written bears another name until it is whole.
    Raises SessionError where it is no session, is being recorded, ``out`` exists or cannot be written.
    """
    if not (session / COMMIT).exists():
        raise SessionError(f"{session} is not a session: nothing was exported.")
    if held(session):
        raise SessionError(f"Session {session} is being recorded: stop its run first.")
    if out.exists():
        raise SessionError(f"{out} exists already: nothing was exported. Choose another name.")
    partial = out.with_name(f".{out.name}.part")
    try:
        with tarfile.open(partial, "w") as tar:
            tar.add(session, arcname=session.name, filter=_owned_by_nobody)
        partial.rename(out)
        return out.stat().st_size
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise SessionError(f"{out} cannot be written: {error.strerror}.") from error


def _owned_by_nobody(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Who recorded it stays here."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member
