"""The scrub bar of a replay: where it stands, and where the events are."""

from collections.abc import Sequence
from typing import ClassVar

from console.panel import Panel
from console.player import Player
from console.rows import Row, Span, duration, joined, row
from console.view import View
from console.widgets.events import KINDS
from engine.types import Event

#: which kind shows where several share a cell; the others have no mark
RANK = {
    **dict.fromkeys(("stop", "fault", "failure"), 5),
    **dict.fromkeys(("hazard", "disturbance", "forecast", "success", "mark"), 4),
    "score": 3,
    **dict.fromkeys(("arm", "go", "pause", "clear"), 2),
}


def scrub_bar(player: Player, events: Sequence[Event], width: int) -> Row:
    """The bar with a mark at each event; where several share a cell the gravest shows."""
    length = max(1, player.end_ns - player.begin_ns)
    marks: dict[int, tuple[int, Span]] = {}
    for event in events:
        at = min(width - 1, max(0, int((event.t_ns - player.begin_ns) / length * width)))
        rank = RANK.get(event.kind, 0)
        if rank and rank > marks.get(at, (0, ("", "")))[0]:
            marks[at] = (rank, KINDS.get(event.kind, ("·", "text")))
    here = min(width - 1, int((player.t_ns - player.begin_ns) / length * width))
    cells: list[Span] = []
    for i in range(width):
        if i == here:
            cells.append(("█", "value"))
        elif i in marks:
            cells.append(marks[i][1])
        else:
            cells.append(("━", "bar") if i < here else ("─", "track"))
    return tuple(cells)


def scrub_rows(player: Player, events: Sequence[Event], stops: int, width: int) -> list[Row]:
    state = "▶ PLAYING" if player.playing else "‖ PAUSED"
    speed = f"×{player.speed:g}" if player.speed >= 1 else {0.5: "×½", 0.25: "×¼"}[player.speed]
    left = row(
        (f" {state} ", "state good" if player.playing else "state idle"),
        (f" {speed:4}", "value"),
        (f" {duration(player.seconds)}.{int(player.seconds * 100) % 100:02d}", "value"),
        (f" of {duration(player.length)}", "dim"),
        (f"   tick {player.tick:>6} / {len(player.times) - 1}", "dim"),
    )
    marks = len(player.marks)
    stopped = f"{stops} stop{'s' * (stops != 1)}" + (f"   {marks} mark{'s' * (marks != 1)}" if marks else "")
    right = row((f"{stopped}   {len(player.inferences)} inferences " if width >= 100 else f"{stopped} ", "dim"))
    return [row(" ", *scrub_bar(player, events, width - 2)), joined(left, right, width)]


class ScrubBar(Panel):
    FRAMED: ClassVar[bool] = False

    def __init__(self, player: Player, events: Sequence[Event], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.player = player
        self._events = events

    def content(self, view: View, width: int, height: int) -> list[Row]:
        return scrub_rows(self.player, self._events, len(self.player.stops), width)
