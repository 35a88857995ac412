"""The terminal, with stops taken off the raw bytes by the input thread before anything else sees them.

Textual's event loop may stand still while the input thread does not. So the input thread itself raises the stop page, and
only then hands on what it read. It also keeps the proof that the operator's end is there: the terminal's answers, in the
order in which they stand between the keys. A key that may have been under way for too long is handed on only where it
concerns nothing but the screen, or lessens what the robot does.
"""

import contextlib
import math
import os
import queue
import selectors
import sys
import time
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from textual import events
from textual._parser import ParseError
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from console.pace import PacedFile
from console.parser import ConsoleParser, NameReport, StatusReport
from console.pixels import QUESTIONS, Offer
from console.presence import multiplexer, terminal_holder, typed
from console.proof import ASK_STATUS, Pace
from console.sixel import ASK_CELL
from console.stopkeys import StopMatcher

if TYPE_CHECKING:
    from console.app import Sawhorse

_ASK_RELEASES = "\x1b[=2;2u"  #: kitty protocol: report event types, added to the flags Textual pushed
_ASK_FLAGS = "\x1b[?u"
PROBE = 0.1  #: s between questions to the terminal
PROBE_ARMED = 0.05  #: s between them while the robot is armed, for a held key counts only as long as they are answered
WAIT = 0.025  #: s for something to read
_READ_MAX = 4096
_SIZE_MAX = 1000  #: cells; a terminal that says it is larger, or has none, is noise
_STALLED = 20  #: writes that wait when the terminal is left and are then left out
_start: Callable[[LinuxDriver], None] = LinuxDriver.start_application_mode


class TerminalGone(Message):
    """The terminal's end is closed: nothing can be typed any more."""


class KeysDropped(Message):
    """Keys came that may have been under way for too long, or more at once than anybody types. They are not obeyed."""


class ConsoleDriver(LinuxDriver):
    """Textual's Linux driver with an input thread of its own."""

    _app: "Sawhorse"

    def __init__(self, app: "Sawhorse", *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        app.multiplexer = multiplexer(os.environ, terminal_holder())
        assert sys.__stdout__ is not None
        self._paced = PacedFile(sys.__stdout__, app.proof, self._cut_off)
        self._pictures = Offer()
        self._names_owed = 0  #: answers to the start's question for the terminal's name, which is none of the proof's
        self._file = self._paced  # and not stderr, on which Textual draws and which people redirect

    def start_application_mode(self) -> None:
        self._paced.begin()
        _start(self)
        if self._writer_thread is not None and self.input_tty:
            self._writer_thread._queue.maxsize = 0  # the app leaves frames out where writes wait, and must not wait itself
            self.write(_ASK_RELEASES)
            self.write(_ASK_FLAGS)
            if not self._app.multiplexer and os.environ.get("TERM") != "linux":  # which would print the question
                self._names_owed += 1
                self.write(QUESTIONS)

    def stop_application_mode(self) -> None:
        """Leave the terminal as it was; what a stalled one has not taken by now is left out."""
        self._paced.hurry()
        if self.backlog >= _STALLED and self._writer_thread is not None:
            with contextlib.suppress(queue.Empty):
                while True:
                    self._writer_thread._queue.get_nowait()
        if drawn := self._app.canvas.leave():
            self.write(drawn)
        super().stop_application_mode()

    def _sigcont_application(self, *_: object) -> None:
        """Somebody else stopped this process for a while: the terminal is still set as it was, and nothing is to be started anew."""

    def _cut_off(self) -> None:
        """Nothing can be written any more."""
        self._app.raise_stop(latched=False)
        self.send_message(TerminalGone())

    @property
    def backlog(self) -> int:
        """Writes that wait for the terminal to drain."""
        return 0 if self._writer_thread is None else self._writer_thread._queue.qsize() + self._paced.busy

    def probe(self) -> None:
        """Ask the terminal for a sign of life; the answer comes through the same stream as the keys. Dropped where output already waits."""
        if self._writer_thread is not None and self.backlog < 4:
            self.write(ASK_STATUS)

    def ask_cell(self) -> None:
        """Ask how large a cell is now, where sixels depend on it; until the answer comes there are none."""
        if self._pictures.sixel:
            self._pictures.resized()
            self._app.canvas.way = self._pictures.way
            self.write(ASK_CELL)

    def run_input_thread(self) -> None:
        """The robot is not left without its stop keys: whatever ends this thread before its time stops it."""
        try:
            self._read_keys()
        except BaseException:
            self._app.raise_stop(latched=False)
            raise

    def _read_keys(self) -> None:
        """Read, raise stops, parse, tell the app, then hand on. At the end of the file: stop, say so once, and end; never spin."""
        stops = StopMatcher()
        pace = Pace()
        asked_at = -math.inf
        parser = ConsoleParser(self._debug)
        decode = getincrementaldecoder("utf-8")("replace").decode
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                if time.monotonic() - asked_at >= (PROBE_ARMED if self._app.armed else PROBE):
                    asked_at = time.monotonic()
                    self.probe()
                try:
                    data = os.read(self.fileno, _READ_MAX) if selector.select(WAIT) else None
                except OSError:
                    data = b""
                at = time.monotonic()
                if data is None:
                    self._take(list(parser.tick()), pace, 0, time.monotonic())
                    continue
                if not data:
                    self._app.raise_stop(latched=False)
                    self.send_message(TerminalGone())
                    break
                if found := stops.feed(data):
                    self._app.raise_stop(latched=found.latching)
                self._app.canvas.way = self._pictures.feed(data)
                text = decode(data)  # "" in the middle of a character, which to the parser would be the end of the file
                self._take([*(parser.feed(text) if text else ()), *parser.tick()], pace, len(data), at)
        with contextlib.suppress(EOFError, ParseError):
            self._post(parser.feed(""))

    def _take(self, parsed: list[Message], pace: Pace, size: int, at: float) -> None:
        """What one read gave: first the stops that a user's own keys ask for, then what proves something, then what may act."""
        app, now = self._app, time.monotonic()
        keys = [message for message in parsed if isinstance(message, events.Key)]
        for key in keys:
            app.heed_own_stop(key)
        burst = pace.too_many(len(keys), size, at, now)
        obeyed: list[Message] = []
        for message in parsed:
            match message:
                case NameReport() if self._names_owed:
                    self._names_owed -= 1
                case StatusReport() | NameReport():
                    app.proof.answered(now, name=isinstance(message, NameReport))
                    self._paced.answered()
                case events.Key() if burst or app.held_up(message, now):
                    pass
                case events.Resize() if not _is_size(message):
                    pass
                case _:
                    obeyed.append(message)
        if parsed:
            app.heard(now, typed=typed(parsed))
        dropped = sum(isinstance(message, events.Key) for message in obeyed) < len(keys)
        self._post([*obeyed, KeysDropped()] if dropped else obeyed)

    def _post(self, parsed: Iterable[Message]) -> None:
        for message in parsed:
            self.process_message(message)

    def close(self) -> None:
        """End the writer; a terminal that takes nothing must not keep the program from ending."""
        if self._writer_thread is None:
            return
        self._writer_thread._queue.put(None)
        self._writer_thread.join(timeout=1.0)


def _is_size(message: events.Resize) -> bool:
    return 1 <= message.size.width <= _SIZE_MAX and 1 <= message.size.height <= _SIZE_MAX
