"""Rows on their way to disk: one table is a group of columns that grow together, a whole block of rows at a time."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from engine.session.commit import Written
from engine.session.layout import (
    BLOCKS,
    INDEX_SIZE,
    Column,
    Rows,
    blank,
    empty_index,
    encode,
    enter_block,
    row_bytes,
    sealed_index,
    shard_path,
)


def chain_start(column: Column) -> "hashlib._Hash":
    """The hash chain before the first row: it already holds what kind of column this is."""
    return hashlib.sha256(f"{column.name} {column.dtype} {column.shape}\n".encode())


class Shard:
    """The file that one column is growing in."""

    def __init__(self, session: Path, column: Column) -> None:
        self._session = session
        self._column = column
        self._number = -1
        self._descriptor = -1
        self._index = empty_index()
        self._end = INDEX_SIZE

    def put(self, block: int, data: bytes) -> int:
        """Append a block and enter it into the index; the bytes by which the column grew. Raises OSError, and may be repeated."""
        number, at = divmod(block, BLOCKS)
        before = self._end
        if number != self._number:
            self._open(number)
            before = 0 if self._end == INDEX_SIZE else self._end
        _write_all(self._descriptor, data, self._end)
        enter_block(self._index, at, (self._end, len(data)))
        _write_all(self._descriptor, sealed_index(self._index), 0)
        self._end += len(data)
        return self._end - before

    def _open(self, number: int) -> None:
        self.close()
        path = self._session / shard_path(self._column, number)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        self._number = number
        found = os.pread(self._descriptor, INDEX_SIZE, 0)
        self._index = bytearray(found[:-4]) if len(found) == INDEX_SIZE else empty_index()
        self._end = max(INDEX_SIZE, os.fstat(self._descriptor).st_size)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._number = self._descriptor = -1


def _write_all(descriptor: int, data: bytes, offset: int) -> None:
    """A disk that is nearly full takes a part and says nothing; the next write says it."""
    left = memoryview(data)
    while left:
        done = os.pwrite(descriptor, left, offset)
        left, offset = left[done:], offset + done


class Block(NamedTuple):
    """Rows that are written together."""

    number: int
    columns: list[Rows]  #: (block_rows, *shape) each
    rows: int  #: how many of them have been given; fewer than block_rows only when a session is closed


class Table:
    """The rows of one table that are not yet on disk, and the hash chain over those that are."""

    def __init__(self, columns: Sequence[Column], session: Path) -> None:
        self.columns = tuple(columns)
        self.block_rows = columns[0].block_rows
        self.rows = 0  #: given
        self.committed = 0  #: known to be on disk
        self._storages = [column.storage for column in self.columns]
        self._shards = [Shard(session, column) for column in self.columns]
        self._chains = [chain_start(column) for column in self.columns]
        self._full: list[Block] = []
        self._open = [blank(column) for column in self.columns]

    def mismatch(self, values: Sequence[Rows]) -> str:
        """Why the rows do not belong into this table, in words; "" if they do."""
        if len(values) != len(self.columns):
            return f"{len(values)} columns where the session has {len(self.columns)}"
        for column, storage, array in zip(self.columns, self._storages, values, strict=True):
            if array.shape[1:] != column.shape or array.dtype != storage:
                return f"{column.name} is {array.dtype} {array.shape[1:]} where the session has {column.dtype} {column.shape}"
        return ""

    def append(self, values: Sequence[Rows]) -> None:
        """Take over rows: one array (n, *shape) a column, without ``mismatch``."""
        taken, count = 0, len(values[0])
        while taken < count:
            at = self.rows % self.block_rows
            step = min(count - taken, self.block_rows - at)
            for column, array in zip(self._open, values, strict=True):
                column[at : at + step] = array[taken : taken + step]
            taken += step
            self.rows += step
            if self.rows % self.block_rows == 0:
                self._full.append(Block(self.rows // self.block_rows - 1, self._open, self.block_rows))
                self._open = [blank(column) for column in self.columns]

    def due(self, *, closing: bool) -> list[Block]:
        """The blocks that a commit now would write: the full ones, and when closing the last one as it is."""
        rest = self.rows % self.block_rows
        return [*self._full, Block(self.rows // self.block_rows, self._open, rest)] if closing and rest else list(self._full)

    def write(self, blocks: Sequence[Block]) -> int:
        """Put the blocks into their shards; the bytes by which they grew. Raises OSError, and may be repeated."""
        return sum(
            shard.put(block.number, encode(column, rows))
            for block in blocks
            for column, shard, rows in zip(self.columns, self._shards, block.columns, strict=True)
        )

    def chained(self, blocks: Sequence[Block]) -> "list[hashlib._Hash]":
        """The hash chains with the blocks' rows added."""
        chains = [chain.copy() for chain in self._chains]
        for block in blocks:
            for column, chain, rows in zip(self.columns, chains, block.columns, strict=True):
                chain.update(row_bytes(column, rows[: block.rows]))
        return chains

    def written(self, blocks: Sequence[Block], chains: "Sequence[hashlib._Hash]") -> dict[str, Written]:
        """What a commit that holds the blocks says of each column."""
        rows = self.committed + sum(block.rows for block in blocks)
        return {column.name: Written(rows=rows, sha256=chain.hexdigest()) for column, chain in zip(self.columns, chains, strict=True)}

    def settle(self, blocks: Sequence[Block], chains: "list[hashlib._Hash]") -> None:
        """The commit that holds the blocks stands."""
        self.committed += sum(block.rows for block in blocks)
        self._chains = chains
        self._full = [block for block in self._full if block.number > blocks[-1].number]

    def close(self) -> None:
        for shard in self._shards:
            shard.close()
