"""Themes: every role has a look in each, colours can be told apart, ASCII is ASCII."""

import pytest
from rich.color import Color

from console import draw
from console.theme import MONOCHROME, PALETTES, ROLES, THEMES, in_ascii, style_of


def luminance(colour: str) -> float:
    channels = [value / 255 for value in Color.parse(colour).get_truecolor()]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", THEMES)
def test_every_role_has_a_style(theme: str) -> None:
    for role in ROLES:
        assert style_of(role, theme) is not None
    assert style_of("#010203/040506", theme) is not None


@pytest.mark.parametrize("palette", PALETTES.values(), ids=lambda palette: palette.name)
def test_text_and_states_are_readable(palette) -> None:  # type: ignore[no-untyped-def]
    for colour in (palette.text, palette.value, palette.good, palette.warn, palette.bad, palette.info, palette.title):
        assert contrast(colour, palette.background) >= 4.5, colour
    assert contrast(palette.dim, palette.background) >= 4.0
    for state in (palette.good, palette.warn, palette.bad):
        assert contrast(palette.on_state, state) >= 4.5, state


def test_monochrome_has_no_colours() -> None:
    for role in ROLES:
        style = style_of(role, MONOCHROME)
        assert style.color is None
        assert style.bgcolor is None


def test_ascii_keeps_the_length() -> None:
    for text in ("╭─ SCORE ─╮", "▶ RUNNING", "".join(draw.graph([0.2, 0.9] * 8, 8, 2)), "♥7 ×½ ≥ 0.30"):
        assert in_ascii(text).isascii()
        assert len(in_ascii(text)) == len(text)
    assert in_ascii("━━╸──") == "===--", "a full bar can be told from an empty one without colour"
