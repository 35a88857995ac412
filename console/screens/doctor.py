"""What the program stands on, looked at one thing after the other while the screen goes on."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar, Protocol

from textual import events, work

from console.doctor import terminal
from console.doctor.check import Check, checked
from console.keymap import Scope
from console.panel import Panel
from console.parser import RELEASES
from console.pixels import Kitty
from console.probe import Answers
from console.rows import Row, row, wrapped
from console.screens.live import LiveScreen
from console.screens.page import ROWS, Page
from console.sixel import SIXEL, Sixel
from console.view import View
from console.widgets.state import spinner

MARKS = {"ok": ("✓ ok  ", "good"), "warn": ("▲ warn", "warn"), "fail": ("✖ FAIL", "bad")}
NAME = 19  #: cells


class Looking(Protocol):
    """Checks under way: what ``console.checkup.Checkup`` is."""

    def __iter__(self) -> Iterator[Check | str]: ...
    def close(self) -> None: ...


def doctor_rows(found: Sequence[Check], width: int) -> list[Row]:
    """Each check with what was found, and below it what to do about it."""
    rows: list[Row] = []
    room = width - NAME - 8
    for one in found:
        first, *more = wrapped(one.found, room) or [""]
        rows.append(row(MARKS[one.status], (f" {one.check:{NAME}.{NAME}} ", "value"), first))
        rows += [row(" " * (NAME + 8) + line) for line in more]
        rows += [row((" " * (NAME + 8) + line, MARKS[one.status][1])) for line in wrapped(one.advice and f"→ {one.advice}", room)]
    return rows


class DoctorPanel(Panel):
    TITLE: ClassVar[str] = "DOCTOR"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.found: list[Check] = []
        self.looking = ""  #: what is being looked at; "" when it is over
        self.ended = ""  #: why it did not go on to the end
        self.first: int | None = None  #: row shown first; None follows what is found

    def end(self, why: str = "") -> None:
        """Nothing more comes: the worst is shown first, from the top."""
        self.looking, self.ended, self.first = "", why, 0
        self.found.sort(key=lambda one: ("fail", "warn", "ok").index(one.status))

    def content(self, view: View, width: int, height: int) -> list[Row]:
        rows = doctor_rows(self.found, width)
        if self.looking:
            rows.append(row((f"{spinner(view.spinner)} {self.looking} …", "dim")))
        elif self.ended:
            rows.insert(0, row((self.ended, "warn")))
        last = max(0, len(rows) - height)
        if self.first is not None:
            self.first = max(0, min(self.first, last))
        return rows[last if self.first is None else self.first :]

    def note(self, view: View) -> Row:
        counts = {status: sum(one.status == status for one in self.found) for status in MARKS}
        spans = [(f"{count} {status}  ", MARKS[status][1] if count else "dim") for status, count in counts.items()]
        return row(*spans, ("↑ ↓", "key"), (" scroll", "dim"))


class DoctorScreen(Page):
    """``begin`` starts the checks. They end with the page, and where the robot is armed meanwhile, whose processor they would take."""

    SCOPE: ClassVar[Scope] = "doctor"
    POSSIBLE: ClassVar[frozenset[str]] = frozenset({"stop", "stop_off", "again", "help", "back", "quit"})

    def __init__(self, begin: Callable[[], Looking]) -> None:
        self.report = DoctorPanel()
        self._begin = begin
        self._under_way: Looking | None = None
        super().__init__(self.report)

    def on_mount(self) -> None:
        self.look()

    def on_unmount(self) -> None:
        self._stop_looking()

    def look(self) -> None:
        """Begin anew."""
        self._stop_looking()
        report = self.report
        report.found, report.looking, report.ended, report.first = self._terminal(), "looking", "", None
        self._under_way = self._begin()
        self.listen(self._under_way)

    def _terminal(self) -> list[Check]:
        """The terminal is this screen's, and nobody else can ask it: what has come back from it so far."""
        app, live = self.app, next((screen for screen in self.app.screen_stack if isinstance(screen, LiveScreen)), None)
        proof = app.proof
        answers = Answers(
            rtts=(proof.floor, proof.floor + proof.late) if proof.answers else (),
            drain=proof.rate / 1e3,
            key_flags=RELEASES if app.releases else None,
            kitty_graphics=isinstance(app.canvas.way, Kitty),
            attributes=(SIXEL,) if isinstance(app.canvas.way, Sixel) else (),
            cell=getattr(app.canvas.way, "cell", None),
            keyboard=live.keyboard if live is not None else None,
        )
        looks = terminal.looks(os.environ, True, app.size, lambda: answers, app.multiplexer)
        return [checked(name, look) for name, look in looks.items()]

    def _stop_looking(self) -> None:
        if self._under_way is not None:
            self._under_way.close()
            self._under_way = None

    @work(thread=True)
    def listen(self, looking: Looking) -> None:
        """Take what is found, in a thread; the screen shows it with its next frame."""
        for one in looking:
            if looking is not self._under_way:
                return
            if isinstance(one, str):
                self.report.looking = one
            else:
                self.report.found.append(one)
                self.report.looking = "looking"
        if looking is self._under_way:
            self.report.end()

    def heed(self, view: View) -> None:
        if self.app.armed and self._under_way is not None:
            self._stop_looking()
            self.report.end("Ended: the robot is armed. R looks again once it is disarmed.")

    def act(self, action: str, event: events.Key) -> None:
        report = self.report
        if action in ROWS:
            shown = len(doctor_rows(report.found, report.size.width - 4)) - (report.size.height - 2)
            report.first = max(0, (max(0, shown) if report.first is None else report.first) + ROWS[action])
        elif action == "again" and not self.app.armed:
            self.look()
        else:
            super().act(action, event)
