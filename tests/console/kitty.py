"""A terminal's side of the kitty graphics protocol, as far as pictures need it: what it would hold and show after some output."""

import re
import zlib
from base64 import b64decode
from dataclasses import dataclass, field

_SEQUENCE = re.compile(r"\x1b_G([^;\x1b]*)(?:;([^\x1b]*))?\x1b\\")
_MOVE = re.compile(r"\x1b\[(\d+);(\d+)H")


@dataclass
class Kitty:
    """``held`` and ``shown`` are pictures by number: (width, height, rgb), and (x, y, columns, lines)."""

    held: dict[int, tuple[int, int, bytes]] = field(default_factory=dict)
    shown: dict[int, tuple[int, int, int, int]] = field(default_factory=dict)
    _loading: dict[str, str] | None = None
    _data: str = ""

    def feed(self, text: str) -> None:
        """Take whole output in; asserts that every command is one that may come now."""
        at = (0, 0)
        for found in re.finditer(f"{_SEQUENCE.pattern}|{_MOVE.pattern}", text):
            if found[3]:
                at = (int(found[4]) - 1, int(found[3]) - 1)
            else:
                self._command(dict(pair.split("=") for pair in found[1].split(",")), found[2] or "", at)

    def _command(self, keys: dict[str, str], data: str, at: tuple[int, int]) -> None:
        assert keys.get("q") == "2" or keys["a"] == "q", "an answer would come as keys"
        if self._loading is not None:
            assert set(keys) == {"q", "m"}, "another command while a picture is being sent"
            self._data += data
            self._end_of(keys)
        elif keys["a"] == "t":
            assert (keys["f"], keys["o"]) == ("24", "z")
            self._loading, self._data = keys, data
            self._end_of(keys)
        elif keys["a"] == "p":
            assert int(keys["i"]) in self.held
            assert keys["C"] == "1"
            self.shown[int(keys["i"])] = (*at, int(keys["c"]), int(keys["r"]))
        elif keys["a"] == "d":
            assert keys["d"] == "I"
            self.held.pop(int(keys["i"]), None)
            self.shown.pop(int(keys["i"]), None)

    def _end_of(self, keys: dict[str, str]) -> None:
        """A picture's last part makes it whole; one that was broken off is dropped."""
        assert self._loading is not None
        if keys["m"] == "1":
            assert len(self._data) % 4 == 0
            return
        head, self._loading = self._loading, None
        number, width, height = int(head["i"]), int(head["s"]), int(head["v"])
        self.shown.pop(number, None)
        self.held.pop(number, None)
        try:
            rgb = zlib.decompress(b64decode(self._data))
        except zlib.error:
            return
        assert len(rgb) == 3 * width * height
        self.held[number] = (width, height, rgb)
