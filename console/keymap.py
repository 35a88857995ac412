"""Every key that does something, by id: the footer, the help page and a user's own keymap are made from this table."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal, get_args

from console.keynames import KeyNameError, canonical, known_names, stopped_by
from engine.types import Mode, Snapshot, StopKind

Scope = Literal["live", "replay", "sessions", "doctor", "palette", "help"]  #: a screen
Where = Literal["everywhere", "robot", "lists", "live", "replay", "sessions", "doctor", "palette", "help"]

_SCREENS: dict[str, tuple[Scope, ...]] = {
    "everywhere": get_args(Scope),
    "robot": ("live", "replay"),
    "lists": ("sessions", "doctor", "palette", "help"),
}


class KeymapError(ValueError):
    """A keymap that cannot be used; the text says what to change, and ``action`` which entry of the keymap it is about."""

    def __init__(self, text: str, action: str) -> None:
        super().__init__(text)
        self.action = action


@dataclass(frozen=True, slots=True)
class Binding:
    id: str
    keys: tuple[str, ...]  #: Textual's key names
    label: str  #: for the footer
    help: str
    where: Where
    group: str = ""
    footer: int = 0  #: order in the footer; 0 = help page only

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """The screens on which it does something."""
        return tuple(scope for scope in get_args(Scope) if scope in _SCREENS.get(self.where, (self.where,)))


BINDINGS = (
    Binding("stop", ("space", "ctrl+@"), "stop", "Protective stop, on every screen", "everywhere", "Stop", 1),
    Binding("stop_off", ("x", "ctrl+c"), "stop+off", "Stop, power off, latched", "everywhere", "Stop", 2),
    Binding("arm", ("a",), "arm", "Ask to arm: Enter held 1 s arms", "live", "Run", 10),
    Binding("confirm", ("enter",), "hold 1 s", "Held one second: arms, once A has asked", "live", "Run"),
    Binding("go", ("g",), "go", "Let the armed robot move", "live", "Run", 11),
    Binding("pause", ("p",), "pause", "Come to rest, stay armed", "live", "Run", 12),
    Binding("disarm", ("d",), "disarm", "Come to rest and disarm", "live", "Run", 13),
    Binding("clear", ("c",), "clear", "Clear the stop by its number", "live", "Run", 9),
    Binding("why", ("w",), "why", "The path from inputs to gain", "robot", "Look", 30),
    Binding("layers", ("l",), "layers", "The nine layers and what they say", "robot", "Look", 31),
    Binding("forecast", ("z",), "forecast", "How it may fail, how soon, and why", "robot", "Look", 31),
    Binding("recover", ("e",), "free saw", "Free a stuck saw while it goes", "live", "Run", 8),
    Binding("pull", ("k",), "pull", "Hold: the partner pulls, +X", "live", "Partner", 20),
    Binding("push", ("j",), "push", "Hold: the partner pushes, −X", "live", "Partner", 21),
    Binding("press", ("f",), "press", "Hold: partner presses, 1 N a tick", "live", "Partner", 22),
    Binding("force_up", ("u",), "force +", "Push and pull 5 N stronger", "live", "Partner", 23),
    Binding("force_down", ("m",), "force −", "Push and pull 5 N weaker", "live", "Partner", 24),
    Binding("force_reset", ("r",), "reset", "Push and pull back to their default", "live", "Partner"),
    Binding("mode", ("tab",), "mode", "Next mode at rest: CUT, XYZ, SAW, JOINT", "live", "Cut and jog", 25),
    Binding("left", ("left",), "←", "Line −5 cm · jog −y · joint −", "live", "Cut and jog"),
    Binding("right", ("right",), "→", "Line +5 cm · jog +y · joint +", "live", "Cut and jog"),
    Binding("up", ("up",), "↑", "Log +2 cm · jog +x · joint + · play a motion", "live", "Cut and jog"),
    Binding("down", ("down",), "↓", "Log −2 cm · jog −x · joint −", "live", "Cut and jog"),
    Binding("higher", ("pageup",), "PgUp", "Log +2 cm · jog +z · joint +", "live", "Cut and jog"),
    Binding("lower", ("pagedown",), "PgDn", "Log −2 cm · jog −z · joint −", "live", "Cut and jog"),
    Binding("grip_open", ("y",), "open", "Hold: opens the gripper, jogging · confirms a motion's clearance", "live", "Cut and jog"),
    Binding("grip_close", ("i",), "close", "Hold: closes the gripper, jogging", "live", "Cut and jog"),
    Binding("step_smaller", ("minus",), "-", "Smaller jog step", "live", "Cut and jog"),
    Binding("step_larger", ("equals_sign", "plus"), "=", "Larger jog step", "live", "Cut and jog"),
    Binding("jog_slower", ("comma",), ",", "Slower jog", "live", "Cut and jog"),
    Binding("jog_faster", ("full_stop",), ".", "Faster jog", "live", "Cut and jog"),
    Binding(
        "joint_before", ("left_square_bracket",), "choose −", "The joint or motion before, or level the saw", "live", "Cut and jog", 26
    ),
    Binding("joint_after", ("right_square_bracket",), "choose +", "The next joint or motion, or level the saw", "live", "Cut and jog", 26),
    Binding("keys", ("h",), "keys", "Trust held keys less: REPEAT, STEP", "live", "Cut and jog"),
    Binding("handover", ("o",), "control", "Offer control; an observer takes it", "live", "Run", 27),
    Binding("camera", ("v",), "camera", "Next camera, or no picture", "robot", "Look", 32),
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
    Binding("mark_before", ("h",), "mark −", "To the mark before", "replay", "Replay", 16),
    Binding("mark_after", ("j",), "mark +", "To the next mark", "replay", "Replay", 16),
    Binding("row_up", ("up", "k"), "up", "One row up", "lists", "Rows"),
    Binding("row_down", ("down", "j"), "down", "One row down", "lists", "Rows"),
    Binding("page_up", ("pageup",), "PgUp", "Ten rows up", "lists", "Rows"),
    Binding("page_down", ("pagedown",), "PgDn", "Ten rows down", "lists", "Rows"),
    Binding("open", ("enter",), "open", "Replay the session", "sessions", "Sessions", 10),
    Binding("verify", ("v",), "verify", "Check the session's rows and commits", "sessions", "Sessions", 11),
    Binding("filter", ("slash",), "filter", "Show only what contains the letters typed", "sessions", "Sessions", 12),
    Binding("delete", ("d",), "delete", "Delete; U brings it back until you leave", "sessions", "Sessions", 13),
    Binding("undo", ("u",), "undo", "Bring back what was deleted last", "sessions", "Sessions", 14),
    Binding("export", ("e",), "export", "Write it as one tar file, here", "sessions", "Sessions", 15),
    Binding("again", ("r",), "again", "Look at everything again", "doctor", "Doctor", 10),
    Binding("choose", ("enter",), "do it", "Do what the row says", "palette", "Palette", 10),
    Binding("sessions", ("s",), "sessions", "Sessions (only while disarmed)", "live", "Look", 40),
    Binding("doctor", ("n",), "doctor", "Doctor (only while disarmed)", "live", "Look", 40),
    Binding("palette", ("colon", "ctrl+p"), "find", "Find an action by its name", "robot", "Look", 42),
    Binding("help", ("question_mark", "f1"), "help", "Every key", "everywhere", "Look", 14),
    Binding("back", ("escape",), "back", "Close a page; never leaves a robot", "everywhere", "Look"),
    Binding("quit", ("q", "ctrl+q"), "quit", "Leave; armed: offers stop and quit", "everywhere", "Look", 43),
)
BY_ID = {binding.id: binding for binding in BINDINGS}

STOPS = ("stop", "stop_off")
FIXED = {"confirm": "how long Enter is held, and how it repeats, is what arming measures"}
HOLDS = {"pull", "push", "press"}
GRIPS = {"grip_open": "-grip", "grip_close": "+grip"}  #: the axes they hold
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
    "ctrl+@": "Ctrl-Space",
    "left": "←",
    "right": "→",
    "up": "↑",
    "down": "↓",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "home": "Home",
    "end": "End",
    "slash": "/",
    "colon": ":",
    "backspace": "Backspace",
}


def shown(key: str) -> str:
    """A key's name on the screen."""
    *modifiers, base = [key] if key in _SHOWN else key.split("+")
    name = _SHOWN.get(base, base.upper() if len(base) == 1 or base[1:].isdigit() else base.capitalize())
    return "-".join([*(modifier.capitalize() for modifier in modifiers), name])


class Keymap:
    """Keys to actions, with a user's changes: ``{"go": "g,ctrl+g"}``. The stop keys cannot be taken away.

    Raises KeymapError where a change names no such action or key, takes a key of a stop or of what is fixed, unbinds a stop,
    or gives one key two meanings on one screen.
    """

    def __init__(self, changes: Mapping[str, str] | None = None) -> None:
        self.keys = {binding.id: binding.keys for binding in BINDINGS}
        self._changed: dict[str, str] = {}  #: by key, the entry of ``changes`` that names it
        for name, keys in (changes or {}).items():
            self.keys[name] = _changed_keys(name, keys)
            self._changed |= dict.fromkeys(self.keys[name], name)
        self._actions: dict[tuple[Scope, str], str] = {}
        for binding in BINDINGS:
            for key in self.keys[binding.id]:
                self._bind(binding, key)

    def _bind(self, binding: Binding, key: str) -> None:
        for scope in binding.scopes:
            other = self._actions.setdefault((scope, key), binding.id)
            if other != binding.id:
                raise KeymapError(
                    f"{shown(key)} is given to both {other!r} and {binding.id!r} on the {scope} screen; one key does one thing",
                    self._changed.get(key, binding.id),
                )

    def action(self, key: str, scope: Scope) -> str | None:
        """The action of a key on a screen; letters count whatever their case."""
        return self._actions.get((scope, key.lower() if len(key) == 1 else key))


def _changed_keys(name: str, keys: str) -> tuple[str, ...]:
    """The keys of action ``name`` as a keymap wants them, "g, ctrl+g"; none takes an action off the keyboard. Raises KeymapError."""
    if name not in BY_ID:
        near = get_close_matches(name, BY_ID, 1)
        raise KeymapError(f"no action is called {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""), name)
    if name in FIXED:
        raise KeymapError(f"{name!r} keeps {shown(BY_ID[name].keys[0])}: {FIXED[name]}", name)
    wanted = []
    for word in filter(None, (word.strip() for word in keys.split(","))):
        try:
            key = canonical(word)
        except KeyNameError:
            near = get_close_matches(word.lower(), known_names(), 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise KeymapError(f"{name!r} is given {word!r}, which is no key{hint}", name) from None
        if stopped_by(key) not in ("", name):
            raise KeymapError(f"{shown(key)} is a stop key and cannot be given to {name!r}", name)
        wanted.append(key)
    if name in STOPS:
        if not wanted:
            raise KeymapError(f"{name!r} cannot be unbound: {' and '.join(map(shown, BY_ID[name].keys))} always stop", name)
        return tuple(dict.fromkeys((*BY_ID[name].keys, *wanted)))
    return tuple(wanted)


def possible(snapshot: Snapshot | None, *, readonly: bool, connected: bool) -> frozenset[str]:
    """Ids of the live screen's actions that would do something now."""
    always = {"stop", "stop_off", "why", "layers", "camera", "theme", "help", "palette", "quit", "back"}
    if snapshot is None or not connected:
        return frozenset(always | {"sessions", "doctor"})
    decision, operator = snapshot.decision, snapshot.operator
    found = set(always)
    if snapshot.inputs.forecast_state:
        found.add("forecast")
    if not decision.armed:
        found |= {"sessions", "doctor"}
        if not readonly or snapshot.run.offered or not snapshot.run.controller:
            found.add("handover")
    if readonly:
        return frozenset(found)
    found |= {"mark", "keys"}
    if decision.stop_number and decision.stop_kind == StopKind.LATCHED:
        found.add("clear")
    elif not decision.armed:
        found |= {"arm", "clear"} if decision.stop_number else {"arm"}
    if decision.armed:
        found |= {"disarm", "pause"} if decision.going else {"disarm"} | ({"go"} if operator.mode == Mode.CUT else set())
    if decision.going and snapshot.saw.stuck and not operator.recovering:
        found.add("recover")
    if snapshot.run.simulated and decision.armed and (snapshot.saw.present or snapshot.run.pushed):
        found |= {*(HOLDS if snapshot.saw.present else HOLDS - {"press"}), "force_up", "force_down", "force_reset"}
    if not decision.going:
        found.add("mode")
    if operator.mode == Mode.CUT:
        found |= ARROWS if snapshot.saw.present and not snapshot.saw.in_kerf else set()
    elif operator.mode == Mode.MOTION:
        found |= {"joint_before", "joint_after", "jog_slower", "jog_faster"} | ({"up", "grip_open"} if decision.armed else set())
    else:
        found |= {"step_smaller", "step_larger", "jog_slower", "jog_faster"}
        if operator.mode == Mode.JOG_JOINT:
            found |= {"joint_before", "joint_after"}
        if decision.armed:
            found |= ARROWS | (set(GRIPS) if math.isfinite(snapshot.inputs.gripper) else set())
    return frozenset(found)
