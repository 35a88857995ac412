"""The alternative to this program's own session writer: the same columns as arrays that zarr-python appends to and reads."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import zarr
from zarr.codecs import ZstdCodec

from engine.session.layout import LEVEL, Column, Rows


class PlainTable:
    """One zarr array a column, in chunks of the session's own block size and with its compression; no shards, which would be slower."""

    def __init__(self, folder: Path, columns: Sequence[Column]) -> None:
        root = zarr.open_group(folder, mode="w")
        self._arrays: list[Any] = [
            root.create_array(
                column.name,
                shape=(0, *column.shape),
                chunks=(column.block_rows, *column.shape),
                dtype=column.dtype,
                compressors=ZstdCodec(level=LEVEL, checksum=True),
            )
            for column in columns
        ]

    def append(self, values: Sequence[Rows]) -> None:
        """One array of rows a column."""
        for array, rows in zip(self._arrays, values, strict=True):
            array.append(rows)


def read_row(session: Path, names: Sequence[str], row: int) -> list[Any]:
    """One row of each named array of a session on disk, opened and read by zarr-python alone."""
    root: Any = zarr.open_group(session, mode="r")
    return [root[name][row] for name in names]
