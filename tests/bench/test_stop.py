"""A hand that pulls hard through a stop is in less force than it may bear, and in less than a stiff hold would put it."""

import pytest

from engine.bench import stop
from engine.bench.stop import PEAK_BAR, REST_BAR, Stopped
from engine.limits import Limits


@pytest.fixture(scope="module")
def stopped() -> list[dict[str, Stopped]]:
    """On the way to the partner, at the turn, and on the way back."""
    return [stop.stops_of(seed, Limits()) for seed in (0, 5, 7)]


def test_the_force_on_the_hand_stays_under_its_bar_and_the_saw_comes_to_rest(stopped: list[dict[str, Stopped]]) -> None:
    for one in stopped:
        assert one["ours"].peak <= PEAK_BAR
        assert one["ours"].rest <= REST_BAR


def test_a_stiff_hold_puts_more_force_on_the_hand_and_one_of_these_hands_in_too_much(stopped: list[dict[str, Stopped]]) -> None:
    for one in stopped:
        assert one["stiff"].peak > one["ours"].peak
    assert max(one["stiff"].peak for one in stopped) > PEAK_BAR


def test_stiffness_to_zero_lets_the_saw_fly(stopped: list[dict[str, Stopped]]) -> None:
    for one in stopped:
        assert one["limp"].fastest > 1.3 * one["ours"].fastest
        assert one["limp"].travel > one["ours"].travel


def test_the_figures_are_of_the_worst_of_the_stops(stopped: list[dict[str, Stopped]]) -> None:
    own, firm, loose = ([one[name] for one in stopped] for name in stop.HOLDS)
    found = {one.name: one for one in stop.figures(own, firm, loose)}
    peak = found["peak force on a pulling hand through a stop"]
    assert peak.value == pytest.approx(max(one.peak for one in own), rel=1e-3)
    assert peak.ok
    assert peak.ratio is not None
    assert peak.ratio > 1.0
