"""Charts: well-formed, the same every time, every word escaped, gaps where there is no number."""

import math
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.chart import HEIGHT, WIDTH, Line, line_chart, ticks
from console.screenshots import tank_svg
from console.theme import PALETTES

SVG = "{http://www.w3.org/2000/svg}"
SLOPE = Line(name="slope", xs=(0.0, 1.0, 2.0), ys=(0.0, 1.0, 2.0))


def drawn(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)


def test_a_chart_names_its_title_axes_and_lines() -> None:
    words = [element.text for element in drawn(line_chart("Tank", "time, s", "energy, J", (SLOPE,))).iter(f"{SVG}text")]
    assert {"Tank", "time, s", "energy, J", "slope"} <= set(words)


def test_the_same_data_give_the_same_text() -> None:
    assert line_chart("a", "b", "c", (SLOPE,)) == line_chart("a", "b", "c", (SLOPE,))


def test_every_word_is_escaped() -> None:
    words = 'a < b & "c"'
    root = drawn(line_chart(words, words, words, (Line(name=words, xs=(0.0, 1.0), ys=(1.0, 2.0)),)))
    assert [element.text for element in root.iter(f"{SVG}text")].count(words) == 4


def test_a_missing_value_leaves_a_gap() -> None:
    broken = Line(name="broken", xs=(0.0, 1.0, 2.0, 3.0, 4.0), ys=(1.0, 2.0, math.nan, 2.0, 1.0))
    assert len(list(drawn(line_chart("t", "x", "y", (broken,))).iter(f"{SVG}polyline"))) == 2


def test_what_runs_off_the_top_ends_there() -> None:
    steep = Line(name="steep", xs=(0.0, 1.0, 2.0, 3.0), ys=(0.0, 1.0, 50.0, 500.0))
    (curve,) = drawn(line_chart("t", "x", "y", (steep,), y_max=10.0)).iter(f"{SVG}polyline")
    assert len(curve.attrib["points"].split()) == 3


def test_without_a_number_there_is_no_chart() -> None:
    with pytest.raises(ValueError, match="finite"):
        line_chart("t", "x", "y", (Line(name="none", xs=(math.nan,), ys=(math.nan,)),))


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=2, max_size=30))
def test_no_point_leaves_the_picture(points: list[tuple[float, float]]) -> None:
    points.sort()
    root = drawn(line_chart("t", "x", "y", (Line(name="n", xs=[x for x, _ in points], ys=[y for _, y in points]),)))
    for curve in root.iter(f"{SVG}polyline"):
        for point in curve.attrib["points"].split():
            x, y = map(float, point.split(","))
            assert 0 <= x <= WIDTH
            assert 0 <= y <= HEIGHT


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_are_few_and_within_the_axis(low: float, length: float) -> None:
    found = ticks(low, low + length)
    assert 2 <= len(found) <= 11
    assert all(low - 1e-6 * length <= value <= low + length * (1 + 1e-6) for value in found)


def test_the_tank_s_picture_shows_a_run_that_leaves_the_bound_and_one_that_does_not() -> None:
    reach: dict[str, list[float]] = {}
    for curve in drawn(tank_svg()).iter(f"{SVG}polyline"):
        reach.setdefault(curve.attrib["stroke"], []).extend(float(point.split(",")[1]) for point in curve.attrib["points"].split())
    look = PALETTES["dark"]
    assert min(reach[look.bad]) < min(reach[look.warn]), "upwards is less"
    assert min(reach[look.good]) > max(reach[look.warn])
