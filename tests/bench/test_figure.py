"""A figure is judged by its bar and compared by what was measured, and by nothing else."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.bench.figure import Alternative, BenchError, Report, figure, lines
from engine.bench.machine import this_machine

KEYS = ["name", "value", "unit", "bar", "better", "compared_with", "ratio", "ok"]
positive = st.floats(1e-6, 1e6)


@given(value=positive, bar=positive)
def test_the_bar_alone_decides_whether_a_figure_is_ok(value: float, bar: float) -> None:
    low, high = figure("a", value, "ms", "lower", bar=bar), figure("a", value, "ms", "higher", bar=bar)
    assert low.ok == (low.value <= bar)
    assert high.ok == (high.value >= bar)
    assert low.ok or high.ok


@given(value=positive, other=positive)
def test_a_ratio_above_one_is_better_than_the_alternative(value: float, other: float) -> None:
    low = figure("a", value, "ms", "lower", against=Alternative("b", other))
    high = figure("a", value, "1/s", "higher", against=Alternative("b", other))
    assert low.ratio == pytest.approx(other / value, rel=1e-3)
    assert high.ratio == pytest.approx(value / other, rel=1e-3)
    assert low.compared_with.startswith("b: ")


def test_without_bar_or_alternative_nothing_is_claimed() -> None:
    bare = figure("a", 3.0, "ms", "lower")
    assert (bare.bar, bare.compared_with, bare.ratio, bare.ok) == (None, "", None, True)


def test_nothing_is_divided_by_zero() -> None:
    assert figure("a", 0.0, "", "lower", against=Alternative("b", 2.0)).ratio is None


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_was_not_measured_is_an_error_and_not_a_figure(value: float) -> None:
    with pytest.raises(BenchError, match="could not be measured"):
        figure("a", value, "ms", "lower", bar=1.0)
    with pytest.raises(BenchError, match="b could not be measured"):
        figure("a", 1.0, "ms", "lower", against=Alternative("b", value))


def test_programs_find_the_documented_keys() -> None:
    report = Report(machine=this_machine(), figures=(figure("a", 1.23456, "ms", "lower", bar=2.0, against=Alternative("b", 5.0)),))
    tree = json.loads(msgspec.json.encode(report))
    assert list(tree) == ["machine", "figures"]
    assert list(tree["figures"][0]) == KEYS
    assert tree["machine"]["cores"] >= 1


def test_people_see_a_missed_bar() -> None:
    shown = lines(
        Report(machine=this_machine(), figures=(figure("slow", 9.0, "ms", "lower", bar=2.0), figure("fine", 1.0, "ms", "lower", bar=2.0)))
    )
    assert [("MISSED" in line, " ok" in line) for line in shown[-2:]] == [(True, False), (False, True)]
