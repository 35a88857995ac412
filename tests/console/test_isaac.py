"""``sawhorse isaac``: what it writes, prints and refuses, and its exit codes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from adapters.base import AdapterError
from adapters.isaaclab import launch
from console.cli import main


def test_export_env_writes_the_folder_and_says_what_is_in_it(tmp_path: Path) -> None:
    told = CliRunner().invoke(main, ["isaac", "export-env", str(tmp_path / "out"), "--json"])
    assert told.exit_code == 0, told.output
    tree = json.loads(told.stdout)
    assert tree["folder"] == str(tmp_path / "out")
    assert all((tmp_path / "out" / name).exists() for name in tree["files"])
    assert "env.py" in tree["files"]


def test_export_env_refuses_what_is_there_in_one_sentence(tmp_path: Path) -> None:
    mine, own = tmp_path / "mine", tmp_path / "own"
    mine.mkdir()
    (mine / "README.md").write_text("mine")
    for more in ([], ["--force"]):
        told = CliRunner().invoke(main, ["isaac", "export-env", str(mine), *more])
        assert told.exit_code == 2
        assert (
            told.stderr == f"sawhorse: {mine / 'README.md'} was not written by this command and is not written over: give another folder.\n"
        )
    assert [(one.name, one.read_text()) for one in mine.iterdir()] == [("README.md", "mine")]
    assert CliRunner().invoke(main, ["isaac", "export-env", str(own)]).exit_code == 0
    told = CliRunner().invoke(main, ["isaac", "export-env", str(own)])
    assert told.exit_code == 2
    assert told.stderr == f"sawhorse: {own} has env.py already: give --force to write over it, or another folder.\n"
    assert CliRunner().invoke(main, ["isaac", "export-env", str(own), "--force"]).exit_code == 0


def test_export_env_takes_no_empty_name_for_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(main, ["isaac", "export-env", ""])
    assert (told.exit_code, told.stderr) == (2, "sawhorse: DIR is empty: give a folder, or . for this one.\n")
    assert not list(tmp_path.iterdir())


def test_export_env_says_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    told = CliRunner().invoke(main, ["isaac", "export-env", str(tmp_path / "file" / "out")])
    assert told.exit_code == 3
    assert told.stderr.endswith("cannot be written: Not a directory.\n")


def test_install_shows_progress_and_the_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def install(log: Path, tell: Callable[[str], None]) -> Path:
        tell("installing Isaac Lab")
        return tmp_path / "python"

    monkeypatch.setattr(launch, "install", install)
    told = CliRunner().invoke(main, ["isaac", "install", "--json"])
    assert told.exit_code == 0
    assert json.loads(told.stdout) == {"python": str(tmp_path / "python")}
    assert told.stderr == "  installing Isaac Lab\n"


@pytest.mark.parametrize(("error", "code"), [(AdapterError("No network."), 3), (KeyboardInterrupt(), 130)])
def test_install_tells_why_it_ended(error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def install(log: Path, tell: Callable[[str], None]) -> Path:
        raise error

    monkeypatch.setattr(launch, "install", install)
    told = CliRunner().invoke(main, ["isaac", "install"])
    assert told.exit_code == code
    assert told.stderr.startswith("sawhorse: ")
    assert told.stderr.count("\n") == 1


def test_a_mistyped_command_is_answered_with_its_nearest_match() -> None:
    told = CliRunner().invoke(main, ["isaac", "exportenv"])
    assert told.exit_code == 2
    assert "did you mean 'export-env'?" in told.stderr
