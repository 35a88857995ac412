"""The energy ledger of a session: a stroke closes or is named, and so are a tank out of its bounds and energy from nowhere."""

import itertools

import numpy as np
import pytest
import session_material as material

from engine.session import ledger
from engine.session.reader import Session
from engine.session.verify import recompute
from engine.types import Energy

ROWS = 1000


@pytest.fixture(scope="module")
def closing():
    return [tick.energy for tick in itertools.islice(material.ticks(1), ROWS)]


@pytest.fixture
def account(closing):
    """The columns of a session whose account closes."""
    return {name: np.array([getattr(row, name) for row in closing]) for name in Energy.__struct_fields__}


COUNT = np.arange(ROWS) // material.STROKE


def test_full_strokes_alone_are_counted_and_each_closes(account):
    found = ledger.strokes(COUNT, account)
    assert [(stroke.number, stroke.first, stroke.last) for stroke in found] == [(1, 259, 518), (2, 518, 777)]
    for stroke in found:
        assert stroke.closes
        assert stroke.wood == pytest.approx(0.04 * 259)
        assert stroke.throughput == pytest.approx(0.10 * 259)


@pytest.mark.parametrize("term", ["partner", "grant", "wood", "damping", "tank", "stored"])
@pytest.mark.parametrize("wrong", [0.3, -0.3, np.nan])
def test_a_stroke_in_which_a_term_is_wrong_does_not_close(account, term, wrong):
    account[term][600:] += wrong
    assert [stroke.closes for stroke in ledger.strokes(COUNT, account)] == [True, False]


def test_of_no_ticks_there_is_no_stroke_and_no_excess(account):
    nothing = {name: rows[:0] for name, rows in account.items()}
    assert ledger.strokes(COUNT[:0], nothing) == []
    assert ledger.excess(nothing) == 0.0


def test_work_to_and_fro_is_throughput_though_it_cancels(account):
    account["partner"] += 0.2 * (np.arange(ROWS) % 2)
    assert ledger.strokes(COUNT, account)[0].throughput > 50.0


def test_a_count_that_jumps_begins_no_stroke(account):
    count = COUNT.copy()
    count[600] = -(2**62)
    count[777:] += 5
    assert [stroke.number for stroke in ledger.strokes(count, account)] == [1]


def test_the_bound_holds_where_the_account_closes_and_not_where_energy_comes_from_nowhere(account):
    assert ledger.excess(account) <= 0.0
    account["wood"][700:] += 10.0
    assert ledger.excess(account) > 1.0
    account["wood"][700:] = np.nan
    assert not ledger.excess(account) <= 0.0


def test_recomputing_a_session_names_a_stroke_that_does_not_close(recorded, damaged):
    assert list(ledger.problems(Session.open(recorded))) == []
    material.edit(damaged, "tick/energy_wood", 777, 25.0)
    report = recompute(damaged)
    assert not report.ok
    assert any(problem.startswith("The energy ledger of stroke 2, ticks 518 to 777, does not close") for problem in report.problems)


def test_a_tank_out_of_its_bounds_is_named(damaged):
    material.edit(damaged, "tick/energy_tank", 300, -0.5)
    assert any("tick/energy_tank of tick 300" in problem for problem in recompute(damaged).problems)
