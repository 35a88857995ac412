"""Episodes: the expert saws, partner and strokes are accounted for, hazards bite, and a policy that does nothing fails."""

from dataclasses import replace

import numpy as np
import pytest

from adapters.mujoco import episode, expert, layout
from adapters.mujoco.episode import Episode
from engine.policy import courses
from engine.policy.practice import demonstrate
from engine.types import Zone


@pytest.mark.parametrize("seed", [3, 41, 1001])
def test_the_expert_saws_ten_millimetres_on_the_line_in_time(seed: int) -> None:
    running = Episode(seed)
    while not running.done:
        running.follow(running.expert())
    outcome = running.outcome()
    assert outcome.success
    assert outcome.depth_m >= episode.SUCCESS_DEPTH
    assert outcome.lateral_m < 0.005
    assert outcome.strokes >= 7


def test_a_policy_that_stays_where_it_is_fails() -> None:
    running = Episode(3, duration=6.0)
    while not running.done:
        running.follow(np.zeros((16, 7), np.float32))
    outcome = running.outcome()
    assert not outcome.success
    assert outcome.depth_m == 0.0


def test_the_same_seed_is_the_same_episode_to_the_last_bit() -> None:
    first, second = Episode(5), Episode(5)
    for run in (first, second):
        for _ in range(10):
            run.follow(run.expert())
    assert np.array_equal(first.plant(), second.plant())


def test_the_expert_is_a_function_of_the_plant_vector_alone() -> None:
    running = Episode(8)
    for _ in range(12):
        running.follow(running.expert())
    np.testing.assert_array_equal(expert.expert_chunk(running.plant()), running.expert())


def test_strokes_are_counted_and_their_works_are_those_of_the_two_ends() -> None:
    running = Episode(2)
    for _ in range(48):
        running.follow(running.expert())
    saw = running.robot.read(0).saw
    assert saw.stroke_count >= 3
    assert saw.stroke_depth > 0.0
    assert saw.robot_work > 2.0
    assert saw.partner_work > 0.0
    assert abs(saw.phase_error) < 1.5
    assert saw.in_kerf
    assert saw.zone in (Zone.SOFT, Zone.KNOT, Zone.CRACKED)


def test_a_pinched_knot_sticks_the_saw_and_the_expert_frees_it() -> None:
    running = Episode(2)
    for _ in range(24):
        running.follow(running.expert())
    running.robot.hazard("knot_binds", 0.0)
    stuck = False
    while not running.done:
        running.follow(running.expert())
        stuck = stuck or running.robot.read(0).saw.stuck
    assert stuck
    assert not running.outcome().stuck


def test_samples_hold_one_moment_each() -> None:
    course = replace(courses.cosaw(), short_s=4.0, long_s=4.0)
    samples = demonstrate(course, ("saw", 11))
    count = len(samples.poses)
    assert samples.states.shape == (count, 9)
    assert samples.chunks.shape == (count, 16, 7)
    assert (samples.chunks[:, :, 6] == 1.0).all()
    line_y, line_dy = (samples.labels[:, course.sights.labels.index(name)] for name in ("line_y", "line_dy"))
    np.testing.assert_allclose(line_y - samples.states[:, 1], line_dy, atol=1e-6)
    assert np.abs(samples.chunks[:, :, :3]).max() < 0.3


@pytest.mark.parametrize("seed", range(3))
def test_a_wider_start_lies_outside_the_trained_range_and_a_usual_one_is_what_it_was(seed: int) -> None:
    def start(spread: float) -> tuple[float, float, float]:
        running = Episode(seed, spread=spread)
        drives, pose = running.robot.truth().cell.drives, running.pose()
        return abs(pose[0] - layout.STROKE_X), abs(pose[1] - drives.line_y), float(pose[2]) - drives.log_top

    near, far = start(1.0), start(1.5)
    bounds = (episode.START_ALONG, episode.START_ACROSS, episode.START_ABOVE[1])
    assert all(value <= bound + 1e-3 for value, bound in zip(near, bounds, strict=True))
    assert all(bound - 1e-3 <= value <= 1.5 * bound + 1e-3 for value, bound in zip(far, bounds, strict=True))
