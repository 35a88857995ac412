"""Hazards: drawn alike for a seed, within what a person can do, and judged by where the body truly is."""

import math
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.mujoco import distance, harm, hazards, layout, partner, person, plant
from adapters.mujoco.hazards import NAMED, Hazard, Hazards, Kind
from adapters.mujoco.robot import Cosaw
from engine.types import F64, PARTS

DT = 0.01
HAND = PARTS.index("free hand")


def motion(drawn: list[Hazard], seconds: float = hazards.SCENE) -> tuple[F64, F64]:
    """(ticks, 6, 2, 3) true axes, and (ticks, 6) m from the blade, of a person who saws along at 0.25 m/s at most."""
    cell = plant.fresh(0)
    cell.hazards = Hazards()
    for hazard in drawn:
        cell.hazards.add(hazard)
    axes, apart = [], []
    for i in range(round(seconds / DT)):
        x = layout.STROKE_X + layout.STROKE_REACH * math.sin(2.4 * i * DT)
        tool = (x, 0.0, cell.drives.log_top)
        body = person.body(cell, i * DT, (x + layout.HANDLE_AHEAD, 0.0, tool[2] + layout.HANDLE_UP))
        axes.append(body)
        apart.append([distance.level(body, tool, part) for part in range(len(PARTS))])
    return np.array(axes), np.array(apart)


def speeds(axes: F64) -> F64:
    """(ticks - 1, 6) m/s, of each part's faster end."""
    found: F64 = np.linalg.norm(np.diff(axes, axis=0), axis=-1).max(axis=-1) / DT
    return found


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_drawn_hazards_keep_to_what_a_person_can_do(seed: int) -> None:
    axes, apart = motion(list(hazards.draw(seed)))
    assert speeds(axes)[:, :2].max() <= 0.6
    hands = speeds(axes[:, (HAND, HAND + 2), 1:])  # an arm that straightens flicks its elbow
    assert hands.max() <= 2.0
    far = apart[1:, HAND] > 0.5
    assert hands[far, 0].max() <= 1.6
    jerky = np.linalg.norm(np.diff(axes, 2, axis=0), axis=-1).max(axis=-1) / DT**2
    assert jerky[:, :2].max() <= 3.0
    assert jerky[:, 3].max() <= 25.0


@pytest.mark.parametrize("name", ["hand_reaches", "handle_hand_reaches", "lets_go", "leans_in"])
def test_a_movement_begins_and_ends_where_the_person_stood(name: str) -> None:
    axes, _ = motion([replace(NAMED[name], at=1.0)])
    still, _ = motion([])
    np.testing.assert_array_equal(axes[:100], still[:100])
    np.testing.assert_array_equal(axes[-1], still[-1])
    assert np.abs(axes[250] - still[250]).max() > 0.1


def test_the_same_seed_draws_the_same_scene_and_seeds_draw_every_kind() -> None:
    assert hazards.draw(5) == hazards.draw(5)
    scenes = [hazards.draw(seed) for seed in range(300)]
    assert {hazard.kind for scene in scenes for hazard in scene} == set(Kind)
    assert all(1 <= len(scene) <= hazards.SLOTS for scene in scenes)
    assert all(0.0 < hazard.at < hazards.SCENE for scene in scenes for hazard in scene)


def test_many_drawn_reaches_would_touch_the_blade_if_nothing_stopped_it() -> None:
    touching = (seed for seed in range(24) if motion(list(hazards.draw(seed)))[1].min() <= 0.0)
    assert len(list(islice(touching, 8))) == 8


def test_a_trunk_leans_over_the_blade() -> None:
    _, apart = motion([replace(NAMED["leans_in"], at=1.0, depth=0.40)])
    assert apart[:, :2].min() < 0.10 < 0.3 < apart[0, :2].min()


def test_harm_is_where_the_truth_touches_the_blade_and_how_fast_the_blade_is_there() -> None:
    robot = Cosaw(0)
    robot.place(0.0, 0.55, (layout.STROKE_X, 0.0, 0.55))
    clear = harm.harm(robot, harm.placed(robot))
    assert not clear.contact
    assert clear.part == PARTS.index("handle hand")
    assert clear.speed < 1e-6
    robot.endanger([replace(NAMED["hand_reaches"], at=0.0, across=-0.02, speed=2.0, stay=3.0)])
    for _ in range(200):
        before = harm.placed(robot)
        robot.advance(DT)
    touched = harm.harm(robot, before)
    assert touched.contact
    assert touched.part == HAND
    tool, _ = robot.tool()
    place = (float(tool[0]), float(tool[1]), float(tool[2]))
    assert touched.distance == pytest.approx(
        distance.level(person.body(robot.truth().cell, robot.time, robot.grip()), place, HAND), abs=0.01
    )


def test_of_all_parts_that_touch_the_blade_the_one_it_is_fastest_at_is_judged() -> None:
    robot = Cosaw(0)
    robot.place(0.0, 0.55, (layout.STROKE_X, 0.0, 0.55))
    free = replace(NAMED["hand_reaches"], at=0.0, along=layout.STROKE_X, across=-0.02, speed=2.0, stay=3.0)
    other = replace(NAMED["handle_hand_reaches"], at=0.0, across=0.05, speed=2.0, stay=3.0)  # less deep, and towards the blade's end
    robot.endanger([free, other])
    for _ in range(250):
        robot.advance(DT)
    angle = 0.01
    cos, sin = math.cos(angle), math.sin(angle)
    found = harm.harm(robot, harm.Placed(robot.tool()[0].copy(), [cos, -sin, 0.0, sin, cos, 0.0, 0.0, 0.0, 1.0]))
    assert (found.contact, found.part) == (True, HAND)
    assert found.speed > 0.2 * angle / DT, "the blade turned on the spot: it hardly moved under the hand at its middle"


def test_the_speed_at_the_blade_is_that_of_the_rigid_saw_there() -> None:
    robot = Cosaw(0)
    robot.place(0.0, 0.55, (layout.STROKE_X, 0.0, 0.60))
    robot.hazard("pulls_hard", 0.0)
    for _ in range(15):
        before = harm.placed(robot)
        robot.advance(DT)
    _, twist = robot.tool()
    speed = harm.harm(robot, before).speed
    assert speed == pytest.approx(float(np.linalg.norm(twist[:3])), rel=0.3)
    assert speed > 0.05


def test_a_hard_pull_is_limited_in_force_and_in_reach() -> None:
    robot = Cosaw(2)
    robot.place(0.0, 0.55, (layout.STROKE_X, 0.0, 0.65))
    robot.hazard("pulls_hard", 0.1)
    forces, places = [], []
    for _ in range(200):
        robot.advance(DT)
        forces.append(robot.read(1).grip[0])
        places.append(robot.grip()[0] - layout.STROKE_X - layout.HANDLE_AHEAD)
    assert 100.0 < max(forces) <= 150.5
    assert max(places) < partner.STRONG_REACH + 0.02


def test_a_hand_that_lets_go_pulls_no_more_and_takes_hold_again() -> None:
    robot = Cosaw(2)
    robot.place(0.0, 0.55, (layout.STROKE_X, 0.0, 0.65))
    robot.hazard("handle_hand_reaches", 0.1)
    held = []
    for _ in range(700):
        robot.advance(DT)
        held.append(robot.read(1).saw.partner_holding)
    first = held.index(False)
    assert first <= 11
    assert held[-1]
    assert not any(held[first : first + 200])


def test_an_unknown_hazard_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="earthquake"):
        Hazards().start("earthquake", 0.0)
