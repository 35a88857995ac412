"""The console's application: it pulls the newest snapshot, keeps the short past, and hands both to the screen that is up."""

import asyncio
import math
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from textual import events
from textual.app import App
from textual.theme import Theme

from console.driver import ConsoleDriver, KeysDropped, TerminalGone
from console.keymap import Keymap, Scope
from console.link import Link, SocketLink
from console.parser import KeyboardFlags, KeyReleased, StatusReport
from console.presence import PRESENCE
from console.screens.board import Board
from console.theme import MONOCHROME, PALETTES, THEMES
from console.view import LIMITS, History
from engine.config import ConsoleSettings
from engine.exits import CLEAN, FAULT, INTERRUPTED
from engine.limits import Limits
from engine.messages import Shutdown
from engine.runs import Run
from engine.stop import StopPage
from engine.types import Writer

POLL = 0.05  #: s
FRAME = 0.1  #: s, telemetry is drawn at most this often, and clocks at least this often
PROBE = 0.1  #: s between questions to the terminal
BACKLOG_MAX = 2  #: writes that wait before a frame is skipped
END_WITHIN = 10.0  #: s the engine is given to commit and end
SLOW_FOR = 2.0  #: s the badge stays after the link was slow
RELEASES = 0b10  #: the keyboard flag for event types


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line chooses for the screen."""

    theme: str = "dark"
    ascii_only: bool = False
    readonly: bool = False
    camera: str = "front"  #: "" = no picture
    picture_age_max: float = 2.0  #: s
    key_age_max: float = 0.3  #: s a key may have waited behind the screen and still be obeyed; stops always are
    store: Path | None = None  #: folder of recorded sessions
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
        self.multiplexer = ""  #: what answers in the terminal's place, told by the driver; "" = nothing does
        self.releases = False  #: the terminal reports key releases
        self.terminal_answers = False
        self.stopped_at = -1e9  #: when this console last raised a stop, on ``now``'s clock
        self.stops_raised = 0  #: by this console
        self.ends_engine = False  #: the operator left in good order: the engine shall end too
        self.engine_told = False  #: and it has been told
        self._first = first
        self._seen = 0
        self._drawn_at = -1e9
        self._slow_at = -1e9
        self._full_since = math.inf  #: since when the terminal has not taken what was written
        self._probed_at = -1e9
        self._asked_at = 0.0
        self._answered_at = 0.0
        self._proven_at = -1e9  #: when the operator's end last gave proof of itself
        self._late_at = -1e9

    # --- from the input thread ---

    def raise_stop(self, *, latched: bool) -> None:
        """Raise the stop page. Called by the driver's input thread: bounded work, no lock, nothing posted."""
        if self.stop_page is not None:
            self.stop_page.raise_stop(Writer.OBSERVER if self.observing else Writer.CONSOLE, latch=latched)
        self.stopped_at = self.now()
        self.stops_raised += 1

    def heard(self, now: float, *, typed: bool) -> None:
        """A byte came from the terminal, of a key or only of an answer. Called by the driver's input thread.

        Behind a multiplexer an answer says nothing of the operator: armed, it counts only while a key is recent.
        """
        self._answered_at = now
        if typed or not self.multiplexer:
            self._proven_at = now
        if self.link is not None and (not self.armed or now - self._proven_at < PRESENCE):
            self.link.alive(now)

    # --- the app's own thread ---

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
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, self._ended_from_outside)
        self.push_screen(self._first())
        self.set_interval(POLL, self.poll)

    def _ended_from_outside(self) -> None:
        """Somebody ends this process, or the terminal hung up: stop the robot, then leave in good order."""
        self.raise_stop(latched=False)
        self.exit(INTERRUPTED)

    def _dress(self) -> None:
        self.theme = f"sawhorse-{'dark' if self.palette == MONOCHROME else self.palette}"
        self.console.no_color = self.palette == MONOCHROME

    def next_theme(self) -> None:
        """Change to the next theme; without colour there is only one."""
        if os.environ.get("NO_COLOR"):
            return
        self.palette = THEMES[(THEMES.index(self.palette) + 1) % len(THEMES)]
        self._dress()
        for screen in self.screen_stack:
            if isinstance(screen, Board):
                screen.redraw()
        self.refresh()

    def poll(self) -> None:
        """Take what is new, draw when it is time, ask the terminal whether it lives."""
        now = self.now()
        fresh = False
        if self.link is not None and self.link.received != self._seen:
            self._seen = self.link.received
            if (snapshot := self.link.newest()) is not None:
                self.history.observe(snapshot)
                self.observing = self.options.readonly or snapshot.run.controller not in ("", self.link.name)
                fresh = True
        driver = self._driver
        if isinstance(driver, ConsoleDriver):
            if driver.backlog >= BACKLOG_MAX:
                self._full_since = min(self._full_since, now)
                if now - self._full_since >= FRAME:
                    self._slow_at = now
                return
            self._full_since = math.inf
            if now - self._probed_at >= PROBE:
                self._probed_at = now
                if self._answered_at >= self._asked_at:
                    self._asked_at = now
                driver.probe()
        elapsed = now - self._drawn_at
        if (fresh and elapsed >= 0.75 * FRAME) or elapsed >= 1.5 * FRAME:
            self._drawn_at = now
            if isinstance(self.screen, Board):
                self.screen.draw()

    @property
    def coloured(self) -> bool:
        """Whether colours are drawn: pictures need them."""
        return self.palette != MONOCHROME and not self.ascii_only

    def show_help(self, scope: Scope) -> None:
        """Open the page of keys."""
        from console.screens.help import HelpScreen

        self.push_screen(HelpScreen(scope))

    def show_sessions(self) -> None:
        """Open the table of recorded sessions."""
        from console.screens.sessions import SessionsScreen

        if self.options.store is not None:
            self.push_screen(SessionsScreen(self.options.store))

    def back(self) -> None:
        """Close the screen on top; the first one closes the program."""
        if len(self.screen_stack) > 2:
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
    def unanswered(self) -> float:
        """s for which the terminal has owed an answer; 0 where it never answers at all."""
        if not self.terminal_answers or self._answered_at >= self._asked_at:
            return 0.0
        return self.now() - self._asked_at

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

    def on_status_report(self, message: StatusReport) -> None:
        self.terminal_answers = True

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


def exit_code(result: int | None) -> int:
    """The process's exit code: the app's own word, or a fault where it died without one."""
    return FAULT if result is None else result


def run_live(place: Run, *, readonly: bool, settings: ConsoleSettings, store: Path, limits: Limits = LIMITS) -> int:
    """The live console on a run's engine until the operator leaves; returns the exit code. The first frame does not wait for the engine.

    Raises OSError where the run's stop page cannot be made or opened.
    """
    from console.screens.live import LiveScreen

    options = options_from(settings, readonly=readonly, store=store, limits=limits)
    with StopPage(place.page, create=True) as page:
        link = SocketLink(place.socket, f"console-{os.getpid()}", readonly=readonly)
        app = Sawhorse(LiveScreen, link=link, stop_page=page, options=options)
        try:
            code = exit_code(app.run(mouse=False))
            if app.ends_engine and (app.engine_told or link.send_within(Shutdown(), END_WITHIN)):
                link.wait_end(END_WITHIN)
                code = link.ended.exit_code if link.ended is not None else code
        finally:
            link.close()
    return code


def run_replay(path: Path, settings: ConsoleSettings) -> int:
    """The replay screen on a recorded session; returns the exit code.

    Raises engine.session.layout.SessionError where the session cannot be opened.
    """
    from console.screens.replay import ReplayScreen
    from engine.session.reader import Session

    session = Session.open(path)
    return exit_code(Sawhorse(lambda: ReplayScreen(session), options=options_from(settings)).run(mouse=False))


def options_from(settings: ConsoleSettings, *, readonly: bool = False, store: Path | None = None, limits: Limits = LIMITS) -> Options:
    """The screen's options from the configuration."""
    return Options(
        theme=settings.theme,
        ascii_only=settings.ascii,
        readonly=readonly,
        camera="front" if settings.picture_hz > 0 else "",
        store=store,
        keymap=settings.keymap,
        limits=limits,
    )
