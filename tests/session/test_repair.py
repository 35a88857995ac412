"""Repair keeps what was committed, removes the rest, and says when it cannot."""

import msgspec
import pytest
import zarr

from engine.session.commit import COMMIT, Commit, sealed
from engine.session.layout import SessionError
from engine.session.reader import Session
from engine.session.repair import repair
from engine.session.verify import verify


@pytest.fixture
def cut_off(damaged):
    """The session as a kill would leave it whose last commit held 700 ticks, and no inference since its 64th."""
    commit = msgspec.json.decode((damaged / COMMIT).read_bytes(), type=Commit)
    kept = {"tick": 700, "inference": 64}
    arrays = {
        name: msgspec.structs.replace(written, rows=kept.get(name.split("/")[0], written.rows)) for name, written in commit.arrays.items()
    }
    cut = msgspec.structs.replace(commit, arrays=arrays, closed=False, exit_reason="")
    (damaged / COMMIT).write_bytes(msgspec.json.encode(sealed(cut)))
    (damaged / "tick/begun").mkdir()
    (damaged / ".zarr.json.new").write_text("{")
    (damaged / "reserve").write_bytes(b"0" * 100)
    return damaged


def test_rows_beyond_the_commit_are_counted_and_removed_once(cut_off, rows):
    before = Session.open(cut_off).structs(type(rows[0].inputs))
    done = repair(cut_off)
    assert (done.ticks, done.lost, done.changed) == (700, 1530, True)
    assert "1530 ticks written after it were removed" in done.text
    session = Session.open(cut_off)
    assert session.structs(type(rows[0].inputs)) == before
    assert (session.commit.closed, session.commit.exit_reason, session.commit.lost) == (True, "interrupted", 1530)
    assert session.commit.bytes == sum(file.stat().st_size for file in cut_off.rglob("c.*"))
    assert zarr.open(cut_off, mode="r")["tick/t_ns"].shape == zarr.open_array(cut_off / "tick/t_ns", mode="r").shape == (700,)
    assert zarr.open(cut_off, mode="r")["inference/id"][-1] == 63
    assert not [path for path in cut_off.rglob("*") if path.name in ("begun", "reserve", ".zarr.json.new")]
    assert not repair(cut_off).changed
    assert verify(cut_off).lost == 1530


def test_a_whole_session_needs_none(damaged):
    files = {path: path.read_bytes() for path in damaged.rglob("*") if path.is_file()}
    assert not repair(damaged).changed
    assert files == {path: path.read_bytes() for path in damaged.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "damage", [lambda shard: shard.unlink(), lambda shard: shard.write_bytes(b""), lambda shard: shard.write_bytes(b"1" * 900)]
)
def test_damage_to_committed_rows_cannot_be_repaired_and_is_named(cut_off, damage):
    damage(cut_off / "tick/score/c.0")
    with pytest.raises(SessionError, match=r"tick/score/c\.0 is missing or damaged and holds committed rows"):
        repair(cut_off)
