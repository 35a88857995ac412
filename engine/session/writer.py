"""Puts rows into a session's folder and commits them; used by one thread at a time.

A commit appends every full block to its shard, waits for the disk, tells plain readers of the new shapes, and only then
replaces ``commit.json``. Nothing that an earlier commit holds is written again, so a kill between any two steps leaves every
committed row where readers look, and no shape ever promises rows that are not on disk.
"""

import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import msgspec
import numpy as np

from engine.session import columns
from engine.session.commit import Commit, Written, put_files, replace_file, stage_files, sync, sync_disk, write_commit
from engine.session.layout import Column, Rows, SessionError, consolidated, described, group, with_rows
from engine.session.lock import hold
from engine.session.schema import SCHEMA_VERSION, Header, plain
from engine.session.table import Table
from engine.types import F32, Event, Frames, Inference, PolicyInfo, Tick

RESERVE = 16 * 2**20  #: bytes kept for the last commits on a disk that runs full
RESERVED = "reserve"


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
        self._described: dict[str, bytes] = {}  #: groups' and arrays' ``zarr.json`` with no rows, by path
        self._arrays: dict[str, Written] = {}  #: as last committed
        self._attributes = plain(header)
        self._jpeg = header.settings.get("camera", {}).get("record") == "jpeg"
        try:
            self.path.mkdir()
            lock = hold(self.path)
            if lock is None:
                raise SessionError(f"Session {self.path} is being written by another engine.")
            self._lock = lock
            with (self.path / RESERVED).open("wb") as reserve:
                os.posix_fallocate(reserve.fileno(), 0, RESERVE)
            replace_file(self.path / "zarr.json", consolidated(self._attributes, {}))
            self.mark()
            sync(root)
        except OSError as error:
            raise SessionError(f"Session {self.path} cannot be begun ({error.strerror}): choose another store with --store.") from error

    # --- rows in ---

    def add_ticks(self, rows: Sequence[Tick]) -> None:
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
                table = self._table(f"camera/{camera}", partial(columns.camera_columns, camera, image, self._jpeg))
                self._append_or_skip(table, columns.camera_values(frames, camera, self._jpeg))

    def add_events(self, events: Sequence[Event]) -> None:
        self._table("events", lambda: columns.EVENTS).append(columns.event_values(events))

    def add_truth(self, rows: Sequence[tuple[int, F32]]) -> None:
        """Take over what the simulator alone knows, (12,) at a time in ns."""
        self._table("truth", lambda: columns.TRUTH).append(columns.truth_values(rows))

    def add_rows(self, made: Sequence[Column], values: Sequence[Rows]) -> None:
        """Take over rows of columns that come from elsewhere, one array a column; they grow together, in one folder or none.

        Raises SessionError when a row has another shape than its column.
        """
        table = self._table(made[0].name.rpartition("/")[0] or made[0].name, lambda: made)
        if wrong := table.mismatch(values):
            raise SessionError(f"{made[0].name}: {wrong}")
        table.append(values)

    def name_policy(self, info: PolicyInfo) -> None:
        """The model is loaded: the header says which, from the next commit on."""
        self.header = msgspec.structs.replace(self.header, policy=info)
        self._attributes = plain(self.header)

    def _word(self, text: str) -> int:
        if text not in self._words:
            self._words[text] = len(self._words)
            self._table("words", lambda: columns.WORDS).append([np.array([text], object)])
        return self._words[text]

    def _table(self, name: str, make: Callable[[], Sequence[Column]]) -> Table:
        if name not in self._tables:
            self._tables[name] = Table(make(), self.path)
        return self._tables[name]

    def _append_or_skip(self, table: Table, values: Sequence[Rows]) -> None:
        if table.mismatch(values):
            self.skipped += 1
        else:
            table.append(values)

    # --- what is there ---

    @property
    def committed_ticks(self) -> int:
        return self._tables["tick"].committed if "tick" in self._tables else 0

    @property
    def uncommitted(self) -> int:
        """Rows of all tables that no commit holds yet."""
        return sum(table.rows - table.committed for table in self._tables.values())

    @property
    def due(self) -> bool:
        """Whole blocks wait for a commit."""
        return any(table.due(closing=False) for table in self._tables.values())

    # --- rows out ---

    def commit(
        self, *, lost: int = 0, fault: str = "", exit_reason: str | None = None, moved_on: Callable[[], None] = lambda: None
    ) -> None:
        """Put all whole blocks on disk; an ``exit_reason`` puts all rows there and closes the session.

        ``moved_on`` is called now and then. Raises OSError; then the rows are still here, the last commit still stands, and the
        call may be repeated.
        """
        self._describe_new(closing=exit_reason is not None)
        found = [(table, table.due(closing=exit_reason is not None)) for table in self._tables.values()]
        changed = [(table, blocks, table.chained(blocks)) for table, blocks in found if blocks]
        grown = 0
        for table, blocks, _ in changed:
            grown += table.write(blocks)
            moved_on()
        arrays = dict(self._arrays)
        for table, blocks, chains in changed:
            arrays |= table.written(blocks, chains)
        staged = stage_files(self.path, self._descriptions(arrays, everything=exit_reason is not None))
        sync_disk(self.path)
        moved_on()
        for beside, path in staged:
            beside.replace(path)
        before = self._arrays, self.bytes
        self._arrays, self.bytes = arrays, self.bytes + grown
        try:
            self.mark(lost=lost, fault=fault, exit_reason=exit_reason)
        except OSError:
            self._arrays, self.bytes = before
            raise
        for table, blocks, chains in changed:
            table.settle(blocks, chains)

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
        for table in self._tables.values():
            table.close()
        os.close(self._lock)

    def _describe_new(self, *, closing: bool) -> None:
        """Write ``zarr.json`` of new groups and arrays, which hold no rows before their first commit; the commit that closes a
        session writes those of all arrays itself."""
        groups: dict[str, bytes] = {}
        arrays: dict[str, bytes] = {}
        for name, table in self._tables.items():
            if table.columns[0].name not in self._described:
                parents = [str(parent) for parent in [Path(name), *Path(name).parents][:-1]] if name != "words" else []
                groups |= {parent: msgspec.json.encode(group({})) for parent in reversed(parents) if parent not in self._described}
                arrays |= {column.name: described(column) for column in table.columns}
        for path in (*groups, *arrays):
            (self.path / path).mkdir(exist_ok=True)
        written = groups if closing else groups | arrays
        if written:
            put_files(self.path, {f"{path}/zarr.json": data for path, data in written.items()})
        self._described |= groups | arrays

    def _descriptions(self, arrays: dict[str, Written], *, everything: bool) -> dict[str, bytes]:
        """The ``zarr.json`` files of a commit: the root's, which lists every array's shape; and each array's own when a shard is full
        or the session is closed."""
        files: dict[str, bytes] = {}
        listed = dict(self._described)
        for table in self._tables.values():
            for column in table.columns:
                if column.name in arrays:
                    rows = arrays[column.name].rows
                    listed[column.name] = with_rows(self._described[column.name], rows)
                    if everything or rows // column.shard_rows > self._arrays_rows(column.name) // column.shard_rows:
                        files[f"{column.name}/zarr.json"] = listed[column.name]
        return files | {"zarr.json": consolidated(self._attributes, listed)}

    def _arrays_rows(self, name: str) -> int:
        return self._arrays[name].rows if name in self._arrays else 0
