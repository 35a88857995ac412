"""Run folders as any shell finds them: the living are told of, the dead are cleared away, and who is just starting is left alone."""

from pathlib import Path

import pytest

from engine import runs
from engine.config import Settings, runs_path


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> runs.Run:
    """One that no engine has claimed yet."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    tmp_path.chmod(0o700)
    return runs.create(Settings())


def test_the_folder_of_a_dead_engine_is_cleared_away(run: runs.Run) -> None:
    (run.path / "engine.json").write_text('{"pid": 4000000, "started": 0}')
    assert runs.living() == []
    assert not run.path.exists()


def test_an_engine_that_claims_its_run_while_another_shell_looks_keeps_its_folder(run: runs.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = runs.Run.pid.fget
    assert asked is not None

    def claimed_right_after(looked_at: runs.Run) -> int:
        pid: int = asked(looked_at)
        run.claim()
        return pid

    monkeypatch.setattr(runs.Run, "pid", property(claimed_right_after))
    assert runs.living() == []
    assert runs.living() == [run]


def test_a_run_that_vanishes_while_a_shell_looks_hides_no_other(run: runs.Run) -> None:
    run.claim()
    (runs_path() / "gone").symlink_to(runs_path() / "nowhere")
    assert runs.living() == [run]


@pytest.mark.parametrize(
    "text",
    ["[]", "5", '{"pid": null}', '{"pid": true}', '{"pid": 99999999999999999999}', '{"pid": -1}', "[" * 100_000],
    ids=lambda text: text[:24],
)
def test_a_folder_that_says_nonsense_of_its_engine_hides_no_other(run: runs.Run, text: str) -> None:
    run.claim()
    other = runs.create(Settings())
    (other.path / "engine.json").write_text(text)
    assert runs.living() == [run]


def test_a_folder_too_deep_for_a_socket_is_refused_before_an_engine_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("deep" * 25)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    deep.mkdir(mode=0o700)
    with pytest.raises(runs.RunError, match="too long"):
        runs.create(Settings())
