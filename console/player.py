"""Where a replay stands: a tick of a recording, moved by the clock, by ticks, by inferences, by seconds, by stops or by marks."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)


@dataclass
class Player:
    """``times``, ``inferences``, ``stops`` and ``marks`` are ascending ns of the recording's clock."""

    times: Sequence[int]
    inferences: Sequence[int]
    stops: Sequence[int]
    marks: Sequence[int] = ()
    tick: int = 0
    playing: bool = False
    speed: float = 1.0
    _t_ns: float = 0.0  #: where between two ticks the clock is

    def __post_init__(self) -> None:
        self.seek(self.tick)

    @property
    def begin_ns(self) -> int:
        return int(self.times[0]) if len(self.times) else 0

    @property
    def end_ns(self) -> int:
        return int(self.times[-1]) if len(self.times) else 0

    @property
    def t_ns(self) -> int:
        """Time of the tick that is shown."""
        return int(self.times[self.tick]) if len(self.times) else 0

    @property
    def seconds(self) -> float:
        """s from the first tick to the one shown."""
        return (self.t_ns - self.begin_ns) / 1e9

    @property
    def length(self) -> float:
        """s from the first tick to the last."""
        return (self.end_ns - self.begin_ns) / 1e9

    def seek(self, tick: int) -> None:
        """Show tick ``tick``, or the nearest there is."""
        self.tick = min(max(tick, 0), max(0, len(self.times) - 1))
        self._t_ns = float(self.t_ns)

    def seek_time(self, t_ns: float) -> None:
        """Show the last tick at or before ``t_ns``."""
        self.seek(bisect_right(self.times, t_ns) - 1)

    def move(self, seconds: float) -> None:
        self.seek_time(self.t_ns + seconds * 1e9)

    def step(self, ticks: int) -> None:
        """Ticks on or back; playing ends."""
        self.playing = False
        self.seek(self.tick + ticks)

    def step_to(self, marks: Sequence[int], direction: int) -> bool:
        """To the tick of the next or the previous mark; False where there is none. Playing ends."""
        self.playing = False
        if direction > 0:
            at = bisect_right(marks, self.t_ns)
            if at >= len(marks):
                return False
        else:
            at = bisect_left(marks, self.t_ns) - 1
            if at < 0:
                return False
        tick = bisect_left(self.times, marks[at])
        if direction < 0 and tick >= self.tick:
            return at > 0 and self.step_to(marks[:at], direction)
        self.seek(tick)
        return True

    def change_speed(self, direction: int) -> None:
        at = SPEEDS.index(self.speed) + direction
        self.speed = SPEEDS[min(max(at, 0), len(SPEEDS) - 1)]

    def toggle(self) -> None:
        """Play or pause; at the end, play from the beginning."""
        if not self.playing and self.tick >= len(self.times) - 1:
            self.seek(0)
        self.playing = not self.playing

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` of the viewer's time pass."""
        if not self.playing:
            return
        self._t_ns += seconds * self.speed * 1e9
        now = self._t_ns
        self.tick = min(max(bisect_right(self.times, now) - 1, 0), max(0, len(self.times) - 1))
        if self.tick >= len(self.times) - 1:
            self.playing = False
