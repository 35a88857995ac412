"""The stop page: no writer can undo another, no reader can miss a stop."""

import subprocess
import sys
from pathlib import Path

import pytest

from engine.stop import StopPage
from engine.types import Writer


def test_each_writer_has_its_own_counter(tmp_path: Path) -> None:
    with StopPage(tmp_path / "stop", create=True) as page:
        for writer in Writer:
            page.raise_stop(writer)
        page.raise_stop(Writer.SHELL, latch=True)
        expected = [1] * len(Writer)
        expected[Writer.SHELL] = 2
        assert page.counts() == tuple(expected)
        assert page.latching() == tuple(int(writer is Writer.SHELL) for writer in Writer)


def test_a_stop_raised_in_another_process_is_seen_in_this_one(tmp_path: Path) -> None:
    with StopPage(tmp_path / "stop", create=True) as page:
        script = (
            f"from pathlib import Path; from engine.stop import StopPage; from engine.types import Writer; "
            f"StopPage(Path({str(tmp_path / 'stop')!r})).raise_stop(Writer.SHELL)"
        )
        subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[2])
        assert page.counts()[Writer.SHELL] == 1


def test_opening_again_keeps_what_was_raised(tmp_path: Path) -> None:
    with StopPage(tmp_path / "stop", create=True) as page:
        page.raise_stop(Writer.CONSOLE)
    with StopPage(tmp_path / "stop", create=True) as page:
        assert page.counts()[Writer.CONSOLE] == 1


def test_the_page_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    with StopPage(tmp_path / "stop", create=True):
        assert (tmp_path / "stop").stat().st_mode & 0o077 == 0


def test_a_page_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        StopPage(tmp_path / "none")
