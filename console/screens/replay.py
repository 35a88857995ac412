"""The replay screen: the live screen's own widgets, fed from a recording."""

import math
from collections.abc import Sequence
from typing import ClassVar

from textual import events

from console.keymap import BINDINGS, Scope
from console.past import fill_past, inference_times, recorded_picture
from console.places import Place, replay_places
from console.player import Player
from console.screens.panels import RobotBoard, robot_panels
from console.view import History, View
from console.widgets.camera import CameraPanel, asked_size
from console.widgets.footer import Footer
from console.widgets.scrub import ScrubBar
from engine.messages import Picture
from engine.session.layout import SessionError
from engine.session.reader import Session
from engine.types import Snapshot

POSSIBLE = frozenset(binding.id for binding in BINDINGS if "replay" in binding.scopes)
FRAME = 0.1  #: s between drawn frames while playing
STEADY = 170  #: ticks between two frames at most while it plays, at 16 times the speed


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

    def on_mount(self) -> None:
        self.set_interval(FRAME, self.play)

    def play(self) -> None:
        """Let time pass; draw when it moved the player."""
        now = self.app.now()
        self.player.advance(now - self._advanced_at)
        self._advanced_at = now

    def places(self, width: int, height: int) -> dict[str, Place]:
        return replay_places(width, height, page=self.page, stopped=self.stopped)

    def view(self) -> View:
        app = self.app
        if not self.session.ticks:
            return View(snapshot=None, history=self.history, wall=app.wall(), link="recorded", stoppable=app.stop_page is not None)
        snapshot = self.session.snapshot(self.player.tick)
        self._remember(snapshot)
        picture, age = self._picture()
        return View(
            snapshot=snapshot,
            history=self.history,
            wall=snapshot.wall,
            link="recorded",
            heartbeat=self.player.tick,
            picture=picture,
            picture_age=age,
            picture_age_max=app.options.picture_age_max,
            camera=self.camera,
            coloured=app.coloured,
            key_mode=snapshot.operator.key_mode,
            message=self.message,
            possible=POSSIBLE,
            limits=self.session.header.limits,
            stoppable=app.stop_page is not None,
        )

    def _remember(self, snapshot: Snapshot) -> None:
        """The minute before the tick shown: carried on while it plays, read from the recording after a jump."""
        before, self._shown = self._shown, self.player.tick
        if before is not None and before <= self.player.tick <= before + STEADY:
            self.history.observe(snapshot)
        else:
            fill_past(self.history, self.session, self.player.tick, self.player.inferences)

    def _picture(self) -> tuple[Picture | None, float]:
        if not self.camera or "camera" not in self._placed:
            return None, math.nan
        size = self.camera_panel.size
        side, _ = asked_size(size.width - 4, size.height - 2, pixels=self.app.canvas.ready)
        try:
            return recorded_picture(self.session, self.camera, self.player.t_ns, side)
        except SessionError as error:
            self.message = str(error)
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
        elif action == "why":
            self.turn("why")
        elif action == "layers":
            self.turn("layers")
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
