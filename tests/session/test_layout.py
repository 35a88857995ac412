"""What lies on disk is what zarr-python itself would write and read."""

import json
import math

import numpy as np
import pytest
import zarr
from zarr.codecs import BloscCodec, ZstdCodec

from engine.session.layout import Column, SessionError, blank, chunk_path, decode, encode, metadata, read_column

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
    return Column(name="a", dtype=dtype, shape=shape, chunk_rows=4, note="m", labels=("x",))


@pytest.mark.parametrize(("dtype", "shape"), KINDS)
def test_the_metadata_is_what_zarr_writes(dtype, shape, tmp_path):
    column = column_of(dtype, shape)
    small = dtype == "string" or np.dtype(dtype).itemsize == 1
    codec = ZstdCodec(level=3, checksum=True) if small else BloscCodec(cname="zstd", clevel=3, shuffle="shuffle")
    group = zarr.open_group(tmp_path, mode="w", zarr_format=3)
    group.create_array(
        "a",
        shape=(6, *shape),
        chunks=(4, *shape),
        dtype=dtype,
        fill_value=math.nan if dtype.startswith("float") else None,
        compressors=[codec],
        chunk_key_encoding={"name": "default", "separator": "."},
        attributes={"note": "m", "labels": ["x"]},
    )
    assert json.loads((tmp_path / "a/zarr.json").read_text()) == metadata(column, 6)


@pytest.mark.parametrize(("dtype", "shape"), KINDS)
def test_zarr_reads_what_is_encoded_here(dtype, shape, tmp_path):
    column = column_of(dtype, shape)
    rng = np.random.default_rng(1)
    rows = np.array(["a", "", "grün", "x" * 999], object) if dtype == "string" else rng.integers(0, 2, (4, *shape)).astype(dtype)
    (tmp_path / "a").mkdir()
    (tmp_path / "a/zarr.json").write_text(json.dumps(metadata(column, 4)))
    (tmp_path / chunk_path(column, 0)).write_bytes(encode(column, rows))
    assert np.array_equal(zarr.open_array(tmp_path / "a", mode="r")[:].astype(rows.dtype), rows)
    assert np.array_equal(decode(column, encode(column, rows)), rows)
    assert read_column(tmp_path, "a") == column


def test_nobody_reads_an_unwritten_float_as_zero():
    assert np.isnan(blank(column_of("float64", (7,)))).all()


def test_metadata_of_another_format_is_refused(tmp_path):
    tree = metadata(column_of("float64", ()), 4)
    tree["codecs"] = [{"name": "bytes", "configuration": {"endian": "big"}}]
    (tmp_path / "a").mkdir()
    (tmp_path / "a/zarr.json").write_text(json.dumps(tree))
    with pytest.raises(SessionError, match=r"a/zarr\.json .* another format"):
        read_column(tmp_path, "a")
