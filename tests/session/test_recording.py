"""What was given to the recorder is what a session holds, bit for bit; what it cannot hold is told."""

import math
import threading

import msgspec
import numpy as np
import pytest
import session_material as material
import zarr
from session_material import same

from engine.clock import SimulatedClock
from engine.session import recorder as recording
from engine.session.columns import TICK_FIELDS, tick_values
from engine.session.layout import SessionError
from engine.session.reader import Session
from engine.session.recorder import Recorder, check_store
from engine.types import Inputs, Reason


def test_every_tick_comes_back_bit_for_bit(recorded, rows):
    session = Session.open(recorded)
    assert session.ticks == len(rows)
    for struct, source in zip(TICK_FIELDS, range(7), strict=True):
        assert same(session.structs(struct), [row[source] for row in rows])
    assert session.rows("tick/plant").tobytes() == np.array([row.plant for row in rows]).tobytes()
    assert any(math.isnan(row.saw.phase_error) for row in rows)
    assert any(math.isinf(row.saw.press_force) for row in rows)


def test_plain_zarr_reads_the_same_rows(recorded, rows):
    group = zarr.open(recorded, mode="r")
    names = [field.column.name for fields in TICK_FIELDS.values() for field in fields if not field.text] + ["tick/plant"]
    words = list(group["words"][:])
    wanted = tick_values(rows, words.index)
    texts = [field.text for fields in TICK_FIELDS.values() for field in fields] + [False]
    for name, rows_given in zip(names, [value for value, text in zip(wanted, texts, strict=True) if not text], strict=True):
        assert group[name][:].tobytes() == rows_given.tobytes(), name
    assert list(group["events/text"][:2]) == ["tick 0, naïve", "tick 100, naïve"]
    assert group.attrs["policy"]["hash"] == material.POLICY.hash


def test_one_array_opens_by_itself(recorded, rows):
    assert zarr.open_array(recorded / "tick/score", mode="r").shape == (len(rows),)


def test_inferences_pictures_and_events_come_back_bit_for_bit(recorded, rows):
    session = Session.open(recorded)
    assert session.inferences == 112
    for number in (0, 63, 64, 111):
        t_ns = rows[number * 20].inputs.t_ns
        given, found = material.inference(number, t_ns), session.inference(number)
        assert same(found, given)
        assert [getattr(found, name).dtype for name in ("chunks", "valid", "signals")] == [np.float32, np.bool_, np.float64]
        pictures = material.frames(number, t_ns, rows[number * 20])
        for camera in ("front", "top"):
            picture = session.frame_at(camera, t_ns)
            assert picture is not None
            assert (picture.seq, picture.t_ns, picture.exposed_ns) == (number, t_ns, pictures.exposed_ns)
            assert np.array_equal(picture.image, pictures.images[camera])
    assert session.events[3] == material.event(3, 300, "mark", "tick 300, naïve")


def test_the_header_comes_back_with_the_policy_that_was_loaded_later(recorded):
    header = Session.open(recorded).header
    assert header == material.header(policy=material.POLICY)


def test_a_number_that_json_cannot_hold_is_refused_by_name(tmp_path):
    with pytest.raises(SessionError, match=r"header\.cameras\.front\.size\[1\] = nan"):
        Recorder(tmp_path, material.header(cameras={"front": {"size": [32, math.nan]}}))


def test_two_sessions_of_one_name_are_refused(tmp_path):
    first = Recorder(tmp_path, material.header())
    with pytest.raises(SessionError, match="File exists"):
        Recorder(tmp_path, material.header())
    assert first.close("done")


def test_a_picture_or_chunk_of_another_size_is_counted_and_the_others_are_kept(tmp_path, rows):
    recorder = Recorder(tmp_path, material.header())
    recorder.frames(material.frames(0, 1_000, rows[0]))
    recorder.frames(material.frames(1, 2_000, rows[0], side=16))
    recorder.frames(material.frames(2, 3_000, rows[0]))
    recorder.inference(material.inference(0, 1_000))
    recorder.inference(material.inference(1, 2_000, noise=2))
    recorder.close("done")
    session = Session.open(recorder.path)
    assert session.rows("camera/front/seq").tolist() == [0, 2]
    assert session.rows("inference/id").tolist() == [0]
    assert session.commit.lost == 3


def test_a_row_of_another_length_is_a_fault_and_what_came_before_is_kept(tmp_path, rows):
    recorder = Recorder(tmp_path, material.header(), wait=True)
    for row in rows[:30]:
        recorder.tick(row)
    wrong = msgspec.structs.replace(rows[30].inputs, q=(0.0,) * 6)
    recorder.tick(rows[30]._replace(inputs=wrong))
    assert not recorder.close("done")
    assert recorder.fault == Reason.RECORDER_FAILED
    assert "cannot be recorded" in recorder.fault_text
    kept = Session.open(recorder.path)
    assert same(kept.structs(Inputs), [row.inputs for row in rows[: kept.ticks]])
    assert kept.ticks + kept.commit.lost == 31


def test_a_plant_of_another_size_is_a_fault_that_names_the_tick(tmp_path, rows):
    recorder = Recorder(tmp_path, material.header(), wait=True)
    recorder.tick(rows[0])
    recorder.tick(rows[1]._replace(plant=np.zeros(3)))
    recorder.close("done")
    assert "tick 0: " in recorder.fault_text or "tick 1: " in recorder.fault_text or "inhomogeneous" in recorder.fault_text


def test_an_overrun_queue_is_a_fault_and_leaves_no_gap(tmp_path, rows, monkeypatch):
    """The thread is held in a real commit by a lock on the writer, as a disk that does not answer would hold it."""
    stuck = threading.Event()
    slow = recording.SessionWriter.commit

    def commit(self, **how):
        stuck.wait(20)
        slow(self, **how)

    monkeypatch.setattr(recording.SessionWriter, "commit", commit)
    monkeypatch.setattr(recording, "COMMIT_EVERY", 0.0)
    recorder = Recorder(tmp_path, material.header())
    recorder.tick(rows[0])
    while recorder.state().queued:
        stuck.wait(0.01)
    found = []
    for tick in range(1, 2 * recording.TICKS_QUEUED + 50):
        row = rows[tick]
        recorder.tick(row._replace(inputs=msgspec.structs.replace(row.inputs, recorder_fault=recorder.fault)))
        found.append(recorder.fault)
    assert set(found[: recording.TICKS_QUEUED]) == {Reason.OK}
    assert set(found[recording.TICKS_QUEUED :]) == {Reason.RECORDER_FULL}
    assert recorder.state().fault
    stuck.set()
    assert not recorder.close("recorder full")
    session = Session.open(recorder.path)
    assert session.ticks == 1 + 2 * recording.TICKS_QUEUED
    assert np.array_equal(session.rows("tick/tick"), np.arange(session.ticks))
    assert session.rows("tick/recorder_fault")[-1] == Reason.RECORDER_FULL
    assert session.commit.lost == 49
    assert "too slow" in session.commit.fault


def test_state_and_heartbeat_tell_the_truth(tmp_path, rows):
    clock = SimulatedClock()
    clock.advance(5.0)
    recorder = Recorder(tmp_path, material.header(), clock=clock, wait=True)
    assert recorder.state().on
    assert recorder.heartbeat_ns == 6_000_000_000
    for row in rows[:100]:
        recorder.tick(row)
    assert recorder.close("done")
    state = recorder.state()
    assert not state.on
    assert (state.committed_ticks, state.queued, state.fault) == (100, 0, "")
    assert state.megabytes == pytest.approx(sum(file.stat().st_size for file in recorder.path.rglob("c.*")) / 1e6)
    assert recorder.close("again")
    assert Session.open(recorder.path).commit.exit_reason == "done"


def test_a_plant_without_state_has_no_column(tmp_path, rows):
    recorder = Recorder(tmp_path, material.header(), wait=True)
    recorder.tick(rows[0]._replace(plant=np.empty(0)))
    assert recorder.close("done")
    session = Session.open(recorder.path)
    assert session.row(0).plant.shape == (0,)
    assert zarr.open(recorder.path, mode="r")["tick/score"].shape == (1,)


def test_a_store_that_is_a_file_is_refused_in_one_sentence(tmp_path):
    (tmp_path / "store").write_text("")
    with pytest.raises(SessionError, match=r"store/below cannot be written \(Not a directory\): choose another"):
        check_store(tmp_path / "store/below")


def test_a_store_where_the_system_lets_nobody_write_is_refused():
    with pytest.raises(SessionError, match="/proc/sawhorse cannot be written"):
        check_store(recording.Path("/proc/sawhorse"))


def test_a_nearly_full_store_is_refused_in_megabytes(tmp_path, monkeypatch):
    monkeypatch.setattr(recording, "FREE_AT_START", 2**60)
    with pytest.raises(SessionError, match=r"has \d+ MiB left and a recording needs"):
        check_store(tmp_path)
    assert list(tmp_path.iterdir()) == []
