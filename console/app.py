"""The console's application: it pulls the newest snapshot, keeps the short past, and hands both to the screen that is up."""

import asyncio
import contextlib
import math
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import RenderableType
from textual import events
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.app import App
from textual.screen import Screen
from textual.theme import Theme

from console.driver import ConsoleDriver, KeysDropped, TerminalGone
from console.keymap import BY_ID, STOPS, Keymap, Scope
from console.link import Link
from console.parser import RELEASES, KeyboardFlags, KeyReleased
from console.pixels import Canvas
from console.presence import PRESENCE
from console.proof import Proof
from console.screens.board import Board
from console.theme import MONOCHROME, PALETTES, known
from console.view import LIMITS, History
from engine.exits import CLEAN, INTERRUPTED
from engine.limits import Limits
from engine.stop import StopPage
from engine.types import Writer

POLL = 0.05  #: s
FRAME = 0.1  #: s, telemetry is drawn at most this often, and clocks every 0.2 s at least
PICTURE_SHARE = 0.5  #: of what the link carries between two frames, for a picture
PICTURE_MOST = 4_000.0  #: bytes of a picture in one frame: a link that was fast a moment ago need not be so now
BACKLOG_MAX = 2  #: writes that wait before a frame is skipped
SLOW_FOR = 2.0  #: s the badge stays after the link was slow
SLOW_FROM = 0.4  #: s for which the terminal may owe an answer before the link counts as slow
LATE_FRAME = 0.25  #: s after the last frame from which on one that has to wait means that the link is slow
PICTURES_AFTER = 20.0  #: s without slowness after which pictures are tried again: figures come first
LESSENING = ("pause", "disarm")  #: actions that a key may ask for however late it arrives


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line chooses for the screen."""

    theme: str = "dark"
    ascii_only: bool = False
    readonly: bool = False
    camera: str = "front"  #: "" = no picture
    key_age_max: float = 0.3  #: s a key may have waited behind the screen and still be obeyed; stops always are
    store: Path | None = None  #: folder of recorded sessions
    settings: Path | None = None  #: the run's settings, which the doctor looks at
    keymap: Mapping[str, str] | None = None
    limits: Limits = LIMITS


class Sawhorse(App[int], inherit_bindings=False):
    """``link`` is None where no engine is attached; ``stop_page`` is None where there is nothing to stop."""

    ENABLE_COMMAND_PALETTE = False
    TITLE = "Sawhorse"
    CSS = "Screen { overflow: hidden; }"

    def __init__(
        self,
        first: Callable[[], Board],
        *,
        link: Link | None = None,
        stop_page: StopPage | None = None,
        options: Options | None = None,
        now: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.options = options or Options()
        self.palette = MONOCHROME if os.environ.get("NO_COLOR") else self.options.theme
        self.ascii_only = self.options.ascii_only
        super().__init__(driver_class=ConsoleDriver)
        self.console.no_color = self.palette == MONOCHROME
        self.link = link
        self.stop_page = stop_page
        self.keymap = Keymap(self.options.keymap)
        self.now = now
        self.wall = wall
        self.history = History()
        self.observing = self.options.readonly  #: another console holds control, or this one did not ask for it
        self.canvas = Canvas()
        self.multiplexer = ""  #: what answers in the terminal's place, told by the driver; "" = nothing does
        self.releases = False  #: the terminal reports key releases
        self.proof = Proof()  #: what the terminal's answers prove
        self.stopped_at = -1e9  #: when this console last raised a stop, on ``now``'s clock
        self.stops_raised = 0  #: by this console
        self.ends_engine = False  #: the operator left in good order: the engine shall end too
        self.engine_told = False  #: and it has been told
        self._first = first
        self._seen = 0
        self._drawn_at = -1e9
        self._slow_at = -1e9
        self._polled_at = math.inf  #: when this app itself last gave proof of itself; it has not begun to
        self._proven_at = -1e9  #: when the operator was last there, as far as is proven
        self._late_at = -1e9
        self._own_loop: asyncio.AbstractEventLoop | None = None
        self._interrupted = False

    # --- from the input thread ---

    def raise_stop(self, *, latched: bool) -> None:
        """Raise the stop page. Called by the threads of the input and of the signals: bounded work, no lock, nothing posted."""
        if self.stop_page is not None:
            with contextlib.suppress(ValueError):  # the page is closed: the program has left
                self.stop_page.raise_stop(Writer.OBSERVER if self.observing else Writer.CONSOLE, latch=latched)
        self.stopped_at = self.now()
        self.stops_raised += 1

    def heed_own_stop(self, key: events.Key) -> None:
        """Raise a stop for a key that the user's keymap made one; those that always are have been seen in the raw bytes."""
        action = self.keymap.action(key.key, "live")
        if action in STOPS and key.key.lower() not in BY_ID[action].keys:
            self.raise_stop(latched=action == "stop_off")

    def held_up(self, key: events.Key, now: float) -> bool:
        """Whether a key may have been under way for so long that obeying it would surprise. What moves nothing is obeyed always."""
        if self.link is None or self.proof.age(now) <= self.options.key_age_max + min(self.proof.floor, self.options.key_age_max):
            return False
        action = self.keymap.action(key.key, "live")
        lessens = action in LESSENING and self.armed  # disarmed there is nothing to lessen, and on another screen the key deletes
        return action is None or not (BY_ID[action].where in ("everywhere", "robot") or lessens)

    def heard(self, now: float, *, typed: bool) -> None:
        """Something came from the terminal, a key or only an answer. Called by the driver's input thread.

        It proves what the answers so far prove, and nothing later. Behind a multiplexer an answer says nothing of the operator:
        armed, it counts only while a key is recent. And this app must have been there too, for it is what ends a hold.
        """
        there = now - self.proof.age(now)
        if typed or not self.multiplexer:
            self._proven_at = max(self._proven_at, there)
        if self.link is not None and (not self.armed or now - self._proven_at < PRESENCE):
            self.link.alive(now, now - min(there, self._polled_at))

    # --- the app's own thread ---

    def get_default_screen(self) -> Board:
        return self._first()

    def on_mount(self) -> None:
        for palette in PALETTES.values():
            self.register_theme(
                Theme(
                    name=f"sawhorse-{palette.name}",
                    primary=palette.brand,
                    background=palette.background,
                    surface=palette.panel,
                    foreground=palette.text,
                    dark=palette.dark,
                )
            )
        self._dress()
        if isinstance(self._driver, ConsoleDriver):
            self._own_loop = asyncio.get_running_loop()
            if self._interrupted:
                self.exit(INTERRUPTED)
        self.set_interval(POLL, self.poll)

    def signalled(self, received: signal.Signals) -> None:
        """Stop the robot; then be suspended, or leave in good order. Called by the thread that waits for signals."""
        self.raise_stop(latched=False)
        suspends = received == signal.SIGTSTP
        self._interrupted = self._interrupted or not suspends
        if self._own_loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended: the program is leaving
                self._own_loop.call_soon_threadsafe(self._be_suspended if suspends else self._be_ended)

    def _be_ended(self) -> None:
        self.exit(INTERRUPTED)

    def _be_suspended(self) -> None:
        """Give the terminal back, stand still until somebody wakes this process, and take it again."""
        with self.suspend():
            os.kill(os.getpid(), signal.SIGSTOP)

    def _dress(self) -> None:
        self.theme = f"sawhorse-{'dark' if self.palette == MONOCHROME else self.palette}"
        self.console.no_color = self.palette == MONOCHROME

    def next_theme(self) -> None:
        """Change to the next theme; without colour there is only one."""
        if os.environ.get("NO_COLOR"):
            return
        themes = known()
        self.palette = themes[(themes.index(self.palette) + 1) % len(themes)]
        self._dress()
        for screen in self.screen_stack:
            if isinstance(screen, Board):
                screen.redraw()
        self.refresh()

    def on_resize(self) -> None:
        """A terminal changes its size with its font too."""
        if isinstance(self._driver, ConsoleDriver):
            self._driver.ask_cell()

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        """Text that is written over a picture may take it away."""
        super()._display(screen, renderable)
        if isinstance(renderable, LayoutUpdate):
            self.canvas.painted([(y, renderable.region.x, renderable.region.right) for y in renderable.region.line_range])
        elif isinstance(renderable, ChopsUpdate):
            self.canvas.painted(renderable.spans)

    def poll(self) -> None:
        """Take what is new and draw when it is time."""
        now = self._polled_at = self.now()
        fresh = self.link is None  # what a recording shows is always at hand
        if self.link is not None and self.link.received != self._seen:
            self._seen = self.link.received
            if (snapshot := self.link.newest()) is not None:
                self.history.observe(snapshot)
                self.observing = self.options.readonly or snapshot.run.controller != self.link.name
                fresh = True
        driver = self._driver
        if isinstance(driver, ConsoleDriver):
            if self.unanswered > SLOW_FROM:
                self._slow_at = now
            if driver.backlog >= BACKLOG_MAX:
                if now - self._drawn_at >= LATE_FRAME:
                    self._slow_at = now
                return
        elapsed = now - self._drawn_at
        if (fresh and elapsed >= 0.75 * FRAME) or elapsed >= 1.5 * FRAME:
            self._drawn_at = now
            if isinstance(self.screen, Board):
                self.canvas.clear()
                self.screen.draw()
                if isinstance(driver, ConsoleDriver) and (drawn := self.canvas.step(self.picture_room)):
                    driver.write(drawn)

    @property
    def coloured(self) -> bool:
        """Whether colours are drawn: pictures need them."""
        return self.palette != MONOCHROME and not self.ascii_only

    def show_help(self, scope: Scope) -> None:
        """Open the page of keys."""
        from console.screens.help import HelpScreen

        self.push_screen(HelpScreen(scope))

    def show_palette(self, board: Board) -> None:
        """Open the page that finds an action of ``board``'s by its name."""
        from console.screens.palette import PaletteScreen

        self.push_screen(PaletteScreen(board))

    def show_doctor(self) -> None:
        """Open the page that looks at what the program stands on."""
        from console.checkup import Checkup
        from console.screens.doctor import DoctorScreen

        if (settings := self.options.settings) is not None:
            self.push_screen(DoctorScreen(lambda: Checkup(settings)))

    def show_sessions(self) -> None:
        """Open the table of recorded sessions."""
        from console.screens.sessions import SessionsScreen

        if self.options.store is not None:
            self.push_screen(SessionsScreen(self.options.store))

    def back(self) -> None:
        """Close the screen on top; the first one closes the program."""
        if len(self.screen_stack) > 1:
            self.pop_screen()
        else:
            self.exit(CLEAN)

    @property
    def heartbeat(self) -> int:
        """Counts what has arrived."""
        return self._seen

    @property
    def link_slow(self) -> bool:
        """Whether the terminal did not keep up lately."""
        return self.now() - self._slow_at < SLOW_FOR

    @property
    def pictures(self) -> bool:
        """Whether the link has been fast enough lately for pictures."""
        return self.now() - self._slow_at >= PICTURES_AFTER

    @property
    def picture_room(self) -> float:
        """Bytes of a picture that may go out with a frame, so that the figures do not wait for it."""
        return min(PICTURE_SHARE * FRAME * self.proof.rate, PICTURE_MOST) if isinstance(self._driver, ConsoleDriver) else math.inf

    @property
    def unanswered(self) -> float:
        """s for which the terminal has owed an answer; 0 where it never answers at all."""
        return max(0.0, self.proof.owed(self.now()) - self.proof.floor) if self.proof.answers else 0.0

    def too_late(self, event: events.Key) -> bool:
        """Whether a key waited so long behind a stalled screen that obeying it would surprise."""
        late = time.monotonic() - event.time > self.options.key_age_max
        if late:
            self._late_at = self.now()
        return late

    @property
    def armed(self) -> bool:
        """Whether the robot is armed, by the newest word of an engine that is there."""
        snapshot = self.link.newest() if self.link is not None and self.link.state == "connected" else None
        return snapshot is not None and snapshot.decision.armed

    @property
    def unproven(self) -> float:
        """s since the operator's end last gave proof of itself."""
        return self.now() - self._proven_at

    @property
    def dropped_key(self) -> bool:
        """Whether a key was dropped as too late a moment ago."""
        return self.now() - self._late_at < 3.0

    def stop_key(self, *, latched: bool) -> None:
        """A stop key has come through the queue. In a real terminal the input thread has long raised the page."""
        if not isinstance(self._driver, ConsoleDriver):
            self.raise_stop(latched=latched)

    def on_keyboard_flags(self, message: KeyboardFlags) -> None:
        # Behind a multiplexer a missing release may be a lost line, so there holds are proven by their repeats.
        self.releases = bool(message.flags & RELEASES) and not self.multiplexer

    def on_key_released(self, message: KeyReleased) -> None:
        # By the screen's own queue, behind the presses that are still in it: a release must never overtake its press.
        self.screen.post_message(message)

    def on_keys_dropped(self, message: KeysDropped) -> None:
        self._late_at = self.now()

    def on_app_blur(self, event: events.AppBlur) -> None:
        from console.screens.live import LiveScreen

        for screen in self.screen_stack:
            if isinstance(screen, LiveScreen):
                screen.let_go()

    def on_terminal_gone(self, message: TerminalGone) -> None:
        self.exit(INTERRUPTED)

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Paste):
            return  # a paste is never a command; the input thread has raised every stop in it
        await super().on_event(event)
