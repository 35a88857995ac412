"""A disk that is full or gone is a fault with a sentence, and what was committed before stays readable."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import session_material as material

from engine.session import recorder as recording
from engine.session.layout import SessionError
from engine.session.recorder import Recorder
from engine.session.verify import verify
from engine.types import Reason


def on_a_small_disk(mount: Path, megabytes: int, *arguments: str) -> Any:
    """Run ``full_disk`` on a tmpfs of its own; the mount goes with the process."""
    script = f'mount -t tmpfs -o size={megabytes}m tmpfs "$1" || exit 77; shift; exec "$@"'
    inside = [sys.executable, str(Path(__file__).with_name("full_disk.py")), str(mount), *arguments]
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh", str(mount), *inside]
    if shutil.which("unshare") is None:
        pytest.skip("no unshare command here")
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("this machine does not let users mount a tmpfs")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_disk_that_runs_full_is_a_fault_and_the_stop_is_still_recorded(tmp_path):
    found = on_a_small_disk(tmp_path, 40)
    assert found["fault"] == "RECORDER_FAILED"
    assert "No space left on device" in found["text"]
    assert not found["whole"]
    assert found["problems"] == []
    assert found["committed"] == found["given"]
    assert found["stop_reason"] == Reason.RECORDER_FAILED
    assert found["events"] == ["STOP 1: recorder failed"]
    assert found["exit_reason"] == "the disk was full"
    assert found["leftovers"] == []


def test_a_disk_too_small_to_begin_with_is_refused_with_what_to_do(tmp_path):
    found = on_a_small_disk(tmp_path, 40, "tight")
    assert "has 40 MiB left and a recording needs 256: remove sessions" in found["refused"]


def test_a_disk_that_is_gone_is_a_fault_and_close_returns(tmp_path, rows, monkeypatch):
    monkeypatch.setattr(recording, "COMMIT_EVERY", 0.01)
    recorder = Recorder(tmp_path, material.header(), wait=True)
    for row in rows[:100]:
        recorder.tick(row)
    while recorder.state().committed_ticks < 100:
        time.sleep(0.001)
    while recorder.path.exists():  # the recorder goes on writing into it meanwhile
        shutil.rmtree(recorder.path, ignore_errors=True)
    while recorder.fault == Reason.OK:
        recorder.tick(rows[100])
    assert recorder.fault == Reason.RECORDER_FAILED
    assert "No such file or directory" in recorder.fault_text
    assert not recorder.close("disk gone")
    assert not recorder.state().on
    assert not verify(recorder.path).ok


def test_a_store_that_cannot_hold_the_reserve_is_refused(tmp_path):
    """The reserve is real space: a file system smaller than it refuses the session before the robot is armed."""
    found = on_a_small_disk(tmp_path, 8, "tight")
    assert "has 8 MiB left" in found["refused"]
    with pytest.raises(SessionError, match="Not a directory"):
        Recorder(Path(__file__) / "store", material.header())
