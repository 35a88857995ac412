"""Themes: what each role looks like. Meaning is never by colour alone: every state also has a word and a mark of its own."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from functools import lru_cache

from rich.color import Color
from rich.style import Style


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours by use; every theme gives all of them."""

    name: str
    dark: bool
    background: str
    panel: str  #: behind a panel's text
    text: str
    dim: str
    faint: str  #: frames and tracks
    title: str
    value: str
    brand: str
    good: str
    warn: str
    bad: str
    info: str
    curve: str  #: sparklines of nothing unusual
    on_state: str  #: text on a filled state


PALETTES = {
    palette.name: palette
    for palette in (
        Palette(
            name="dark",
            dark=True,
            background="#0d1117",
            panel="#0d1117",
            text="#c3ccd6",
            dim="#77838f",
            faint="#303a45",
            title="#e0a868",
            value="#eef3f8",
            brand="#f0b060",
            good="#7ccf8a",
            warn="#f2c14e",
            bad="#ff6b6b",
            info="#6cb6e8",
            curve="#41729a",
            on_state="#0d1117",
        ),
        Palette(
            name="light",
            dark=False,
            background="#f7f4ee",
            panel="#f7f4ee",
            text="#3a4149",
            dim="#727980",
            faint="#cfc8bb",
            title="#8f4f0d",
            value="#14181c",
            brand="#9a5200",
            good="#1d7a36",
            warn="#8a5a00",
            bad="#c01f2e",
            info="#1565a5",
            curve="#7fa8c9",
            on_state="#ffffff",
        ),
        Palette(
            name="colour-blind",
            dark=True,
            background="#0e1116",
            panel="#0e1116",
            text="#c9ced6",
            dim="#7f8791",
            faint="#343b45",
            title="#d9d2c5",
            value="#f4f6f8",
            brand="#f0e442",
            good="#56b4e9",
            warn="#f0e442",
            bad="#f07840",
            info="#b9a7e8",
            curve="#6c6690",
            on_state="#0e1116",
        ),
    )
}
MONOCHROME = "monochrome"
SHIPPED = (*PALETTES, MONOCHROME)
HEAT = (0.10, 0.20, 0.33, 0.66, 1.0)  #: of the way from the panel's ground to a warning's, for a table's five steps
COLOURS = tuple(name for name, kind in Palette.__annotations__.items() if kind is str and name != "name")


class ThemeError(ValueError):
    """A theme that cannot be used; the text says what to change, and ``key`` which setting it is about."""

    def __init__(self, text: str, key: str) -> None:
        super().__init__(text)
        self.key = key


def palettes_from(themes: Mapping[str, Mapping[str, str]]) -> list[Palette]:
    """A user's own themes: every colour as ``#rrggbb``, or ``based_on`` a shipped one and those that differ. Raises ThemeError."""
    return [_palette_from(name, entries, f"console.themes.{name}") for name, entries in themes.items()]


def _palette_from(name: str, entries: Mapping[str, str], key: str) -> Palette:
    if name in SHIPPED:
        raise ThemeError(f"the theme {name!r} is one of the program's own; give yours another name", key)
    base = entries.get("based_on", "")
    if base and base not in SHIPPED[:-1]:
        raise ThemeError(f"the theme {name!r} is based on {base!r}, which is not one of {', '.join(SHIPPED[:-1])}", f"{key}.based_on")
    colours = asdict(PALETTES[base]) if base else {}
    for colour, value in entries.items():
        if colour == "based_on":
            continue
        if colour not in COLOURS:
            near = get_close_matches(colour, COLOURS, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(COLOURS)}"
            raise ThemeError(f"the theme {name!r} names {colour!r}, which no theme has; {hint}", f"{key}.{colour}")
        if not re.fullmatch("#[0-9a-fA-F]{6}", value):
            raise ThemeError(f"the theme {name!r} has {value!r} for {colour!r}; a colour is written as #rrggbb", f"{key}.{colour}")
        colours[colour] = value
    if missing := [colour for colour in COLOURS if colour not in colours]:
        what = "colour" if len(missing) == 1 else "colours"
        raise ThemeError(f"the theme {name!r} lacks the {what} {', '.join(missing)}; give them, or name a theme it is based_on", key)
    return Palette(**(colours | {"name": name, "dark": Color.parse(colours["background"]).get_truecolor().green < 128}))


def learn(palettes: Iterable[Palette]) -> None:
    """Make themes known beside the shipped ones; one of the same name takes the other's place."""
    PALETTES.update({palette.name: palette for palette in palettes})
    style_of.cache_clear()


def known() -> tuple[str, ...]:
    """Names of every theme, the one without colour last."""
    return (*PALETTES, MONOCHROME)


_MONOCHROME = {
    "text": Style(),
    "dim": Style(),
    "track": Style(dim=True),
    "frame": Style(dim=True),
    "mark": Style(),
    "title": Style(bold=True),
    "value": Style(bold=True),
    "brand": Style(bold=True),
    "good": Style(),
    "warn": Style(bold=True),
    "bad": Style(bold=True, underline=True),
    "info": Style(),
    "bar": Style(bold=True),
    "curve": Style(),
    "key": Style(bold=True),
    "selected": Style(reverse=True),
    "state good": Style(reverse=True),
    "state warn": Style(reverse=True, bold=True),
    "state bad": Style(reverse=True, bold=True),
    "state idle": Style(reverse=True),
    "placeholder": Style(reverse=True, bold=True),
    "unrated": Style(bold=True),
    "heat 1": Style(),
    "heat 2": Style(bold=True),
    "heat 3": Style(underline=True),
    "heat 4": Style(reverse=True),
    "heat 5": Style(reverse=True, bold=True),
}

_TO_ASCII = {
    **dict.fromkeys("╭╮╰╯┌┐└┘├┤┬┴┼┿", "+"),
    **dict.fromkeys("━╸╺", "="),
    "─": "-",
    **dict.fromkeys("│┃┏┓┗┛┣┫┻╻╹", "|"),
    "█": "#",
    "▇": "#",
    "▆": "*",
    "▅": "*",
    "▄": "=",
    "▃": "-",
    "▂": ".",
    "▁": "_",
    "▀": '"',
    "▪": ".",
    "●": "*",
    "○": "o",
    "◌": "o",
    "◆": "*",
    "■": "#",
    "▶": ">",
    "▷": ")",
    "◀": "<",
    "▲": "^",
    "▸": ">",
    "‖": "=",
    "✖": "x",
    "✓": "v",
    "λ": "l",
    "−": "-",
    "♥": "*",
    "·": "-",
    "—": "-",
    "–": "-",
    "…": "~",
    "→": ">",
    "←": "<",
    "↑": "^",
    "↓": "v",
    "±": "~",
    "×": "x",
    "≈": "~",
    "≥": ">",
    "≤": "<",
    "∞": "!",
    "²": "2",
    "³": "3",
    "°": "o",
    "¼": "/",
    "½": "/",
    "σ": "s",
    "φ": "p",
    "Δ": "d",
}
_ASCII_TABLE = {ord(glyph): plain for glyph, plain in _TO_ASCII.items()}


def in_ascii(text: str) -> str:
    """The text in ASCII, one character for one."""
    if text.isascii():
        return text
    return "".join(c if c.isascii() else _braille_mark(c) for c in text.translate(_ASCII_TABLE))


def _braille_mark(character: str) -> str:
    bits = ord(character) - 0x2800
    return ".:|#"[min(3, (bits.bit_count() - 1) // 2)] if 0 < bits < 256 else "?"


@lru_cache(maxsize=8192)
def style_of(role: str, theme: str) -> Style:
    """The style of a role in a theme; ``#rrggbb/rrggbb`` gives the two halves of a picture's cell.

    Raises KeyError on a role no theme knows.
    """
    if theme == MONOCHROME:
        return Style() if role.startswith("#") else _MONOCHROME[role]
    palette = PALETTES[theme]
    if role.startswith("#"):
        upper, _, lower = role.partition("/")
        return Style(color=Color.parse(upper), bgcolor=Color.parse("#" + lower))
    colour, bold, ground = _look(role, palette)
    return Style(color=Color.parse(colour), bgcolor=Color.parse(ground), bold=bold or None)


def _look(role: str, p: Palette) -> tuple[str, bool, str]:
    looks = {
        "text": (p.text, False, p.panel),
        "dim": (p.dim, False, p.panel),
        "track": (p.faint, False, p.panel),
        "frame": (p.faint, False, p.panel),
        "mark": (p.dim, False, p.panel),
        "title": (p.title, True, p.panel),
        "value": (p.value, False, p.panel),
        "brand": (p.brand, True, p.panel),
        "good": (p.good, False, p.panel),
        "warn": (p.warn, False, p.panel),
        "bad": (p.bad, True, p.panel),
        "info": (p.info, False, p.panel),
        "bar": (p.info, False, p.panel),
        "curve": (p.curve, False, p.panel),
        "key": (p.value, True, p.panel),
        "selected": (p.value, True, p.faint),
        "state good": (p.on_state, True, p.good),
        "state warn": (p.on_state, True, p.warn),
        "state bad": (p.on_state, True, p.bad),
        "state idle": (p.value, True, p.faint),
        "placeholder": (p.on_state, True, p.bad),
        "unrated": (p.warn, True, p.panel),
    } | {f"heat {step}": _heat(share, p) for step, share in enumerate(HEAT, 1)}
    return looks[role]


def _heat(share: float, p: Palette) -> tuple[str, bool, str]:
    """Text on a ground that goes from the panel's to that of a warning: one hue, told apart by its brightness alone."""
    ground = _between(p.panel, p.warn, share)
    return max((p.value, p.on_state), key=lambda colour: abs(_brightness(colour) - _brightness(ground))), share >= 1.0, ground


def _between(first: str, last: str, share: float) -> str:
    pairs = zip(Color.parse(first).get_truecolor(), Color.parse(last).get_truecolor(), strict=True)
    return "#" + "".join(f"{round(a + share * (b - a)):02x}" for a, b in pairs)


def _brightness(colour: str) -> float:
    """Roughly as seen, 0 to 255."""
    red, green, blue = Color.parse(colour).get_truecolor()
    return 0.3 * red + 0.59 * green + 0.11 * blue
