"""A session that was touched by hand is noticed, and the notice names where."""

import json

import msgspec
import numpy as np
import pytest
import zarr
from session_material import edit

from engine.session.commit import COMMIT, Commit, sealed
from engine.session.reader import Session
from engine.session.verify import recompute, verify


def test_a_whole_session_is_accepted_and_every_decision_recomputed(recorded):
    report = recompute(recorded)
    assert report.problems == []
    assert report.ok
    assert (report.ticks, report.committed, report.inferences, report.lost) == (2230, 2230, 112, 0)
    assert (report.decisions_recomputed, report.mismatches) == (2230, 0)


def test_the_decisions_recomputed_are_not_all_alike(recorded):
    """A fold over a robot that never moves would prove little: this one is armed, goes and is stopped."""
    session = Session.open(recorded)
    assert set(session.rows("tick/going").tolist()) == {True, False}
    assert session.rows("tick/stop_count")[-1] >= 1
    assert len(np.unique(session.rows("tick/score"))) > 20


def test_the_report_has_the_keys_that_other_programs_read(recorded):
    keys = {"session", "ticks", "inferences", "committed", "lost", "decisions_recomputed", "mismatches", "ok", "note", "problems"}
    assert set(json.loads(msgspec.json.encode(verify(recorded)))) == keys


def test_a_session_from_before_anything_was_foreseen_still_verifies(damaged):
    commit = msgspec.json.decode((damaged / COMMIT).read_bytes(), type=Commit)
    later = ("tick/forecast_", "tick/intervention", "tick/foreseen", "tick/asking", "inference/forecast")
    arrays = {name: written for name, written in commit.arrays.items() if not name.startswith(later)}
    assert len(arrays) == len(commit.arrays) - 9
    (damaged / COMMIT).write_bytes(msgspec.json.encode(sealed(msgspec.structs.replace(commit, arrays=arrays))))
    report = recompute(damaged)
    assert report.problems == []
    assert report.decisions_recomputed == report.ticks == 2230


@pytest.mark.parametrize(
    ("name", "row", "value"),
    [
        ("tick/plant", 7, 0.0),
        ("tick/q", 2229, 0.5),
        ("inference/signals", 64, 0.0),
        ("camera/top/frames", 33, 9),
        ("events/text", 3, "something else"),
        ("words", 1, "other"),
    ],
)
def test_one_edited_row_is_noticed_in_its_array(damaged, name, row, value):
    edit(damaged, name, row, value)
    report = verify(damaged)
    assert not report.ok
    assert any(problem.startswith(f"{name} has been changed") for problem in report.problems)


def test_an_edit_through_plain_zarr_is_noticed(damaged):
    zarr.open(damaged, mode="r+")["tick/score"][100] = 0.99
    assert any("tick/score has been changed" in problem for problem in verify(damaged).problems)


@pytest.mark.parametrize("reseal", [False, True])
def test_an_edited_decision_is_named_by_tick_and_field_even_when_the_hashes_were_mended(damaged, reseal):
    before = Session.open(damaged).row(1500).decision.speed_scale
    edit(damaged, "tick/speed_scale", 1500, before + 1e-15, reseal=reseal)
    report = recompute(damaged)
    assert (report.ok, report.mismatches) == (False, 1)
    assert any(problem.startswith("tick 1500 speed_scale: recorded ") for problem in report.problems)
    assert any("hash chain" in problem for problem in report.problems) is not reseal


def test_the_sign_of_a_zero_is_a_difference_and_a_stored_decision_is_never_used(damaged):
    edit(damaged, "tick/ramp", 0, -0.0, reseal=True)
    edit(damaged, "tick/stop_number", 20, 77, reseal=True)
    report = recompute(damaged)
    assert report.mismatches == 2
    assert [problem.split(":")[0] for problem in report.problems] == ["tick 0 ramp", "tick 20 stop_number"]


def test_an_edited_input_changes_the_decisions_that_follow(damaged):
    edit(damaged, "tick/engine_fault", 400, True, reseal=True)
    report = recompute(damaged)
    assert report.mismatches > 1
    assert report.problems[0].startswith("tick 400 ")
    assert report.problems[-1].endswith("more.")


def test_edited_limits_are_noticed(damaged):
    commit = json.loads((damaged / COMMIT).read_text())
    commit["header"]["limits"]["stop_below"] = 0.3
    (damaged / COMMIT).write_text(json.dumps(commit))
    assert "has been changed" in verify(damaged).problems[0]


def test_edited_attributes_are_noticed(damaged):
    root = json.loads((damaged / "zarr.json").read_text())
    root["attributes"]["robot"] = "another"
    (damaged / "zarr.json").write_text(json.dumps(root))
    assert "attributes in zarr.json" in verify(damaged).problems[0]


def test_damage_is_told_and_nothing_is_called_read(damaged):
    (damaged / "tick/q/c.0.0").unlink()
    report = verify(damaged)
    assert (report.ok, report.ticks, report.committed) == (False, 0, 2230)
    assert any("tick/q/c.0.0" in problem for problem in report.problems)
    assert not recompute(damaged).ok


def test_an_array_that_is_gone_is_told(damaged):
    (damaged / "tick/score/zarr.json").unlink()
    assert any("tick/score/zarr.json" in problem for problem in verify(damaged).problems)


def test_missing_ticks_and_steps_back_in_time_are_named(damaged):
    edit(damaged, "tick/tick", 500, 501, reseal=True)
    edit(damaged, "tick/t_ns", 700, 5, reseal=True)
    problems = verify(damaged).problems
    assert "After tick 499 comes tick 501: ticks are missing or out of order." in problems
    assert "The time of tick 700 is before that of the tick before it." in problems


def test_a_decision_that_is_no_number_is_named(damaged):
    edit(damaged, "tick/force_limit", 321, np.nan, reseal=True)
    assert "tick/force_limit of tick 321 is not a finite number." in verify(damaged).problems


def test_what_is_no_session_is_a_report_too(tmp_path):
    report = recompute(tmp_path)
    assert not report.ok
    assert len(report.problems) == 1
