"""What the keyboard can do, measured while Enter is held to arm; and which keys are down.

HOLD: the terminal reports releases. REPEAT: it repeats evenly. STEP: repeats are missing or erratic; arming then
degrades to three single presses of Enter, each at most 1.5 s after the one before.
"""

import math
from dataclasses import dataclass, field
from statistics import median
from typing import Literal

KeyMode = Literal["HOLD", "REPEAT", "STEP"]

HELD_FOR = 1.0  #: s Enter is held to arm
FIRST_GAP = 0.8  #: s until the first repeat at most
REPEAT_GAP = 0.25  #: s between repeats at most
REPEATS_MIN = 5
EVEN = 3.0  #: largest gap over the median up to which repeats count as even
TRIP = 0.2  #: s there and back up to which the answers can keep up with a held key
PRESSES = 3
PRESS_GAP = 1.5  #: s between single presses at most


@dataclass(frozen=True, slots=True)
class Keyboard:
    """The finding."""

    mode: KeyMode
    repeat_interval: float  #: s; 0 where none was seen


@dataclass
class ArmGesture:
    """Enter held for a second, fed by press, repeat and release times of one monotonic clock."""

    releases: bool  #: the terminal says that it reports releases
    _times: list[float] = field(default_factory=list)
    _presses: int = 0
    _last: float = -math.inf
    _withdrawn: bool = False

    def press(self, now: float, *, repeated: bool = False) -> None:
        """Enter arrived: a first press or a repeat; terminals without releases do not say which."""
        gap, self._last = now - self._last, now
        if self._withdrawn and (repeated if self.releases else gap <= FIRST_GAP):
            return  # still the hold that was withdrawn
        self._withdrawn = False
        gap = gap if self._times else math.inf
        if gap <= REPEAT_GAP:
            self._presses = 1
        else:
            self._presses = self._presses + 1 if gap <= PRESS_GAP else 1
        if gap > (FIRST_GAP if len(self._times) == 1 else REPEAT_GAP):
            self._times.clear()
        self._times.append(now)

    def release(self) -> None:
        """Enter was let go."""
        self._times.clear()
        self._presses = 0

    def withdraw(self) -> None:
        """Forget what was held: a stop came, the focus went, the terminal fell silent. Only Enter let go and pressed anew counts."""
        self.release()
        self._withdrawn = True

    @property
    def presses(self) -> int:
        """Single presses that count towards arming without repeats."""
        return self._presses if self._presses > 1 else 0

    def progress(self, now: float) -> float:
        """0..1 of the way to armed."""
        if not self._times:
            return 0.0
        if self.releases:
            return min(1.0, (now - self._times[0]) / HELD_FOR)
        if self._presses >= PRESSES:
            return 1.0
        if now - self._times[-1] > (FIRST_GAP if len(self._times) == 1 else REPEAT_GAP):
            return 0.0
        share = min(1.0, (self._times[-1] - self._times[0]) / HELD_FOR)
        return share if len(self._times) > REPEATS_MIN else min(share, 0.95)

    def keyboard(self, trip: float = 0.0) -> Keyboard:
        """What the gesture says of the keyboard, at the end of a line that takes ``trip`` s there and back."""
        gaps = [after - before for before, after in zip(self._times[1:], self._times[2:], strict=False)]
        interval = median(gaps) if gaps else 0.0
        if trip > TRIP:
            return Keyboard("STEP", interval)
        if self.releases:
            return Keyboard("HOLD", interval)
        if len(gaps) >= REPEATS_MIN - 1 and max(gaps) <= EVEN * interval:
            return Keyboard("REPEAT", interval)
        return Keyboard("STEP", interval)


@dataclass
class HeldKeys:
    """Tells first presses from repeats, and which axis each key holds, so that its release ends the right one."""

    releases: bool = False
    _held: dict[str, tuple[str, float, int]] = field(default_factory=dict)

    def press(self, key: str, axis: str, now: float, *, repeated: bool) -> bool:
        """Whether this press of ``key`` continues a hold of ``axis``."""
        old_axis, at, repeats = self._held.get(key, ("", 0.0, 0))
        continues = old_axis == axis and (repeated if self.releases else now - at <= (REPEAT_GAP if repeats else FIRST_GAP))
        self._held[key] = (axis, now, repeats + 1 if continues else 0)
        return continues

    def release(self, key: str) -> str:
        """The axis that the key held; "" if none."""
        return self._held.pop(key, ("", 0.0, 0))[0]

    def drop(self) -> list[str]:
        """Forget every key; the axes they held."""
        axes = [axis for axis, _, _ in self._held.values()]
        self._held.clear()
        return axes
