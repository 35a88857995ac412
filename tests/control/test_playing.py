"""Playing a motion: never faster than asked or permitted, from the measured joints, on after letting go, waiting for an arm that lags."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.mujoco.tabletop.kinematics import Kinematics
from adapters.mujoco.tabletop.so101 import SO101
from engine.control import playing
from engine.control.motion import LEVER
from engine.control.playing import DRAWN, GENTLE, WAITS, Motion, Play, Step
from engine.control.pose import Floats, error, length

DT = 0.01
NAN = math.nan
ARM = Kinematics(SO101)
HOME = (0.0, -0.2, 0.2, 1.4, -1.5)
THERE = Motion("there", (Step((0.4, -0.5, 0.5, 1.0, -1.2), 0.8, 2.0),))
AND_BACK = Motion("back", (*THERE.steps, Step(HOME, 0.2, 1.5)))

joints = st.tuples(*[st.floats(-1.2, 1.2)] * 5)
steps = st.builds(Step, joints, st.floats(0.0, 1.0), st.sampled_from((0.0, 0.3, 1.0, 3.0)))
motions = st.builds(Motion, st.just("any"), st.lists(steps, min_size=1, max_size=3).map(tuple))


def tool_at(q: Floats) -> Floats:
    return ARM.pose(np.array(q))


def way(a: Floats, b: Floats) -> float:
    """m that the tool's fastest point goes between joints."""
    apart = error(tool_at(b), tool_at(a))
    return length(apart[:3]) + LEVER * length(apart[3:])


def on(play: Play | None, motion: Motion, q: Floats, gripper: float = 0.5, speed: float = 100.0) -> Play:
    """One tick."""
    following = playing.played(play, motion, q=q, gripper=gripper, tool_at=tool_at, speed=speed, dt=DT)
    assert following is not None
    return following


def to_the_end(motion: Motion, q: Floats, play: Play | None = None, speed: float = 100.0, most: int = 3000) -> list[Play]:
    """The plays of an arm that follows at once."""
    plays: list[Play] = []
    while not (play is not None and playing.done(play, motion)):
        play = on(play, motion, q, speed=speed)
        q = playing.target(play, motion)[:-1]
        plays.append(play)
        assert len(plays) < most
    return plays


@settings(max_examples=15, deadline=None)
@given(motion=motions, q=joints, speed=st.floats(0.02, 0.3), up=st.sets(st.integers(0, 120)), off=st.floats(-0.1, 0.1))
def test_no_joint_and_no_point_of_the_tool_is_ever_faster_than_asked(motion, q, speed, up, off):
    play, at = None, (*q, 0.5)
    for tick in range(120):
        here = at[:-1]
        if play is not None and tick in up:
            play, here = playing.let_go(play), tuple(angle + off for angle in at[:-1])
            at = (*here, at[-1])
        most = play.fastest if play is not None else GENTLE
        play = on(play, motion, here, at[-1], speed)
        after = playing.target(play, motion)
        assert max(abs(b - a) for a, b in zip(at[:-1], after[:-1], strict=True)) <= 1.02 * max(most, DRAWN) * DT + 1e-12
        assert way(at[:-1], after[:-1]) <= 1.02 * speed * DT + 1e-12
        at = after


@settings(max_examples=20, deadline=None)
@given(q=joints, gripper=st.floats(0.0, 1.0))
def test_it_begins_where_the_arm_is_and_as_the_gripper_is_told(q, gripper):
    play = on(None, AND_BACK, q, gripper)
    assert playing.target(play, AND_BACK) == pytest.approx((*q, gripper), abs=1e-4)
    assert play.start == (*q, gripper)


def test_a_step_takes_its_seconds_and_a_pose_as_long_as_is_gentle():
    plays = to_the_end(AND_BACK, HOME)
    first = [play for play in plays if play.step == 0]
    assert len(first) == pytest.approx(200, abs=2)
    assert len(plays) - len(first) == pytest.approx(150, abs=2)
    pose = replace(THERE, steps=(THERE.steps[0]._replace(seconds=0.0),))
    q, fastest = HOME, 0.0
    for play in to_the_end(pose, HOME):
        after = playing.target(play, pose)[:-1]
        fastest = max(fastest, *(abs(b - a) / DT for a, b in zip(q, after, strict=True)))
        q = after
    assert fastest == pytest.approx(GENTLE, rel=0.01)


def test_the_first_step_of_a_macro_is_gentle_however_far_it_is():
    hasty = Motion("hasty", (Step((-1.5, 1.5, -1.5, -1.4, 2.0), 0.5, 0.2),))
    assert on(None, hasty, HOME).fastest == pytest.approx(GENTLE)


def test_it_ends_at_its_last_place_and_stays():
    play = to_the_end(AND_BACK, HOME)[-1]
    assert playing.target(play, AND_BACK) == (*HOME, 0.2)
    assert on(play, AND_BACK, HOME) == play
    assert on(playing.let_go(play), AND_BACK, HOME).step == 2


def test_what_was_let_go_goes_on_from_where_the_arm_is_by_then():
    play, q = None, HOME
    for _ in range(90):
        play = on(play, AND_BACK, q)
        q = playing.target(play, AND_BACK)[:-1]
    assert play is not None
    share, moved = play.share, tuple(angle + 0.12 for angle in q)
    again = on(playing.let_go(play), AND_BACK, moved)
    assert again.start[:-1] == moved
    assert again.share == pytest.approx(share, abs=0.01)
    assert playing.target(again, AND_BACK)[:-1] == pytest.approx(moved, abs=again.fastest * DT)
    assert playing.target(to_the_end(AND_BACK, moved, again)[-1], AND_BACK) == (*HOME, 0.2)


def test_short_presses_come_to_the_end_too():
    play, q = None, HOME
    for _ in range(100):
        for _ in range(10):
            play = on(play, THERE, q)
            q = playing.target(play, THERE)[:-1]
        play = playing.let_go(play)
    assert playing.done(play, THERE)


@pytest.mark.parametrize("joint", [1, 4])
def test_it_waits_for_a_joint_that_is_held_up_and_goes_on_once_it_is_free(joint):
    play, q = None, HOME
    for _ in range(400):
        play = on(play, THERE, q)
        told = playing.target(play, THERE)[:-1]
        assert abs(told[joint - 1] - HOME[joint - 1]) < WAITS + play.fastest * DT
        q = tuple(HOME[i] if i == joint - 1 else angle for i, angle in enumerate(told))
    assert play.behind == joint
    assert not playing.done(play, THERE)
    plays = to_the_end(THERE, playing.target(play, THERE)[:-1], play)
    assert plays[0].behind == 0


@pytest.mark.parametrize(
    "changed",
    [*({"q": (*HOME[:i], bad, *HOME[i + 1 :])} for i, bad in ((0, NAN), (4, math.inf))), {"q": HOME[:4]}, {"q": (*HOME, 0.0)}]
    + [{"speed": speed} for speed in (0.0, -1.0, NAN, math.inf)],
)
def test_what_is_no_number_moves_nothing(changed):
    play = on(on(None, THERE, HOME), THERE, HOME)
    call = {"q": HOME, "gripper": 0.5, "tool_at": tool_at, "speed": 0.1, "dt": DT}
    assert playing.played(play, THERE, **(call | changed)) == play
    if "q" in changed:
        assert playing.played(None, THERE, **(call | changed)) is None


def test_a_tool_that_is_nowhere_moves_nothing():
    play = on(None, THERE, HOME)
    lost = playing.played(play, THERE, q=HOME, gripper=0.5, tool_at=lambda q: (NAN,) * 7, speed=0.1, dt=DT)
    assert lost is not None
    assert lost.spent == play.spent


def test_an_arm_without_a_gripper_is_told_none():
    bare = Motion("bare", (Step(THERE.steps[0].q, NAN, 0.0),))
    play = on(None, bare, HOME, NAN)
    assert math.isnan(playing.target(play, bare)[-1])
    assert playing.target(to_the_end(bare, HOME)[-1], bare)[:-1] == THERE.steps[0].q
