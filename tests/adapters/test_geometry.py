"""Where the person stands: far enough for separation to leave a sawing speed everywhere, near enough to hold the handle."""

import math
from itertools import product

import numpy as np
import pytest

from adapters.mujoco import distance, layout, person, plant
from adapters.mujoco.hazards import Hazards
from engine.limits import Limits
from engine.types import PARTS

LIMITS = Limits()
SAWING = 0.24  #: m/s
REACTION = 0.14  #: s: latency, a period and an exposure missed, and the control's share
BINDING = PARTS[:4]
STROKE = np.linspace(-layout.STROKE_REACH, layout.STROKE_REACH, 9)


def protective(speed: float, approach: float) -> float:
    """m, S_p of ISO/TS 15066:2016, 5.5.4.2.3."""
    stop = speed / LIMITS.braking
    allowance = LIMITS.intrusion + LIMITS.person_error + LIMITS.robot_error
    return approach * (REACTION + stop) + speed * REACTION + speed * stop / 2.0 + allowance


def standing(line: float, top: float) -> plant.Cell:
    cell = plant.fresh(0)
    cell.drives = plant.Drives(line, line, top, top)
    cell.hand.stand_y = line
    cell.hazards = Hazards()
    return cell


@pytest.mark.parametrize(("line", "top", "kerf"), product((-0.40, -0.2, 0.0, 0.2, 0.40), layout.LOG_TOP, (0.0, 0.08)))
def test_the_cell_leaves_a_sawing_speed_at_every_line_height_depth_and_place_of_the_stroke(line: float, top: float, kerf: float) -> None:
    cell = standing(line, top)
    for dx in STROKE:
        tool = (layout.STROKE_X + dx, line, top - kerf)
        grip = (tool[0] + layout.HANDLE_AHEAD, line, tool[2] + layout.HANDLE_UP)
        body = person.body(cell, 0.0, grip)
        for part, name in enumerate(BINDING):
            apart = distance.level(body, tool, part)
            speed = LIMITS.body_speed_min if name in ("head", "torso") else LIMITS.person_speed
            assert apart >= protective(SAWING, speed), (name, dx, apart)
            assert name in ("head", "torso") or apart > LIMITS.hand_near + 0.05


@pytest.mark.parametrize("top", layout.LOG_TOP)
def test_the_arm_reaches_the_handle_over_the_whole_stroke_and_bends_at_its_own_lengths(top: float) -> None:
    cell = standing(0.0, top)
    for dx in STROKE:
        grip = (layout.STROKE_X + dx + layout.HANDLE_AHEAD, 0.0, top + layout.HANDLE_UP)
        shoulder, elbow, hand = person.posture(cell, 0.0, grip).handle
        assert hand == grip
        assert math.dist(shoulder, elbow) == pytest.approx(person.UPPER_ARM, abs=1e-6)
        assert math.dist(elbow, hand) == pytest.approx(person.FOREARM, abs=1e-3)


def test_a_fist_on_the_handle_is_clear_of_the_blade() -> None:
    cell = standing(0.0, 0.55)
    for dx in STROKE:
        tool = (layout.STROKE_X + dx, 0.0, 0.55)
        body = person.body(cell, 0.0, (tool[0] + layout.HANDLE_AHEAD, 0.0, tool[2] + layout.HANDLE_UP))
        assert distance.level(body, tool, PARTS.index("handle hand")) > 0.01


@pytest.mark.parametrize(
    ("start", "end", "apart"),
    [
        ((0.5, 0.0, 0.0), (0.6, 0.0, 0.0), 0.5 - layout.BLADE_AHEAD),
        ((-0.1, -0.2, 0.04), (0.1, 0.3, 0.04), 0.0),
        ((0.0, 0.3, 0.5), (0.0, 0.3, -0.5), 0.3),
        ((0.0, 0.4, 0.5), (0.0, -0.2, 0.5), 0.5 - layout.BLADE_HEIGHT),
        ((0.1, 0.2, -0.3), (0.1, 0.2, -0.3), math.hypot(0.2, 0.3)),
    ],
)
def test_the_distance_of_a_limb_to_the_blade_is_exact(
    start: tuple[float, float, float], end: tuple[float, float, float], apart: float
) -> None:
    assert distance.to_blade(start, end)[0] == pytest.approx(apart, abs=1e-6)
    assert distance.to_blade(end, start)[0] == pytest.approx(apart, abs=1e-6)
    assert distance.at_least(start, end) <= apart + 1e-9
