"""Textual's terminal parser, taught what it does not know: key repeats and releases, and the answers to three questions.

Textual 8.2.8 raises on the kitty protocol's event types (``CSI 107 ; 1 : 3 u``), swallows what follows an answer it does
not expect (``CSI ? 27 u``, ``CSI 0 n``), and takes the text of a string sequence (``ESC _ G i=31;OK``) for keys.
"""

import re
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from textual import constants, events
from textual._xterm_parser import XTermParser
from textual.keys import Keys
from textual.message import Message

RELEASES = 0b10  #: the keyboard flag for event types
_TYPED = re.compile(r"\x1b\[([\d:]*);(\d*):([123])((?:;[\d:]*)?)([u~ABCDEFHPQRS])")
_FLAGS = re.compile(r"\x1b\[\?(\d+)u")
_STATUS = re.compile(r"\x1b\[0n")
_NAME = re.compile(r"\x1b\[\?[\d;]*c")
_COMPLETE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-Z\\-~]")
_OTHERS = re.compile(r"\x1b\[(?:M|<[\d;-]*[mM]|[\d;-]+[mM]|\?\d+;\d\$y)")  #: told apart by Textual after the keys
_STRING = re.compile(r"\x1b[P\]X^_]")
_STRING_END = re.compile(r"\x1b\\|[\x07\x18\x1a]|\x1b(?=[^\\])")
_HALF = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|O)(?=[^ -~])|\x1b\[M|\x1b\[[0-?]{30,}[ -/]*[@-~]")  #: what Textual takes apart into keys
_TAIL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|O)?\Z")  #: at the end of a read: what it begins is not known yet
_TAIL_MAX = 256  #: characters
_STRING_MAX = 65_536  #: characters; a longer string is none
_STRING_WITHIN = 1.0  #: s from its begin to its end


class KeyRepeated(events.Key):
    """A key event that the terminal says is a repeat; handled like any other press."""


KeyRepeated.handler_name = events.Key.handler_name


class Told(Message):
    """What Textual looks for on a key, on a message that is none."""

    key = ""
    character = None


class KeyReleased(Told, bubble=False):
    """A key was let go; only terminals with the kitty protocol tell."""

    def __init__(self, key: str) -> None:
        super().__init__()
        self.key = key


class KeyboardFlags(Told):
    """The terminal's answer to which keyboard flags are on; ``RELEASES`` means that it reports releases."""

    def __init__(self, flags: int) -> None:
        super().__init__()
        self.flags = flags


class StatusReport(Told):
    """The terminal's answer to a status request: all keys typed before it have arrived."""


class NameReport(Told):
    """The terminal's answer to what it is called."""


class ConsoleParser(XTermParser):
    """``feed`` yields Textual's messages and those above; nothing of a string sequence is taken for a key."""

    def __init__(self, debug: bool = False, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__(debug)
        self._now = now
        self._held = ""  #: the begin of a sequence at the end of a read
        self._held_at = 0.0
        self._swallowed = -1  #: characters of the string that is under way; -1 = none is
        self._string_at = 0.0

    def feed(self, data: str) -> Iterable[Message]:
        text = self._outside(data)
        return super().feed(text) if text or not data else ()

    def tick(self) -> Iterator[Message]:
        if self._held and self._now() - self._held_at >= constants.ESCAPE_DELAY:
            held, self._held = self._held, ""
            if self._swallowed < 0 and held == "\x1b":  # more than that is half a sequence, and no key
                yield from super().feed(held)
                self._timeout_time = 0.0  # it has waited long enough
        late = list(super().tick())
        if len(late) == 1:
            yield late[0]

    def _outside(self, data: str) -> str:
        """What of ``data`` stands outside string sequences. One that is too long or takes too long to end is given up."""
        data, self._held = self._held + data, ""
        if self._swallowed >= 0 and self._now() - self._string_at > _STRING_WITHIN:
            self._swallowed = -1
        kept = ""
        while data:
            if self._swallowed >= 0:
                if (end := _STRING_END.search(data)) is None:
                    self._hold(data)
                    self._swallowed = -1 if self._swallowed + len(data) > _STRING_MAX else self._swallowed + len(data)
                    break
                self._swallowed = -1
                data = data[end.start() if end[0] == "\x1b" else end.end() :]
            elif (begin := _STRING.search(data)) is not None:
                kept += data[: begin.start()]
                data = data[begin.end() :]
                self._swallowed, self._string_at = 0, self._now()
            else:
                self._hold(data)
                kept += data.removesuffix(self._held) if self._held else data
                break
        return _HALF.sub("", kept)

    def _hold(self, data: str) -> None:
        if tail := _TAIL.search(data):
            self._held, self._held_at = tail[0][:_TAIL_MAX], self._now()

    def _sequence_to_key_events(self, sequence: str, alt: bool = False) -> Iterable[Any]:
        known = False
        try:
            for event in self._events(sequence, alt):
                known = True
                yield event
        except (ValueError, OverflowError):
            pass  # Textual reads a character's number where a sequence such as CSI : A has none; that must not end the input thread
        if not known and _COMPLETE.fullmatch(sequence) and not _OTHERS.match(sequence):
            yield events.Key(Keys.Ignore, sequence)  # lest what follows it is taken for more of it

    def _events(self, sequence: str, alt: bool) -> Iterator[Any]:
        if len(sequence) > 3 and sequence.startswith("\x1b["):
            if match := _TYPED.fullmatch(sequence):
                code, modifiers, kind, text, final = match.groups()
                plain = f"\x1b[{code};{modifiers or '1'}{text}{final}"
                for event in super()._sequence_to_key_events(plain, alt):
                    if kind == "3":
                        yield KeyReleased(event.key)
                    else:
                        yield KeyRepeated(event.key, event.character) if kind == "2" else event
                return
            if match := _FLAGS.fullmatch(sequence):
                yield KeyboardFlags(int(match[1]))
                return
            if _STATUS.fullmatch(sequence):
                yield StatusReport()
                return
            if _NAME.fullmatch(sequence):
                yield NameReport()
                return
        yield from super()._sequence_to_key_events(sequence, alt)
