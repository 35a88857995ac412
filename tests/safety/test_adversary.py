"""What must hold against a configuration at its edge, a storm of requests, a drive that runs away, and a sensor that says less."""

import pytest

from engine.limits import Limits
from engine.types import LAYERS, PARTS, StopCategory, StopKind, Writer

from .conftest import SENSING, STANDING, World, flat, sawing_world

SEPARATION = LAYERS.index("separation")
RUNAWAY = (0.0, 0.35, 0.0, 0.0, 0.0, 0.0)  #: m/s, across: nothing gives way there on purpose


def hand_on_the_blade() -> tuple[float, ...]:
    parts = list(STANDING)
    parts[PARTS.index("free hand")] = ((0.62, 0.0, 0.64), (0.62, 0.0, 0.64))
    return flat(parts)


def storm(world: World, ticks: int, **once: object) -> StopCategory:
    for _ in range(ticks):
        counts = list(world.now.get("stop_page", (0,) * 8))  # type: ignore[call-overload]
        counts[Writer.SHELL] += 1
        world.now["stop_page"] = tuple(counts)
        decision = world.step(**once)
    return StopCategory(decision.stop_category)


def test_limits_under_which_no_layer_could_stop_are_refused() -> None:
    with pytest.raises(ValueError, match=r"stop_below must be more than 0\.1"):
        Limits(stop_below=0.1)


def test_requests_that_keep_coming_do_not_keep_a_moving_robot_in_the_mildest_category() -> None:
    assert storm(sawing_world(SENSING), 100, twist=RUNAWAY) < StopCategory.CAT2


def test_an_armed_robot_told_to_stand_is_watched_for_standing() -> None:
    world = sawing_world(SENSING)
    world.ask("pause_request")
    world.run(100)
    assert world.run(300, twist=RUNAWAY).stop_kind != StopKind.NONE


def test_a_blade_without_a_stop_that_somebody_may_reach_does_not_give_way_to_the_other_hand() -> None:
    world = sawing_world(SENSING)
    world.ask("disarm_request")
    world.run(100)
    decision = world.run(300, person_place=hand_on_the_blade(), twist=(0.24, 0.0, 0.0, 0.0, 0.0, 0.0), grip=(40.0, 0.0, 0.0))
    assert decision.stop_category in (StopCategory.CAT1, StopCategory.CAT0)


def test_a_hand_seen_on_the_blade_counts_though_the_handle_still_feels_one() -> None:
    world = sawing_world(SENSING)
    parts = list(STANDING)
    parts[PARTS.index("handle hand")] = ((0.62, 0.0, 0.64), (0.62, 0.0, 0.64))
    assert not world.run(50, person_place=flat(parts), grip=(0.0, 0.0, 0.0)).going


def test_a_person_placed_where_none_can_be_is_not_believed() -> None:
    world = sawing_world(SENSING)
    millimetres = tuple(1000.0 * value for value in flat(STANDING))
    assert not world.run(50, person_place=millimetres).going
