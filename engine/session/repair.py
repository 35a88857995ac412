"""Makes the folder of a session that was cut off say the same as its commit, and tells what was lost."""

import shutil
from pathlib import Path

import msgspec
import numpy as np

from engine.session.commit import replace_file, write_commit
from engine.session.layout import Column, SessionError, blank, chunk_path, consolidated, decode, encode, group, metadata, read_column
from engine.session.lock import held
from engine.session.reader import Session
from engine.session.schema import plain
from engine.session.writer import RESERVED, STAGED

INTERRUPTED = "interrupted"


class Repair(msgspec.Struct, frozen=True, kw_only=True):
    """What was done to a session."""

    session: str
    ticks: int  #: committed, and so kept
    lost: int  #: ticks that had been written but not committed, now removed
    changed: bool
    text: str  #: the same as one sentence


def uncommitted_ticks(session: Session) -> int:
    """Ticks whose time is on disk beyond the commit: written, never promised, read by nobody."""
    if not (session.path / "tick/t_ns/zarr.json").exists():
        return 0
    column = read_column(session.path, "tick/t_ns")
    index, at = divmod(session.ticks, column.chunk_rows)
    found = 0
    while (path := session.path / chunk_path(column, index)).exists():
        try:
            found += int(np.count_nonzero(decode(column, path.read_bytes())[at:]))
        except (ValueError, RuntimeError):
            break  # a damaged chunk is told of by who reads its committed rows
        index, at = index + 1, 0
    return found


def repair(path: Path) -> Repair:
    """Cut everything on disk back to the commit and close the session as interrupted. Idempotent.

    Raises SessionError when the session cannot be opened, is being recorded, or is damaged below its commit.
    """
    session = Session.open(path)
    if held(path):
        raise SessionError(f"Session {path} is being recorded: stop its run first.")
    lost = uncommitted_ticks(session)
    try:
        changed = _remove_leftovers(session)
        described = {parent: msgspec.json.encode(group({})) for name in session.commit.arrays for parent in _groups(name)}
        for name, written in session.commit.arrays.items():
            column = session.describe(name)
            changed |= _cut(path, column, written.rows)
            described[name] = msgspec.json.encode(metadata(column, written.rows))
        for name, data in described.items():
            changed |= _put(path / name / "zarr.json", data)
        changed |= _put(path / "zarr.json", consolidated(plain(session.header), described))
        if not session.commit.closed:
            size = sum(file.stat().st_size for name in session.commit.arrays for file in (path / name).glob("c.*"))
            closed = msgspec.structs.replace(
                session.commit, closed=True, exit_reason=INTERRUPTED, bytes=size, lost=session.commit.lost + lost
            )
            write_commit(path, closed)
            changed = True
    except OSError as error:
        raise SessionError(f"Session {path} cannot be repaired ({error.strerror}): {error.filename}.") from error
    kept = f"{session.ticks} ticks and {session.inferences} inferences"
    text = f"Session {path} needs no repair: it holds the {kept} of its last commit and nothing else."
    if changed:
        text = (
            f"Session {path} holds the {kept} of its last commit; {lost} ticks written after it were removed, "
            "and what was still in memory when it was cut off is gone."
        )
    return Repair(session=str(path), ticks=session.ticks, lost=lost, changed=changed, text=text)


def _groups(name: str) -> list[str]:
    return [str(parent) for parent in Path(name).parents if str(parent) != "."]


def _remove_leftovers(session: Session) -> bool:
    """Remove what only a writer needs, and arrays that were begun but never committed."""
    committed = {part for name in session.commit.arrays for part in (name, *_groups(name))}
    strays = [session.path / STAGED, session.path / RESERVED, *session.path.glob(".*.new")]
    strays += [file.parent for file in session.path.rglob("*/zarr.json") if str(file.parent.relative_to(session.path)) not in committed]
    there = [stray for stray in strays if stray.exists()]
    for stray in there:
        if stray.is_dir():
            shutil.rmtree(stray, ignore_errors=True)
        else:
            stray.unlink()
    return bool(there)


def _cut(session: Path, column: Column, rows: int) -> bool:
    """Blank the rows after the committed ones in the last chunk, and remove the chunks after it."""
    changed = False
    index, at = divmod(rows, column.chunk_rows)
    path = session / chunk_path(column, index)
    if at:
        try:
            chunk = decode(column, path.read_bytes())
        except (OSError, ValueError, RuntimeError) as error:
            raise SessionError(f"{path} is missing or damaged and holds committed rows: restore it from a copy.") from error
        cut = blank(column)
        cut[:at] = chunk[:at]
        changed = _put(path, encode(column, cut))
        index += 1
    while (path := session / chunk_path(column, index)).exists():
        path.unlink()
        changed, index = True, index + 1
    return changed


def _put(path: Path, data: bytes) -> bool:
    """Replace a file unless it holds the same already; True when it was replaced."""
    if path.exists() and path.read_bytes() == data:
        return False
    replace_file(path, data)
    return True
