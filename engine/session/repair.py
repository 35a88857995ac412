"""Makes the folder of a session that was cut off say the same as its commit, and tells what was lost."""

import shutil
from pathlib import Path

import msgspec
import numpy as np

from engine.session.commit import put_files, write_commit
from engine.session.layout import (
    BLOCKS,
    INDEX_SIZE,
    NO_BLOCK,
    Column,
    SessionError,
    consolidated,
    decode_index,
    empty_index,
    enter_block,
    group,
    metadata,
    read_blocks,
    read_column,
    sealed_index,
    shard_path,
)
from engine.session.lock import held
from engine.session.reader import Session
from engine.session.schema import plain
from engine.session.writer import RESERVED

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
    block, at = divmod(session.ticks, column.block_rows)
    found = 0
    try:
        while True:
            found += int(np.count_nonzero(read_blocks(session.path, column, block, block)[0][at:]))
            block, at = block + 1, 0
    except SessionError:
        return found  # there is no such block: the end of what was written


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
        files = {f"{name}/zarr.json": data for name, data in described.items()}
        files["zarr.json"] = consolidated(plain(session.header), described)
        differing = {name: data for name, data in files.items() if not _holds(path / name, data)}
        put_files(path, differing)
        changed |= bool(differing)
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
    folders = [path for path in session.path.rglob("*") if path.is_dir() and str(path.relative_to(session.path)) not in committed]
    files = [path for path in (session.path / RESERVED, *session.path.rglob(".*.new")) if path.exists()]
    for file in files:
        file.unlink()
    for folder in folders:
        if folder.exists():  # it may have lain in one already removed
            shutil.rmtree(folder)
    return bool(folders or files)


def _cut(session: Path, column: Column, rows: int) -> bool:
    """Take the blocks after the committed ones out of the last shard, and remove the shards after it."""
    changed = False
    shard, kept = divmod(-(-rows // column.block_rows), BLOCKS)
    if kept:
        path = session / shard_path(column, shard)
        try:
            with path.open("r+b") as file:
                entries = decode_index(file.read(INDEX_SIZE))
                end = max(offset + size for offset, size in entries[:kept])
                if NO_BLOCK in entries[:kept]:
                    raise ValueError("a block is not there")
                index = empty_index()
                for at, entry in enumerate(entries[:kept]):
                    enter_block(index, at, entry)
                if entries[kept:] != [NO_BLOCK] * (BLOCKS - kept) or path.stat().st_size != end:
                    file.seek(0)
                    file.write(sealed_index(index))
                    file.truncate(end)
                    changed = True
        except (OSError, ValueError) as error:
            raise SessionError(f"{path} is missing or damaged and holds committed rows: restore it from a copy.") from error
        shard += 1
    while (path := session / shard_path(column, shard)).exists():
        path.unlink()
        changed, shard = True, shard + 1
    return changed


def _holds(path: Path, data: bytes) -> bool:
    return path.exists() and path.read_bytes() == data
