"""Stop keys in the raw bytes of a terminal, in every form a terminal sends them, whatever stands before them.

A bare Space, Ctrl-Space, X, x or Ctrl-C byte is a stop wherever it appears: directly after an ESC, in the middle of a
half-read sequence, in a paste. A stop too many is safe; a stop too few is not. The kitty protocol's
``CSI 32 ; mods : type u`` and xterm's ``CSI 27 ; mods ; 32 ~`` are found across any split of the reads; their releases
are no presses.
"""

import re
from dataclasses import dataclass

_PROTECTIVE = b" \x00"
_LATCHING = b"xX\x03"
_SEQUENCE_MAX = 64  #: bytes of parameters; longer ones are no key
_CTRL = 4  #: bit of the protocol's modifier mask

_KITTY = re.compile(rb"(\d+)(?::[\d:]*)?(?:;(\d*)(?::(\d+))?)?(?:;[\d:]*)?\Z")
_XTERM = re.compile(rb"27;(\d+);(\d+)\Z")


@dataclass(frozen=True, slots=True)
class Found:
    """What a read held: a protective stop, a latching one, both or none."""

    protective: bool = False
    latching: bool = False

    def __bool__(self) -> bool:
        return self.protective or self.latching


class StopMatcher:
    """Feed it every byte that was read, in order."""

    def __init__(self) -> None:
        self._state = 0  #: 0 text, 1 after ESC, 2 in a CSI sequence
        self._parameters = bytearray()

    def feed(self, data: bytes) -> Found:
        """Which stops the new bytes ask for, together with what came before them."""
        protective = any(byte in data for byte in _PROTECTIVE)
        latching = any(byte in data for byte in _LATCHING)
        if self._state == 0 and 0x1B not in data:
            return Found(protective, latching)
        for byte in data:
            if byte == 0x1B:
                self._state = 1
            elif self._state == 1:
                self._state = 2 if byte == 0x5B else 0
                self._parameters.clear()
            elif self._state == 2:
                if 0x30 <= byte <= 0x3F:
                    if len(self._parameters) < _SEQUENCE_MAX:
                        self._parameters.append(byte)
                    continue
                self._state = 0
                kind = _key_of(bytes(self._parameters), byte)
                protective |= kind == "protective"
                latching |= kind == "latching"
        return Found(protective, latching)


def _key_of(parameters: bytes, final: int) -> str:
    """ "protective", "latching" or "" for one complete CSI sequence."""
    if final == ord("u") and (match := _KITTY.match(parameters)):
        code, modifiers, event = int(match[1]), int(match[2] or 1), match[3]
        if event == b"3":
            return ""
        return _stop_of(code, modifiers)
    if final == ord("~") and (match := _XTERM.match(parameters)):
        return _stop_of(int(match[2]), int(match[1]))
    return ""


def _stop_of(code: int, modifiers: int) -> str:
    if code == 32:
        return "protective"
    if code in (88, 120):
        return "latching"
    if code in (67, 99) and (modifiers - 1) & _CTRL:
        return "latching"
    return ""
