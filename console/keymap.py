"""Every key that does something, by id: the footer, the help page and a user's own keymap are made from this table."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from engine.types import Mode, Snapshot, StopKind

Scope = Literal["everywhere", "live", "replay", "sessions"]


class KeymapError(ValueError):
    """A keymap that cannot be used; the text says what to change."""


@dataclass(frozen=True, slots=True)
class Binding:
    id: str
    keys: tuple[str, ...]  #: Textual's key names
    label: str  #: for the footer
    help: str
    scope: Scope
    group: str = ""
    footer: int = 0  #: order in the footer; 0 = help page only


BINDINGS = (
    Binding("stop", ("space", "ctrl+@"), "stop", "Protective stop, on every screen", "everywhere", "Stop", 1),
    Binding("stop_off", ("x", "ctrl+c"), "stop+off", "Stop, power off, latched", "everywhere", "Stop", 2),
    Binding("arm", ("a",), "arm", "Ask to arm: Enter held 1 s arms", "live", "Run", 10),
    Binding("go", ("g",), "go", "Let the armed robot move", "live", "Run", 11),
    Binding("pause", ("p",), "pause", "Come to rest, stay armed", "live", "Run", 12),
    Binding("disarm", ("d",), "disarm", "Come to rest and disarm", "live", "Run", 13),
    Binding("clear", ("c",), "clear", "Clear the stop by its number", "live", "Run", 9),
    Binding("why", ("w",), "why", "The path from inputs to gain", "everywhere", "Look", 30),
    Binding("layers", ("l",), "layers", "The nine layers and what they say", "everywhere", "Look", 31),
    Binding("recover", ("e",), "free saw", "Free a stuck saw while it goes", "live", "Run", 8),
    Binding("pull", ("k",), "pull", "Hold: the partner pulls, +X", "live", "Partner", 20),
    Binding("push", ("j",), "push", "Hold: the partner pushes, −X", "live", "Partner", 21),
    Binding("press", ("f",), "press", "Hold: partner presses, 1 N a tick", "live", "Partner", 22),
    Binding("force_up", ("u",), "force +", "Push and pull 5 N stronger", "live", "Partner", 23),
    Binding("force_down", ("m",), "force −", "Push and pull 5 N weaker", "live", "Partner", 24),
    Binding("force_reset", ("r",), "reset", "Push and pull back to their default", "live", "Partner"),
    Binding("mode", ("tab",), "mode", "Next mode at rest: CUT, JOG XYZ", "live", "Cut and jog", 25),
    Binding("left", ("left",), "←", "Line −5 cm · jog −y", "live", "Cut and jog"),
    Binding("right", ("right",), "→", "Line +5 cm · jog +y", "live", "Cut and jog"),
    Binding("up", ("up",), "↑", "Log +2 cm · jog +x", "live", "Cut and jog"),
    Binding("down", ("down",), "↓", "Log −2 cm · jog −x", "live", "Cut and jog"),
    Binding("higher", ("pageup",), "PgUp", "Log +2 cm · jog +z", "live", "Cut and jog"),
    Binding("lower", ("pagedown",), "PgDn", "Log −2 cm · jog −z", "live", "Cut and jog"),
    Binding("step_smaller", ("minus",), "-", "Smaller jog step", "live", "Cut and jog"),
    Binding("step_larger", ("equals_sign", "plus"), "=", "Larger jog step", "live", "Cut and jog"),
    Binding("jog_slower", ("comma",), ",", "Slower jog", "live", "Cut and jog"),
    Binding("jog_faster", ("full_stop",), ".", "Faster jog", "live", "Cut and jog"),
    Binding("camera", ("v",), "camera", "Next camera, or no picture", "everywhere", "Look", 32),
    Binding("mark", ("b",), "mark", "Put a mark into the recording", "live", "Look"),
    Binding("theme", ("t",), "theme", "Next theme", "everywhere", "Look"),
    Binding("play", ("enter", "p"), "play/pause", "Play or pause", "replay", "Replay", 10),
    Binding("slower", ("minus",), "slower", "Half the speed, down to ¼", "replay", "Replay", 17),
    Binding("faster", ("equals_sign", "plus"), "faster", "Twice the speed, up to 16", "replay", "Replay", 17),
    Binding("tick_before", ("comma",), "tick −", "One tick back", "replay", "Replay", 13),
    Binding("tick_after", ("full_stop",), "tick +", "One tick on", "replay", "Replay", 14),
    Binding("inference_before", ("left_square_bracket",), "inference −", "To the inference before", "replay", "Replay", 15),
    Binding("inference_after", ("right_square_bracket",), "inference +", "To the next inference", "replay", "Replay", 16),
    Binding("second_back", ("left",), "−1 s", "One second back", "replay", "Replay", 12),
    Binding("second_on", ("right",), "+1 s", "One second on", "replay", "Replay"),
    Binding("tenth_back", ("pageup",), "−10 s", "Ten seconds back", "replay", "Replay"),
    Binding("tenth_on", ("pagedown",), "+10 s", "Ten seconds on", "replay", "Replay"),
    Binding("begin", ("home",), "begin", "To the first tick", "replay", "Replay"),
    Binding("end", ("end",), "end", "To the last tick", "replay", "Replay"),
    Binding("stop_before", ("m",), "stop −", "To the stop before", "replay", "Replay", 16),
    Binding("stop_after", ("n",), "stop +", "To the next stop", "replay", "Replay", 16),
    Binding("row_up", ("up", "k"), "up", "One row up", "sessions", "Sessions"),
    Binding("row_down", ("down", "j"), "down", "One row down", "sessions", "Sessions"),
    Binding("open", ("enter",), "open", "Replay the session", "sessions", "Sessions", 10),
    Binding("verify", ("v",), "verify", "Check the session's rows and commits", "sessions", "Sessions", 11),
    Binding("sessions", ("s",), "sessions", "Sessions (only while disarmed)", "live", "Look", 40),
    Binding("help", ("question_mark", "f1"), "help", "Every key", "everywhere", "Look", 41),
    Binding("back", ("escape",), "back", "Close a page; never leaves a robot", "everywhere", "Look"),
    Binding("quit", ("q", "ctrl+q"), "quit", "Leave; armed: offers stop and quit", "everywhere", "Look", 42),
)
BY_ID = {binding.id: binding for binding in BINDINGS}

STOPS = ("stop", "stop_off")
HOLDS = {"pull", "push", "press"}
ARROWS = {"left", "right", "up", "down", "higher", "lower"}

# Names of keys as a person reads them.
_SHOWN = {
    "space": "SPACE",
    "enter": "Enter",
    "escape": "Esc",
    "tab": "Tab",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "question_mark": "?",
    "full_stop": ".",
    "comma": ",",
    "minus": "-",
    "equals_sign": "=",
    "plus": "+",
    "ctrl+c": "Ctrl-C",
    "ctrl+q": "Ctrl-Q",
    "ctrl+@": "Ctrl-Space",
    "left": "←",
    "right": "→",
    "up": "↑",
    "down": "↓",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "home": "Home",
    "end": "End",
    "f1": "F1",
}


def shown(key: str) -> str:
    """A key's name on the screen."""
    return _SHOWN.get(key, key.upper() if len(key) == 1 else key)


class Keymap:
    """Keys to actions, with a user's changes: ``{"go": "g,ctrl+g"}``. The stop keys cannot be taken away.

    Raises KeymapError where a change names no such action, takes a key of a stop, or gives one key two meanings on one screen.
    """

    def __init__(self, changes: Mapping[str, str] | None = None) -> None:
        self.keys = {binding.id: binding.keys for binding in BINDINGS}
        for name, keys in (changes or {}).items():
            if name not in BY_ID:
                near = get_close_matches(name, BY_ID, 1)
                raise KeymapError(f"No action is called {name!r}" + (f"; did you mean {near[0]!r}?" if near else "."))
            wanted = tuple(key.strip() for key in keys.split(",") if key.strip())
            self.keys[name] = (*BY_ID[name].keys, *wanted) if name in STOPS else wanted
        self._actions: dict[tuple[Scope, str], str] = {}
        for binding in BINDINGS:
            for key in self.keys[binding.id]:
                self._bind(binding, key)

    def _bind(self, binding: Binding, key: str) -> None:
        scopes: tuple[Scope, ...] = ("live", "replay", "sessions") if binding.scope == "everywhere" else (binding.scope,)
        for scope in scopes:
            other = self._actions.get((scope, key))
            if other in STOPS and other != binding.id:
                raise KeymapError(f"{shown(key)} is a stop key and cannot be given to {binding.id!r}.")
            if other is not None and other != binding.id and BY_ID[other].scope == binding.scope:
                raise KeymapError(f"{shown(key)} is given to both {other!r} and {binding.id!r}; one key does one thing.")
            if other is None or binding.scope != "everywhere":
                self._actions[scope, key] = binding.id

    def action(self, key: str, scope: Scope) -> str | None:
        """The action of a key on a screen; letters count whatever their case."""
        return self._actions.get((scope, key.lower() if len(key) == 1 else key))


def possible(snapshot: Snapshot | None, *, readonly: bool, connected: bool) -> frozenset[str]:
    """Ids of the live screen's actions that would do something now."""
    always = {"stop", "stop_off", "why", "layers", "camera", "theme", "help", "quit", "back"}
    if snapshot is None or not connected:
        return frozenset(always | {"sessions"})
    decision, operator = snapshot.decision, snapshot.operator
    found = set(always)
    if not decision.armed:
        found.add("sessions")
    if readonly:
        return frozenset(found)
    found.add("mark")
    if decision.stop_number and decision.stop_kind == StopKind.LATCHED:
        found.add("clear")
    elif not decision.armed:
        found |= {"arm", "clear"} if decision.stop_number else {"arm"}
    if decision.armed:
        found |= {"disarm", "pause"} if decision.going else {"disarm", "go"}
    if decision.going and snapshot.saw.stuck and not operator.recovering:
        found.add("recover")
    if snapshot.run.simulated:
        found |= {*HOLDS, "force_up", "force_down", "force_reset"}
    if not decision.going:
        found.add("mode")
    if operator.mode == Mode.CUT:
        found |= ARROWS if not snapshot.saw.in_kerf else set()
    else:
        found |= {"step_smaller", "step_larger", "jog_slower", "jog_faster"}
        if decision.armed:
            found |= ARROWS
    return frozenset(found)
