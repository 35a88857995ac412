"""How one column of a session lies on disk: a Zarr v3 array in shards, files to which compressed blocks of rows are appended.

The metadata is what zarr-python itself would write for the same array, so ``zarr.open`` reads it. The shards are written here
and not through zarr-python: measured with 115 arrays, one append by zarr-python takes 210-260 ms of Python, and each rewrites
the last chunk. Here a commit appends whole blocks and writes each shard's index again, in place: no committed byte moves.

A shard begins with its index (Zarr v3 sharding codec, ``index_location`` start): offset and size of each block as two
little-endian uint64, all ones where there is none, then a CRC-32C. 31 blocks make an index of 500 bytes, which lies in one
sector of the disk: a power cut leaves the old index or the new one.
"""

import struct
from pathlib import Path
from typing import Any

import google_crc32c
import msgspec
import numpy as np
from numcodecs import VLenBytes, VLenUTF8, Zstd
from numpy.typing import NDArray

Rows = NDArray[Any]
Entry = tuple[int, int]  #: offset in the shard, size

STRING = "string"
BYTES = "variable_length_bytes"  #: rows of any length, such as compressed pictures
LEVEL = 3  #: of zstd; its checksum tells damage. Shuffling bytes first saved 6-11 % of noisy floats and nothing of the rest
BLOCKS = 31  #: in a shard
INDEX_SIZE = 16 * BLOCKS + 4
NO_BLOCK: Entry = (2**64 - 1, 2**64 - 1)

_zstd = Zstd(level=LEVEL, checksum=True)
#: codec of rows that are objects, its name, a row that nobody has written
_OBJECTS: dict[str, tuple[Any, str, Any]] = {STRING: (VLenUTF8(), "vlen-utf8", ""), BYTES: (VLenBytes(), "vlen-bytes", b"")}


class SessionError(Exception):
    """A session cannot be written or read. The text is one sentence for the operator."""


#: what reading a description raises where the file is not what was written: no JSON, no UTF-8, other keys, other types
DAMAGE = (msgspec.DecodeError, ValueError, LookupError, TypeError, AttributeError, RecursionError)


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One array of a session; its first axis is the row."""

    name: str  #: path inside the session, such as "tick/score"
    dtype: str  #: "float64", "float32", "int64", "int32", "bool", "uint8", STRING or BYTES
    shape: tuple[int, ...]  #: of one row
    block_rows: int  #: compressed, and so committed, together
    note: str = ""  #: what it is, with its unit
    labels: tuple[str, ...] = ()  #: names along the row's first axis, where they have names

    @property
    def storage(self) -> np.dtype[Any]:
        """The numpy type of its rows in memory."""
        return np.dtype(object) if self.dtype in _OBJECTS else np.dtype(self.dtype)

    @property
    def shard_rows(self) -> int:
        return BLOCKS * self.block_rows


def _fill(column: Column) -> Any:
    if column.dtype in _OBJECTS:
        return _OBJECTS[column.dtype][2]
    if column.dtype.startswith("float"):
        return float("nan")
    return False if column.dtype == "bool" else 0


def blank(column: Column) -> Rows:
    """One block of rows that nobody has written: NaN, 0, False or empty. (block_rows, *shape)"""
    return np.full((column.block_rows, *column.shape), _fill(column), column.storage)


def metadata(column: Column, rows: int) -> dict[str, Any]:
    """The array's ``zarr.json`` (Zarr v3 core specification) when it holds ``rows`` rows."""
    codecs: list[dict[str, Any]]
    if column.dtype in _OBJECTS:
        codecs = [{"name": _OBJECTS[column.dtype][1], "configuration": {}}]
    elif np.dtype(column.dtype).itemsize > 1:
        codecs = [{"name": "bytes", "configuration": {"endian": "little"}}]
    else:
        codecs = [{"name": "bytes"}]
    codecs.append({"name": "zstd", "configuration": {"level": LEVEL, "checksum": True}})
    attributes: dict[str, Any] = {"note": column.note} if column.note else {}
    if column.labels:
        attributes["labels"] = list(column.labels)
    sharding = {
        "chunk_shape": [column.block_rows, *column.shape],
        "codecs": codecs,
        "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}],
        "index_location": "start",
    }
    return {
        "shape": [rows, *column.shape],
        "data_type": column.dtype,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [column.shard_rows, *column.shape]}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "."}},
        "fill_value": "NaN" if column.dtype.startswith("float") else "" if column.dtype == BYTES else _fill(column),
        "codecs": [{"name": "sharding_indexed", "configuration": sharding}],
        "attributes": attributes,
        "zarr_format": 3,
        "node_type": "array",
        "storage_transformers": [],
    }


def described(column: Column) -> bytes:
    """``metadata`` of no rows, encoded; ``with_rows`` fills in how many there are."""
    return msgspec.json.encode(metadata(column, 0))


def with_rows(described: bytes, rows: int) -> bytes:
    """The same for ``rows`` rows: the shape is the first thing in it."""
    return b'{"shape":[%d' % rows + described.removeprefix(b'{"shape":[0')


def group(attributes: dict[str, Any]) -> dict[str, Any]:
    """A group's ``zarr.json``."""
    return {"attributes": attributes, "zarr_format": 3, "node_type": "group"}


def consolidated(attributes: dict[str, Any], described: dict[str, bytes]) -> bytes:
    """The root's ``zarr.json``: attributes, and the ``zarr.json`` of every group and array below it by path.

    One file, so that all shapes a plain reader sees change in one step.
    """
    inline = {path: msgspec.Raw(data) for path, data in sorted(described.items())}
    listing = {"kind": "inline", "must_understand": False, "metadata": inline}
    return msgspec.json.encode({**group(attributes), "consolidated_metadata": listing})


def read_column(session: Path, name: str) -> Column:
    """The column as its own ``zarr.json`` describes it; its row count is the commit's, not this file's. Raises SessionError."""
    try:
        found = msgspec.json.decode((session / name / "zarr.json").read_bytes())
        block = found["codecs"][0]["configuration"]["chunk_shape"]
        column = Column(
            name=name,
            dtype=found["data_type"],
            shape=tuple(block[1:]),
            block_rows=block[0],
            note=found["attributes"].get("note", ""),
            labels=tuple(found["attributes"].get("labels", ())),
        )
        rows = found["shape"][0]
    except (OSError, *DAMAGE) as error:
        raise SessionError(f"{name}/zarr.json of session {session} is missing or damaged: restore it from a copy.") from error
    if found != metadata(column, rows):
        raise SessionError(f"{name}/zarr.json of session {session} describes another format than this program writes.")
    return column


def shard_path(column: Column, shard: int) -> str:
    """Where a shard lies inside the session. Only the row axis is divided."""
    return f"{column.name}/c.{shard}" + ".0" * len(column.shape)


def empty_index() -> bytearray:
    """The index of a shard without blocks, still without its CRC."""
    return bytearray(b"\xff" * (INDEX_SIZE - 4))


def enter_block(index: bytearray, at: int, entry: Entry) -> None:
    """Write into an index where its block number ``at`` lies."""
    struct.pack_into("<QQ", index, 16 * at, *entry)


def sealed_index(index: bytearray) -> bytes:
    """The first bytes of a shard: the index and its CRC."""
    return bytes(index) + struct.pack("<I", google_crc32c.value(bytes(index)))


def decode_index(data: bytes) -> list[Entry]:
    """What ``sealed_index`` made. Raises ValueError when it is damaged."""
    if len(data) != INDEX_SIZE or struct.unpack("<I", data[-4:])[0] != google_crc32c.value(data[:-4]):
        raise ValueError("its index is damaged")
    numbers = struct.unpack(f"<{2 * BLOCKS}Q", data[:-4])
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def read_blocks(session: Path, column: Column, first: int, last: int) -> list[Rows]:
    """The rows of blocks ``first`` to ``last``, which lie in one shard: (block_rows, *shape) each.

    Raises SessionError when one is not there or damaged.
    """
    shard, at = divmod(first, BLOCKS)
    path = session / shard_path(column, shard)
    blocks = []
    try:
        with path.open("rb") as file:
            for number, (offset, size) in enumerate(decode_index(file.read(INDEX_SIZE))[at : at + last - first + 1], first):
                if (offset, size) == NO_BLOCK:
                    raise ValueError(f"block {number} is not there")
                file.seek(offset)
                blocks.append(decode(column, file.read(size)))
    except OSError as error:
        raise SessionError(f"{path} cannot be read ({error.strerror}): restore it from a copy.") from error
    except (ValueError, RuntimeError) as error:
        raise SessionError(f"{path} is damaged ({error}): restore it from a copy.") from error
    return blocks


def encode(column: Column, rows: Rows) -> bytes:
    """A block of rows as it lies in its shard. ``rows``: (block_rows, *shape)"""
    return bytes(_zstd.encode(_OBJECTS[column.dtype][0].encode(rows) if column.dtype in _OBJECTS else rows))


def decode(column: Column, data: bytes) -> Rows:
    """What ``encode`` made: (block_rows, *shape). Raises ValueError or RuntimeError when it is damaged."""
    raw = _zstd.decode(data)
    if column.dtype in _OBJECTS:
        return np.asarray(_OBJECTS[column.dtype][0].decode(raw), object)
    return np.frombuffer(raw, column.storage).reshape(column.block_rows, *column.shape)


def row_bytes(column: Column, rows: Rows) -> bytes:
    """The rows as the hash chain reads them: raw little-endian values, or for texts and bytes their length in 8 bytes and they."""
    if column.dtype not in _OBJECTS:
        return np.ascontiguousarray(rows).tobytes()
    texts = [row if isinstance(row, bytes) else str(row).encode() for row in rows]
    return b"".join(len(text).to_bytes(8, "little") + text for text in texts)
