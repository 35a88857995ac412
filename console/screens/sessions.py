"""The table of recorded sessions: find one, open it, check it, take it elsewhere, delete it and bring it back."""

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from textual import events, work

from console.keymap import STOPS, Scope, shown
from console.panel import Panel
from console.past import inference_times
from console.rows import Row, duration, one_cell_each, row, wrapped
from console.screens.page import ROWS, Page
from console.view import View
from console.widgets.state import spinner
from engine.session.export import export
from engine.session.layout import SessionError
from engine.session.reader import Session
from engine.session.store import Summary, binned, purge, put_in_bin, sessions, take_out
from engine.session.verify import verify

UNCHECKED, CHECKING, VERIFIED = "", "checking", "verified"
DETAILS = 2, 5  #: lines below the table, at least and at most
WIDE = 100  #: cells from which the table also says how each ended
WIDEST = 130  #: cells from which it says the task too


def matching(found: list[Summary], line: str) -> list[Summary]:
    """Those that have every word of ``line`` in their id, robot, task, policy or end."""
    words = line.lower().split()
    return [one for one in found if all(word in f"{one.id} {one.robot} {one.task} {one.policy} {_end(one)}".lower() for word in words)]


def _end(session: Summary) -> str:
    return "being recorded" if session.recording else "damaged" if session.problems else session.exit_reason


def table_rows(listed: list[Summary], chosen: int, verdicts: dict[str, str], turn: int, width: int, height: int) -> list[Row]:
    """A heading and a line a session, the chosen one in view."""
    policy = 9 if width < WIDE else 24
    task = 10 if width >= WIDEST else 0
    head = f"{'session':20}{'length':>8} {'robot':10}{'task'[:task]:{task}}{'policy':{policy}}{'stops':>5}{'fails':>6}{'MB':>7}  verified"
    room = max(1, height - 1)
    first = max(0, min(chosen - room // 2, len(listed) - room))
    rows = [row(((head + "  ended") if width >= WIDE else head, "dim"))]
    for i, one in enumerate(listed[first : first + room], first):
        name = one.policy + (" (placeholder)" if one.placeholder else "")
        text = f"{one.id:20.20}{duration(one.length_s):>8} {one.robot:10.9}{one.task:{task}.{max(0, task - 1)}}{name:{policy}.{policy - 1}}"
        text += f"{one.stops:5d}{one.failures:6d}{one.bytes / 1e6:7.1f}  "
        spans: Row = (
            (one_cell_each(text), "selected" if i == chosen else "text"),
            _verified(one, verdicts.get(one.session, UNCHECKED), turn),
        )
        if width >= WIDE:
            spans += ((f"  {one_cell_each(_end(one))}"[: max(0, width - len(text) - 8)], "bad" if one.problems else "dim"),)
        rows.append(spans)
    return rows


def _verified(session: Summary, verdict: str, turn: int) -> tuple[str, str]:
    """Whether the rows were held against their hashes since this table was opened."""
    if session.problems:
        return "damaged ", "bad"
    if verdict == CHECKING:
        return f"{spinner(turn):8}", "value"
    return {UNCHECKED: ("—       ", "dim"), VERIFIED: ("yes     ", "good")}.get(verdict, ("NO      ", "bad"))


class SessionsPanel(Panel):
    TITLE: ClassVar[str] = "SESSIONS"

    def __init__(self, store: Path, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.store = store
        self.found: list[Summary] | None = None  #: None until the store was read
        self.line = ""  #: the filter
        self.filtering = False
        self.index = 0
        self.verdicts: dict[str, str] = {}  #: by session: what checking it found
        self.busy = ""  #: what is under way
        self.said = ""  #: what became of the last thing asked for

    @property
    def listed(self) -> list[Summary]:
        return matching(self.found or [], self.line)

    @property
    def chosen(self) -> Summary | None:
        listed = self.listed
        self.index = max(0, min(self.index, len(listed) - 1))
        return listed[self.index] if listed else None

    def content(self, view: View, width: int, height: int) -> list[Row]:
        moving = spinner(view.spinner)
        rows = [row(("filter ", "dim"), (self.line, "value"), *((("▏", "brand"),) if self.filtering else ()))] if self._filtered else []
        if self.found is None:
            return [row((f"{moving} reading {self.store} …", "dim"))]
        chosen = self.chosen
        details = self._details(chosen, moving, width)[: DETAILS[1]]
        room = height - 1 - max(DETAILS[0], len(details))
        if not self.found:
            rows += [
                row((f"No session is stored under {self.store}.", "text")),
                row(("A run records one by itself: `sawhorse run`.", "dim")),
            ]
        elif chosen is None:
            rows += [row((f"None of the {len(self.found)} sessions has that in its name, policy or end: Esc shows all.", "text"))]
        else:
            rows += table_rows(self.listed, self.index, self.verdicts, view.spinner, width, room - len(rows))
        rows += [()] * (room + 1 - len(rows))
        return [*rows, *details]

    def _details(self, chosen: Summary | None, moving: str, width: int) -> list[Row]:
        if self.busy:
            return [row((f"{moving} {self.busy} …", "value"))]
        if self.said:
            return [row((line, "value")) for line in wrapped(self.said, width)]
        if chosen is None:
            return []
        verdict = self.verdicts.get(chosen.session, UNCHECKED)
        if wrong := " ".join(chosen.problems) or ("" if verdict in (UNCHECKED, CHECKING, VERIFIED) else verdict):
            return [row((line, "bad")) for line in wrapped(wrong.replace(f"{self.store}/", ""), width)]
        counts = f"{chosen.ticks} ticks, {chosen.inferences} inferences, {chosen.events} events, task {chosen.task}; {_end(chosen)}"
        return [row((chosen.session, "dim")), row((one_cell_each(counts), "dim"))]

    @property
    def _filtered(self) -> bool:
        return self.filtering or bool(self.line)

    def note(self, view: View) -> Row:
        if self.filtering:
            stops = " and ".join(shown(self.app.keymap.keys[name][0]) for name in STOPS)
            return row((stops, "key"), (" stop, so they cannot be typed", "dim"))
        some = f"{len(self.listed)} of " if self.line else ""
        return row((f"{some}{len(self.found or [])} in the store", "dim"))


class SessionsScreen(Page):
    """Nothing is lost before the table is left: what was deleted can be brought back until then."""

    SCOPE: ClassVar[Scope] = "sessions"
    POSSIBLE: ClassVar[frozenset[str]] = Page.POSSIBLE | {"open", "verify", "filter", "delete", "undo", "export"}

    def __init__(self, store: Path) -> None:
        self.table = SessionsPanel(store)
        self.bin: list[Path] = []  #: the last deleted last
        super().__init__(self.table)

    def on_mount(self) -> None:
        self.load()

    @work(thread=True)
    def load(self) -> None:
        """Read the store in a thread; the screen never waits."""
        try:
            found, deleted = sessions(self.table.store), binned(self.table.store)
        except SessionError as error:
            found, deleted = [], []
            self.table.said = str(error)
        self.app.call_from_thread(self._loaded, found, deleted)

    def _loaded(self, found: list[Summary], deleted: list[Path]) -> None:
        self.table.found = found
        self.bin = [*(path for path in deleted if path not in self.bin), *self.bin]
        self.draw()

    def view(self) -> View:
        view = super().view()
        return view if self.bin else replace(view, possible=view.possible - {"undo"})

    @property
    def typing(self) -> bool:
        return self.table.filtering

    def typed(self) -> None:
        self.table.line, self.table.index = self.line, 0

    def act(self, action: str, event: events.Key) -> None:
        table = self.table
        table.said = ""
        chosen = table.chosen
        if table.filtering and action in ("open", "back"):
            table.filtering = False
            if action == "back":
                self._filter("")
        elif table.line and action == "back":
            self._filter("")
        elif action in ROWS:
            table.index += ROWS[action]
        elif action == "filter":
            table.filtering = True
        elif action == "undo":
            self._undo()
        elif action in ("back", "quit"):
            purge(self.bin)
            super().act(action, event)
        elif chosen is not None and action in ("open", "verify", "delete", "export"):
            self._do(action, chosen)
        else:
            super().act(action, event)

    def _filter(self, line: str) -> None:
        self.line = line
        self.typed()

    def _do(self, action: str, session: Summary) -> None:
        path = Path(session.session)
        if action == "delete":
            self._delete(path)
        elif action == "verify":
            self.table.verdicts[session.session] = CHECKING
            self._check(path)
        elif self.table.busy:
            self.table.said = f"Not yet: it is still {self.table.busy}."
        elif action == "open":
            self.table.busy = f"opening {path.name}"
            self._open(path)
        else:
            self.table.busy = f"writing {path.name}.tar"
            self._export(path, Path.cwd() / f"{path.name}.tar")

    # --- delete, undo, leave ---

    def _delete(self, path: Path) -> None:
        try:
            self.bin.append(put_in_bin(path))
        except SessionError as error:
            self.table.said = str(error)
            return
        self.table.found = [one for one in self.table.found or [] if one.session != str(path)]
        undo = shown(self.app.keymap.keys["undo"][0]) if self.app.keymap.keys["undo"] else "undo"
        self.table.said = f"Deleted {path.name}. {undo} brings it back, until you leave this table."

    def _undo(self) -> None:
        if not self.bin:
            self.table.said = "Nothing was deleted."
            return
        try:
            back = take_out(self.bin.pop())
        except SessionError as error:
            self.table.said = str(error)
            return
        self.table.said = f"{back.name} is back."
        self.load()

    # --- in threads ---

    @work(thread=True)
    def _open(self, path: Path) -> None:
        """Read what a replay begins with, then show it."""
        try:
            session = Session.open(path)
            _ = session.times, session.events, inference_times(session)
        except SessionError as error:
            self.app.call_from_thread(self._done, str(error))
            return
        self.app.call_from_thread(self._opened, session)

    def _opened(self, session: Session) -> None:
        from console.screens.replay import ReplayScreen

        self._done("")
        if self.is_current:
            self.app.push_screen(ReplayScreen(session))

    @work(thread=True)
    def _export(self, path: Path, out: Path) -> None:
        """Write the tar file."""
        try:
            said = f"Wrote {out}, {export(path, out) / 1e6:.1f} MB."
        except SessionError as error:
            said = str(error)
        self.app.call_from_thread(self._done, said)

    def _done(self, said: str) -> None:
        self.table.busy, self.table.said = "", said
        self.draw()

    @work(thread=True)
    def _check(self, path: Path) -> None:
        """Hold every row against its hash."""
        report = verify(path)
        verdict = VERIFIED if report.ok else "; ".join(report.problems) or "not ok"
        self.app.call_from_thread(self.table.verdicts.__setitem__, str(path), verdict)
