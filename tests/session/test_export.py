"""A session as one file: whole, nobody's, and never half written under its own name."""

import tarfile
from pathlib import Path

import pytest
import session_material as material

from engine.session.export import export
from engine.session.layout import SessionError
from engine.session.recorder import Recorder
from engine.session.verify import verify


def test_the_file_unpacks_to_the_same_session_and_says_not_whose_it_was(recorded: Path, tmp_path: Path) -> None:
    size = export(recorded, tmp_path / "out.tar")
    assert size == (tmp_path / "out.tar").stat().st_size
    with tarfile.open(tmp_path / "out.tar") as tar:
        assert {(member.uid, member.gid, member.uname, member.gname) for member in tar} == {(0, 0, "", "")}
        tar.extractall(tmp_path, filter="data")
    files = {path.relative_to(recorded): path.read_bytes() for path in recorded.rglob("*") if path.is_file()}
    copy = tmp_path / recorded.name
    assert {path.relative_to(copy): path.read_bytes() for path in copy.rglob("*") if path.is_file()} == files
    assert verify(copy).ok


def test_what_cannot_be_exported_says_why_and_leaves_nothing(recorded: Path, tmp_path: Path) -> None:
    with pytest.raises(SessionError, match="is not a session"):
        export(tmp_path, tmp_path / "out.tar")
    with pytest.raises(SessionError, match="cannot be written: No such file or directory"):
        export(recorded, tmp_path / "none" / "out.tar")
    (tmp_path / "taken.tar").write_text("kept")
    with pytest.raises(SessionError, match="exists already"):
        export(recorded, tmp_path / "taken.tar")
    recorder = Recorder(tmp_path, material.header())
    with pytest.raises(SessionError, match="is being recorded"):
        export(recorder.path, tmp_path / "out.tar")
    recorder.close("done")
    assert (tmp_path / "taken.tar").read_text() == "kept"
    assert {path.name for path in tmp_path.iterdir()} == {"taken.tar", recorder.path.name}


def test_a_disk_that_fails_half_way_leaves_nothing(damaged: Path, tmp_path: Path) -> None:
    (damaged / "loose").symlink_to(tmp_path / "none")
    (damaged / "unreadable").mkdir()
    (damaged / "commit.json").unlink()
    with pytest.raises(SessionError):
        export(damaged, tmp_path / "out.tar")
    assert not list(tmp_path.glob("*.tar*"))
