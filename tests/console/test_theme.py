"""Themes: every role has a look in each, colours can be told apart, ASCII is ASCII."""

from itertools import pairwise

import pytest
from rich.color import Color

from console import draw
from console.theme import (
    _MONOCHROME,
    COLOURS,
    HEAT,
    MONOCHROME,
    PALETTES,
    SHIPPED,
    ThemeError,
    in_ascii,
    known,
    learn,
    palettes_from,
    style_of,
)
from engine.config import THEMES


def luminance(colour: str) -> float:
    channels = [value / 255 for value in Color.parse(colour).get_truecolor()]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", SHIPPED)
def test_every_role_has_a_style(theme: str) -> None:
    for role in _MONOCHROME:
        assert style_of(role, theme) is not None
    assert style_of("#010203/040506", theme) is not None


@pytest.mark.parametrize("palette", PALETTES.values(), ids=lambda palette: palette.name)
def test_text_and_states_are_readable(palette) -> None:  # type: ignore[no-untyped-def]
    for colour in (palette.text, palette.value, palette.good, palette.warn, palette.bad, palette.info, palette.title):
        assert contrast(colour, palette.background) >= 4.5, colour
    assert contrast(palette.dim, palette.background) >= 4.0
    for state in (palette.good, palette.warn, palette.bad):
        assert contrast(palette.on_state, state) >= 4.5, state


@pytest.mark.parametrize("palette", PALETTES.values(), ids=lambda palette: palette.name)
def test_hotter_is_further_from_the_ground_in_brightness_alone_and_its_digits_stay_readable(palette) -> None:  # type: ignore[no-untyped-def]
    apart = []
    for step in range(1, len(HEAT) + 1):
        style = style_of(f"heat {step}", palette.name)
        assert style.bgcolor is not None
        assert style.color is not None
        assert contrast(style.color.name, style.bgcolor.name) >= 4.0, step
        apart.append(contrast(style.bgcolor.name, palette.panel))
    assert all(after > 1.1 * before for before, after in pairwise([1.0, *apart])), apart


def test_the_configuration_knows_every_theme_that_is_shipped() -> None:
    assert THEMES == SHIPPED


def test_a_theme_of_one_s_own_is_drawn_and_another_of_its_name_replaces_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.theme.PALETTES", dict(PALETTES))
    learn(palettes_from({"mine": {"based_on": "light", "text": "#102030"}}))
    assert known()[-2:] == ("mine", MONOCHROME)
    assert style_of("text", "mine").color == Color.parse("#102030")
    assert style_of("good", "mine") == style_of("good", "light")
    learn(palettes_from({"mine": dict.fromkeys(COLOURS, "#000001")}))
    assert style_of("text", "mine").color == Color.parse("#000001")


@pytest.mark.parametrize("missing", COLOURS)
def test_a_theme_that_lacks_a_colour_names_it(missing: str) -> None:
    colours = {colour: "#a0b0c0" for colour in COLOURS if colour != missing}
    with pytest.raises(ThemeError, match=f"the theme 'mine' lacks the colour {missing};") as raised:
        palettes_from({"mine": colours})
    assert raised.value.key == "console.themes.mine"


@pytest.mark.parametrize(
    ("theme", "says", "key"),
    [
        (
            {"mine": {"based_on": "dark", "txt": "#a0b0c0"}},
            "names 'txt', which no theme has; did you mean 'text'",
            "console.themes.mine.txt",
        ),
        ({"mine": {"based_on": "dak"}}, "based on 'dak', which is not one of dark, light", "console.themes.mine.based_on"),
        (
            {"mine": {"based_on": "dark", "text": "#12345"}},
            "has '#12345' for 'text'; a colour is written as #rrggbb",
            "console.themes.mine.text",
        ),
        ({"light": {"based_on": "dark"}}, "'light' is one of the program's own", "console.themes.light"),
    ],
)
def test_a_theme_that_cannot_be_used_says_why(theme: dict[str, dict[str, str]], says: str, key: str) -> None:
    with pytest.raises(ThemeError, match=says) as raised:
        palettes_from(theme)
    assert raised.value.key == key


def test_monochrome_has_no_colours() -> None:
    for role in _MONOCHROME:
        style = style_of(role, MONOCHROME)
        assert style.color is None
        assert style.bgcolor is None


def test_ascii_keeps_the_length() -> None:
    for text in ("╭─ SCORE ─╮", "▶ RUNNING", "".join(draw.graph([0.2, 0.9] * 8, 8, 2)), "♥7 ×½ ≥ 0.30"):
        assert in_ascii(text).isascii()
        assert len(in_ascii(text)) == len(text)
    assert in_ascii("━━╸──") == "===--", "a full bar can be told from an empty one without colour"
