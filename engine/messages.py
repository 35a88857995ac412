"""What a console and the engine say to each other: intents one way, reports the other; every message a tagged struct."""

from typing import Annotated, Literal

import msgspec

from engine.types import Snapshot

Name = Annotated[str, msgspec.Meta(max_length=64)]
Text = Annotated[str, msgspec.Meta(max_length=300)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Cells = Annotated[int, msgspec.Meta(ge=0, le=512)]
KeyMode = Literal["HOLD", "REPEAT", "STEP"]
Age = Annotated[float, msgspec.Meta(ge=0, le=10)]


class _Message(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    pass


class Hello(_Message, frozen=True):
    console: Name
    readonly: bool = False


class Arm(_Message, frozen=True):
    robot: Name  #: what is being armed, by name; refused if it is another


class Disarm(_Message, frozen=True):
    pass


class Go(_Message, frozen=True):
    pass


class Pause(_Message, frozen=True):
    pass


class Stop(_Message, frozen=True):
    """A stop by message; the stop page is the way that does not depend on this socket."""

    latched: bool = False


class ClearStop(_Message, frozen=True):
    number: Count


class Hold(_Message, frozen=True):
    """One key press or repeat of a hold-to-run key; grants until the deadman runs out, or ``down=False``."""

    axis: Name  #: "pull" | "push" | "press" | "+x" ... "-z" | "+j1" ... "-j7" | "level" | "+grip" | "-grip" | "play" | "run"
    down: bool
    repeat: bool
    seq: Count


class AdjustForce(_Message, frozen=True):
    delta: float  #: N; 0 resets


class MoveLine(_Message, frozen=True):
    dy: float  #: m
    dz: float  #: m


class SetMode(_Message, frozen=True):
    mode: Count


class SetJog(_Message, frozen=True):
    step: float | None = None  #: m, of the saw's fastest point
    speed: float | None = None  #: m/s, of the same


class ChooseMotion(_Message, frozen=True):
    """The motion after the one that is chosen, or before it."""

    step: Literal[-1, 1]


class Confirm(_Message, frozen=True):
    """What the motion of this name asks to be confirmed is so."""

    motion: Name


class KeyTiming(_Message, frozen=True):
    """What the console measured of the keyboard."""

    key_mode: KeyMode
    repeat_interval: float  #: s; 0 if none was seen


class LowerKeys(_Message, frozen=True):
    """Trust the keyboard with less than was measured, or again with as much; never with more."""

    key_mode: KeyMode


class Mark(_Message, frozen=True):
    text: Text


class Alive(_Message, frozen=True):
    """The operator's end is there: it was proven ``age`` before this was said, and nothing later is."""

    age: Age = 0.0  #: s


class Offer(_Message, frozen=True):
    """Hand control to the console that takes it, or keep it after all; only from the one in control, and only while disarmed."""


class Take(_Message, frozen=True):
    """Take control that is offered, or that nobody has."""


class Recover(_Message, frozen=True):
    """Free a stuck saw: lighten, reverse, resume."""


class Shutdown(_Message, frozen=True):
    pass


class WatchPicture(_Message, frozen=True):
    camera: Name  #: "" = none
    width: Cells  #: pixels
    height: Cells


#: what a console, a shell or a scripted operator may say to the engine
Intent = (
    Hello
    | Arm
    | Disarm
    | Go
    | Pause
    | Stop
    | ClearStop
    | Hold
    | AdjustForce
    | MoveLine
    | SetMode
    | SetJog
    | ChooseMotion
    | Confirm
    | KeyTiming
    | LowerKeys
    | Mark
    | Alive
    | Shutdown
    | WatchPicture
    | Recover
    | Offer
    | Take
)


class Telemetry(_Message, frozen=True):
    snapshot: Snapshot


class Picture(_Message, frozen=True):
    camera: str
    width: int
    height: int
    age: float  #: s since exposure, when sent
    rgb: bytes  #: width * height * 3


class Refused(_Message, frozen=True):
    text: str


class Starting(_Message, frozen=True):
    """What the engine does before there is anything to show."""

    text: str


class Ended(_Message, frozen=True):
    reason: str
    exit_code: int


#: what the engine says to a console
Report = Telemetry | Picture | Refused | Starting | Ended
