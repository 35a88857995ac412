"""What is written to the terminal: applied to an empty screen, it gives exactly what was composed, in few bytes."""

import random
import re
from typing import ClassVar

import pytest
import scenes
import textual.screen
from fakes import Clock, FakeLink
from rich.color import ColorSystem
from rich.console import RenderableType
from rich.style import Style
from textual._compositor import CompositorUpdate

from console.app import Options, Sawhorse
from console.screens.live import LiveScreen

_PART = re.compile(r"\x1b\[(\d+);(\d+)H|\x1b\[([\d;]*)m|\x1b\[[?\d;<>=]*[a-zA-Z]|\n|([^\x1b\n]+)")


class Screen:
    """As much of a terminal as the console uses: cursor moves, SGR, text."""

    def __init__(self, width: int, height: int) -> None:
        self.cells = [[(" ", "")] * width for _ in range(height)]
        self.painted = 0  #: cells, the same one as often as it was
        self._x = self._y = 0
        self._style: dict[str, str] = {}

    def write(self, data: str) -> None:
        for match in _PART.finditer(data):
            row, column, sgr, text = match.groups()
            if row:
                self._y, self._x = int(row) - 1, int(column) - 1
            elif sgr is not None:
                self._apply(sgr.split(";"))
            elif text:
                self.painted += len(text)
                for character in text:
                    self.cells[self._y][self._x] = (character, self._look())
                    self._x += 1

    def _apply(self, codes: list[str]) -> None:
        while codes:
            code = codes.pop(0)
            if code in ("", "0"):
                self._style.clear()
            elif code in ("38", "48"):
                self._style[code] = ",".join(codes[1:4])
                del codes[:4]
            elif code in ("39", "49"):
                self._style.pop({"39": "38", "49": "48"}[code], None)
            else:
                self._style[code] = "on"

    def _look(self) -> str:
        return " ".join(f"{key}={value}" for key, value in sorted(self._style.items()))


def look(style: Style | None) -> str:
    parts = {}
    if style is not None:
        if style.color and not style.color.is_default:
            parts["38"] = ",".join(map(str, style.color.get_truecolor()))
        if style.bgcolor and not style.bgcolor.is_default:
            parts["48"] = ",".join(map(str, style.bgcolor.get_truecolor()))
        parts |= {code: "on" for on, code in ((style.bold, "1"), (style.dim, "2"), (style.underline, "4"), (style.reverse, "7")) if on}
    return " ".join(f"{key}={value}" for key, value in sorted(parts.items()))


def composed(app: Sawhorse) -> list[list[tuple[str, str]]]:
    return [
        [(character, look(style)) for text, style, _ in strip for character in text] for strip in app.screen._compositor.render_strips()
    ]


class Watched(Sawhorse):
    """The app, with a screen that takes what would go to the terminal."""

    shown: Screen
    written: ClassVar[list[int]] = []

    def _display(self, screen: textual.screen.Screen[object], renderable: RenderableType | None) -> None:
        if isinstance(renderable, CompositorUpdate):
            data = renderable.render_segments(self.console)
            self.shown.write(data)
            self.written[-1] += len(data.encode())
        super()._display(screen, renderable)


@pytest.mark.parametrize(
    ("width", "height", "theme"), [(80, 24, "dark"), (120, 34, "dark"), (160, 48, "light"), (80, 24, "monochrome"), (60, 20, "dark")]
)
async def test_the_terminal_shows_what_was_composed_frame_after_frame(width: int, height: int, theme: str) -> None:
    clock = Clock()
    link = FakeLink(clock)
    app = Watched(LiveScreen, link=link, options=Options(theme=theme, camera=""), now=clock.now, wall=clock.wall)
    app.console._color_system = ColorSystem.TRUECOLOR
    app.shown = Screen(width, height)
    app.written = [0]
    link.show(scenes.disarmed())
    async with app.run_test(size=(width, height)) as pilot:
        await pilot.pause()
        for snapshot in (*scenes.sequence(8), scenes.stopped(), scenes.running()):
            clock.t += 0.1
            app.written.append(0)
            link.show(snapshot)
            app.history.observe(snapshot)
            app.screen.draw()  # type: ignore[attr-defined]
            await pilot.pause()
            assert app.shown.cells == composed(app)
    telemetry = app.written[3:9]
    assert 0 < sum(telemetry) / len(telemetry) <= 3000, telemetry


async def test_a_forecast_that_trembles_costs_little_of_the_link() -> None:
    clock = Clock()
    link = FakeLink(clock)
    app = Watched(LiveScreen, link=link, options=Options(camera=""), now=clock.now, wall=clock.wall)
    app.console._color_system = ColorSystem.TRUECOLOR
    app.shown = Screen(120, 34)
    app.written = [0]
    noise = random.Random(0)
    link.show(scenes.outlook_acting())
    async with app.run_test(size=(120, 34)) as pilot:
        await pilot.pause()
        for snapshot in scenes.sequence(12):
            clock.t += 0.1
            app.written.append(0)
            risks = [[max(0.0, risk + noise.gauss(0.0, 0.01)) for risk in row] for row in scenes.DROP]
            foreseen = scenes.forecast(snapshot, risks=risks, foreseen=1, because={"overlap": 0.22 + noise.gauss(0.0, 0.01)})
            link.show(foreseen)
            app.history.observe(foreseen)
            app.screen.draw()  # type: ignore[attr-defined]
            await pilot.pause()
            assert app.shown.cells == composed(app)
    telemetry = app.written[3:]
    assert sum(telemetry) / len(telemetry) <= 3000, telemetry


async def test_a_new_size_is_painted_once() -> None:
    clock = Clock()
    link = FakeLink(clock)
    app = Watched(LiveScreen, link=link, options=Options(camera=""), now=clock.now, wall=clock.wall)
    app.console._color_system = ColorSystem.TRUECOLOR
    app.shown = Screen(160, 48)
    app.written = [0]
    link.show(scenes.running())
    async with app.run_test(size=(160, 48)) as pilot:
        for width, height in ((120, 34), (80, 24), (20, 5), (160, 48)):
            await pilot.pause()
            app.shown = Screen(width, height)
            await pilot.resize_terminal(width, height)
            await pilot.pause()
            app.screen.draw()  # type: ignore[attr-defined]
            await pilot.pause()
            assert app.shown.cells == composed(app)
            assert app.shown.painted <= 1.2 * width * height + 80  # a line of which the words change with the size is painted again
