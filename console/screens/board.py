"""A screen made of panels at places: the common part of the live, replay, sessions and help screens."""

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.geometry import Offset, Region, Size, Spacing
from textual.layout import ArrangeResult, Layout, WidgetPlacement
from textual.screen import Screen
from textual.widget import Widget

from console.keymap import STOPS, Scope
from console.output import FrugalCompositor
from console.panel import Panel
from console.parser import KeyReleased, KeyRepeated
from console.places import Place
from console.view import History, View

if TYPE_CHECKING:
    from console.app import Sawhorse


class PlacesLayout(Layout):
    """Children go where ``places`` says, by id; the others are not shown."""

    name = "places"

    def __init__(self, places: Callable[[Size], dict[str, Place]]) -> None:
        self._places = places

    def arrange(self, parent: Widget, children: list[Widget], size: Size, greedy: bool = True) -> ArrangeResult:
        places = self._places(size)
        return [
            WidgetPlacement(Region(place.x, place.y, place.width, place.height), Offset(0, 0), Spacing(), child)
            for child in children
            if child.id is not None and (place := places.get(child.id)) is not None
        ]


class Board(Screen[None], inherit_bindings=False):
    """Subclasses give the panels, their places, a view, and what their actions do."""

    SCOPE: ClassVar[Scope] = "live"
    DEFAULT_CSS = "Board { overflow: hidden; }"
    AUTO_FOCUS = ""

    app: "Sawhorse"

    def __init__(self, panels: dict[str, Panel]) -> None:
        super().__init__()
        self._compositor = FrugalCompositor()
        self._places_layout = PlacesLayout(self._sized_places)
        self._placed: frozenset[str] = frozenset()
        self.panels = panels

    @property
    def layout(self) -> Layout:
        return self._places_layout

    def _size_updated(self, size: Size, virtual_size: Size, container_size: Size, layout: bool = True) -> bool:
        """A new size is laid out and painted once; the layout it would ask for is the one under way."""
        return super()._size_updated(size, virtual_size, container_size, layout=False)

    def compose(self) -> ComposeResult:
        yield from self.panels.values()

    def places(self, width: int, height: int) -> dict[str, Place]:
        """Where each panel stands now."""
        return {}

    def view(self) -> View:
        """What the panels show now; here that there is no robot."""
        spinner = int(5 * self.app.now())
        return View(snapshot=None, history=History(), wall=self.app.wall(), spinner=spinner, link="recorded", stoppable=False)

    def heed(self, view: View) -> None:
        """Change the places where what is shown asks for it; here nothing does."""

    def act(self, action: str, event: events.Key) -> None:
        """Do what a key asks for, here what it does on every screen; stops are dealt with before."""
        if action == "help":
            self.app.show_help(self.SCOPE)
        elif action == "theme":
            self.app.next_theme()
        elif action == "palette":
            self.app.show_palette(self)
        elif action in ("back", "quit"):
            self.app.back()

    def released(self, key: str) -> None:
        """A key was let go."""

    def let_go(self) -> None:
        """Nothing counts as held any more: a stop key came."""

    def draw(self) -> None:
        """Show the present view in every panel that has a place, or will have one with the next layout."""
        view = self.view()
        self.heed(view)
        for name in self.places(self.size.width, self.size.height):
            self.panels[name].show(view)

    def redraw(self) -> None:
        """Draw everything anew: the theme is another."""
        for panel in self.panels.values():  # those that are covered too: they come back as they were
            panel.redraw()

    def rearrange(self) -> None:
        """Places have changed."""
        self._clear_arrangement_cache()
        self.refresh(layout=True)

    def _sized_places(self, size: Size) -> dict[str, Place]:
        places = self.places(size.width, size.height)
        self._placed = frozenset(places)
        return places

    def on_screen_resume(self) -> None:
        self.call_after_refresh(self.draw)

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        action = self.app.keymap.action(event.key, self.SCOPE)
        if action is None:
            return
        if action in STOPS:
            self.app.stop_key(latched=action == "stop_off")
            self.let_go()
        elif self.is_current and not self.app.too_late(event):  # a page that is closed already closes no other
            self.act(action, event)
        self.draw()

    def on_key_released(self, message: KeyReleased) -> None:
        self.released(message.key)


def is_repeat(event: events.Key) -> bool:
    """Whether the terminal itself says that this press is a repeat."""
    return isinstance(event, KeyRepeated)
