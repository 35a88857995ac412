"""The palette: what it offers is what is possible, and it does it; a stop key stops there too."""

import pytest
import scenes
from bench import Open

from console.keymap import Keymap, possible
from console.rows import plain
from console.screens.help import HelpScreen
from console.screens.live import LiveScreen
from console.screens.palette import UNLISTED, PaletteScreen, found, palette_rows
from engine.messages import Disarm
from engine.types import Writer


def test_it_offers_what_is_possible_and_nothing_that_is_held_or_stops() -> None:
    now = possible(scenes.disarmed(), readonly=False, connected=True)
    offered = {binding.id for binding in found(now, "live", "")}
    assert {"arm", "sessions", "doctor", "theme", "quit"} <= offered
    assert not offered & ({"go", "pause"} | UNLISTED)


def test_every_word_of_the_line_counts() -> None:
    now = possible(scenes.disarmed(), readonly=False, connected=True)
    assert [binding.id for binding in found(now, "live", "NEXT camera")] == ["camera"]
    assert found(now, "live", "next camera nowhere") == []


@pytest.mark.parametrize("width", [76, 116])
def test_its_rows_fit_and_the_chosen_one_is_in_view(width: int) -> None:
    listed = found(possible(scenes.disarmed(), readonly=False, connected=True), "live", "")
    for chosen in (0, len(listed) - 1):
        rows = palette_rows(listed, chosen, "", True, Keymap(), width, 8)
        assert len(rows) <= 8
        assert all(len(line) <= width for line in plain(rows))
        assert any(listed[chosen].help in line for line in plain(rows))


async def test_letters_find_and_enter_does(opened: Open) -> None:
    async with opened(scenes.disarmed()) as bench:
        await bench.press("colon", "s", "e", "s", "z", "backspace")
        assert isinstance(bench.app.screen, PaletteScreen)
        assert "Sessions (only while disarmed)" in bench.text()
        assert "Ask to arm" not in bench.text()
        await bench.press("escape")
        assert isinstance(bench.app.screen, LiveScreen)
        await bench.press("ctrl+p", *"every", "enter")
        assert isinstance(bench.app.screen, HelpScreen)


async def test_space_and_x_stop_in_the_line(opened: Open) -> None:
    async with opened(scenes.disarmed()) as bench:
        await bench.press("colon", "a", "space", "x")
        assert isinstance(bench.app.screen, PaletteScreen)
        assert bench.app.screen.line == "a"
        assert bench.page.counts()[Writer.CONSOLE] == 2
        assert bench.page.latching()[Writer.CONSOLE] == 1


async def test_armed_nothing_is_typed_and_rows_are_chosen(opened: Open) -> None:
    async with opened(scenes.running()) as bench:
        await bench.press("colon")
        screen = bench.app.screen
        assert isinstance(screen, PaletteScreen)
        await bench.press("g", "o")
        assert screen.line == ""
        wanted = [binding.id for binding in screen.listed].index("disarm")
        await bench.press(*["down"] * wanted, "enter")
        assert bench.said() == [Disarm()]


async def test_no_other_action_slips_under_the_finger(opened: Open) -> None:
    async with opened(scenes.disarmed()) as bench:
        await bench.press("colon", *"arm")
        screen = bench.app.screen
        assert isinstance(screen, PaletteScreen)
        assert screen.wanted == "arm"
        await bench.show(scenes.running())
        assert "disarm" in [binding.id for binding in screen.listed], "another one has come to its row"
        await bench.press("enter")
        assert bench.said() == []
        assert bench.app.screen is screen


async def test_an_impossible_word_says_what_to_do(opened: Open) -> None:
    async with opened(scenes.disarmed()) as bench:
        await bench.press("colon", *"qqq", "enter")
        assert "Backspace takes a letter back" in bench.text()
        assert bench.said() == []
