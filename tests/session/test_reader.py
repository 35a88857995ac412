"""Any moment of a session can be looked at, as the live screen could have shown it."""

import hashlib
import json
import math

import msgspec
import numpy as np
import pytest
from session_material import same

from engine.limits import Limits
from engine.session.commit import COMMIT, Commit, sealed
from engine.session.layout import SessionError
from engine.session.reader import Session
from engine.session.schema import SCHEMA_VERSION
from engine.session.verify import recompute


def test_rows_cross_blocks_and_stop_at_the_commit(recorded, rows):
    session = Session.open(recorded)
    assert np.array_equal(session.rows("tick/tick", 2040, 2060), np.arange(2040, 2060))
    assert np.array_equal(session.rows("tick/tick", 2190, 9999), np.arange(2190, 2230))
    assert session.rows("tick/q", 2230, 2300).shape == (0, 7)
    assert session.row(-1).inputs == rows[-1].inputs
    with pytest.raises(IndexError):
        session.row(2230)


def test_the_picture_and_inference_of_a_moment_are_the_newest_received_by_then(recorded, rows):
    session = Session.open(recorded)
    received = rows[40].inputs.t_ns
    for t_ns, number in ((received - 1, 1), (received, 2), (received + 1, 2), (10**18, 111)):
        assert session.inference_at(t_ns).id == number
        assert session.frame_at("top", t_ns).seq == number
    assert session.inference_at(0) is None
    assert session.frame_at("front", 0) is None
    with pytest.raises(SessionError, match="no camera 'side'; it has front, top"):
        session.frame_at("side", 0)


def test_a_time_finds_the_tick_at_or_before_it(recorded, rows):
    session = Session.open(recorded)
    assert session.tick_at(rows[77].inputs.t_ns) == 77
    assert session.tick_at(rows[77].inputs.t_ns - 1) == 76
    assert (session.tick_at(0), session.tick_at(10**18)) == (0, 2229)


def test_a_snapshot_holds_what_the_screen_needs(recorded, rows):
    session = Session.open(recorded)
    shown = session.snapshot(1234)
    assert same((shown.inputs, shown.decision, shown.command, shown.saw, shown.spring, shown.energy, shown.operator), tuple(rows[1234][:7]))
    assert shown.inference.id == 61
    assert shown.inference.age == pytest.approx((rows[1234].inputs.t_ns - rows[1220].inputs.t_ns) / 1e9 + 0.09)
    assert shown.inference.rate_hz == 5.0
    assert shown.loop.tick_hz == 100.0
    assert [event.tick for event in shown.events] == list(range(0, 1300, 100))
    assert shown.run.policy.name == "compact"
    assert shown.wall == pytest.approx(session.header.started_wall + 12.34)
    assert shown.frame_age == pytest.approx(0.05)
    assert shown.events[-1].wall == session.snapshot(shown.events[-1].tick).wall, "one clock for what happened and when it is looked at"
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(shown), type=type(shown)).run == shown.run


def test_before_the_first_inference_a_snapshot_shows_none(recorded):
    assert Session.open(recorded).snapshot(0).inference is None


def test_length_is_the_engines_time(recorded):
    assert math.isclose(Session.open(recorded).seconds, 22.29)


def test_no_session_is_one_sentence(tmp_path):
    with pytest.raises(SessionError, match="There is no session at"):
        Session.open(tmp_path / "none")
    with pytest.raises(SessionError, match=r"is not a session: it has no commit\.json"):
        Session.open(tmp_path)


def test_another_schema_version_says_so(damaged):
    commit = json.loads((damaged / COMMIT).read_text())
    commit["schema"] = SCHEMA_VERSION + 1
    commit["something new"] = commit.pop("arrays")
    (damaged / COMMIT).write_text(json.dumps(commit))
    with pytest.raises(
        SessionError, match=rf"was written with schema {SCHEMA_VERSION + 1}, and this program reads schema {SCHEMA_VERSION}: open it with"
    ):
        Session.open(damaged)


def test_an_edited_commit_is_refused(damaged):
    text = (damaged / COMMIT).read_text()
    (damaged / COMMIT).write_text(text.replace('"rows":2230', '"rows":2201'))
    with pytest.raises(SessionError, match=r"commit\.json of session .* has been changed"):
        Session.open(damaged)


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b'{"schema": %d}' % SCHEMA_VERSION, b"null", b'{"schema": "\xfa"}', b"[" * 100_000],
    ids=lambda data: repr(data[:24]),
)
def test_a_damaged_commit_is_one_sentence(damaged, data):
    (damaged / COMMIT).write_bytes(data)
    with pytest.raises(SessionError, match=r"commit\.json of session .* is damaged"):
        Session.open(damaged)


@pytest.mark.parametrize(
    "data", [b"{", b"[]", b'{"codecs": "\xfa"}', b"[" * 100_000, b'{"attributes": 5}'], ids=lambda data: repr(data[:24])
)
def test_a_column_whose_description_is_damaged_is_one_sentence(damaged, data):
    (damaged / "tick/operator_mode/zarr.json").write_bytes(data)
    with pytest.raises(SessionError, match=r"zarr\.json of session .* is missing or damaged"):
        Session.open(damaged).rows("tick/operator_mode")


def test_a_truncated_shard_is_one_sentence_that_names_it(damaged):
    shard = damaged / "tick/q/c.0.0"
    whole = shard.read_bytes()
    for kept, row in ((100, 5), (len(whole) - 10, 2229)):
        shard.write_bytes(whole[:kept])
        with pytest.raises(SessionError, match=r"tick/q/c\.0\.0 is damaged"):
            Session.open(damaged).row(row)


def test_a_byte_changed_in_a_shard_is_one_sentence_that_names_it(damaged):
    shard = damaged / "tick/plant/c.0.0"
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 64
    shard.write_bytes(data)
    with pytest.raises(SessionError, match=r"tick/plant/c\.0\.0 is damaged"):
        Session.open(damaged).rows("tick/plant")


def test_a_missing_shard_is_never_read_as_zeros(damaged):
    (damaged / "tick/q/c.0.0").unlink()
    with pytest.raises(SessionError, match=r"tick/q/c\.0\.0 cannot be read"):
        Session.open(damaged).rows("tick/q", 0, 1)


def test_a_commit_that_promises_more_than_there_is_names_what_is_missing(damaged):
    """Sealed again by somebody who knows how: the rows are still not there, and not zeros."""
    commit = msgspec.json.decode((damaged / COMMIT).read_bytes(), type=Commit)
    arrays = {name: msgspec.structs.replace(written, rows=5000) for name, written in commit.arrays.items()}
    (damaged / COMMIT).write_bytes(msgspec.json.encode(sealed(msgspec.structs.replace(commit, arrays=arrays))))
    with pytest.raises(SessionError, match=r"tick/score/c\.0 is damaged \(block 23 is not there\)"):
        Session.open(damaged).rows("tick/score")


def test_a_session_from_before_a_setting_was_there_reads_with_its_usual_value(damaged):
    commit, root = (json.loads((damaged / name).read_bytes()) for name in (COMMIT, "zarr.json"))
    for header in (commit["header"], root["attributes"]):
        del header["limits"]["stroke_yield"]
    bare = msgspec.json.encode(commit | {"digest": ""})
    (damaged / COMMIT).write_bytes(msgspec.json.encode(commit | {"digest": hashlib.sha256(bare).hexdigest()}))
    (damaged / "zarr.json").write_text(json.dumps(root))
    assert Session.open(damaged).header.limits == Limits()
    report = recompute(damaged)
    assert report.ok, report.problems
    assert report.decisions_recomputed == 2230
