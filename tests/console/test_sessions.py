"""The table of sessions: find, open, check, export, delete and bring back, on sessions that the real recorder wrote."""

import shutil
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from bench import text
from fakes import Clock, FakeLink
from textual.pilot import Pilot

from console.app import Options, Sawhorse
from console.rows import plain
from console.screens.replay import ReplayScreen
from console.screens.sessions import SessionsScreen, table_rows
from console.widgets.state import SPINNER
from engine.session.store import Summary, binned, put_in_bin
from engine.session.verify import verify


@pytest.fixture
def store(session: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three sessions, the last of them damaged; what is exported goes beside the store."""
    for number in (1, 2, 3):
        shutil.copytree(session, tmp_path / "store" / f"2025112{number}-160231-0c4{number}")
    (tmp_path / "store" / "20251123-160231-0c43" / "commit.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "store"


class Table:
    """The screen under a pilot."""

    def __init__(self, app: Sawhorse, pilot: Pilot[int]) -> None:
        self.app, self.pilot = app, pilot

    @property
    def screen(self) -> SessionsScreen:
        assert isinstance(self.app.screen, SessionsScreen)
        return self.app.screen

    async def press(self, *keys: str) -> str:
        """What is shown once the keys and what they began are done."""
        await self.pilot.press(*keys)
        await self.app.workers.wait_for_complete()
        await self.pilot.pause()
        self.app.screen.draw()  # type: ignore[attr-defined]
        await self.pilot.pause()
        return text(self.app)

    def ids(self) -> list[str]:
        return [one.id[-4:] for one in self.screen.table.listed]


@asynccontextmanager
async def opened(store: Path, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Table]:
    app = Sawhorse(lambda: SessionsScreen(store), options=Options(store=store, key_age_max=60.0))
    async with app.run_test(size=size) as pilot:
        await app.workers.wait_for_complete()
        yield Table(app, pilot)


async def test_a_session_is_opened_and_the_table_comes_back(store: Path) -> None:
    async with opened(store) as table:
        shown = await table.press("down")
        assert "20251122-160231-0c42" in shown
        assert "fails" in shown
        await table.press("enter")
        assert isinstance(table.app.screen, ReplayScreen)
        await table.press("escape")
        assert table.screen.table.index == 1


async def test_a_session_is_verified(store: Path) -> None:
    async with opened(store) as table:
        assert " yes" not in await table.press("down")
        assert " yes" in await table.press("v")
        victim = next((store / "20251121-160231-0c41" / "tick" / "score").rglob("c.*"))
        victim.write_bytes(victim.read_bytes()[:-8] + b"12345678")
        shown = await table.press("down", "v")
        assert " NO" in shown
        assert "20251121-160231-0c41/tick/score/c.0 is damaged" in " ".join(shown.split())


async def test_a_damaged_session_says_what_is_wrong_and_does_not_open(store: Path) -> None:
    async with opened(store) as table:
        shown = await table.press("enter")
        assert "damaged" in shown
        assert "restore it from a copy" in shown
        assert table.screen.table.busy == ""


async def test_an_empty_store_says_what_to_do(tmp_path: Path) -> None:
    async with opened(tmp_path) as table:
        shown = await table.press("down", "enter", "v", "d", "e")
        assert "sawhorse run" in shown
        assert "Nothing was deleted" in await table.press("u")


async def test_a_store_that_is_a_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("")
    async with opened(tmp_path / "store") as table:
        assert "store is not a folder" in " ".join((await table.press()).replace("│", "").split())


async def test_letters_filter_until_escape(store: Path) -> None:
    async with opened(store) as table:
        shown = await table.press("slash", *"0c41")
        assert table.ids() == ["0c41"]
        assert "SPACE and X stop, so they cannot be typed" in shown
        assert "1 of 3 in the store" in await table.press("enter")
        assert isinstance(table.app.screen, SessionsScreen), "Enter ends the typing and opens nothing"
        await table.press("v")
        assert list(table.screen.table.verdicts) == [str(store / "20251121-160231-0c41")]
        await table.press("escape")
        assert len(table.ids()) == 3
        assert "Esc shows all" in await table.press("slash", *"nothing")
        await table.press("space")
        assert table.app.stops_raised == 1
        assert table.screen.line == "nothing"


async def test_nothing_is_typed_while_the_robot_is_armed(store: Path) -> None:
    import scenes

    clock = Clock()
    link = FakeLink(clock)
    link.show(scenes.running())
    app = Sawhorse(lambda: SessionsScreen(store), link=link, options=Options(key_age_max=60.0), now=clock.now, wall=clock.wall)
    async with app.run_test() as pilot:
        await app.workers.wait_for_complete()
        table = Table(app, pilot)
        await table.press("slash", "0")
        assert table.screen.line == ""


async def test_what_is_deleted_comes_back_with_undo_the_last_first(store: Path) -> None:
    async with opened(store) as table:
        assert "undo" not in await table.press()
        shown = await table.press("down", "d")
        assert "U undo" in shown
        assert table.ids() == ["0c43", "0c41"]
        assert "Deleted 20251122-160231-0c42. U brings it back" in shown
        await table.press("d")
        assert table.ids() == ["0c43"]
        assert len(binned(store)) == 2
        await table.press("u")
        assert table.ids() == ["0c43", "0c41"]
        await table.press("u")
        assert table.ids() == ["0c43", "0c42", "0c41"]
        assert verify(store / "20251122-160231-0c42").ok


async def test_what_was_deleted_is_gone_once_the_table_is_left(store: Path) -> None:
    leftover = put_in_bin(store / "20251121-160231-0c41")
    async with opened(store) as table:
        assert leftover in table.screen.bin, "of a console that was killed"
        await table.press("down", "d")
        await table.pilot.press("escape")
    assert [path.name for path in store.iterdir()] == ["20251123-160231-0c43"]


async def test_a_session_is_written_as_a_tar_that_unpacks_to_a_whole_session(store: Path, tmp_path: Path) -> None:
    async with opened(store, (120, 34)) as table:
        shown = await table.press("down", "e")
        assert f"Wrote {tmp_path / '20251122-160231-0c42.tar'}" in " ".join(shown.split())
        assert "exists already" in await table.press("e")
    with tarfile.open(tmp_path / "20251122-160231-0c42.tar") as tar:
        tar.extractall(tmp_path / "elsewhere", filter="data")
    assert verify(tmp_path / "elsewhere" / "20251122-160231-0c42").ok


@pytest.mark.parametrize(("width", "task"), [(76, False), (116, False), (156, True)])
def test_a_robot_is_named_in_full_and_its_task_where_there_is_room(width: int, task: bool) -> None:
    one = Summary(session="/s/a", id="20251121-160231-0c41", robot="so101-sim", task="lift", policy="compact")
    head, line = plain(table_rows([one], 0, {}, 0, width, 5))
    assert line.index("so101-sim ") == head.index("robot")
    assert (" lift " in line) is task
    assert len(line) <= width


@pytest.mark.parametrize("width", [76, 116])
def test_columns_stand_under_their_headings(width: int) -> None:
    one = Summary(
        session="/s/a", id="20251121-160231-0c41", robot="cosaw", policy="compact", length_s=3723, stops=12, failures=3, bytes=2_040_000_000
    )
    head, line = plain(table_rows([one], 0, {"/s/a": "verified"}, 0, width, 5))
    for name, value in (("length", "1:02:03"), ("stops", "12"), ("fails", "3"), ("MB", "2040.0")):
        assert head.index(name) + len(name) == line.index(f" {value} ") + 1 + len(value), name
    assert head.index("verified") == line.index("yes")
    assert len(head) <= width


def test_what_is_under_way_moves() -> None:
    one = Summary(session="/s/a", id="a")
    shown = {plain(table_rows([one], 0, {"/s/a": "checking"}, spinner, 76, 5))[1] for spinner in range(len(SPINNER))}
    assert len(shown) == len(SPINNER)
