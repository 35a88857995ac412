"""Rows, numbers and drawings: fixed widths, whatever the values."""

import math

from hypothesis import given
from hypothesis import strategies as st

from console import draw
from console.rows import age, beside, compact, cut, duration, joined, number, one_cell_each, plain, row, width_of, wrapped

anything = st.floats(allow_nan=True, allow_infinity=True)


@given(anything, st.integers(3, 12), st.integers(0, 4))
def test_a_number_takes_the_same_cells_whatever_it_is(value: float, width: int, decimals: int) -> None:
    assert len(number(value, width, decimals)) == width
    assert len(number(value, width, decimals, sign=True)) == width


@given(anything, st.integers(6, 10))
def test_compact_and_age_keep_their_width(value: float, width: int) -> None:
    assert len(compact(value, width)) == width
    assert len(age(abs(value), 8)) == 8


def test_numbers_read_as_they_should() -> None:
    assert number(626.4, 6, 1) == " 626.4"
    assert number(12345.678, 6, 2) == " 12346"
    assert number(math.nan, 5, 1) == "    —"
    assert age(0.061) == "  61 ms"
    assert age(1.43) == " 1.43 s"
    assert age(9.996) == "   10 s"
    assert age(12.2) == "   12 s"
    assert duration(192.4) == "03:12"
    assert duration(3723) == "1:02:03"


@given(st.text(max_size=80), st.integers(0, 40))
def test_cut_never_exceeds_its_width(text: str, width: int) -> None:
    assert width_of(cut(row(one_cell_each(text)), width)) <= width


def test_joined_puts_both_ends_at_the_edges() -> None:
    assert plain([joined(row("left"), row("right"), 14)]) == ["left     right"]
    assert plain([joined(row("a long left side"), row("right"), 12)]) == ["a lon… right"]


def test_beside_pads_the_left_column() -> None:
    assert plain(beside([row("a")], [row("b"), row("c")], 3)) == ["a    b", "     c"]


def test_wide_and_unprintable_characters_are_replaced_so_that_columns_hold() -> None:
    assert one_cell_each("saw 鋸\tx\x1b[31m") == "saw ??x?[31m"


def test_wrapped_breaks_at_spaces() -> None:
    assert wrapped("press C to clear stop 12", 10) == ["press C to", "clear stop", "12"]


@given(anything, st.integers(1, 60))
def test_bars_fill_their_width(share: float, width: int) -> None:
    assert sum(len(text) for text, _ in draw.bar(share, width)) == width
    assert sum(len(text) for text, _ in draw.marked_bar(share, width, (0.5, 0.8), "good")) == width


@given(anything, anything, st.integers(1, 60))
def test_signed_bars_keep_their_width(value: float, limit: float, width: int) -> None:
    assert sum(len(text) for text, _ in draw.signed_bar(value, limit, width)) == width


@given(st.lists(anything, max_size=40), st.integers(1, 30))
def test_sparklines_keep_their_width(values: list[float], width: int) -> None:
    assert len(draw.spark(values, width)) == width
    assert len(draw.scaled_spark(values, width)) == width


def test_a_sparkline_shows_low_middle_high_and_gaps() -> None:
    assert draw.spark([0.0, 0.5, 1.0, math.nan], 4) == "▁▅█ "


def test_a_graph_is_as_large_as_asked_and_fills_from_below() -> None:
    lines = draw.graph([0.0, 0.25, 0.5, 1.0], 4, 2)
    assert [len(line) for line in lines] == [4, 4]
    assert lines[0].strip(" ") == chr(0x2800 + 0xB8)
    assert lines[1][-1] == chr(0x2800 + 0x47 + 0xB8)


def test_half_blocks_hold_two_pixels_a_cell() -> None:
    rgb = bytes([255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255])
    assert draw.half_blocks(rgb, 2, 2) == [(("▀", "#ff0000/#0000ff".replace("/#", "/")), ("▀", "#00ff00/ffffff"))]


def test_noise_in_a_picture_changes_nothing_on_the_screen() -> None:
    first = draw.quantised(bytes([100, 100, 100]), None)
    assert draw.quantised(bytes([106, 97, 103]), first) == first
    assert draw.quantised(bytes([150, 97, 103]), first) != first


def test_large_digits_line_up() -> None:
    assert len({len(line) for line in draw.digits("0.71")}) == 1


@given(st.sampled_from(["m", "mm", "s", "ms", "N", "N/m", "m/s", "%", "rad"]), st.integers(8, 40), st.text("ab ", max_size=60))
def test_a_number_is_never_parted_from_its_unit(unit: str, width: int, before: str) -> None:
    lines = wrapped(f"{before} needs 0.44 {unit} at most", width)
    assert any(f"0.44 {unit}" in line for line in lines)
    assert all(len(line) <= width for line in lines)


@given(st.integers(0, 4), st.floats(-1e-6, 0.0))
def test_there_is_no_minus_nought(decimals: int, value: float) -> None:
    assert "-" not in number(value, 8, decimals)
    assert "-" not in age(value)
