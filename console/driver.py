"""The terminal, with stops taken off the raw bytes by the input thread before anything else sees them.

Textual's event loop may stand still for seconds behind a terminal that does not drain. So the input thread itself
raises the stop page, and only then hands the bytes on. It also counts as the proof that the operator's end is alive:
every byte read is told to the app, and whether a hand typed it or the terminal only answered.
"""

import contextlib
import os
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

from console.parser import ConsoleParser
from console.presence import multiplexer, terminal_holder, typed
from console.stopkeys import StopMatcher

if TYPE_CHECKING:
    from console.app import Sawhorse

_ASK_RELEASES = "\x1b[=2;2u"  #: kitty protocol: report event types, added to the flags Textual pushed
_ASK_FLAGS = "\x1b[?u"
_ASK_STATUS = "\x1b[5n"
_READ_MAX = 4096
_KEYS_MAX = 5  #: keys in one read; a held key gives one or two
_start: Callable[[LinuxDriver], None] = LinuxDriver.start_application_mode


class TerminalGone(Message):
    """The terminal's end is closed: nothing can be typed any more."""


class KeysDropped(Message):
    """More keys came at once than anybody types: a line that was held up, a paste, noise. None of them is obeyed."""


class ConsoleDriver(LinuxDriver):
    """Textual's Linux driver with an input thread of its own."""

    _app: "Sawhorse"

    def __init__(self, app: "Sawhorse", *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        app.multiplexer = multiplexer(os.environ, terminal_holder())
        self._file = sys.__stdout__  # Textual draws on stderr, which people redirect

    def start_application_mode(self) -> None:
        _start(self)
        if self._writer_thread is not None and self.input_tty:
            self.write(_ASK_RELEASES)
            self.write(_ASK_FLAGS)

    @property
    def backlog(self) -> int:
        """Writes that wait for the terminal to drain."""
        return 0 if self._writer_thread is None else self._writer_thread._queue.qsize()

    def probe(self) -> None:
        """Ask the terminal for a sign of life; the answer comes through the same stream as the keys. Dropped where output already waits."""
        if self._writer_thread is not None and self.backlog < 4:
            self.write(_ASK_STATUS)

    def run_input_thread(self) -> None:
        """Read, raise stops, parse, tell the app, then hand on. At the end of the file: stop, say so once, and end; never spin."""
        stops = StopMatcher()
        parser = ConsoleParser(self._debug)
        decode = getincrementaldecoder("utf-8")("replace").decode
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                try:
                    data = os.read(self.fileno, _READ_MAX) if selector.select(0.05) else None
                except OSError:
                    data = b""
                if data is None:
                    late = list(parser.tick())
                    if typed(late):
                        self._app.heard(time.monotonic(), typed=True)
                    self._post(late)
                    continue
                if not data:
                    self._app.raise_stop(latched=False)
                    self.send_message(TerminalGone())
                    break
                if found := stops.feed(data):
                    self._app.raise_stop(latched=found.latching)
                parsed = [*parser.feed(decode(data)), *parser.tick()]
                self._app.heard(time.monotonic(), typed=typed(parsed))
                self._post(_obeyed(parsed))
        with contextlib.suppress(EOFError, ParseError):
            self._post(parser.feed(""))

    def _post(self, parsed: Iterable[Message]) -> None:
        for message in parsed:
            self.process_message(message)

    def close(self) -> None:
        """End the writer; a terminal that takes nothing must not keep the program from ending."""
        if self._writer_thread is None:
            return
        with contextlib.suppress(Exception):
            self._writer_thread._queue.put(None, timeout=0.5)
        self._writer_thread.join(timeout=1.0)


def _obeyed(parsed: list[Message]) -> list[Message]:
    """What of one read's messages may act. Stops are long raised; a burst of keys would only play later what was typed before."""
    if sum(isinstance(message, events.Key) for message in parsed) <= _KEYS_MAX:
        return parsed
    return [*(message for message in parsed if not isinstance(message, events.Key)), KeysDropped()]
