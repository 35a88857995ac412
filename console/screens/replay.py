"""The replay screen: the live screen's own widgets, fed from a recording."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import ClassVar

from textual import events

from console.keymap import BINDINGS, Scope
from console.past import fill_past, inference_times, recorded_picture
from console.places import Place, replay_places
from console.player import Player
from console.screens.panels import RobotBoard, robot_panels
from console.view import History, View
from console.widgets.camera import CameraPanel
from console.widgets.footer import Footer
from console.widgets.scrub import ScrubBar
from engine.messages import Picture
from engine.session.layout import SessionError
from engine.session.reader import Session

POSSIBLE = frozenset(binding.id for binding in BINDINGS if "replay" in binding.scopes)


class ReplayScreen(RobotBoard):
    """One session, one player; nothing here reaches a robot."""

    SCOPE: ClassVar[Scope] = "replay"

    def __init__(self, session: Session) -> None:
        self.session = session
        stops, marks = ([event.t_ns for event in session.events if event.kind == kind] for kind in ("stop", "mark"))
        self.player = Player(session.times.tolist(), inference_times(session), stops, marks)
        self.history = History()
        self.camera_panel = CameraPanel(id="camera")
        super().__init__(robot_panels(self.camera_panel, scrub=ScrubBar(self.player, session.events, id="scrub")))
        self.panels["footer"] = Footer("replay", self.app.keymap, id="footer")
        self.message = ""
        self._cameras = (*session.cameras, "")
        self.camera = self.app.options.camera if self.app.options.camera in session.cameras else self._cameras[0]
        self._advanced_at = self.app.now()
        self._shown: int | None = None

    def draw(self) -> None:
        """Let time pass, and show where that leads to."""
        now = self.app.now()
        self.player.advance(now - self._advanced_at)
        self._advanced_at = now
        super().draw()

    def places(self, width: int, height: int) -> dict[str, Place]:
        return replay_places(width, height, page=self.page, occasion=self.occasion)

    def view(self) -> View:
        app = self.app
        stoppable = app.stop_page is not None
        snapshot = None
        if self.session.ticks:
            self._remember()
            with self._telling():
                snapshot = self.session.snapshot(self.player.tick)
        if snapshot is None:
            return replace(super().view(), message=self.message, possible=POSSIBLE, stoppable=stoppable)
        picture, age = self._picture()
        return View(
            snapshot=snapshot,
            history=self.history,
            wall=snapshot.wall,
            link="recorded",
            heartbeat=self.player.tick,
            picture=picture,
            picture_age=age,
            camera=self.camera,
            coloured=app.coloured,
            key_mode=snapshot.operator.key_mode,
            message=self.message,
            possible=POSSIBLE,
            limits=self.session.header.limits,
            stoppable=stoppable,
        )

    def _remember(self) -> None:
        """The minute before the tick shown, read from the recording."""
        if self._shown != self.player.tick:
            self._shown = self.player.tick
            with self._telling():
                fill_past(self.history, self.session, self.player.tick, self.player.inferences)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """What of the recording is damaged is told, and the rest shown."""
        try:
            yield
        except SessionError as error:
            self.message = str(error)

    def _picture(self) -> tuple[Picture | None, float]:
        if not self.camera or "camera" not in self._placed:
            return None, math.nan
        side, _ = self.camera_panel.asked()
        with self._telling():
            return recorded_picture(self.session, self.camera, self.player.t_ns, side)
        return None, math.nan

    def act(self, action: str, event: events.Key) -> None:
        player = self.player
        self.message = ""
        moves = {"second_back": -1.0, "second_on": 1.0, "tenth_back": -10.0, "tenth_on": 10.0}
        if action in moves:
            player.move(moves[action])
        elif action == "play":
            player.toggle()
        elif action in ("slower", "faster"):
            player.change_speed(1 if action == "faster" else -1)
        elif action in ("tick_before", "tick_after"):
            player.step(1 if action == "tick_after" else -1)
        elif action in ("inference_before", "inference_after"):
            self._to(player.inferences, 1 if action == "inference_after" else -1, "inference")
        elif action in ("stop_before", "stop_after"):
            self._to(player.stops, 1 if action == "stop_after" else -1, "stop")
        elif action in ("mark_before", "mark_after"):
            if self._to(player.marks, 1 if action == "mark_after" else -1, "mark"):
                self.message = self._mark()
        elif action in ("begin", "end"):
            player.seek(0 if action == "begin" else len(player.times) - 1)
        elif action == "camera":
            self.camera = self._cameras[(self._cameras.index(self.camera) + 1) % len(self._cameras)]
        else:
            super().act(action, event)

    def _to(self, marks: Sequence[int], direction: int, what: str) -> bool:
        moved = self.player.step_to(marks, direction)
        if not moved:
            self.message = f"There is no {what} {'after' if direction > 0 else 'before'} this tick."
        return moved

    def _mark(self) -> str:
        """What the newest mark at the tick shown says."""
        texts = [event.text for event in self.session.events if event.kind == "mark" and event.t_ns <= self.player.t_ns]
        return f"Mark {len(texts)} of {len(self.player.marks)}: {texts[-1]}"
