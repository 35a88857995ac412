"""The live screen: what the robot does and may do now, and the keys that ask for more or less of it."""

import math
import time
from typing import Literal

from textual import events

from console.hold import TRIP, ArmGesture, HeldKeys, Keyboard
from console.keymap import ARROWS, GRIPS, HOLDS, possible
from console.places import Place, live_places
from console.presence import HEARD_WITHIN, asking
from console.screens.board import is_repeat
from console.screens.panels import RobotBoard, robot_panels
from console.view import View
from console.widgets.camera import CameraPanel
from console.widgets.footer import Footer
from console.widgets.strip import HEIGHT, Question, Strip
from engine.control.jog import LEVEL
from engine.control.playing import PLAY
from engine.exits import CLEAN, FAULT, STOPPED
from engine.messages import (
    AdjustForce,
    Arm,
    ChooseMotion,
    ClearStop,
    Confirm,
    Disarm,
    Go,
    Hold,
    Intent,
    KeyTiming,
    LowerKeys,
    Mark,
    MoveLine,
    Offer,
    Pause,
    Recover,
    SetJog,
    SetMode,
    Shutdown,
    Take,
    WatchPicture,
)
from engine.operator import FORCE_STEP, JOG_SPEEDS, JOG_STEPS, KEY_MODES, RUN
from engine.safety.reasons import refusal
from engine.types import Mode, Reason, Snapshot

CAMERAS = ("front", "side", "top", "")
LINE_STEP = 0.05  #: m across, one press
LOG_STEP = 0.02  #: m up or down, one press
MESSAGE_FOR = 4.0  #: s a sentence of the console's own stays
QUIT_WITHIN = 2.0  #: s a stop-and-quit waits for the robot to be disarmed

_CUT_MOVES = {
    "left": (-LINE_STEP, 0.0),
    "right": (LINE_STEP, 0.0),
    "up": (0.0, LOG_STEP),
    "higher": (0.0, LOG_STEP),
    "down": (0.0, -LOG_STEP),
    "lower": (0.0, -LOG_STEP),
}
_JOG_AXES = {"left": "-y", "right": "+y", "up": "+x", "down": "-x", "higher": "+z", "lower": "-z"}
_LOWER = {"HOLD": KEY_MODES[1], "REPEAT": KEY_MODES[0], "STEP": KEY_MODES[2]}  #: the next mode of the keys; after the lowest, all again


class LiveScreen(RobotBoard):
    """Reads the app's link; says what the operator wants as intents, and nothing of it is kept for later."""

    def __init__(self) -> None:
        self.strip = Strip(id="strip")
        self.camera_panel = CameraPanel(id="camera")
        super().__init__(robot_panels(self.camera_panel, strip=self.strip))
        self.panels["footer"] = Footer("live", self.app.keymap, id="footer")
        self.camera = self.app.options.camera
        self.gesture: ArmGesture | None = None
        self.keyboard: Keyboard | None = None
        self.held = HeldKeys()
        self.joint = 1  #: that the jog keys act on; 0 = they level the saw
        self._watched: tuple[str, int, int] | None = None
        self._message = ""
        self._message_at = -math.inf
        self._quitting_at = math.inf
        self._requests: tuple[int, ...] | None = None
        self._stops_seen = self.app.stops_raised

    # --- what is shown ---

    def places(self, width: int, height: int) -> dict[str, Place]:
        return live_places(width, height, strip=HEIGHT if self.strip.question else 0, page=self.page, occasion=self.occasion)

    def view(self) -> View:
        app = self.app
        now = app.now()
        link = app.link
        state = link.state if link is not None else "starting"
        snapshot = link.newest() if link is not None else None
        behind = now - link.newest_at() if link is not None and snapshot is not None else 0.0
        held = link.picture() if link is not None else None
        return View(
            snapshot=snapshot,
            history=app.history,
            wall=app.wall(),
            spinner=int(5 * now),
            link=state,
            behind=max(behind, app.unanswered),
            heartbeat=app.heartbeat,
            link_slow=app.link_slow,
            readonly=app.observing,
            joint=self.joint,
            picture=held[0] if held else None,
            picture_age=held[0].age + now - held[1] if held else math.nan,
            camera=self.camera,
            coloured=app.coloured,
            key_mode=self._key_mode(),
            repeat_interval=self.keyboard.repeat_interval if self.keyboard else 0.0,
            stop_asked=now - app.stopped_at,
            message=self._said(now),
            ended=link.ended.reason if link is not None and link.ended else "",
            starting=link.starting if link is not None else "",
            armed_progress=self.gesture.progress(now) if self.gesture else 0.0,
            arm_presses=self.gesture.presses if self.gesture else 0,
            possible=possible(snapshot, readonly=app.observing, connected=state == "connected")
            - ({"handover"} if app.options.readonly else set()),
            limits=app.options.limits,
        )

    def draw(self) -> None:
        link = self.app.link
        if link is not None:
            for text in link.refusals():
                self.say(text)
        self._tell_refusal()
        self._watch_picture()
        self._heed_stops()
        if self.gesture is not None and self.gesture.progress(self.app.now()) >= 1.0:
            self._arm()
        if self.app.now() >= self._quitting_at or (math.isfinite(self._quitting_at) and not self.app.armed):
            self._leave(STOPPED)
        super().draw()

    def _heed_stops(self) -> None:
        """Let go after a stop that the input thread saw, as in a paste, whose key never comes here."""
        if self.app.stops_raised != self._stops_seen:
            self._stops_seen = self.app.stops_raised
            self.let_go()

    def _tell_refusal(self) -> None:
        """Say why an arm, go or clear was not followed, when the engine has just answered one."""
        snapshot = self._snapshot()
        if snapshot is None:
            return
        asked = snapshot.inputs
        requests = (asked.arm_request, asked.go_request, asked.clear_request)
        refused = snapshot.decision.refused
        if self._requests is not None and requests != self._requests and refused != Reason.OK:
            self.say(f"Not done: {refusal(refused)}")
        self._requests = requests

    def say(self, text: str) -> None:
        """Show a sentence of the console's own for a while."""
        self._message, self._message_at = text, self.app.now()

    def _said(self, now: float) -> str:
        snapshot = self._snapshot()
        needed = self.app.armed and snapshot is not None and snapshot.inputs.console_required
        if self.app.multiplexer and needed and not self.app.observing and (asked := asking(self.app.unproven)):
            return asked
        if self.app.dropped_key:
            return "A key waited too long behind the screen and was dropped: press it again."
        return self._message if now - self._message_at < MESSAGE_FOR else ""

    def _key_mode(self) -> str:
        snapshot = self._snapshot()
        if self.keyboard is not None:
            return self.keyboard.mode if snapshot is None else snapshot.operator.key_mode
        return "HOLD" if self.app.releases else ""

    def _watch_picture(self) -> None:
        """Tell the engine which picture fits, once, and again when that changes."""
        size = self.camera_panel.size if "camera" in self._placed else None
        if size is not None and not size.width:
            return  # its place is known, its size not yet
        width, height = self.camera_panel.asked() if size is not None else (0, 0)
        wish = (self.camera if width and self.app.pictures else "", width, height)
        link = self.app.link
        if (
            link is not None
            and link.state == "connected"
            and wish != self._watched
            and link.send(WatchPicture(camera=wish[0], width=wish[1], height=wish[2]))
        ):
            self._watched = wish

    # --- what the operator wants ---

    def send(self, intent: Intent) -> None:
        """Say it to the engine, or say that it could not be said."""
        if self.app.link is None or not self.app.link.send(intent):
            self.say("The engine did not take that: the line is not open.")

    def _snapshot(self) -> Snapshot | None:
        return self.app.link.newest() if self.app.link is not None else None

    def act(self, action: str, event: events.Key) -> None:
        self._message = ""  # it answered the key before
        if action == "quit":
            self._quit()
        elif action == "back":
            self._ask("")
            self.open_page("")
        elif action in ("why", "layers", "forecast", "help", "theme", "palette"):
            super().act(action, event)
            if action == "theme":
                self.say(f"Theme: {self.app.palette}.")
        elif action == "camera":
            self.camera = CAMERAS[(CAMERAS.index(self.camera) + 1) % len(CAMERAS)]
            if self.camera and "camera" not in live_places(self.size.width, self.size.height):
                self.say("No room for a picture: it takes a window of 110×32 or more.")
        elif action in ("sessions", "doctor") and self.app.armed:
            self.say(f"{action.capitalize()} opens only while the robot is disarmed.")
        elif action == "sessions":
            self.app.show_sessions()
        elif action == "doctor":
            self.app.show_doctor()
        elif action == "handover":
            self._hand_over()
        elif self.app.observing:
            self.say("This console only observes: it may stop, and nothing else.")
        else:
            self._command(action, event)

    def on_key(self, event: events.Key) -> None:
        self._heed_stops()
        if event.key == "enter" and not self.app.too_late(event):
            event.stop()
            event.prevent_default()
            self._enter(event)
            self.draw()
        else:
            super().on_key(event)

    def _command(self, action: str, event: events.Key) -> None:
        snapshot = self._snapshot()
        if snapshot is None:
            self.say("The engine is still starting.")
            return
        if action in HOLDS:
            self._hold(action, action, event)
        elif action in GRIPS and snapshot.operator.mode == Mode.MOTION:
            self._confirm(action, event, snapshot)
        elif action in GRIPS:
            self._hold(action, GRIPS[action], event)
        elif action == "go" and self.app.options.limits.hold_to_run:
            self._hold(action, RUN, event)
        elif action in ARROWS:
            self._arrow(action, event, snapshot)
        elif action in ("joint_before", "joint_after"):
            self._choose(1 if action == "joint_after" else -1, snapshot)
        elif action == "arm" and snapshot.decision.armed:
            self.say("It is armed: G goes, D disarms.")
        elif action == "arm":
            self._ask("" if self.strip.question == "arm" else "arm")
            if self.gesture is not None and event.key == "enter":  # chosen in the palette: the Enter that chose is not the one that arms
                self.gesture.press(event.time)
                self.gesture.withdraw()
        elif action == "clear":
            self._clear(snapshot)
        elif action == "recover" and snapshot.saw.present and not snapshot.saw.stuck:
            self.say("The saw is not stuck: there is nothing to free.")
        elif (intent := _intent(action, snapshot)) is not None:
            self.send(intent)

    def _hold(self, key: str, axis: str, event: events.Key) -> None:
        self.held.releases = self.app.releases
        repeated = self.held.press(key, axis, event.time, repeated=is_repeat(event))
        self.send(Hold(axis=axis, down=True, repeat=repeated, seq=time.monotonic_ns() // 1000))

    def _arrow(self, action: str, event: events.Key, snapshot: Snapshot) -> None:
        operator = snapshot.operator
        if operator.mode == Mode.CUT:
            dy, dz = _CUT_MOVES[action]
            self.send(MoveLine(dy=dy, dz=dz))
        elif operator.mode == Mode.MOTION:
            if action == "up":
                self._hold(action, PLAY, event)
            else:
                self.say(f"Only ↑ plays {operator.motion}; [ and ] choose another motion.")
        elif operator.mode == Mode.JOG_JOINT:
            sign = _JOG_AXES[action][0]
            self._hold(action, f"{sign}j{self.joint}" if self.joint else LEVEL, event)
        else:
            self._hold(action, _JOG_AXES[action], event)

    def _confirm(self, action: str, event: events.Key, snapshot: Snapshot) -> None:
        """What the motion on the screen asks for is so; a key that only repeats says nothing."""
        if action != "grip_open":
            self.say("A motion brings the gripper along; jog it in another mode.")
        elif not is_repeat(event):
            self.send(Confirm(motion=snapshot.operator.motion))

    def _choose(self, step: Literal[-1, 1], snapshot: Snapshot) -> None:
        """The next joint or motion, which no key that is still down moves."""
        if snapshot.operator.mode == Mode.MOTION:
            self.let_go()
            self.send(ChooseMotion(step=step))
        if snapshot.operator.mode == Mode.JOG_JOINT:
            self.let_go()
            self.joint = (self.joint + step) % (len(snapshot.inputs.q) + 1)

    def _hand_over(self) -> None:
        """Offer control, or take it; the engine says why not."""
        if self.app.options.readonly:
            self.say("This console asked to observe only: attach another one to control.")
        else:
            self.send(Take() if self.app.observing else Offer())

    def _clear(self, snapshot: Snapshot) -> None:
        number = snapshot.decision.stop_number
        if number:
            self.send(ClearStop(number=number))
        else:
            self.say("No stop holds: there is nothing to clear.")

    def released(self, key: str) -> None:
        if key == "enter" and self.gesture is not None:
            self.gesture.release()
        action = self.app.keymap.action(key, self.SCOPE)
        axis = self.held.release(action) if action else ""
        if axis:
            self.send(Hold(axis=axis, down=False, repeat=False, seq=time.monotonic_ns() // 1000))

    def let_go(self) -> None:
        """End every hold and withdraw the arming gesture: the focus went, a stop came, or another screen covers this one."""
        if self.gesture is not None:
            self.gesture.withdraw()
        for axis in self.held.drop():
            self.send(Hold(axis=axis, down=False, repeat=False, seq=time.monotonic_ns() // 1000))

    def on_screen_suspend(self) -> None:
        self.let_go()

    # --- arming and leaving ---

    def _ask(self, question: Question) -> None:
        if question == self.strip.question:
            return
        self.strip.question = question
        self.gesture = ArmGesture(self.app.releases) if question == "arm" else None
        self.rearrange()

    def _enter(self, event: events.Key) -> None:
        if self.gesture is not None:
            self.gesture.press(event.time, repeated=is_repeat(event))

    def _arm(self) -> None:
        gesture, snapshot = self.gesture, self._snapshot()
        if gesture is not None and "strip" not in self._placed:
            gesture.withdraw()  # too small: what would be armed is not on the screen
            return
        if gesture is not None and self.app.unproven > HEARD_WITHIN:
            gesture.withdraw()
            self.say("The terminal fell silent while Enter was held, so nothing was armed: let go and hold Enter again.")
            return
        self._ask("")
        if gesture is None or snapshot is None:
            return
        trip = self.app.proof.trip
        self.keyboard = gesture.keyboard(trip)
        if trip > TRIP:
            self.say(f"The link takes {trip:.2f} s there and back, too long to hold a key: each press is one step.")
        self.send(KeyTiming(key_mode=self.keyboard.mode, repeat_interval=self.keyboard.repeat_interval))
        self.send(Arm(robot=snapshot.run.robot))

    def _quit(self) -> None:
        if self.app.observing or not self.app.armed:
            snapshot = self._snapshot()
            link = self.app.link
            if link is not None and link.ended is not None:
                self.app.exit(link.ended.exit_code)
            elif link is not None and link.state == "lost":
                self.app.exit(FAULT)
            else:
                self._leave(STOPPED if snapshot is not None and snapshot.decision.stop_number else CLEAN)
        elif self.strip.question == "quit":
            self.app.raise_stop(latched=False)
            self._quitting_at = self.app.now() + QUIT_WITHIN
        else:
            self._ask("quit")

    def _leave(self, code: int) -> None:
        if self.app.link is not None and not self.app.observing:
            self.app.ends_engine = True
            self.app.engine_told = self.app.link.send(Shutdown())
        self.app.exit(code)


def _intent(action: str, snapshot: Snapshot) -> Intent | None:
    """The intent of a key that needs nothing but the present state."""
    operator = snapshot.operator
    simple: dict[str, Intent] = {
        "go": Go(),
        "pause": Pause(),
        "disarm": Disarm(),
        "recover": Recover(),
        "force_up": AdjustForce(delta=FORCE_STEP),
        "force_down": AdjustForce(delta=-FORCE_STEP),
        "force_reset": AdjustForce(delta=0.0),
        "mode": SetMode(mode=(operator.mode + 1) % (len(Mode) if operator.motion else Mode.MOTION)),
        "keys": LowerKeys(key_mode=_LOWER[operator.key_mode]),
        "step_smaller": SetJog(step=_neighbour(JOG_STEPS, operator.jog_step, -1)),
        "step_larger": SetJog(step=_neighbour(JOG_STEPS, operator.jog_step, 1)),
        "jog_slower": SetJog(speed=_neighbour(JOG_SPEEDS, operator.jog_speed, -1)),
        "jog_faster": SetJog(speed=_neighbour(JOG_SPEEDS, operator.jog_speed, 1)),
        "mark": Mark(text=f"mark at tick {snapshot.inputs.tick}"),
    }
    return simple.get(action)


def _neighbour(choices: tuple[float, ...], present: float, step: int) -> float:
    """The choice beside the one nearest to ``present``; the last one stays the last."""
    nearest = min(range(len(choices)), key=lambda i: abs(choices[i] - present))
    return choices[min(max(nearest + step, 0), len(choices) - 1)]
