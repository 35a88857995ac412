"""The terminal: what the environment says of it, and what it answers when it is asked."""

import os
import sys
from collections.abc import Callable, Mapping

from console.doctor.check import Result
from console.doctor.link import link
from console.parser import RELEASES
from console.places import SMALLEST, fits
from console.probe import ALL_KEY_FLAGS, Answers, ask

COMFORTABLE = (80, 24)  #: columns, lines


def asked_here(hold: Callable[[str], None] | None = None) -> Answers | str:
    """What the terminal of this program answers, or why it is not asked; ``hold`` is told when to hold a key."""
    if not to_terminal():
        return "not asked: the output is not a terminal"
    answers = ask(strings=os.environ.get("TERM") != "linux", hold=hold)
    return f"not asked: {answers}" if isinstance(answers, str) else answers


def to_terminal() -> bool:
    """Whether what this program writes is seen as it is written. A screen that is up puts something else in stdout's place."""
    return sys.__stdout__ is not None and sys.__stdout__.isatty()


def looks(
    environment: Mapping[str, str],
    tty: bool,
    size: tuple[int, int],
    answers: Callable[[], Answers | str],
    multiplexer: str,
    *,
    tried: bool = False,
) -> dict[str, Callable[[], Result]]:
    """Every check of the terminal by its name; ``answers`` is what it said, or why it was not asked."""
    return {
        "terminal": lambda: terminal(environment, tty, size, answers()),
        "characters": lambda: characters((sys.__stdout__ or sys.stdout).encoding or ""),
        "colours": lambda: colours(environment, answers()),
        "keyboard": lambda: keyboard(answers(), multiplexer, tried=tried),
        "pictures": lambda: pictures(answers(), multiplexer),
        "link": lambda: link(answers(), multiplexer),
    }


def terminal(environment: Mapping[str, str], tty: bool, size: tuple[int, int], answers: Answers | str) -> Result:
    """``size``: columns, lines."""
    if not tty:
        return Result("ok", "the output is not a terminal", "Run the doctor in the terminal you will work in, to have that looked at.")
    term = environment.get("TERM", "")
    through = [name for name, variable in (("tmux", "TMUX"), ("SSH", "SSH_CONNECTION")) if environment.get(variable)]
    named = f"{answers.name}, " if isinstance(answers, Answers) and answers.name else ""
    found = f"{named}{size[0]}×{size[1]}, TERM {term or 'not set'}{f', through {" and ".join(through)}' if through else ''}"
    if not fits(*size):
        return Result("fail", found, f"Make the terminal at least {SMALLEST[0]}×{SMALLEST[1]}: below that it shows the stop state only.")
    if term in ("", "dumb"):
        return Result("fail", found, "Set TERM to what your terminal is, such as xterm-256color: without it no screen can be drawn.")
    if size[0] < COMFORTABLE[0] or size[1] < COMFORTABLE[1]:
        return Result("warn", found, f"Make the terminal {COMFORTABLE[0]}×{COMFORTABLE[1]} or larger to see every limit.")
    if "TMUX" in environment:
        return Result("warn", found, "Run outside tmux to have key releases reported: inside, holds end by the rate of key repeats.")
    return Result("ok", found)


def characters(encoding: str) -> Result:
    if encoding.lower().replace("-", "") == "utf8":
        return Result("ok", encoding)
    return Result("warn", encoding or "unknown", "Set LANG to a UTF-8 locale, or `ascii = true` under [console] in the configuration.")


def colours(environment: Mapping[str, str], answers: Answers | str) -> Result:
    """Whether the screen's colours come out as they are meant: by what the environment promises, held against what the terminal does."""
    if environment.get("NO_COLOR"):
        return Result("ok", "none: NO_COLOR asks for that")
    promised = environment.get("COLORTERM", "").lower() in ("truecolor", "24bit")
    if isinstance(answers, str):
        return Result("ok", f"16 million by COLORTERM; {answers}" if promised else answers)
    does = answers.true_colour
    said = {True: "the terminal shows them", False: "the terminal does not show them", None: "the terminal does not say"}[does]
    if promised and does is False:
        return Result("warn", f"COLORTERM promises 16 million; {said}", "Unset COLORTERM: colours that it cannot show are drawn wrong.")
    if promised:
        return Result("ok", f"16 million by COLORTERM; {said}")
    term = environment.get("TERM", "")
    count = "256" if "256" in term else "2" if term in ("", "dumb") else "16 or fewer"
    if does:
        advice = "Set COLORTERM=truecolor there (SSH leaves it behind unless SendEnv and AcceptEnv name it)."
        return Result("warn", f"{count} by TERM, though the terminal shows 16 million", advice)
    if count == "256":
        return Result("ok", f"256 by TERM; pictures are coarse; of 16 million {said}")
    advice = 'Set TERM to an entry with 256 colours, or `theme = "monochrome"` under [console] in the configuration.'
    return Result("warn", f"{count} by TERM", advice)


def keyboard(answers: Answers | str, multiplexer: str, *, tried: bool = False) -> Result:
    """What the keyboard can tell of a key that is held. ``tried``: a key was to be held to measure it."""
    if isinstance(answers, str):
        return Result("ok", answers)
    releases = answers.key_flags is not None and bool(answers.key_flags & RELEASES)
    offered = "kitty protocol unknown" if answers.key_flags is None else f"kitty flags {answers.key_flags} of {ALL_KEY_FLAGS}"
    measured = answers.keyboard
    if measured is None:
        held = "no held key was seen" if tried else "`sawhorse doctor --keyboard` measures a held key"
    else:
        every = f"repeats every {measured.repeat_interval * 1e3:.0f} ms" if measured.repeat_interval > 0 else "no repeats"
        held = f"a held key gave {measured.mode}, {every}"
    found = f"{'releases reported' if releases else 'no releases reported'} ({offered}); {held}"
    if multiplexer:
        return Result("warn", f"{found}; {multiplexer} stands between", f"Run outside {multiplexer}: inside, holds end by missing repeats.")
    if measured is not None and measured.mode == "STEP":
        return Result("warn", found, "Turn key repeat on, or use a steadier link: as it is, one press makes one step and nothing is held.")
    if measured is not None and measured.mode == "REPEAT" and releases:
        return Result("warn", found, "Look at the terminal's keyboard settings: a release was promised and none came.")
    if not releases:
        advice = "Use a terminal with the kitty keyboard protocol, such as kitty, foot or Ghostty: there a hold ends with the key."
        return Result("warn", found, advice)
    return Result("ok", found)


def pictures(answers: Answers | str, multiplexer: str) -> Result:
    """How a camera's picture is drawn."""
    if isinstance(answers, str):
        return Result("ok", f"{answers}; half blocks")
    if multiplexer:
        return Result("ok", f"half blocks: {multiplexer} passes no pictures on")
    if answers.kitty_graphics:
        return Result("ok", "real pixels, by kitty graphics")
    if not answers.sixel:
        return Result("ok", "half blocks: no kitty graphics, no sixel")
    if answers.cell is None:
        return Result("ok", "half blocks: no kitty graphics, and sixel without the size of a cell in pixels")
    return Result("ok", f"real pixels, by sixel in cells of {answers.cell[0]}×{answers.cell[1]} pixels")
