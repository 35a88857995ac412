"""What counts as a failure of co-sawing: each begins at its bound, is told once, and again only after it was over."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from adapters.base import Happening
from adapters.mujoco import failing
from adapters.mujoco.failing import Seen, Watch

DT = 0.01
SAWING = Seen(
    may_move=True,
    held=True,
    grip=10.0,
    gap=0.25,
    jam=1.0,
    out=-0.006,
    wanted=-0.03,
    tilt=0.01,
    off=0.002,
    kerf_off=0.002,
    in_kerf=True,
    depth=0.006,
    cut=0.006,
    deepest=0.006,
    height=-0.001,
    stuck=False,
    bind=0.0,
)


def course(watch: Watch, seconds: float, seen: Seen, rate: float = 0.0008) -> list[Happening]:
    """What is told while so it goes, the kerf deepening by ``rate`` m/s."""

    def ticks() -> Iterator[Seen]:
        for i in range(round(seconds / DT)):
            deeper = rate * i * DT
            near = abs(seen.kerf_off) <= failing.SUCCESS_LATERAL
            yield replace(seen, cut=seen.cut + deeper, depth=seen.depth + deeper, deepest=seen.deepest + (deeper if near else 0.0))

    return [told for now in ticks() for told in failing.look(watch, now, DT)]


@pytest.mark.parametrize(
    ("what", "seen"),
    [
        ("collision", replace(SAWING, grip=failing.GRIP_FORCE + 1.0)),
        ("collision", replace(SAWING, gap=failing.CRUSH_GAP - 0.001)),
        ("collision", replace(SAWING, jam=failing.JAM_FORCE + 1.0)),
        ("drop", replace(SAWING, tilt=-failing.TILT - 0.01)),
        ("drop", replace(SAWING, in_kerf=False, out=failing.OUT + 0.001)),
        ("drop", replace(SAWING, held=False)),
        ("miss", replace(SAWING, off=0.012, kerf_off=0.012, deepest=0.0)),
    ],
)
def test_each_failure_is_told_once_and_again_only_after_it_was_over(what: str, seen: Seen) -> None:
    watch = Watch()
    assert not course(watch, 1.0, SAWING, rate=0.002)
    assert [(told.kind, told.what) for told in course(watch, 2.6, seen)] == [("failure", what)]
    assert not course(watch, 1.0, SAWING, rate=0.002)
    assert [told.what for told in course(watch, 2.6, seen)] == [what]


def test_sawing_within_every_bound_tells_nothing_but_its_success() -> None:
    hard = replace(SAWING, grip=0.9 * failing.GRIP_FORCE, gap=0.11, jam=0.9 * failing.JAM_FORCE, tilt=0.14, off=0.009, kerf_off=0.009)
    watch = Watch()
    assert not course(watch, 4.5, hard)
    assert [(told.kind, told.what) for told in course(watch, 4.5, replace(hard, deepest=0.0095))] == [("success", "")]
    assert not course(watch, 2.0, replace(hard, deepest=0.0095))


def test_no_progress_is_a_timeout_only_while_it_may_move() -> None:
    watch = Watch()
    assert not course(watch, 1.0, SAWING)
    assert not course(watch, 10.0, replace(SAWING, may_move=False), rate=0.0)
    told = course(watch, 10.0, SAWING, rate=0.0)
    assert [(one.kind, one.what) for one in told] == [("failure", "timeout")]
    assert "3.0 s" in told[0].text


def test_an_approach_that_comes_nearer_is_progress_and_one_that_hovers_is_not() -> None:
    away = replace(SAWING, in_kerf=False, depth=0.0, cut=0.0, deepest=0.0, out=0.05, wanted=0.05, height=0.05)
    nearing, hovering = Watch(), Watch()
    for i in range(800):
        assert not failing.look(nearing, replace(away, off=0.2 - 0.0002 * i), DT)
    told = [one.what for i in range(800) for one in failing.look(hovering, replace(away, off=0.2 + 0.002 * (i % 2)), DT)]
    assert told == ["timeout"]


def test_a_blade_that_is_lifted_on_purpose_is_not_dropped() -> None:
    watch = Watch()
    course(watch, 1.0, SAWING)
    rising = [replace(SAWING, in_kerf=out <= 0.0, out=out, wanted=out - 0.005) for out in (-0.006, 0.002, 0.006, 0.008, 0.02, 0.04)]
    assert not [one for seen in rising for _ in range(10) for one in failing.look(watch, seen, DT)]


def test_a_saw_that_stands_may_be_let_go_and_one_that_moved_is_lost_in_a_stop_too() -> None:
    standing = replace(SAWING, held=False, may_move=False)
    assert not course(Watch(), 2.9, standing, rate=0.0)
    moved = Watch()
    assert not course(moved, 0.1, replace(standing, may_move=True))
    assert [told.what for told in course(moved, 2.5, standing, rate=0.0)] == ["drop"]


def test_the_line_that_moves_away_takes_the_cut_with_it() -> None:
    watch = Watch()
    course(watch, 1.0, SAWING)
    moved = replace(SAWING, off=0.02, kerf_off=0.02, deepest=0.0)
    assert [told.what for told in course(watch, 1.0, moved)] == ["miss"]
    back = replace(SAWING, off=0.001, kerf_off=0.001, depth=0.0, deepest=0.0, cut=0.01)
    assert not course(watch, 5.0, back), "a new cut at the line is progress from nothing on"


def test_the_oracle_is_finite_and_scaled_whatever_happens() -> None:
    worst = replace(SAWING, grip=400.0, gap=-0.1, jam=300.0, out=0.3, off=0.8, deepest=0.08, bind=1.0)
    for seen in (SAWING, worst):
        told = failing.foreseen(Watch(), seen, -0.3, 1.0)
        assert told.shape == (len(failing.ORACLE),) == (12,)
        assert (abs(told) <= 1.0).all()
