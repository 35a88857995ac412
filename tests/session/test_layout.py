"""What lies on disk is what zarr-python itself would write and read."""

import json
import math

import numpy as np
import pytest
import zarr
from zarr.codecs import ZstdCodec

from engine.session.layout import (
    BLOCKS,
    INDEX_SIZE,
    NO_BLOCK,
    Column,
    SessionError,
    blank,
    decode,
    decode_index,
    described,
    empty_index,
    encode,
    enter_block,
    metadata,
    read_blocks,
    read_column,
    sealed_index,
    with_rows,
)
from engine.session.table import Table

KINDS = [
    ("float64", (7,)),
    ("float32", (5, 1, 16, 7)),
    ("int64", ()),
    ("int32", ()),
    ("bool", (18,)),
    ("uint8", (8, 8, 3)),
    ("string", ()),
]


def column_of(dtype: str, shape: tuple[int, ...]) -> Column:
    return Column(name="a", dtype=dtype, shape=shape, block_rows=4, note="m", labels=("x",))


@pytest.mark.parametrize(("dtype", "shape"), KINDS)
def test_the_metadata_is_what_zarr_writes(dtype, shape, tmp_path):
    column = column_of(dtype, shape)
    group = zarr.open_group(tmp_path, mode="w", zarr_format=3)
    group.create_array(
        "a",
        shape=(6, *shape),
        chunks=(4, *shape),
        shards={"shape": (4 * BLOCKS, *shape), "index_location": "start"},
        dtype=dtype,
        fill_value=math.nan if dtype.startswith("float") else None,
        compressors=[ZstdCodec(level=3, checksum=True)],
        chunk_key_encoding={"name": "default", "separator": "."},
        attributes={"note": "m", "labels": ["x"]},
    )
    assert json.loads((tmp_path / "a/zarr.json").read_text()) == metadata(column, 6)
    assert json.loads(with_rows(described(column), 6)) == metadata(column, 6)


@pytest.mark.parametrize(("dtype", "shape"), KINDS)
def test_zarr_reads_what_is_written_here(dtype, shape, tmp_path):
    """Over a shard's end, and with a last block that is not full."""
    column = column_of(dtype, shape)
    rng = np.random.default_rng(1)
    count = 4 * BLOCKS + 9
    texts = np.array(["a", "", "grün", "x" * 999], object)
    rows = texts[rng.integers(0, 4, count)] if dtype == "string" else rng.integers(0, 2, (count, *shape)).astype(dtype)
    (tmp_path / "a").mkdir()
    (tmp_path / "a/zarr.json").write_text(json.dumps(metadata(column, count)))
    table = Table([column], tmp_path)
    table.append([rows[:50]])
    table.append([rows[50:]])
    size = table.write(table.due(closing=True))
    table.close()
    assert size == sum(path.stat().st_size for path in (tmp_path / "a").glob("c.*"))
    found = zarr.open_array(tmp_path / "a", mode="r")[:]
    assert np.array_equal(found.astype(rows.dtype), rows)
    assert np.array_equal(read_blocks(tmp_path, column, BLOCKS, BLOCKS)[0], rows[4 * BLOCKS : 4 * BLOCKS + 4])
    assert np.array_equal(decode(column, encode(column, rows[:4])), rows[:4])
    assert read_column(tmp_path, "a") == column


def test_an_index_that_was_touched_is_refused():
    index = empty_index()
    enter_block(index, 3, (500, 7))
    sealed = bytearray(sealed_index(index))
    assert len(sealed) == INDEX_SIZE <= 512
    assert decode_index(bytes(sealed)) == [(500, 7) if at == 3 else NO_BLOCK for at in range(BLOCKS)]
    sealed[20] ^= 1
    with pytest.raises(ValueError, match="damaged"):
        decode_index(bytes(sealed))


def test_nobody_reads_an_unwritten_float_as_zero():
    assert np.isnan(blank(column_of("float64", (7,)))).all()


def test_metadata_of_another_format_is_refused(tmp_path):
    tree = metadata(column_of("float64", ()), 4)
    tree["codecs"][0]["configuration"]["codecs"][0]["configuration"]["endian"] = "big"
    (tmp_path / "a").mkdir()
    (tmp_path / "a/zarr.json").write_text(json.dumps(tree))
    with pytest.raises(SessionError, match=r"a/zarr\.json .* another format"):
        read_column(tmp_path, "a")
