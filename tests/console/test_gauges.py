"""Separation, tank and ledger: what is required beside what is, in words as well as in bars."""

import math

import msgspec
import pytest
import scenes
from scenes import seen

from console.rows import plain
from console.stroke import Meter
from console.view import History
from console.widgets.energy import energy_rows, work_line
from console.widgets.gains import gains_rows
from console.widgets.person import PersonPanel, person_line, person_rows
from engine.types import LAYERS, PARTS, Energy, Reason


def text(rows: object) -> str:
    return "\n".join(plain(rows))  # type: ignore[arg-type]


def test_the_distance_stands_beside_what_is_required_with_the_part_s_name() -> None:
    for shown in (text(person_rows(seen(scenes.running()), 30, 4)), text(person_line(seen(scenes.running()), 80))):
        assert "free hand 0.61 m, needs 0.44" in shown
        assert "T_r 0.12 s" in shown
        assert "CLOSE" not in shown


def test_a_person_nearer_than_required_is_said_in_a_word() -> None:
    view = seen(scenes.separated())
    assert plain([PersonPanel().note(view)]) == ["CLOSE"]
    slows = msgspec.structs.replace(scenes.separated().decision, layer_scale=(0.3,) * 9)
    slowed = seen(msgspec.structs.replace(scenes.separated(), decision=slows))
    assert plain([PersonPanel().note(slowed)]) == ["SLOWS"], "nearer than the wanted speed needs, but it may move"
    assert "CLOSE" in text(person_line(view, 80))
    assert PersonPanel().note(seen(scenes.running())) == ()


@pytest.mark.parametrize("part", range(len(PARTS)))
def test_no_part_s_name_cuts_its_distance(part: int) -> None:
    snapshot = scenes.running()
    view = seen(msgspec.structs.replace(snapshot, decision=msgspec.structs.replace(snapshot.decision, separation_part=part)))
    first = plain(person_rows(view, 30, 4))[0]
    assert len(first) <= 30
    assert "0.61" in first
    assert "0.44" in first


def test_a_robot_without_a_sensor_says_so_and_names_its_cap() -> None:
    for shown in (text(person_rows(seen(scenes.unsensed()), 40, 5)), text(person_line(seen(scenes.unsensed()), 80))):
        assert "not sensed" in shown
        assert "250 mm/s" in shown


@pytest.mark.parametrize("reason", [Reason.PERSON_NONE, Reason.PERSON_STALE, Reason.PERSON_NOT_FINITE])
def test_a_sensor_that_says_nothing_is_a_fault_and_no_distance(reason: Reason) -> None:
    snapshot = scenes.running()
    reasons = tuple(reason if name == "separation" else Reason.OK for name in LAYERS)
    decision = msgspec.structs.replace(snapshot.decision, layer_reason=reasons, separation=math.nan, separation_part=-1)
    shown = text(person_rows(seen(msgspec.structs.replace(snapshot, decision=decision)), 40, 5))
    assert "0.61" not in shown
    assert "not sensed" not in shown


def test_the_tank_stands_in_joules_of_its_most_with_its_share_when_it_limits() -> None:
    full = text(energy_rows(seen(scenes.running()), 48, 9))
    assert "of 12 J" in full
    assert "TANK LIMITS" not in full
    low = text(energy_rows(seen(scenes.stuck()), 48, 9))
    assert "1.4" in low
    assert "0.42  TANK LIMITS" in low
    assert "tank limits" in text(work_line(seen(scenes.stuck()), 80))


def test_an_empty_tank_says_that_it_only_softens() -> None:
    snapshot = scenes.running()
    empty = msgspec.structs.replace(snapshot, energy=msgspec.structs.replace(snapshot.energy, tank=0.5, share=0.0))
    assert "EMPTY: only softens" in text(energy_rows(seen(empty), 30, 5))
    assert "EMPTY" in text(work_line(seen(empty), 80))


@pytest.mark.parametrize("height", [5, 9])
def test_the_ledger_of_the_last_stroke_names_all_five_and_how_far_it_closes(height: int) -> None:
    snapshot = scenes.running()
    shown = text(energy_rows(seen(snapshot, history=scenes.past(snapshot)), 40, height))
    for term in ("partner", "grant", "wood", "damping", "kept", "closes"):
        assert term in shown, term


def account(**terms: float) -> Energy:
    zero = dict.fromkeys(("tank", "partner", "grant", "wood", "damping", "stored", "paid", "refill"), 0.0)
    return Energy(share=1.0, **(zero | terms))


def test_a_stroke_counts_only_when_both_its_ends_were_seen() -> None:
    meter = Meter()
    meter.observe(0, 3, 10.0, account())
    meter.observe(10**9, 4, 10.0, account(partner=5.0))
    assert meter.last is None, "the third began before anyone looked"
    meter.observe(2 * 10**9, 5, -30.0, account(partner=12.0, wood=4.0, damping=2.0, stored=1.0))
    assert meter.last is not None
    assert (meter.last.number, meter.last.seconds, meter.last.partner) == (5, 1.0, 7.0)
    assert meter.last.residue == pytest.approx(1.0 - (7.0 - 4.0 - 2.0))
    assert meter.last.force_rms == meter.last.force_peak == 10.0


def test_an_account_that_does_not_close_says_by_how_much() -> None:
    history = History()
    for second, energy in enumerate((account(), account(partner=1.0), account(partner=11.0, wood=4.0))):
        history.strokes.observe(second * 10**9, second, 0.0, energy)
    assert history.stroke is not None
    assert history.stroke.closure == pytest.approx(6.0 / 14.0), "10 J in and 4 J out, and 6 J that nobody knows of"
    assert "OPEN" in text(energy_rows(seen(scenes.running(), history=history), 40, 9))


def test_a_stroke_in_which_nothing_moved_has_no_closure() -> None:
    meter = Meter()
    for second in range(3):
        meter.observe(second, second, 0.0, account())
    assert meter.last is not None
    assert math.isnan(meter.last.closure)


def test_strokes_that_were_missed_make_no_ledger() -> None:
    meter = Meter()
    for second, count in enumerate((0, 1, 4)):
        meter.observe(second, count, 0.0, account(partner=float(second)))
    assert meter.last is None


def test_a_spring_that_is_still_softened_is_marked_beside_what_is_permitted() -> None:
    snapshot = scenes.slowed()
    stiff = msgspec.structs.replace(snapshot.spring, stiffness=(500.0, 640.0, *snapshot.spring.stiffness[2:]))
    shown = text(gains_rows(seen(msgspec.structs.replace(snapshot, spring=stiff)), 42, 16))
    across = next(line for line in shown.splitlines() if line.startswith("K across"))
    assert "572" in across
    assert "640↓N/m" in across
    assert "↓" not in next(line for line in shown.splitlines() if line.startswith("K stroke"))
