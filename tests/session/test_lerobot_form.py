"""Frames, states and actions of a session, and back: right moments, right units, nothing made up."""

from pathlib import Path

import lerobot_material as arm
import numpy as np
import pytest

from engine.control.pose import error, moved
from engine.policy.mapping import COSAW
from engine.session.layout import SessionError
from engine.session.lerobot_form import actions, form_of, joint_targets, moments, readings, states, told_joints
from engine.session.reader import Session


@pytest.fixture(scope="module")
def waved(tmp_path_factory: pytest.TempPathFactory) -> Session:
    return Session.open(arm.record(tmp_path_factory.mktemp("waved"), "20260101-120000-aaaa", cameras=()))


def test_frames_are_the_newest_ticks_at_even_times_while_it_was_armed(waved: Session) -> None:
    found = moments(waved, 30)
    times = waved.times
    assert found.rows[0] == arm.ARMED[0]
    assert found.rows[-1] <= arm.ARMED[-1]
    assert len(found.rows) == (times[arm.ARMED[-1]] - times[arm.ARMED[0]]) * 30 // 10**9 + 1
    assert set(np.diff(found.t_ns)) == {33_333_333, 33_333_334}
    assert (times[found.rows] <= found.t_ns).all()
    assert (times[found.rows + 1] > found.t_ns).all()


def test_a_session_that_was_never_armed_goes_whole_and_one_without_two_frames_not_at_all(tmp_path: Path) -> None:
    path = arm.record(tmp_path, "20260101-120000-bbbb", cameras=(), ticks=15)
    never = Session.open(path)
    assert not never.rows("tick/armed").any()
    assert moments(never, 20).rows.tolist() == [0, 5, 10]
    with pytest.raises(SessionError, match="less than two frames at 5 a second"):
        moments(never, 5)


def test_no_frame_comes_before_the_first_picture(tmp_path: Path) -> None:
    session = Session.open(arm.record(tmp_path, "20260101-120000-aaaa", ticks=60, since=33))
    found = moments(session, 20)
    assert found.rows[0] == 40
    assert found.t_ns[0] == session.rows("camera/front/t_ns", 0, 1)[0]


def test_an_so101_is_told_in_lerobots_degrees_and_percent_open(waved: Session) -> None:
    form, found = form_of(waved), moments(waved, 20)
    assert form.robot_type == "so101_follower"
    assert form.state == form.action
    assert form.state[0] == "shoulder_pan.pos"
    assert form.state[-1] == "gripper.pos"
    now, later = found.rows[:-1], found.rows[1:]
    state = states(waved, form, now)
    assert state.dtype == np.float32
    np.testing.assert_allclose(state[:, :5], np.degrees(waved.rows("tick/q")[now]), atol=2e-5)
    np.testing.assert_allclose(state[:, 5], 100.0 * (1.0 - waved.rows("tick/gripper")[now]), atol=2e-5)
    assert told_joints(waved, later)
    action = actions(waved, form, found, told=True)
    np.testing.assert_allclose(action[:, :5], np.degrees(waved.rows("tick/spring_target")[later]), atol=2e-5)
    asked = waved.rows("tick/gripper_d")[later]
    assert np.isnan(asked).any()
    closed = np.where(np.isnan(asked), waved.rows("tick/gripper")[later], asked)
    np.testing.assert_allclose(action[:, 5], 100.0 * (1.0 - closed), atol=2e-5)
    measured = actions(waved, form, found, told=False)
    np.testing.assert_allclose(measured[:, :5], np.degrees(waved.rows("tick/q")[later]), atol=2e-5)


def test_what_was_told_comes_back_one_frame_later_in_si_units(waved: Session) -> None:
    form, found = form_of(waved), moments(waved, 20)
    now = found.rows[:-1]
    back = readings(form.mapping, states(waved, form, now))
    np.testing.assert_allclose(back["tick/q"], waved.rows("tick/q")[now], atol=3e-7)
    np.testing.assert_allclose(back["tick/gripper"], waved.rows("tick/gripper")[now], atol=3e-7)
    told = joint_targets(form.mapping, actions(waved, form, found, told=True))
    assert np.isnan(told["tick/spring_target"][0]).all()
    np.testing.assert_allclose(told["tick/spring_target"][1:], waved.rows("tick/spring_target")[now[1:]], atol=3e-7)


def test_another_robot_is_told_as_its_policies_are(tmp_path: Path) -> None:
    session = Session.open(arm.record(tmp_path, "20260101-120000-aaaa", robot="cosaw", cameras=(), ticks=100))
    form, found = form_of(session), moments(session, 20)
    assert form.mapping == COSAW
    assert form.state[:3] == ("tool_position.0", "tool_position.1", "tool_position.2")
    assert form.action == ("x", "y", "z", "rx", "ry", "rz", "grip")
    now, later = found.rows[:-1], found.rows[1:]
    state, action = states(session, form, now), actions(session, form, found, told=False)
    pose, force = session.rows("tick/pose")[now], session.rows("tick/wrench")[now]
    np.testing.assert_allclose(state, np.hstack([pose[:, :3], session.rows("tick/twist")[now][:, :3], force[:, :3]]), rtol=1e-6, atol=1e-7)
    wanted = session.rows("tick/pose_d")[later]
    for frame in (0, 7, len(now) - 1):
        unit = wanted[frame].copy()
        unit[3:] /= np.linalg.norm(unit[3:])
        assert np.abs(error(unit, moved(pose[frame], action[frame]))).max() < 1e-5


def test_a_robot_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    path = arm.record(tmp_path, "20260101-120000-cccc", robot="loom", cameras=(), ticks=15)
    with pytest.raises(SessionError, match="of the robot loom, of which this program knows no readings"):
        form_of(Session.open(path))
