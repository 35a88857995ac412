"""Who answers for the terminal: itself, or a multiplexer on this side of the line, whose answers prove nothing of the operator's end.

tmux, screen, Zellij and mosh's server answer a status request themselves. Behind one of them a lost line would go
unnoticed, so there a person proves that they are present: by a key, at least every ``PRESENCE`` seconds while armed.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from textual import events
from textual.message import Message

from console.parser import KeyReleased

HEARD_WITHIN = 0.5  #: s since the operator's end last gave proof of itself within which arming is believed
PRESENCE = 20.0  #: s without a key, armed behind a multiplexer, after which signs of life are no longer passed on
ASK_FROM = 10.0  #: s without a key from which the screen asks for one
_NAMED = {"TMUX": "tmux", "STY": "screen", "ZELLIJ": "Zellij"}
_HOLDERS = {"mosh-server": "mosh", "tmux: server": "tmux", "screen": "screen"}


def multiplexer(environment: Mapping[str, str], holder: str = "") -> str:
    """The multiplexer that this program's terminal belongs to; "" for none. ``holder`` is the process that opened the terminal."""
    for variable, name in _NAMED.items():
        if environment.get(variable):
            return name
    if any(variable.startswith("MOSH_") for variable in environment):
        return "mosh"
    term = environment.get("TERM", "")
    by_term = next((name for name in ("tmux", "screen") if term.startswith(name)), "")
    return by_term or _HOLDERS.get(holder, "")


def terminal_holder(folder: Path = Path("/proc")) -> str:
    """The nearest ancestor with another terminal than this process, by name: mosh leaves no mark but this. "" where it cannot be read."""
    try:
        _, parent, own = _process(folder, os.getpid())
        while parent > 0:
            name, above, terminal = _process(folder, parent)
            if terminal != own:
                return name
            parent = above
    except (OSError, ValueError, IndexError):
        return ""
    return ""


def _process(folder: Path, number: int) -> tuple[str, int, int]:
    """A process's name, its parent and its controlling terminal."""
    name, _, rest = (folder / str(number) / "stat").read_text().rpartition(")")
    fields = rest.split()
    return name.partition("(")[2], int(fields[1]), int(fields[4])


def typed(parsed: Iterable[Message]) -> bool:
    """Whether a person's hand is among what a terminal sent: a key, its release or a paste, and no mere answer or report."""
    return any(isinstance(message, events.Key | events.Paste | KeyReleased) for message in parsed)


def asking(silent: float) -> str:
    """What the screen asks after ``silent`` s without a key; "" while it need not."""
    if silent < ASK_FROM:
        return ""
    if silent < PRESENCE:
        return f"Press any key (Esc does nothing else): without one the robot stops in {PRESENCE - silent:.0f} s."
    return "No key came for too long: the robot is left to stop by itself."
