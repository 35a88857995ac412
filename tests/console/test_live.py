"""The live screen under a pilot: what must be on it at every size, theme and state of the link."""

import msgspec
import pytest
import scenes
from bench import SIZES, Open

from console.app import Options


@pytest.mark.parametrize("size", SIZES)
async def test_the_required_figures_are_on_screen_at_every_size(opened: Open, size: tuple[int, int]) -> None:
    async with opened(scenes.slowed(), size) as bench:
        shown = bench.text()
    for fact in (
        "NOT SAFETY-RATED",
        "SPACE = STOP",
        "SLOW",
        "uncertainty",
        "0.62",
        "K across",
        "572",
        "N/m",
        "47.3",
        "m/s",
        "61 ms",
        "82 ms",
    ):
        assert fact in shown, fact
    for fact in ("8.3/s", "34.2 mm", "rec 03:12", "CONTINUE 0.83", "138 ms", "epistemic"):
        assert fact in shown, fact


@pytest.mark.parametrize("size", [(120, 34), (160, 48)])
async def test_larger_screens_show_the_picture(opened: Open, size: tuple[int, int]) -> None:
    async with opened(scenes.running(), size) as bench:
        await bench.drawn()
        assert "▀▀▀▀" in bench.text()
        bench.clock.t += 2.0
        await bench.show(scenes.running())
        assert "picture removed" in bench.text()
        assert "▀▀▀▀" not in bench.text()


async def test_the_first_frame_does_not_wait_for_the_engine(opened: Open) -> None:
    async with opened(None) as bench:
        assert "STARTING ENGINE" in bench.text()
        bench.link.state = "connected"
        await bench.show(scenes.loading())
        assert "LOADING MODEL" in bench.text()
        assert "importing torch" in bench.text()
        assert " LOADING  NOT SAFETY-RATED" in bench.text()
        assert "PLACEHOLDER" not in bench.text()


async def test_resizing_to_almost_nothing_and_back_keeps_the_state(opened: Open) -> None:
    async with opened(scenes.running()) as bench:
        assert bench.pilot is not None
        for size in ((20, 5), (80, 24), (60, 20), (160, 48)):
            await bench.pilot.resize_terminal(*size)
            await bench.drawn()
            assert "RUNNING" in bench.text(), size


@pytest.mark.parametrize(("key", "presses"), [("down", 60), ("pagedown", 6)])
async def test_the_help_page_tells_of_multiplexers_even_on_a_small_screen(opened: Open, key: str, presses: int) -> None:
    async with opened(scenes.running(), (80, 24)) as bench:
        await bench.press("question_mark", *[key] * presses)
        assert "tmux" in bench.text()


async def test_behind_a_multiplexer_the_screen_asks_for_a_key_while_armed(opened: Open) -> None:
    async with opened(scenes.running(), (80, 24)) as bench:
        bench.app.multiplexer = "tmux"
        bench.app.heard(bench.clock.t, typed=True)
        bench.clock.t += 12.0
        bench.app.heard(bench.clock.t, typed=False)
        await bench.show(scenes.running())
        assert "Press any key" in bench.text()
        await bench.show(scenes.disarmed())
        assert "Press any key" not in bench.text()


async def test_where_no_console_is_required_no_key_is_asked_for(opened: Open) -> None:
    async with opened(scenes.running(), (80, 24)) as bench:
        bench.app.multiplexer = "tmux"
        bench.app.heard(bench.clock.t, typed=True)
        bench.clock.t += 30.0
        demo = scenes.running()
        await bench.show(msgspec.structs.replace(demo, inputs=msgspec.structs.replace(demo.inputs, console_required=False)))
        assert "key" not in bench.text().splitlines()[2]
        await bench.show(demo)
        assert "No key came" in bench.text()


@pytest.mark.parametrize("size", SIZES)
async def test_telemetry_that_stops_on_an_open_line_is_shown_as_frozen(opened: Open, size: tuple[int, int]) -> None:
    async with opened(scenes.running(), size) as bench:
        bench.clock.t += 1.0
        bench.app.poll()
        await bench.drawn()
        assert "FROZEN" not in bench.text()
        bench.clock.t += 1.3
        bench.app.poll()
        assert bench.pilot is not None
        await bench.pilot.pause()
        assert "FROZEN 2 s" in bench.text()
        assert "2.3 s behind" in bench.text()
        await bench.show(scenes.running())
        assert "FROZEN" not in bench.text()


@pytest.mark.parametrize("theme", ["light", "colour-blind", "monochrome"])
async def test_themes_draw_the_same_words(opened: Open, theme: str) -> None:
    async with opened(scenes.slowed(), options=Options(theme=theme)) as bench:
        assert "RUNNING SLOW" in bench.text()
        assert "INVALID" in bench.text()


async def test_ascii_is_ascii(opened: Open) -> None:
    async with opened(scenes.running(), options=Options(ascii_only=True)) as bench:
        await bench.drawn()
        assert bench.text().isascii()


async def test_no_color_wins_over_the_theme(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with opened(scenes.running(), options=Options(theme="dark")) as bench:
        await bench.press("t")
        styles = [style for strip in bench.app.screen._compositor.render_strips() for _, style, _ in strip if style]
        assert all(style.color is None and style.bgcolor is None for style in styles)


async def test_what_was_covered_while_the_theme_changed_comes_back_in_the_new_one(opened: Open) -> None:
    looks: list[list[list[tuple[str, str]]]] = []
    for keys in (("t", "w", "w"), ("w", "t", "w")):
        async with opened(scenes.running(), (120, 34)) as bench:
            for key in keys:
                await bench.press(key)
            looks.append([[(text, str(style)) for text, style, _ in strip] for strip in bench.app.screen._compositor.render_strips()])
    assert looks[0] == looks[1]


@pytest.mark.parametrize("key", ["w", "l", "colon", "question_mark"])
async def test_every_page_can_be_drawn_in_every_state(opened: Open, key: str) -> None:
    async with opened(scenes.running(), (80, 24)) as bench:
        await bench.press(key)
        for scene in (scenes.disarmed, scenes.armed, scenes.slowed, scenes.stopped, scenes.faulted, scenes.running):
            await bench.show(scene())
            assert "SPACE" in bench.text()
