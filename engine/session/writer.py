"""Puts rows into a session's folder and commits them; used by one thread at a time.

A commit writes every chunk that has changed into ``staged/``, waits for the disk, moves each over its predecessor, waits
again, and only then replaces ``commit.json``. A chunk that replaces another holds the same rows and more, so a kill between
any two of these steps leaves every committed row where readers look for it.
"""

import os
import shutil
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import msgspec
import numpy as np

from engine.session import columns
from engine.session.columns import TickRow
from engine.session.commit import Commit, Written, replace_file, sync, write_commit, write_synced
from engine.session.layout import Column, Rows, SessionError, consolidated, group, metadata
from engine.session.lock import hold
from engine.session.schema import SCHEMA_VERSION, Header, plain
from engine.session.table import Table
from engine.types import Event, Frames, Inference, PolicyInfo

RESERVE = 16 * 2**20  #: bytes kept for the last commits on a disk that runs full
STAGED, RESERVED = "staged", "reserve"


class SessionWriter:
    """One session's folder, open for writing."""

    def __init__(self, root: Path, header: Header) -> None:
        """Make the folder under ``root`` and commit zero rows. Raises SessionError."""
        self.path = root / header.id
        self.header = header
        self.bytes = 0  #: of committed chunks
        self.skipped = 0  #: pictures and chunks of another size than the session's
        self._tables: dict[str, Table] = {}
        self._words: dict[str, int] = {}
        self._commits = 0
        self._described: dict[str, bytes] = {}  #: groups' and arrays' ``zarr.json`` as last committed, by path
        self._arrays: dict[str, Written] = {}  #: as last committed
        attributes = plain(header)
        try:
            self.path.mkdir()
            lock = hold(self.path)
            if lock is None:
                raise SessionError(f"Session {self.path} is being written by another engine.")
            self._lock = lock
            (self.path / STAGED).mkdir()
            with (self.path / RESERVED).open("wb") as reserve:
                os.posix_fallocate(reserve.fileno(), 0, RESERVE)
            replace_file(self.path / "zarr.json", msgspec.json.encode(group(attributes)))
            self.mark()
            sync(root)
        except OSError as error:
            raise SessionError(f"Session {self.path} cannot be begun ({error.strerror}): choose another store with --store.") from error

    # --- rows in ---

    def add_ticks(self, rows: Sequence[TickRow]) -> None:
        """Take over ticks in order. Raises SessionError or ValueError when a vector has another length than the session's."""
        values = columns.tick_values(rows, self._word)
        table = self._table("tick", partial(columns.tick_columns, rows[0]))
        if wrong := table.mismatch(values):
            raise SessionError(f"tick {rows[0].inputs.tick}: {wrong}")
        table.append(values)

    def add_inferences(self, inferences: Sequence[Inference]) -> None:
        """Take over inferences; one with other chunks or heads than the first is only counted."""
        for inference in inferences:
            table = self._table("inference", partial(columns.inference_columns, inference))
            self._append_or_skip(table, columns.inference_values(inference))

    def add_frames(self, exposures: Sequence[Frames]) -> None:
        """Take over exposures; a picture of another size than its camera's first is only counted."""
        for frames in exposures:
            for camera, image in frames.images.items():
                table = self._table(f"camera/{camera}", partial(columns.camera_columns, camera, image))
                self._append_or_skip(table, columns.camera_values(frames, camera))

    def add_events(self, events: Sequence[Event]) -> None:
        self._table("events", lambda: columns.EVENTS).append(columns.event_values(events))

    def name_policy(self, info: PolicyInfo) -> None:
        """The model is loaded: the header says which, from the next commit on."""
        self.header = msgspec.structs.replace(self.header, policy=info)

    def _word(self, text: str) -> int:
        if text not in self._words:
            self._words[text] = len(self._words)
            self._table("words", lambda: columns.WORDS).append([np.array([text], object)])
        return self._words[text]

    def _table(self, name: str, make: Callable[[], Sequence[Column]]) -> Table:
        if name not in self._tables:
            self._tables[name] = Table(make())
        return self._tables[name]

    def _append_or_skip(self, table: Table, values: Sequence[Rows]) -> None:
        if table.mismatch(values):
            self.skipped += 1
        else:
            table.append(values)

    # --- what is there ---

    @property
    def pending(self) -> int:
        """Rows of all tables that the next commit will hold."""
        return sum(table.pending for table in self._tables.values())

    @property
    def chunk_completed(self) -> bool:
        """A whole chunk waits in memory: time to commit, however short ago the last one was."""
        return any(table.chunk_completed for table in self._tables.values())

    @property
    def committed_ticks(self) -> int:
        return self._tables["tick"].committed if "tick" in self._tables else 0

    # --- rows out ---

    def commit(
        self, *, lost: int = 0, fault: str = "", exit_reason: str | None = None, moved_on: Callable[[], None] = lambda: None
    ) -> None:
        """Put all rows so far on disk; an ``exit_reason`` closes the session. ``moved_on`` is called after each file.

        Raises OSError; then the rows are still here, the last commit still stands, and the call may be repeated.
        """
        self._describe_new()
        changed = [table for table in self._tables.values() if table.pending]
        settled = [table for table in self._tables.values() if table.chunk_completed or exit_reason is not None]
        try:
            chunks = [self._stage(path, data, moved_on) for table in changed for path, data in table.files()]
            lists = [self._stage(path, data, moved_on) for path, data in self._descriptions(settled)]
            grown = sum(staged.stat().st_size - (target.stat().st_size if target.exists() else 0) for staged, target in chunks)
            for staged, target in chunks:
                staged.replace(target)
            for folder in {target.parent for _, target in chunks}:
                sync(folder)
                moved_on()
        except OSError:
            for leftover in (self.path / STAGED).iterdir():
                leftover.unlink()
            raise
        self.bytes += grown
        self._arrays = {name: written for table in self._tables.values() for name, written in table.written().items()}
        self.mark(lost=lost, fault=fault, exit_reason=exit_reason)
        for table in changed:
            table.committed_all()
        for staged, target in lists:
            staged.replace(target)

    def mark(self, *, lost: int = 0, fault: str = "", exit_reason: str | None = None) -> None:
        """Move the commit marker without new rows. Raises OSError."""
        commit = Commit(
            schema=SCHEMA_VERSION,
            number=self._commits,
            wall=time.time(),
            header=self.header,
            arrays=self._arrays,
            bytes=self.bytes,
            lost=lost + self.skipped,
            fault=fault,
            closed=exit_reason is not None,
            exit_reason=exit_reason or "",
        )
        write_commit(self.path, commit)
        self._commits += 1

    def spend_reserve(self) -> bool:
        """Free the space kept for a full disk; False when it has been spent already."""
        try:
            (self.path / RESERVED).unlink()
        except OSError:
            return False
        return True

    def release(self) -> None:
        """End writing: give back the lock and the reserve. Nothing is committed."""
        self.spend_reserve()
        shutil.rmtree(self.path / STAGED, ignore_errors=True)
        os.close(self._lock)

    def _stage(self, path: str, data: bytes, moved_on: Callable[[], None]) -> tuple[Path, Path]:
        staged = self.path / STAGED / path.replace("/", "%")
        write_synced(staged, data)
        moved_on()
        return staged, self.path / path

    def _describe_new(self) -> None:
        """Write ``zarr.json`` of new groups and arrays, which hold no rows before their first commit."""
        for name, table in self._tables.items():
            parents = [str(parent) for parent in [Path(name), *Path(name).parents][:-1]] if name != "words" else []
            for path, tree in [*((p, group({})) for p in reversed(parents)), *((c.name, metadata(c, 0)) for c in table.columns)]:
                if path not in self._described:
                    (self.path / path).mkdir(exist_ok=True)
                    data = msgspec.json.encode(tree)
                    write_synced(self.path / path / "zarr.json", data)
                    self._described[path] = data

    def _descriptions(self, settled: Sequence[Table]) -> list[tuple[str, bytes]]:
        """The ``zarr.json`` files that follow a commit: the root's always, which lists every array, and those of the settled tables."""
        for table in self._tables.values():
            for column in table.columns:
                self._described[column.name] = msgspec.json.encode(metadata(column, table.rows))
        root = consolidated(plain(self.header), self._described)
        return [("zarr.json", root), *((f"{c.name}/zarr.json", self._described[c.name]) for table in settled for c in table.columns)]
