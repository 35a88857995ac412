"""Draws what the evaluation of a forecast found: reliability, ROC and precision-recall by failure and horizon, lead times."""

from collections.abc import Sequence
from pathlib import Path

from console.chart import Line, bar_chart, line_chart
from engine.forecast.pictured import Picture

ROLES = ("bad", "warn", "info", "good")  #: of the horizons, the shortest first
BESIDE = "dim"  #: of what they are compared with


def draw(out: Path, pictures: Sequence[Picture]) -> list[Path]:
    """One SVG a picture, written into ``out``. Raises OSError."""
    out.mkdir(parents=True, exist_ok=True)
    written = [out / f"{picture.name}.svg" for picture in pictures]
    for path, picture in zip(written, pictures, strict=True):
        path.write_text(svg(picture), encoding="utf-8")
    return written


def svg(picture: Picture) -> str:
    """One picture as SVG text."""
    if picture.width:
        (bars,) = picture.curves
        return bar_chart(picture.title, picture.x, picture.y, Line(name=bars.name, xs=bars.xs, ys=bars.ys), picture.width)
    roles = (*ROLES[: len(picture.curves) - 1], BESIDE)
    lines = [
        Line(name=curve.name, xs=curve.xs, ys=curve.ys, role=role, dots=picture.dots and role != BESIDE)
        for curve, role in zip(picture.curves, roles, strict=True)
    ]
    return line_chart(picture.title, picture.x, picture.y, lines)
