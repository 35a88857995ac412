"""One figure, and the rules by which it is judged and compared."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

import msgspec

if TYPE_CHECKING:
    from engine.bench.machine import Machine
    from engine.config import Settings

Tell = Callable[[str], None]
DIGITS = 4  #: significant, of every number shown


class BenchError(Exception):
    """Something could not be measured. The text is one sentence for the operator."""


class Alternative(NamedTuple):
    """What a figure is compared with, measured in the same run in the same unit."""

    name: str
    value: float


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One measured value. Made by ``figure``."""

    name: str
    value: float
    unit: str
    bar: float | None  #: what the value must hold; None where there is none
    better: Literal["lower", "higher"]
    compared_with: str  #: the alternative and its own value; "" if there is none
    ratio: float | None  #: how many times better than the alternative; below 1 is worse
    ok: bool  #: the bar is held, or there is none


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one topic."""

    machine: "Machine"
    figures: tuple[Figure, ...]


class Measure(Protocol):
    """What every topic's module offers."""

    def __call__(self, settings: "Settings", seconds: float, tell: Tell, **choices: object) -> tuple[Figure, ...]: ...


def figure(
    name: str,
    value: float,
    unit: str,
    better: Literal["lower", "higher"],
    *,
    bar: float | None = None,
    against: Alternative | None = None,
) -> Figure:
    """A value as it is shown, judged by its bar. Raises BenchError when it, or what it is compared with, is not a finite number."""
    for what, number in ((name, value), *([(against.name, against.value)] if against else [])):
        if not math.isfinite(number):
            raise BenchError(f"{what} could not be measured: the result is {number}.")
    shown = rounded(value)
    held = bar is None or (shown <= bar if better == "lower" else shown >= bar)
    return Figure(
        name=name,
        value=shown,
        unit=unit,
        bar=bar,
        better=better,
        compared_with=f"{against.name}: {rounded(against.value):g} {unit}" if against else "",
        ratio=times_better(value, against.value, better) if against else None,
        ok=held,
    )


def times_better(value: float, other: float, better: Literal["lower", "higher"]) -> float | None:
    """other / value where lower is better, else value / other; None where that would divide by zero."""
    above, below = (other, value) if better == "lower" else (value, other)
    return rounded(above / below) if below else None


def rounded(value: float) -> float:
    """To ``DIGITS`` significant digits."""
    return float(f"{value:.{DIGITS}g}")


def lines(report: Report) -> list[str]:
    """The report as a table of text."""
    machine = report.machine
    rows = [("figure", "value", "bar", "", "times better than")]
    rows += [
        (
            figure.name,
            f"{figure.value:g} {figure.unit}",
            "" if figure.bar is None else f"{'≤' if figure.better == 'lower' else '≥'} {figure.bar:g}",
            "" if figure.bar is None else "ok" if figure.ok else "MISSED",
            figure.compared_with if figure.ratio is None else f"{figure.ratio:g} × {figure.compared_with}",
        )
        for figure in report.figures
    ]
    head = f"{machine.cpu}, {machine.cores} cores, load {machine.load:.1f}, {machine.memory_gb:.0f} GB, Python {machine.python}"
    return [head, "", *aligned(rows)]


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of texts as lines with straight columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
