"""A study that is broken off leaves no process behind, and goes on from what its file holds."""

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from engine.study import crew
from engine.study.plan import Outcome, Plan

PLANS = [Plan(study="safety", seed=seed, seconds=0.5, policy="scripted", pixels=64) for seed in (1, 2)]


def test_an_interrupted_study_ends_its_processes_and_is_taken_up_where_it_was(tmp_path: Path) -> None:
    out = tmp_path / "scenes.jsonl"

    def interrupt(text: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        crew.outcomes(PLANS, 1, out, interrupt)
    assert multiprocessing.active_children() == []
    (first,) = crew.kept(out).values()
    assert first.plan == PLANS[0]
    assert first.error == ""
    told: list[str] = []
    found = crew.outcomes(PLANS, 1, out, told.append)
    assert told[0] == f"1 of 2 scenes are in {out} already"
    assert told[1].startswith("1 of 1 scenes: seed 2")
    assert [one.plan for one in found] == PLANS
    assert found[0] == first
    assert crew.outcomes(PLANS, 1, out, told.append) == found


STUDY = """
import sys
from engine.study import crew
from engine.study.plan import Plan
plans = [Plan(study="safety", seed=seed, seconds=seconds, policy="scripted", pixels=64) for seed, seconds in ((1, 0.5), (2, 3600.0))]
if __name__ == "__main__":
    crew.outcomes(plans, 1, None, lambda text: print(text, flush=True))
"""


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_no_worker_outlives_a_study_that_is_ended_by_a_signal(ending: signal.Signals, tmp_path: Path) -> None:
    script = tmp_path / "study.py"
    script.write_text(STUDY)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, start_new_session=True) as study:
        try:
            assert study.stdout is not None
            assert b"1 of 2 scenes" in study.stdout.readline()  # its worker is about to play for an hour
            study.send_signal(ending)
            study.communicate(timeout=60.0)  # until nobody is left who could write to standard error: neither it nor a worker
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(study.pid, signal.SIGKILL)


def test_a_policy_that_there_is_not_is_told_and_played_again_later(tmp_path: Path) -> None:
    out = tmp_path / "scenes.jsonl"
    out.write_bytes(msgspec.json.encode(Outcome(plan=PLANS[0], error="PolicyError: no weights")) + b"\n")
    assert crew.kept(out) == {}


def test_a_line_that_was_cut_off_is_played_again_and_leaves_no_trace(tmp_path: Path) -> None:
    out = tmp_path / "scenes.jsonl"
    whole = msgspec.json.encode(Outcome(plan=PLANS[0])) + b"\n"
    out.write_bytes(whole + whole[:40])
    assert list(crew.kept(out)) == [PLANS[0]]
    crew.append(out, Outcome(plan=PLANS[1]))
    assert list(crew.kept(out)) == PLANS
    assert out.read_bytes().count(b"\n") == 2


def test_a_file_that_is_something_else_is_refused_with_its_line(tmp_path: Path) -> None:
    out = tmp_path / "notes.txt"
    out.write_text("a shopping list\nmilk\n")
    with pytest.raises(crew.StudyError, match=r"Line 1 of .*notes\.txt is not a scene's outcome"):
        crew.kept(out)
    assert out.read_text() == "a shopping list\nmilk\n"
