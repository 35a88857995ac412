"""Kill -9 of a real recording process at random moments: what was committed is there, and nothing else is read."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import endless_recording as endless
import numpy as np
import pytest
import zarr
from session_material import same

from engine.session.columns import TICK_FIELDS
from engine.session.commit import COMMIT, read_commit
from engine.session.layout import SessionError
from engine.session.reader import Session
from engine.session.repair import repair, uncommitted_ticks
from engine.session.verify import verify

KILLS = 22
READ_BY_ZARR = ("tick/t_ns", "tick/score", "tick/plant", "inference/signals", "camera/top/frames", "camera/top/t_ns", "events/text")


@pytest.fixture
def victims():
    """The program that starts recordings to be killed."""
    command = [sys.executable, endless.__file__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as program:
        yield program
        program.stdin.close()


def kill_one(victims: subprocess.Popen[str], store: Path, commits: int, delay: float) -> Path:
    """Start a recording, kill it ``delay`` s after its commit number ``commits``, and return its folder."""
    print(store, file=victims.stdin)
    process = int(victims.stdout.readline())
    session = store / endless.material.header().id
    while not (session / COMMIT).exists() or read_commit(session).number < commits:
        os.kill(process, 0)
        time.sleep(0.001)
    time.sleep(delay)
    os.kill(process, signal.SIGKILL)
    assert int(victims.stdout.readline()) == -signal.SIGKILL
    return session


def assert_exact(session: Session) -> None:
    """Every committed row is the row that was recorded."""
    given = [endless.row(number) for number in range(session.ticks)]
    for struct, source in zip(TICK_FIELDS, range(7), strict=True):
        assert same(session.structs(struct), [row[source] for row in given])
    if given:
        assert session.rows("tick/plant").tobytes() == np.array([row.plant for row in given]).tobytes()
    for number in range(session.inferences):
        assert same(session.inference(number), endless.inference(number))
    for camera in session.cameras:
        pictures = session.rows(f"camera/{camera}/frames")
        assert all(np.array_equal(picture, endless.exposure(n).images[camera]) for n, picture in enumerate(pictures))
    assert [event.text for event in session.events] == [f"at {n * endless.EVERY}" for n in range(len(session.events))]


def assert_plain_zarr_reads_them_too(session: Session) -> None:
    """Whoever opens it without this program sees every committed row too, and after them no row of zeros."""
    arrays = {name: node for name, node in zarr.open(session.path, mode="r").members(max_depth=None) if isinstance(node, zarr.Array)}
    assert set(session.commit.arrays) <= set(arrays)
    assert all(arrays[name].shape[0] >= written.rows for name, written in session.commit.arrays.items())
    for name in READ_BY_ZARR:
        rows = session.commit.rows(name)
        if rows:
            found, committed = arrays[name][:], session.rows(name)
            assert list(found[:rows]) == list(committed) if name.endswith("text") else found[:rows].tobytes() == committed.tobytes()
            assert not name.endswith("t_ns") or (found > 0).all()


def test_after_a_kill_every_committed_row_is_read_and_nothing_uncommitted(tmp_path, victims):
    moments = random.Random(20)
    in_a_commit = committed = 0
    for number in range(KILLS):
        path = kill_one(victims, tmp_path / str(number), moments.randrange(4), moments.uniform(0.0, 0.08))
        session = Session.open(path)
        committed += session.ticks
        report = verify(path)
        assert (report.problems, report.ticks, report.committed) == ([], session.ticks, session.ticks)
        assert not session.commit.closed
        assert_exact(session)
        assert_plain_zarr_reads_them_too(session)
        lost = uncommitted_ticks(session)
        in_a_commit += lost > 0
        done = repair(path)
        assert (done.lost, done.ticks, done.changed) == (lost, session.ticks, True)
        again = repair(path)
        assert (again.changed, again.ticks) == (False, session.ticks)
        assert verify(path).problems == []
        assert Session.open(path).commit.arrays == session.commit.arrays
        assert uncommitted_ticks(Session.open(path)) == 0
        shapes = json.loads((path / "zarr.json").read_text())["consolidated_metadata"]["metadata"]
        rows = {name: node["shape"][0] for name, node in shapes.items() if node["node_type"] == "array"}
        assert rows == {name: written.rows for name, written in session.commit.arrays.items()}
    assert committed > 10 * KILLS
    assert in_a_commit > KILLS // 8, "hardly any kill fell into a commit, so this shows little"


def test_a_session_that_is_being_recorded_is_readable_and_not_repaired(tmp_path, rows, monkeypatch):
    monkeypatch.setattr(endless.recording, "COMMIT_EVERY", 0.01)
    recorder = endless.recording.Recorder(tmp_path, endless.material.header(), wait=True)
    for row in rows[:100]:
        recorder.tick(row)
    while recorder.state().committed_ticks < 100:
        time.sleep(0.01)
    assert verify(recorder.path).ok
    with pytest.raises(SessionError, match="is being recorded: stop its run first"):
        repair(recorder.path)
    assert recorder.close("done")
    assert not repair(recorder.path).changed
    assert "needs no repair" in repair(recorder.path).text
