"""Rows on their way to disk: one table is a group of columns that grow together, buffered a whole chunk at a time."""

import hashlib
from collections.abc import Iterator, Sequence

from engine.session.commit import Written
from engine.session.layout import Column, Rows, blank, chunk_path, encode, row_bytes


def chain_start(column: Column) -> "hashlib._Hash":
    """The hash chain before the first row: it already holds what kind of column this is."""
    return hashlib.sha256(f"{column.name} {column.dtype} {column.shape}\n".encode())


class Table:
    """The rows of one table that are not yet on disk, and the hash chain over all that ever came."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = tuple(columns)
        self.chunk_rows = columns[0].chunk_rows
        self.rows = 0  #: appended
        self.committed = 0  #: known to be on disk
        self._chains = [chain_start(column) for column in self.columns]
        self._full: list[tuple[int, list[Rows]]] = []
        self._open = [blank(column) for column in self.columns]

    @property
    def pending(self) -> int:
        """Rows appended since the last commit."""
        return self.rows - self.committed

    @property
    def chunk_completed(self) -> bool:
        """At least one chunk has been filled since the last commit, and will not change again."""
        return bool(self._full)

    def mismatch(self, values: Sequence[Rows]) -> str:
        """Why the rows do not belong into this table, in words; "" if they do."""
        if len(values) != len(self.columns):
            return f"{len(values)} columns where the session has {len(self.columns)}"
        for column, array in zip(self.columns, values, strict=True):
            if array.shape[1:] != column.shape or array.dtype != column.storage:
                return f"{column.name} is {array.dtype} {array.shape[1:]} where the session has {column.dtype} {column.shape}"
        return ""

    def append(self, values: Sequence[Rows]) -> None:
        """Take over rows: one array (n, *shape) a column, without ``mismatch``."""
        count = len(values[0])
        for column, chain, array in zip(self.columns, self._chains, values, strict=True):
            chain.update(row_bytes(column, array))
        taken = 0
        while taken < count:
            at = self.rows % self.chunk_rows
            step = min(count - taken, self.chunk_rows - at)
            for chunk, array in zip(self._open, values, strict=True):
                chunk[at : at + step] = array[taken : taken + step]
            taken += step
            self.rows += step
            if self.rows % self.chunk_rows == 0:
                self._full.append((self.rows // self.chunk_rows - 1, self._open))
                self._open = [blank(column) for column in self.columns]

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Path inside the session and contents of every chunk that a commit must write, the growing one included."""
        for index, chunks in self._full:
            yield from self._encoded(index, chunks)
        if self.rows % self.chunk_rows:
            yield from self._encoded(self.rows // self.chunk_rows, self._open)

    def _encoded(self, index: int, chunks: list[Rows]) -> Iterator[tuple[str, bytes]]:
        for column, rows in zip(self.columns, chunks, strict=True):
            yield chunk_path(column, index), encode(column, rows)

    def written(self) -> dict[str, Written]:
        """What a commit says of each column."""
        return {
            column.name: Written(rows=self.rows, sha256=chain.copy().hexdigest())
            for column, chain in zip(self.columns, self._chains, strict=True)
        }

    def committed_all(self) -> None:
        """The commit that holds all rows so far is on disk."""
        self.committed = self.rows
        self._full.clear()
