"""The table of recorded sessions: open one, or check it."""

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from textual import events, work

from console.panel import Panel
from console.rows import Row, duration, one_cell_each, row, wrapped
from console.screens.page import Page
from console.view import View
from engine.session.layout import SessionError
from engine.session.reader import Session
from engine.session.store import Summary, sessions
from engine.session.verify import verify

CHECKING, VERIFIED = "checking …", "verified"
GOOD = ("", CHECKING, VERIFIED)
POSSIBLE = frozenset({"stop", "stop_off", "open", "verify", "help", "quit", "back"})


def table_rows(found: list[Summary] | None, chosen: int, verdicts: dict[str, str], store: Path, width: int, height: int) -> list[Row]:
    """A line a session, the chosen one in view."""
    if found is None:
        return [row(("reading the store …", "dim"))]
    if not found:
        return [row((f"No session is stored under {store}.", "text")), row(("A run records one by itself: `sawhorse run`.", "dim"))]
    head = f"{'session':28}{'length':>8}  {'robot':10}{'policy':16}{'stops':>6}{'size':>10}  {'state'}"
    room = max(1, height - 1)
    first = max(0, min(chosen - room // 2, len(found) - room))
    return [row((head[:width], "dim"))] + [
        _session_row(found[i], i == chosen, verdicts.get(found[i].session, ""), width) for i in range(first, min(first + room, len(found)))
    ]


def _session_row(session: Summary, chosen: bool, verdict: str, width: int) -> Row:
    state = verdict or ("recording" if session.recording else "damaged" if session.problems else session.exit_reason)
    role = "bad" if session.problems or verdict not in GOOD else "good" if verdict == VERIFIED else "dim"
    policy = session.policy + (" (placeholder)" if session.placeholder else "")
    text = f"{session.id:28.28}{duration(session.length_s):>8}  {session.robot:10.10}{policy:16.16}{session.stops:6d}"
    text += f"{session.bytes / 1e6:7.1f} MB"
    main = "selected" if chosen else "text"
    return row((one_cell_each(text)[:width], main), (f"  {one_cell_each(state)}"[: max(0, width - len(text))], role))


class SessionsPanel(Panel):
    TITLE: ClassVar[str] = "SESSIONS"
    DEFAULT_CSS = "SessionsPanel { min-width: 60; }"

    def __init__(self, store: Path, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.store = store
        self.found: list[Summary] | None = None
        self.chosen = 0
        self.verdicts: dict[str, str] = {}

    def content(self, view: View, width: int, height: int) -> list[Row]:
        rows = table_rows(self.found, self.chosen, self.verdicts, self.store, width, height - 3)
        if self.found:
            session = self.found[self.chosen]
            rows += [()] * (height - 3 - len(rows) + 1)
            verdict = self.verdicts.get(session.session, "")
            wrong = " ".join(session.problems) or ("" if verdict in GOOD else verdict)
            rows += [row((line, "bad")) for line in wrapped(wrong, width)][:2] or [
                row((session.session, "dim")),
                row((f"{session.ticks} ticks, {session.inferences} inferences, {session.events} events, task {session.task}", "dim")),
            ]
        return rows[:height]

    def note(self, view: View) -> Row:
        return row((f"{len(self.found or [])} in the store", "dim"))


class SessionsScreen(Page):
    def __init__(self, store: Path) -> None:
        self.table = SessionsPanel(store)
        super().__init__(self.table)

    def on_mount(self) -> None:
        self.load()

    @work(thread=True)
    def load(self) -> None:
        """Read the store in a thread; the screen never waits."""
        found = sessions(self.table.store)
        self.app.call_from_thread(self._loaded, found)

    def _loaded(self, found: list[Summary]) -> None:
        self.table.found = found
        self.table.chosen = min(self.table.chosen, max(0, len(found) - 1))
        self.draw()

    def view(self) -> View:
        return replace(super().view(), possible=POSSIBLE)

    def act(self, action: str, event: events.Key) -> None:
        found = self.table.found or []
        if action in ("row_up", "row_down") and found:
            self.table.chosen = min(max(self.table.chosen + (1 if action == "row_down" else -1), 0), len(found) - 1)
        elif action == "open" and found:
            self._open(Path(found[self.table.chosen].session))
        elif action == "verify" and found:
            self.table.verdicts[found[self.table.chosen].session] = CHECKING
            self.check(Path(found[self.table.chosen].session))
        else:
            super().act(action, event)

    def _open(self, path: Path) -> None:
        from console.screens.replay import ReplayScreen

        try:
            session = Session.open(path)
        except SessionError as error:
            self.table.verdicts[str(path)] = str(error)
            return
        self.app.push_screen(ReplayScreen(session))

    @work(thread=True)
    def check(self, path: Path) -> None:
        """Verify in a thread."""
        report = verify(path)
        verdict = VERIFIED if report.ok else "; ".join(report.problems) or "not ok"
        self.app.call_from_thread(self.table.verdicts.__setitem__, str(path), verdict)
