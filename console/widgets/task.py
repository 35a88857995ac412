"""The work of a robot without a saw: what it was told to do, its gripper, its tool, and what the model sees."""

import math
from collections.abc import Mapping

from console.draw import marked_bar
from console.rows import Row, number, row, wrapped
from console.view import View
from engine.types import Snapshot


def task_rows(view: View, width: int, height: int) -> list[Row]:
    s = view.snapshot
    assert s is not None
    rows = [row((line, "value")) for line in wrapped(s.run.instruction, max(1, width))][: max(1, height - 2)]
    elsewhere = math.isfinite(s.spring.target[0])  # beside their targets
    rows += [gripper_row(s, width), tool_row(s), *([] if elsewhere else [_turn(s)]), *heads(s, width)]
    return rows[:height]


def gripper_row(s: Snapshot, width: int) -> Row:
    """How far it is closed, with a mark where it was told to be."""
    closed = s.inputs.gripper
    if not math.isfinite(closed):
        return row(("gripper ", "dim"), ("none", "dim"))
    told = s.command.gripper_d
    marks = (min(max(told, 0.0), 1.0),) if math.isfinite(told) else ()
    squeezes = told - closed > 0.05
    return row(
        ("gripper ", "dim"),
        (number(100.0 * closed, 4, 0), "value"),
        (" % closed ", "dim"),
        *marked_bar(min(max(closed, 0.0), 1.0), max(4, width - 31), marks, "bar"),
        (" pressing" if squeezes else "         ", "warn" if squeezes else "dim"),
    )


def tool_row(s: Snapshot) -> Row:
    """Where the tool is, in base axes."""
    return row(("tool    ", "dim"), *((number(value, 7, 3, sign=True), "text") for value in s.inputs.pose[:3]), (" m", "dim"))


def _turn(s: Snapshot) -> Row:
    """The joints' angles."""
    angles = (f"{math.degrees(q):+.0f}" if math.isfinite(q) else "–" for q in s.inputs.q)
    return row(("joints  ", "dim"), (" ".join(angles), "text"), (" °", "dim"))


def heads(s: Snapshot, width: int) -> list[Row]:
    """What the model reads off the pictures and its standard deviation, where it has such heads; the vision layer has a page of its own."""
    told = {} if s.inference is None else s.inference.heads
    room = min(22, width - (26 if any(name.endswith("_sd") for name in told) else 18))
    rows = []
    for name, value in told.items():
        of = name[:-3]
        if name.endswith("_dx"):
            rows.append(_way_to(of, told))
        elif not name.endswith("_sd") and not name.startswith("vision_") and not (name[-3:] in ("_dy", "_dz") and f"{of}_dx" in told):
            doubt = f" ± {told[f'{name}_sd']:.3f}" if f"{name}_sd" in told else ""
            what = f"{name.replace('_', ' ')[:room]:{room}}"
            rows.append(row(("sees    ", "dim"), (what, "dim"), (number(value, 8, 3), "text"), (doubt, "dim")))
    return rows


def _way_to(thing: str, told: Mapping[str, float]) -> Row:
    """The way from the tool to a thing along base x, y and z as far as it is read off the pictures, and its largest deviation."""
    ways = [f"{thing}_d{axis}" for axis in "xyz" if f"{thing}_d{axis}" in told]
    doubts = [told[f"{way}_sd"] for way in ways if f"{way}_sd" in told]
    return row(
        (f"sees {thing:5}", "dim"),
        *((number(1e3 * told[way], 5, 0, sign=True), "text") for way in ways),
        (" mm" + (f" ± {1e3 * max(doubts):.0f}" if doubts else ""), "dim"),
    )


def task_spans(s: Snapshot) -> Row:
    """Gripper, tool height and what it was told to do for the line of a small screen."""
    spans: Row = ()
    if math.isfinite(s.inputs.gripper):
        spans = row(("  gripper", "dim"), (number(100.0 * s.inputs.gripper, 4, 0), "value"), (" % closed", "dim"))
    return (*spans, *row(("  tool", "dim"), (number(s.inputs.pose[2], 6, 3), "value"), (" m up  ", "dim"), (s.run.instruction, "text")))
