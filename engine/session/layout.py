"""How one column of a session lies on disk: a Zarr v3 array whose rows are grouped into chunks, one file a chunk.

The metadata is what zarr-python itself would write for the same array, so ``zarr.open`` reads it. The chunks are encoded
here and not through zarr-python's asynchronous store: measured with 115 arrays, an append by zarr-python takes 210–260 ms
of Python a commit, these functions 20 ms, nearly all of it outside the interpreter's lock.
"""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numcodecs import Blosc, VLenUTF8, Zstd
from numpy.typing import NDArray

Rows = NDArray[Any]

STRING = "string"
LEVEL = 3  #: of zstd

_zstd = Zstd(level=LEVEL, checksum=True)
_strings = VLenUTF8()


class SessionError(Exception):
    """A session cannot be written or read. The text is one sentence for the operator."""


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One array of a session; its first axis is the row."""

    name: str  #: path inside the session, such as "tick/score"
    dtype: str  #: "float64", "float32", "int64", "int32", "bool", "uint8" or "string"
    shape: tuple[int, ...]  #: of one row
    chunk_rows: int
    note: str = ""  #: what it is, with its unit
    labels: tuple[str, ...] = ()  #: names along the row's first axis, where they have names

    @property
    def storage(self) -> np.dtype[Any]:
        """The numpy type of its rows in memory."""
        return np.dtype(object) if self.dtype == STRING else np.dtype(self.dtype)


def _fill(column: Column) -> Any:
    if column.dtype == STRING:
        return ""
    if column.dtype.startswith("float"):
        return float("nan")
    return False if column.dtype == "bool" else 0


def blank(column: Column) -> Rows:
    """One chunk of rows that nobody has written: NaN, 0, False or "". (chunk_rows, *shape)"""
    return np.full((column.chunk_rows, *column.shape), _fill(column), column.storage)


def _shuffled(column: Column) -> bool:
    """Numbers of several bytes compress better byte by byte; pictures and flags better as they are."""
    return column.dtype != STRING and np.dtype(column.dtype).itemsize > 1


def metadata(column: Column, rows: int) -> dict[str, Any]:
    """The array's ``zarr.json`` (Zarr v3 core specification) when it holds ``rows`` rows."""
    codecs: list[dict[str, Any]]
    if column.dtype == STRING:
        codecs = [{"name": "vlen-utf8", "configuration": {}}]
    elif np.dtype(column.dtype).itemsize > 1:
        codecs = [{"name": "bytes", "configuration": {"endian": "little"}}]
    else:
        codecs = [{"name": "bytes"}]
    if _shuffled(column):
        size = np.dtype(column.dtype).itemsize
        settings = {"typesize": size, "cname": "zstd", "clevel": LEVEL, "shuffle": "shuffle", "blocksize": 0}
        codecs.append({"name": "blosc", "configuration": settings})
    else:
        codecs.append({"name": "zstd", "configuration": {"level": LEVEL, "checksum": True}})
    attributes: dict[str, Any] = {"note": column.note} if column.note else {}
    if column.labels:
        attributes["labels"] = list(column.labels)
    return {
        "shape": [rows, *column.shape],
        "data_type": column.dtype,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [column.chunk_rows, *column.shape]}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "."}},
        "fill_value": "NaN" if column.dtype.startswith("float") else _fill(column),
        "codecs": codecs,
        "attributes": attributes,
        "zarr_format": 3,
        "node_type": "array",
        "storage_transformers": [],
    }


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
        chunk = found["chunk_grid"]["configuration"]["chunk_shape"]
        column = Column(
            name=name,
            dtype=found["data_type"],
            shape=tuple(chunk[1:]),
            chunk_rows=chunk[0],
            note=found["attributes"].get("note", ""),
            labels=tuple(found["attributes"].get("labels", ())),
        )
        rows = found["shape"][0]
    except (OSError, msgspec.DecodeError, KeyError, IndexError, TypeError) as error:
        raise SessionError(f"{name}/zarr.json of session {session} is missing or damaged: restore it from a copy.") from error
    if found != metadata(column, rows):
        raise SessionError(f"{name}/zarr.json of session {session} describes another format than this program writes.")
    return column


def chunk_path(column: Column, index: int) -> str:
    """Where chunk ``index`` lies inside the session. Only the row axis is divided."""
    return f"{column.name}/c.{index}" + ".0" * len(column.shape)


def encode(column: Column, rows: Rows) -> bytes:
    """A whole chunk of rows as the bytes of its file. ``rows``: (chunk_rows, *shape)"""
    if column.dtype == STRING:
        return bytes(_zstd.encode(_strings.encode(rows)))
    if _shuffled(column):
        return bytes(Blosc("zstd", LEVEL, Blosc.SHUFFLE).encode(rows))
    return bytes(_zstd.encode(rows))


def decode(column: Column, data: bytes) -> Rows:
    """The rows of a chunk's file: (chunk_rows, *shape). Raises ValueError or RuntimeError when they are damaged."""
    if column.dtype == STRING:
        return np.asarray(_strings.decode(_zstd.decode(data)), object)
    raw = (Blosc if _shuffled(column) else Zstd)().decode(data)
    return np.frombuffer(raw, column.storage).reshape(column.chunk_rows, *column.shape)


def row_bytes(column: Column, rows: Rows) -> bytes:
    """The rows as the hash chain reads them: raw little-endian values, or for a string its length in 8 bytes and its UTF-8."""
    if column.dtype != STRING:
        return np.ascontiguousarray(rows).tobytes()
    texts = [str(text).encode() for text in rows]
    return b"".join(len(text).to_bytes(8, "little") + text for text in texts)
