"""What few runs allow to be said."""

import math

import pytest

from engine.study.chance import mean_and_interval, paired_shares, rate_and_interval, upper_bound


def test_none_of_many_allows_the_exact_bound() -> None:
    assert upper_bound(0, 200) == pytest.approx(1.0 - 0.05 ** (1.0 / 200.0), abs=1e-9)
    assert upper_bound(0, 200) == pytest.approx(3.0 / 200.0, rel=0.02)


def test_at_the_bound_so_few_would_be_seen_with_one_chance_in_twenty() -> None:
    for found, runs in ((0, 7), (1, 50), (3, 200), (49, 50)):
        rate = upper_bound(found, runs)
        chance = sum(math.comb(runs, k) * rate**k * (1.0 - rate) ** (runs - k) for k in range(found + 1))
        assert chance == pytest.approx(0.05, abs=1e-6)


def test_all_of_them_allow_anything() -> None:
    assert upper_bound(5, 5) == 1.0


@pytest.mark.parametrize(("found", "runs"), [(-1, 5), (6, 5), (0, 0)])
def test_a_count_that_is_none_is_refused(found: int, runs: int) -> None:
    with pytest.raises(ValueError, match="no count"):
        upper_bound(found, runs)


def test_the_interval_of_a_mean_holds_it_and_shrinks_with_the_runs() -> None:
    few, many = [1.0, 3.0, 5.0, 7.0], [1.0, 3.0, 5.0, 7.0] * 25
    mean, low, high = mean_and_interval(few)
    assert low < mean == 4.0 < high
    assert mean_and_interval(many)[2] - mean_and_interval(many)[1] < 0.5 * (high - low)
    assert mean_and_interval(few) == (mean, low, high)
    with pytest.raises(ValueError, match="nothing"):
        mean_and_interval([])


def test_a_rate_is_all_counts_over_all_times_and_not_the_mean_of_rates() -> None:
    rate, low, high = rate_and_interval([1, 0, 0, 3], [0.5, 1.0, 2.0, 0.5])
    assert low < rate == 1.0 < high
    assert high > mean_and_interval([2.0, 0.0, 0.0, 6.0])[0]


def test_paired_shares_agree_with_the_published_example() -> None:
    """Newcombe 1998, Statistics in Medicine 17:2635, table III, method 10: cells 36, 12, 2, 0 of 50 pairs."""
    pairs = [(True, True)] * 36 + [(True, False)] * 12 + [(False, True)] * 2
    assert paired_shares(pairs) == pytest.approx((0.2, 0.0569, 0.3404), abs=5e-5)


def test_pairs_that_never_differ_still_leave_room() -> None:
    difference, low, high = paired_shares([(False, False)] * 100)
    assert (difference, low, high) == pytest.approx((0.0, -0.037, 0.037), abs=1e-3)
    with pytest.raises(ValueError, match="nothing"):
        paired_shares([])
