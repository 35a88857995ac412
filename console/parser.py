"""Textual's terminal parser, taught what it does not know: key repeats and releases, and the answers to two questions.

Textual 8.2.8 raises on the kitty protocol's event types (``CSI 107 ; 1 : 3 u``) and swallows what follows an answer
it does not expect (``CSI ? 27 u``, ``CSI 0 n``).
"""

import re
from collections.abc import Iterable
from typing import Any

from textual import events
from textual._xterm_parser import XTermParser
from textual.message import Message

_TYPED = re.compile(r"\x1b\[([\d:]*);(\d*):([123])((?:;[\d:]*)?)([u~ABCDEFHPQRS])")
_FLAGS = re.compile(r"\x1b\[\?(\d+)u")
_STATUS = re.compile(r"\x1b\[0n")


class KeyRepeated(events.Key):
    """A key event that the terminal says is a repeat; handled like any other press."""


KeyRepeated.handler_name = events.Key.handler_name


class KeyReleased(Message, bubble=False):
    """A key was let go; only terminals with the kitty protocol tell."""

    def __init__(self, key: str) -> None:
        super().__init__()
        self.key = key
        self.character = None


class KeyboardFlags(Message):
    """The terminal's answer to which keyboard flags are on; bit 2 means that it reports releases."""

    def __init__(self, flags: int) -> None:
        super().__init__()
        self.flags = flags
        self.key = ""
        self.character = None


class StatusReport(Message):
    """The terminal's answer to a status request: all keys typed before it have arrived."""

    def __init__(self) -> None:
        super().__init__()
        self.key = ""
        self.character = None


class ConsoleParser(XTermParser):
    """``feed`` yields Textual's messages and the three above."""

    def _sequence_to_key_events(self, sequence: str, alt: bool = False) -> Iterable[Any]:
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
        try:
            yield from super()._sequence_to_key_events(sequence, alt)
        except ValueError:
            return  # Textual reads a number where a sequence such as CSI : A has none; what is no key must not end the input thread
