"""The table of layers: nine rows with numbers and units, the worst first where room is short, and a trend."""

import math

import msgspec
import pytest
import scenes
from scenes import seen

from console.rows import plain, width_of
from console.view import History
from console.widgets.layers import SAYS_FROM, layer_row, layer_rows, margin_text, order, page_rows
from engine.types import LAYERS, Decision, Reason, Snapshot

SEPARATION = LAYERS.index("separation")


def rows(snapshot: Snapshot, width: int, height: int) -> list[str]:
    return plain(layer_rows(seen(snapshot), snapshot.decision, width, height))


def test_all_nine_have_a_row_with_score_speed_force_margin_and_age() -> None:
    lines = rows(scenes.running(), 58, 10)
    assert [next(name for name in LAYERS if name in line) for line in lines[1:]] == list(LAYERS)
    assert lines[4].split() == ["4", "separation", "0.94→", "0.42", "∞", "0.17", "m", "62", "ms"]
    assert lines[5].split() == ["5", "contact", "0.98→", "0.50", "140", "112", "N", "2", "ms"]


def test_where_room_is_short_the_one_that_binds_comes_first_and_silent_ones_share_a_line() -> None:
    lines = rows(scenes.separated(), 38, 4)
    assert lines[0].startswith("▶separation")
    assert "-0.08 m" in lines[0]
    assert lines[-1] == " not configured: forecast · vision"
    assert len(lines) == 4


@pytest.mark.parametrize("width", [20, 28, 34, 40, 48, 58, 110])
def test_no_row_is_wider_than_its_place(width: int) -> None:
    snapshot = scenes.separated()
    for layer in range(len(LAYERS)):
        spans = layer_row(seen(snapshot), snapshot.decision, layer, width)
        assert width_of(spans[:-1] if width >= SAYS_FROM else spans) <= width


def test_the_page_says_in_a_sentence_what_each_limiting_layer_says_and_what_to_do() -> None:
    lines = plain(page_rows(seen(scenes.separated()), 76, 18))
    assert any(line.startswith("▶ separation: free hand 0.31 m, needs 0.39 m") for line in lines)
    assert not any("…" in line for line in lines)


def decision(**changes: object) -> Decision:
    return msgspec.structs.replace(scenes.running().decision, **changes)


@pytest.mark.parametrize(
    ("reason", "margin", "shown"),
    [
        (Reason.SEPARATION, -0.08, "-0.08 m"),
        (Reason.GRIP_FORCE, 24.0, "24 N"),
        (Reason.JOINT_TORQUE, 0.12, "12 %"),
        (Reason.CRUSH, 0.031, "31 mm"),
        (Reason.NOT_CONFIGURED, 0.25, "—"),
        (Reason.STOP_KEY, math.nan, "—"),
    ],
)
def test_a_margin_stands_in_its_reason_s_own_unit(reason: Reason, margin: float, shown: str) -> None:
    d = decision(layer_reason=(reason,) * 9, layer_margin=(margin,) * 9)
    assert margin_text(d, SEPARATION).strip() == shown


def test_the_order_is_by_how_much_a_layer_limits() -> None:
    d = decision(binding=3, layer_score=(1.0, 0.9, 0.8, 0.7, 0.75, 1.0, 1.0, 1.0, 1.0))
    assert order(d)[:4] == [3, 4, 2, 1]


@pytest.mark.parametrize(("scores", "trend"), [((0.9, 0.6), -1), ((0.6, 0.9), 1), ((0.8, 0.81), 0)])
def test_a_trend_tells_which_way_a_layer_has_gone(scores: tuple[float, float], trend: int) -> None:
    history = History()
    for i in range(16):
        snapshot = scenes.scene(tick=6200 + 25 * i)
        share = i / 15
        layer_score = tuple(scores[0] + share * (scores[1] - scores[0]) if n == 3 else 1.0 for n in range(9))
        history.observe(msgspec.structs.replace(snapshot, decision=msgspec.structs.replace(snapshot.decision, layer_score=layer_score)))
    assert history.trend(3) == trend
    assert history.trend(0) == 0
    shown = plain([layer_row(seen(snapshot, history=history), snapshot.decision, 3, 58)])[0]
    assert {1: "↑", 0: "→", -1: "↓"}[trend] in shown


def test_a_layer_whose_score_is_not_a_number_has_no_trend() -> None:
    history = History()
    for i in range(16):
        snapshot = scenes.scene(tick=6200 + 25 * i)
        history.observe(msgspec.structs.replace(snapshot, decision=msgspec.structs.replace(snapshot.decision, layer_score=(math.nan,) * 9)))
    assert history.trend(3) == 0
