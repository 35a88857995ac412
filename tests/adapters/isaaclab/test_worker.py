"""The real worker: what it refuses, its steps, its stop, what presses on it, what it tells and shows, and how it ends."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.base import AdapterError
from adapters.isaaclab import compare, known, launch, shared
from adapters.mujoco import layout
from adapters.mujoco.tabletop import servos, so101_model, table, tasks
from adapters.mujoco.tabletop.kinematics import Kinematics
from adapters.mujoco.tabletop.so101 import PAN_X, SO101
from adapters.mujoco.tabletop.truth import REACH_ABOVE
from engine.control import pose as poses
from tests.adapters.isaaclab.driving import HANDSHAKE, WITHIN, Driver

SIDE = Path(__file__).with_name("wrapper_side.py")
HOME = np.array(known.HOME)
PIXELS = 64
EVERY = 4  #: steps between two exposures
PUSH = 8.0  #: N
FINE = round(known.STEP_S / layout.PHYSICS_S)  #: physics steps of a step, as so101-sim has them
#: The other console: it opens a link and lives, and does nothing else.
CONSOLE = """
import json, sys, time
from adapters.isaaclab import shared
link = shared.create(sys.argv[1], json.loads(sys.argv[2]))
while True:
    link.beat()
    said = link.said(shared.clock_ns()) or {}
    print(json.dumps({"peer": link.peer, "ready": bool(said.get("ready")), "error": said.get("error", "")}), flush=True)
    time.sleep(0.05)
"""


@pytest.fixture(scope="module")
def demonstrated() -> Any:
    return compare.demonstrate("reach", 0)


@pytest.fixture(scope="module")
def lockstep(driven: Callable[..., Driver], demonstrated: Any) -> Any:
    commands, _ = demonstrated
    return driven(start=commands.start, cameras=dict.fromkeys(known.VIEWS, (PIXELS, PIXELS)), camera_every=EVERY, decimation=FINE)


@pytest.fixture(scope="module")
def repeated(lockstep: Driver, demonstrated: Any) -> Any:
    """The demonstration's commands, the first that this worker gets: (the state before, where everything went)."""
    commands, _ = demonstrated
    first = lockstep.state
    return first, compare.repeat(lockstep, commands)


@pytest.fixture(scope="module")
def running(driven: Callable[..., Driver]) -> Any:
    return driven(pace="clock", cameras=dict.fromkeys(known.VIEWS, (32, 32)), camera_every=1)


def tool(state: Any) -> Any:
    """(3,) m, by the pose that the worker tells."""
    pose = state["pose"][0]
    return pose[:3] + poses.turned(pose[3:], known.TIP)


# --- what both simulators know ---


def test_what_is_known_is_as_so101_sim_has_it() -> None:
    assert SO101.home == known.HOME
    assert (known.JAW_OPEN, known.JAW_CLOSED) == (servos.JAW_OPEN, servos.JAW_CLOSED)
    assert (known.STIFFNESS, known.TORQUE) == (servos.KP, servos.TORQUE)
    assert (known.JAW_TORQUE, known.TIP) == (so101_model.JAW_TORQUE, so101_model.TIP)
    assert (2.0 * SO101.cube_half, SO101.cube_mass) == (known.CUBE, known.CUBE_MASS)
    assert (SO101.cubes.x, SO101.cubes.y, SO101.cube_turn, PAN_X) == (known.CUBES_X, known.CUBES_Y, known.CUBE_TURN, known.PAN_X)
    assert (SO101.lift, tasks.WITHIN, SO101.cube_half + REACH_ABOVE) == (known.LIFTED, known.WITHIN, known.ABOVE)
    assert SO101.views == known.VIEWS
    for task in known.KNOWN.values():
        if task.does in tasks.CONDITIONS:
            assert (known.HELD_S, task.seconds) == (tasks.CONDITIONS[task.does][1], tasks.DURATION[task.does])


def test_the_model_that_so101_sim_steps_is_the_worker_s() -> None:
    model = table.plant_model(SO101)
    names = (*known.JOINTS, so101_model.JAW)
    joints = [model.joint(name) for name in names]
    for joint in joints:
        assert (joint.damping[0], joint.frictionloss[0], joint.armature[0]) == (known.DAMPING, known.FRICTION, known.ARMATURE)
    ranges = {name: joint.range for name, joint in zip((*known.USD_JOINTS, known.USD_JAW), joints, strict=True)}
    for name, limits in known.LIMITS.items():
        np.testing.assert_allclose(limits, ranges[name], atol=1e-5)
    np.testing.assert_allclose(known.ROLL_ZERO, model.body("gripper").quat, atol=1e-6)
    for body, name in (("gripper", "pad:fixed"), ("jaw", "pad:moving")):
        pad, (half, place, turn) = model.geom(name), known.PADS[body]
        np.testing.assert_allclose(half, pad.size)
        np.testing.assert_allclose(place, pad.pos)
        np.testing.assert_allclose(turn, pad.quat, atol=1e-4)
        assert_touches(pad, known.PADS_TOUCH)
    for name in ("cube:cube", "table:top"):
        assert_touches(model.geom(name), known.THINGS_TOUCH)


def assert_touches(geom: Any, how: Any) -> None:
    assert geom.condim[0] == known.CONDIM
    np.testing.assert_allclose(geom.friction, (how["friction"], how["torsional"], how["rolling"]))
    np.testing.assert_allclose(geom.solref, how["solref"])
    np.testing.assert_allclose(geom.solimp, how.get("solimp", (0.9, 0.95, 0.001, 0.5, 2.0)))
    assert geom.priority[0] == how.get("priority", 0)


# --- what it refuses ---


def test_another_version_of_the_link_is_refused_on_both_sides(
    driven: Callable[..., Driver], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real = shared.VERSION
    monkeypatch.setattr(shared, "VERSION", real + 1)
    with pytest.raises(AdapterError, match=rf"speaks version {real + 1}, this one {real}: update") as found:
        driven()
    log = next(word for word in str(found.value).split() if word.endswith("log`")).rstrip("`")
    assert f"speaks version {real + 1}, this one {real}" in Path(log).read_text()


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"task": "Isaac-SO-ARM101-Dance-v0"}, r"There is no task 'Isaac-SO-ARM101-Dance-v0'; there are .*Isaac-SO-ARM101-Reach-v0"),
        ({"joints": ["a", "b"]}, r"differ in joints: \['shoulder_pan', .*\] here, \['a', 'b'\] there"),
    ],
)
def test_what_it_does_not_have_is_refused_with_a_sentence(driven: Callable[..., Driver], asked: dict[str, Any], told: str) -> None:
    with pytest.raises(AdapterError, match=told):
        driven(**asked)


# --- the same physics ---


def test_it_begins_where_it_was_told_to(repeated: Any, demonstrated: Any) -> None:
    first, _ = repeated
    start = demonstrated[0].start
    np.testing.assert_allclose(first["q"][0], start["joints"], atol=1e-6)
    np.testing.assert_allclose(first["object"][0], start["cube"], atol=1e-6)
    assert first["gripper"][0] == pytest.approx(start["gripper"], abs=1e-6)
    np.testing.assert_allclose(tool(first), Kinematics(SO101).pose(np.array(start["joints"]))[:3], atol=1e-4)


def test_the_same_commands_move_it_as_they_move_so101_sim(repeated: Any, demonstrated: Any) -> None:
    found = compare.Comparison("reach", 0, known.STEP_S / FINE, demonstrated[1], repeated[1])
    assert np.ptp(found.mujoco.tool, axis=0).max() > 0.02
    assert max(gap.largest for gap in found.joints().values()) < 2e-4
    assert found.tool().largest < 1e-4
    assert found.cube().largest < 1e-4


def test_it_tells_success_when_so101_sim_does(repeated: Any, demonstrated: Any) -> None:
    here, there = demonstrated[1].done_at, repeated[1].done_at
    assert here > known.HELD_S
    assert there == pytest.approx(here, abs=1.5 * known.STEP_S)


# --- steps ---


def test_each_command_is_one_step(lockstep: Driver, repeated: Any) -> None:
    number, time_ = lockstep.message.number, float(lockstep.state["time"])
    for count in range(1, 11):
        lockstep.step(HOME)
        assert lockstep.message.number == number + count
        assert float(lockstep.state["time"]) == pytest.approx(time_ + count * known.STEP_S, abs=1e-6)


def test_a_reset_begins_an_episode_that_its_seed_draws(lockstep: Driver, repeated: Any) -> None:
    seen = []
    for seed in (5, 6, 5):
        lockstep.step(HOME + 0.1, times=10)
        episode = int(lockstep.state["episode"][0])
        lockstep.reset(seed)
        state = lockstep.state
        assert int(state["episode"][0]) == episode + 1
        np.testing.assert_allclose(state["q"][0], HOME, atol=1e-3)
        np.testing.assert_allclose(tool(state), Kinematics(SO101).pose(HOME)[:3], atol=1e-3)
        assert not state["success"][0]
        seen.append(state["object"][0])
    x, y = zip(*(one[:2] for one in seen), strict=True)
    assert known.CUBES_X[0] <= min(x) <= max(x) <= known.CUBES_X[1]
    assert known.CUBES_Y[0] <= min(y) <= max(y) <= known.CUBES_Y[1]
    np.testing.assert_allclose(seen[2], seen[0], atol=1e-6)
    assert np.abs(seen[1][:2] - seen[0][:2]).max() > 0.003


def test_the_jaw_stays_open_in_a_new_episode_until_it_is_commanded(lockstep: Driver, repeated: Any) -> None:
    lockstep.step(HOME, times=30, gripper=[1.0])
    assert lockstep.state["gripper"][0] > 0.8
    lockstep.reset(4)
    lockstep.step(HOME, times=30)
    assert lockstep.state["gripper"][0] == pytest.approx(0.0, abs=0.01)
    lockstep.step(HOME, times=60, gripper=[0.5])
    lockstep.step(HOME, times=30)
    assert lockstep.state["gripper"][0] == pytest.approx(0.5, abs=0.02)


def test_a_force_that_goes_on_presses_in_a_new_episode_too(lockstep: Driver, repeated: Any) -> None:
    force = np.array([[PUSH, 0.0, 0.0]])
    lockstep.reset(4)
    rest = tool(lockstep.state)
    for _ in range(2):
        lockstep.step(HOME, times=60, force=force)
        assert tool(lockstep.state)[0] - rest[0] > 0.003
        lockstep.reset(4)


def test_a_stop_holds_the_joints_in_lock_step_too(lockstep: Driver, repeated: Any) -> None:
    link = lockstep.link
    lockstep.reset(4)
    lockstep.step(HOME, times=50)
    number, stood = link.stop(), lockstep.state["q"][0]
    lockstep.step(HOME + 0.2, times=50)
    np.testing.assert_allclose(lockstep.state["q"][0], stood, atol=0.05)
    link.clear(number)
    lockstep.step(HOME + 0.2, times=50)
    assert np.abs(lockstep.state["q"][0] - stood).max() > 0.15


def test_the_end_effector_s_state_is_where_so101_sim_s_kinematics_have_it(lockstep: Driver, repeated: Any) -> None:
    kinematics = Kinematics(SO101)
    lockstep.reset(4)
    before, way = lockstep.state["pose"][0], np.zeros(3)
    for share in np.linspace(0.0, 1.0, 40):
        lockstep.step(HOME + share * np.array([0.4, 0.2, -0.2, 0.2, 0.5]))
        state = lockstep.state
        way += state["delta"][0, :3]
        expected = kinematics.pose(state["q"][0])
        np.testing.assert_allclose(tool(state), expected[:3], atol=2e-4)
    moved = state["pose"][0] - before
    assert np.abs(moved[:3]).max() > 0.03
    np.testing.assert_allclose(way, moved[:3], atol=1e-5)
    hand = np.array(poses.turned(state["pose"][0, 3:], (0.0, 0.0, -1.0)))
    np.testing.assert_allclose(hand, -np.array(poses.turned(expected[3:], (0.0, 0.0, 1.0))), atol=2e-3)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_push_moves_it_along_and_it_comes_back(lockstep: Driver, repeated: Any, axis: int) -> None:
    lockstep.reset(4)
    lockstep.step(HOME, times=100)
    rest, torque = tool(lockstep.state), lockstep.state["tau"][0]
    force = np.zeros((1, 3))
    force[0, axis] = PUSH
    lockstep.step(HOME, times=100, force=force)
    moved = tool(lockstep.state) - rest
    assert 0.005 < moved[axis] < 0.030
    assert int(np.abs(moved).argmax()) == axis
    lockstep.step(HOME, times=100)
    assert np.linalg.norm(tool(lockstep.state) - rest) < 0.002
    np.testing.assert_allclose(lockstep.state["tau"][0], torque, atol=0.11)  # twice the joints' dry friction


def test_the_pictures_show_the_table_from_three_sides(lockstep: Driver, repeated: Any) -> None:
    lockstep.reset(4)
    lockstep.step(HOME, times=EVERY)
    frame = lockstep.link.frames.newest(shared.clock_ns())
    assert frame is not None
    assert 0 <= int(lockstep.state["step"]) - int(frame.values["step"]) < EVERY
    pictures = {name: frame.values[name].reshape(PIXELS, PIXELS, 3).astype(int) for name in known.VIEWS}
    for picture in pictures.values():
        assert picture.std() > 20.0
    for one, other in (("front", "side"), ("front", "top"), ("side", "top")):
        assert (np.abs(pictures[one] - pictures[other]) > 20).mean() > 0.2
    red, green, blue = np.moveaxis(pictures["front"], -1, 0)
    assert ((red > 2 * green) & (red > 2 * blue) & (red > 60)).sum() > 15


def test_a_stop_lets_the_jaw_go_on_pressing(lockstep: Driver, repeated: Any) -> None:
    lockstep.reset(4)
    lockstep.step(HOME, times=2, gripper=[1.0])
    assert lockstep.state["gripper"][0] < 0.5
    number = lockstep.link.stop()
    lockstep.step(HOME, times=60, gripper=[0.0])
    assert lockstep.state["gripper"][0] > 0.8
    lockstep.link.clear(number)


# --- by the clock ---


class Sweep:
    """Commands a hundred times a second, by the test's clock: the pan's target is always as far ahead, on the way over the middle."""

    def __init__(self, driver: Driver, ahead: float, force: float = 0.0) -> None:
        self._driver, self._due, self._force = driver, 0.0, force
        self._ahead = -math.copysign(ahead, driver.state["q"][0, 0])

    def __call__(self) -> None:
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + known.STEP_S
            target = HOME.copy()
            target[0] = self._driver.state["q"][0, 0] + self._ahead
            self._driver.write(target, force=np.array([[0.0, 0.0, self._force]]))

    def is_fast(self) -> bool:
        return bool(self._driver.state["dq"][0, 0] * math.copysign(1.0, self._ahead) > 0.5)


def states(driver: Driver, count: int, do: Callable[[], None]) -> list[Any]:
    """So many, each of which the worker made after the one before."""
    seen: list[Any] = []

    def enough() -> bool:
        seen.append(driver.state)
        return len(seen) >= count

    driver.after(enough, do)
    return seen


def assert_holds(seen: list[Any], where: float) -> None:
    """It comes to rest where it was, but for what a servo gives way at speed."""
    pan = np.array([state["q"][0, 0] for state in seen])
    assert np.abs(pan - where).max() < 0.12
    assert np.abs([state["dq"][0, 0] for state in seen[-10:]]).max() < 0.05


def test_it_stands_until_it_is_commanded(running: Driver) -> None:
    first = float(running.state["q"][0, 0])
    assert_holds(states(running, 50, lambda: None), first)


def test_a_stop_holds_the_joints_whatever_is_commanded(running: Driver) -> None:
    link, sweep = running.link, Sweep(running, 0.3)
    link.clear(link.stops)
    running.after(sweep.is_fast, sweep)
    number = link.stop()
    stopped = states(running, 3, sweep)[-1]  # the step that was under way had begun before
    assert_holds(states(running, 80, sweep), float(stopped["q"][0, 0]))
    link.clear(number)
    running.after(sweep.is_fast, sweep)


def test_without_commands_it_holds_by_itself(running: Driver) -> None:
    link, sweep = running.link, Sweep(running, 0.9)
    link.clear(link.stops)
    running.after(sweep.is_fast, sweep)
    begun = float(running.state["q"][0, 0])
    seen = states(running, 100, lambda: None)
    stood = float(seen[-1]["q"][0, 0])
    assert abs(stood - begun) < 0.6
    assert_holds(seen[-50:], stood)


def test_without_commands_nothing_presses_either(running: Driver) -> None:
    pushing, still = Sweep(running, 0.0, PUSH), Sweep(running, 0.0)
    states(running, 100, still)
    low = float(running.state["pose"][0, 2])
    states(running, 100, pushing)
    high = float(running.state["pose"][0, 2])
    assert high > low + 0.005
    states(running, 100, lambda: None)
    assert float(running.state["pose"][0, 2]) < high - 0.003


def test_an_exposure_at_every_step_gives_pictures_all_the_same(running: Driver) -> None:
    number = running.link.frames.after(0, WITHIN).number
    assert running.link.frames.after(number + 2, WITHIN).number > number + 2


def test_it_is_never_faster_than_the_clock(running: Driver) -> None:
    states(running, 5, lambda: None)
    begun, simulated = time.monotonic(), float(running.state["time"])
    seen = states(running, 100, lambda: None)
    allowed = time.monotonic() - begun + 0.15  # it catches up with a tenth of a second
    assert float(seen[-1]["time"]) - simulated <= allowed


def test_it_ends_with_the_console_that_closes(running: Driver) -> None:
    running.close()
    assert running.worker.ended()
    assert not (shared.FOLDER / f"{shared.PREFIX}{running.name}").exists()


# --- the wrapper, and the stop within a step ---


@pytest.fixture(scope="module")
def side(isaac_python: Path) -> Any:
    done = subprocess.run(
        [str(isaac_python), str(SIDE), str(launch.SCRIPT)],
        capture_output=True,
        text=True,
        timeout=WITHIN,
        env=launch.environment(os.environ),
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


def test_the_wrapper_adds_the_end_effector_s_state(side: Any) -> None:
    assert set(side["with"]) - set(side["without"]) == {"ee"}
    assert side["shape"] == [1, 14]
    assert set(side["state"]) == {"ee_pos", "ee_quat", "ee_pos_delta", "ee_quat_delta"}
    assert side["state"]["ee_pos_delta"] == [[0.0, 0.0, 0.0]]
    assert side["state"]["ee_quat_delta"] == [[1.0, 0.0, 0.0, 0.0]]
    for key, value in side["asked"].items():
        np.testing.assert_allclose(value, side["state"][key], atol=1e-6)
        np.testing.assert_allclose(side["named"][key], value, atol=1e-6)
    pose = np.concatenate([side["state"]["ee_pos"][0], side["state"]["ee_quat"][0]])
    np.testing.assert_allclose(tool({"pose": pose[None]}), Kinematics(SO101).pose(HOME)[:3], atol=2e-3)


def test_the_wrapper_names_what_there_is(side: Any) -> None:
    assert side["no_robot"].startswith("The environment has no robot 'arm'; it has robot")
    assert "no link 'finger'; it has" in side["no_link"]
    assert "gripper" in side["no_link"]


def test_a_stop_is_read_in_every_physics_step(side: Any) -> None:
    stop = side["stop"]
    assert stop["asked"] == side["decimation"] == known.DECIMATION
    assert stop["moved"] > 0.05
    assert len(stop["stays"]) == known.DECIMATION - 1
    assert max(stop["stays"]) < 1e-6
    assert max(stop["jaw"]) < 1e-6


# --- how it ends ---


def test_the_segment_of_a_worker_killed_is_the_next_one_s_and_ends_with_the_console(isaac_python: Path, tmp_path: Path) -> None:
    name = f"orphan-{tmp_path.name}"
    asked = json.dumps(HANDSHAKE | {"pace": "clock"})
    console: subprocess.Popen[str] = subprocess.Popen([sys.executable, "-c", CONSOLE, name, asked], stdout=subprocess.PIPE, text=True)
    started: list[subprocess.Popen[bytes]] = []

    def worker() -> subprocess.Popen[bytes]:
        with (tmp_path / "log").open("ab") as log:
            command = [str(isaac_python), str(launch.SCRIPT), "--link", name]
            started.append(subprocess.Popen(command, stdout=log, stderr=log, env=launch.environment(os.environ)))
        return started[-1]

    def until(condition: Callable[[Any], bool]) -> Any:
        assert console.stdout is not None
        for line in console.stdout:
            told = json.loads(line)
            assert not told["error"]
            assert started[-1].poll() is None, (tmp_path / "log").read_text()
            if condition(told):
                return told
        raise AssertionError("The console ended.")

    try:
        first = worker()
        until(lambda told: told["peer"] == first.pid)
        first.kill()
        first.wait(WITHIN)
        second = worker()
        until(lambda told: told["peer"] == second.pid and told["ready"])
        console.send_signal(signal.SIGKILL)
        console.wait(WITHIN)
        assert second.wait(WITHIN) == 0
        assert not (shared.FOLDER / f"{shared.PREFIX}{name}").exists()
    finally:
        console.kill()
        console.wait()
        for one in started:
            one.kill()
            one.wait()
        shared.reclaim()
