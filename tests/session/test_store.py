"""The list of sessions, and which one a name means."""

import shutil

import msgspec
import pytest
import session_material as material

from engine.session.layout import SessionError
from engine.session.recorder import Recorder
from engine.session.store import binned, find, purge, put_in_bin, remove, sessions, take_out


@pytest.fixture
def store(recorded, tmp_path):
    """An old whole session, one damaged, and the newest, which is being recorded."""
    shutil.copytree(recorded, tmp_path / recorded.name)
    (tmp_path / "20260102-080000-ffff").mkdir()
    recorder = Recorder(tmp_path, material.header("20260103-090000-0c41"))
    yield tmp_path
    recorder.close("done")


def test_the_list_is_newest_first_and_says_what_each_is(store):
    newest, damaged, old = sessions(store)
    assert (newest.id, newest.recording, newest.ticks, newest.exit_reason) == ("20260103-090000-0c41", True, 0, "")
    assert not damaged.ok
    assert "commit.json" in damaged.problems[0]
    assert (old.robot, old.policy, old.ticks, old.committed, old.inferences) == ("cosaw", "compact", 2230, 2230, 112)
    assert (old.length_s, old.exit_reason, old.cameras, old.ok) == (pytest.approx(22.29), "ended by the operator", 2, True)
    assert old.stops >= 1
    assert old.bytes == sum(file.stat().st_size for file in (store / old.id).rglob("c.*"))
    assert {"session", "decisions_recomputed", "mismatches", "lost", "problems"} <= set(msgspec.to_builtins(old))


def test_no_store_is_an_empty_list(tmp_path):
    assert sessions(tmp_path / "none") == []


def test_a_session_is_found_by_any_part_that_is_its_own(store):
    assert find(store, "0c41").name == "20260103-090000-0c41"
    assert find(store, "20260102").name == "20260102-080000-ffff"
    assert find(store, "last").name == "20260103-090000-0c41"
    assert find(store, str(store / "20260101-120000-abcd")).name == "20260101-120000-abcd"


def test_an_unknown_or_ambiguous_name_is_one_sentence(store):
    with pytest.raises(SessionError, match=r"means 3 sessions: 20260101-120000-abcd, "):
        find(store, "2026")
    with pytest.raises(SessionError, match="did you mean 20260101-120000-abcd"):
        find(store, "20260101-120000-abdc")


def test_a_path_is_told_as_a_path(store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").touch()
    for name, words in (
        ("notes.txt", "notes.txt is a file"),
        (str(tmp_path / "notes.txt"), "is a file"),
        ("nowhere/one", "nowhere/one does not exist"),
    ):
        with pytest.raises(SessionError, match=words):
            find(store, name)


def test_only_a_session_that_nobody_records_is_removed(store):
    with pytest.raises(SessionError, match="is being recorded"):
        remove(store / "20260103-090000-0c41")
    with pytest.raises(SessionError, match="is not a session"):
        remove(store)
    remove(store / "20260101-120000-abcd")
    assert not (store / "20260101-120000-abcd").exists()


def test_what_is_in_the_bin_is_neither_listed_nor_found_and_comes_back(store):
    old = store / "20260101-120000-abcd"
    binned_at = put_in_bin(old)
    assert binned(store) == [binned_at]
    assert old.name not in [one.id for one in sessions(store)]
    with pytest.raises(SessionError, match="There is no session"):
        find(store, "abcd")
    assert take_out(binned_at) == old
    assert binned(store) == []
    assert find(store, "abcd") == old


def test_only_a_session_that_nobody_records_goes_into_the_bin(store):
    with pytest.raises(SessionError, match="is being recorded"):
        put_in_bin(store / "20260103-090000-0c41")
    with pytest.raises(SessionError, match="is not a session"):
        put_in_bin(store / "20260102-080000-ffff")


def test_nothing_comes_back_over_another_session(store):
    old = store / "20260101-120000-abcd"
    binned_at = put_in_bin(old)
    shutil.copytree(binned_at, old)
    with pytest.raises(SessionError, match="there is another of that name"):
        take_out(binned_at)
    purge([binned_at])
    assert binned(store) == []
    assert old.exists()


def test_failures_are_counted(tmp_path):
    recorder = Recorder(tmp_path, material.header(), wait=True)
    for number, kind in enumerate(("fault", "stop", "fault", "mark")):
        recorder.event(material.event(number, number, kind, "said"))
    assert recorder.close("done")
    assert sessions(tmp_path)[0].failures == 2
