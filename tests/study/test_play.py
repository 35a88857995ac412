"""Scenes on the real engine: a study can fail, and what it counts is the simulation's truth."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from adapters.mujoco import hazards
from adapters.mujoco.hazards import Hazard
from engine.limits import Limits
from engine.study import gains, trouble
from engine.study.harms import CONTACT
from engine.study.plan import Outcome, Plan
from engine.study.play import Lent, play
from engine.study.trouble import Kind

REACH = (replace(hazards.NAMED["handle_hand_reaches"], at=3.0),)


def plan(**changes: object) -> Plan:
    fields: dict[str, object] = {"study": "safety", "seed": 3, "seconds": 6.0, "policy": "scripted", "pixels": 64}
    return Plan(**(fields | changes))


@pytest.fixture(scope="module")
def lent() -> Lent:
    return Lent(plan())


@pytest.fixture(scope="module")
def whole(lent: Lent) -> Outcome:
    return play(plan(), lent, REACH)


def test_the_whole_arbiter_stops_before_a_hand_that_reaches_for_the_blade(whole: Outcome) -> None:
    assert whole.harms == {}
    assert whole.contact_speed < 0.01
    assert "separation" in whole.stops
    assert whole.going_s > 1.0
    assert whole.depth_mm > 0.0
    assert whole.scene == ("handle_hand_reaches at 3.0 s",)


def test_an_engine_that_ignores_separation_touches_the_person_in_the_same_scene(lent: Lent, whole: Outcome) -> None:
    blind = play(plan(without="separation"), lent, REACH)
    assert blind.harms.get(CONTACT, 0) >= 1
    assert blind.contact_speed > 0.05
    assert blind.going_s > whole.going_s


def test_the_same_plan_gives_the_same_outcome(lent: Lent) -> None:
    short: Sequence[Hazard] = ()
    one, other = (play(plan(seconds=2.5, study="ablation"), lent, short) for _ in range(2))
    assert one == other


def test_troubles_of_a_scene_follow_each_other_and_every_kind_is_drawn() -> None:
    drawn = [trouble.draw(seed, 15.0) for seed in range(50)]
    assert {one.kind for scene in drawn for one in scene} == set(Kind)
    for scene in drawn:
        assert all(before.ends <= after.at for before, after in pairwise(scene))
        assert all(one.at >= 2.0 and one.ends <= 15.0 for one in scene)


def test_a_tank_that_never_runs_dry_has_room_for_it() -> None:
    assert gains.limits_of("score+tank", Limits()) == Limits()
    assert gains.limits_of("fixed-high", Limits()).tank_max > gains.ENDLESS
