"""The robot at the other end of a real link: what it tells and reads, how it stops, and what it says of a worker that fails."""

import itertools
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec import structs

from adapters.base import AdapterError
from adapters.isaaclab import entry, known, shared
from adapters.isaaclab.rig import IsaacRig
from adapters.isaaclab.robot import SILENT_S, Isaac
from adapters.mujoco.tabletop import expert, servos
from adapters.mujoco.tabletop.robot import Tabletop
from adapters.mujoco.tabletop.so101 import SO101 as ARM
from engine.config import Settings
from engine.control.pose import floats
from engine.messages import AdjustForce, Go
from engine.types import Command, Observation, Vec7
from tests.adapters.isaaclab import plant_side
from tests.adapters.isaaclab.operated import PATIENT, Operated
from tests.adapters.isaaclab.plant_side import WITHIN, Plant

LIFT, REACH = "Isaac-SO-ARM101-Lift-Cube-v0", "Isaac-SO-ARM101-Reach-v0"
SEED = 6
COUNT = itertools.count()


def settings(task: str = LIFT, **isaac: Any) -> Settings:
    link = f"test-{os.getpid()}-{next(COUNT)}"
    return Settings(
        robot="isaaclab", task=task, policy="scripted", seed=SEED, record=False, limits=PATIENT, isaaclab={"link": link} | isaac
    )


class Bench:
    """The robot, and the other side of its link stepped by hand: as many steps as there are ticks, however fast the machine is."""

    def __init__(self, **isaac: Any) -> None:
        given = settings(**isaac)
        self.robot, self.rig = entry.build(given)
        self.told: list[tuple[str, str]] = []
        self.ends: list[str] = []
        self.robot.tell = lambda kind, text: self.told.append((kind, text))
        self.robot.finish = self.ends.append
        made: list[Plant] = []
        other = threading.Thread(target=lambda: made.append(_ready(given.isaaclab.link, self.told)))
        other.start()
        self.robot.connect()
        other.join()
        self.plant = made[0]
        self.now = shared.clock_ns()

    def read(self) -> Observation:
        self.now += 10_000_000
        return self.robot.read(self.now)

    def tick(self, command: Command) -> Observation:
        self.robot.command(command)
        self.plant.step()
        return self.read()

    def close(self) -> None:
        self.robot.close()
        self.plant.link.close()


def _ready(name: str, told: list[tuple[str, str]]) -> Plant:
    plant = Plant(shared.attach(name, WITHIN))
    plant.link.say({"phase": "winding up the springs", "share": 0.5})
    until = time.monotonic() + WITHIN
    while not any("winding up the springs (50%)" in text for _, text in told):
        assert time.monotonic() < until
        time.sleep(0.01)
    plant.ready()
    return plant


@pytest.fixture
def bench() -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make(**isaac: Any) -> Bench:
        made.append(Bench(**isaac))
        return made[-1]

    yield make
    for one in made:
        one.close()


def table() -> Tabletop:
    found = Tabletop(ARM, "so101-sim", SEED, "lift")
    found.connect()
    return found


def stand(observation: Observation, **changed: Any) -> Command:
    """Where it is."""
    command = Command(
        command_tick=1,
        pose_d=floats(observation.pose),
        twist_d=(0.0,) * 6,
        stiffness_d=(500.0,) * 3 + (30.0,) * 3,
        force_max=20.0,
        torque_max=3.0,
        hold=False,
        brakes=False,
        hand_force=0.0,
        hand_press=0.0,
        line_y_d=0.0,
        log_top_d=0.0,
        gripper_d=math.nan,
    )
    return structs.replace(command, **changed)


def raised(observation: Observation) -> Vec7:
    """The tool's pose, 3 cm higher."""
    return floats(observation.pose + np.array([0.0, 0.0, 0.03, 0.0, 0.0, 0.0, 0.0]))


def test_it_begins_at_the_table_that_the_seed_sets_for_so101_sim(bench: Callable[..., Bench]) -> None:
    seen, other = bench().read(), table().read(1)
    assert seen.pose == pytest.approx(other.pose, abs=1e-9)
    assert seen.links == pytest.approx(other.links, abs=1e-9)
    assert seen.gripper == pytest.approx(other.gripper)
    assert len(seen.plant) == len(other.plant)
    assert expert.expert_chunk("so101", "lift", seen.plant) == pytest.approx(expert.expert_chunk("so101", "lift", other.plant))


def test_a_command_tells_the_servos_what_it_tells_so101_sims(bench: Callable[..., Bench]) -> None:
    made, other = bench(), table()
    seen = made.read()
    up = stand(seen, pose_d=floats(seen.pose + np.array([0.01, -0.02, 0.03, 0.0, 0.0, 0.0, 0.0])), gripper_d=0.5)
    made.robot.resume()
    made.tick(up)
    other.resume()
    other.command(up)
    other.advance(0.01)
    command = made.plant.command
    assert command is not None
    spring = other.read(1).spring
    assert command["target"][0] - command["sag"][0] == pytest.approx(spring.target, abs=1e-6)
    assert np.abs(command["sag"][0]).max() > 0.01  # the arm's weight
    assert servos.jaw_at(float(command["gripper"][0])) == pytest.approx(servos.JAW_OPEN - servos.SPEED * 0.01)


def test_it_goes_where_it_is_told(bench: Callable[..., Bench]) -> None:
    made = bench()
    made.robot.resume()
    seen = made.read()
    goal = raised(seen)
    for _ in range(300):
        seen = made.tick(stand(seen, pose_d=goal))
    assert seen.pose[:3] == pytest.approx(goal[:3], abs=2e-3)
    assert np.linalg.norm(seen.twist[:3]) < 0.01


def test_a_key_s_push_is_a_force_on_the_gripper_that_the_arm_feels_and_comes_back_from(bench: Callable[..., Bench]) -> None:
    made = bench()
    made.robot.resume()
    here = made.read()
    seen = here
    for _ in range(200):
        seen = made.tick(stand(here, hand_force=8.0))
    command = made.plant.command
    assert command is not None
    assert list(known.BODIES)[command["body"][0]] == known.LINK
    assert command["force"][0].tolist() == [8.0, 0.0, 0.0]
    assert abs(seen.q[1] - here.q[1]) > 0.02
    assert np.linalg.norm(seen.wrench[:3]) > 4.0
    for _ in range(300):
        seen = made.tick(stand(here))
    assert seen.pose[:3] == pytest.approx(here.pose[:3], abs=2e-3)
    assert np.linalg.norm(seen.wrench[:3]) < 1.0


def test_a_stop_reaches_the_worker_at_once_and_only_resuming_ends_it(bench: Callable[..., Bench]) -> None:
    made = bench()
    link = made.plant.link
    assert link.stopped  # before it was ever armed
    seen = made.read()
    away = stand(seen, pose_d=raised(seen), hand_force=8.0)
    made.robot.resume()
    assert not link.stopped
    for _ in range(20):
        made.tick(away)
    made.robot.stop(1)
    assert link.stopped
    before = made.read()
    for _ in range(50):
        after = made.tick(away)
    command = made.plant.command
    assert command is not None
    assert not command["force"].any()
    assert np.abs(after.q - before.q).max() < 0.05
    assert floats(after.spring.pose_d) == pytest.approx(floats(after.pose), abs=5e-3)
    made.robot.resume()
    assert not link.stopped
    assert made.read().spring.pose_d == pytest.approx(after.pose, abs=1e-3)


def test_a_stop_that_comes_while_it_resumes_stays(bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    made = bench()
    made.read()
    resumed = servos.Servos.resume

    def meanwhile(one: servos.Servos) -> None:
        made.robot.stop(2)
        resumed(one)

    monkeypatch.setattr(servos.Servos, "resume", meanwhile)
    made.robot.resume()
    assert made.plant.link.stopped


def test_a_target_that_is_no_number_stops_it(bench: Callable[..., Bench]) -> None:
    made = bench()
    seen = made.read()
    made.robot.resume()
    made.tick(stand(seen, pose_d=(math.nan,) * 7))
    assert made.plant.link.stopped
    assert made.plant.command is None


def test_the_same_state_stays_as_old_as_it_is_and_silence_is_told_once_it_is_long(bench: Callable[..., Bench]) -> None:
    made = bench()
    made.plant.step()
    first = made.read()
    assert made.read() is first
    made.now = first.t_ns + round(0.9e9 * SILENT_S)
    assert made.robot.read(made.now) is first
    with pytest.raises(
        AdapterError, match=rf"worker \(process {os.getpid()}\) has shown nothing new for more than 0.5 s: end it and start"
    ):
        made.robot.read(first.t_ns + round(1.1e9 * SILENT_S))
    made.plant.step()
    assert made.robot.read(first.t_ns + round(2e9 * SILENT_S)).seq == first.seq + 1


def test_all_environments_are_driven_alike_and_counted(bench: Callable[..., Bench]) -> None:
    made = bench(num_envs=4)
    seen = made.read()
    made.robot.resume()
    made.tick(stand(seen, hand_force=-5.0))
    command = made.plant.command
    assert command is not None
    assert (command["target"] == command["target"][0]).all()
    assert command["force"].tolist() == [[-5.0, 0.0, 0.0]] * 4
    made.plant.done[1:] = True
    made.tick(stand(seen))
    assert ("success", "3 of 4 environments have done it") in made.told
    assert not made.robot.task_done()
    made.plant.done[0] = True
    made.tick(stand(seen))
    assert made.told[-1] == ("success", "4 of 4 environments have done it")
    assert made.robot.task_done()
    assert made.ends == []


def test_a_course_of_episodes_sets_the_table_again_and_ends_the_run(bench: Callable[..., Bench]) -> None:
    made = bench(num_envs=2, episodes=4, max_steps=30)
    here = made.read()
    for _ in range(40):  # nothing counts before it was let go
        made.tick(stand(here))
    made.robot.resume()
    for _ in range(30):
        made.tick(stand(here, pose_d=raised(here)))
    assert made.plant.resets == 0
    seen = made.tick(stand(here))
    assert made.plant.resets == 1
    assert seen.q == pytest.approx(here.q, abs=0.02)
    assert seen.spring.pose_d == pytest.approx(seen.pose)  # nothing pulls it back to where it was before
    made.plant.done[:] = True
    made.tick(stand(here))
    assert made.ends == ["4 episodes are over, 2 of them done"]
    for _ in range(40):
        made.tick(stand(here))
    assert (made.plant.resets, len(made.ends)) == (1, 1)


def test_a_stop_takes_no_time_of_an_episode_and_begins_none(bench: Callable[..., Bench]) -> None:
    made = bench(episodes=2, max_steps=30)
    here = made.read()
    made.robot.resume()
    for _ in range(20):
        made.tick(stand(here))
    made.robot.stop(1)
    for _ in range(40):
        made.tick(stand(here))
    assert (made.plant.resets, made.ends) == (0, [])
    made.robot.resume()
    for _ in range(12):
        made.tick(stand(here))
    assert made.plant.resets == 1
    made.robot.stop(1)
    for _ in range(40):
        made.tick(stand(here))
    assert (made.plant.resets, made.ends) == (1, [])


def test_a_new_episode_follows_nothing_that_was_wanted_of_the_old_one(bench: Callable[..., Bench]) -> None:
    made = bench(episodes=2, max_steps=20)
    here = made.read()
    made.robot.resume()
    while made.plant.resets == 0:
        made.tick(stand(here))
    for _ in range(30):
        seen = made.tick(stand(here, pose_d=raised(here)))
    assert seen.pose[:3] == pytest.approx(here.pose[:3], abs=2e-3)


def test_an_arm_that_turns_freely_feels_nothing(bench: Callable[..., Bench]) -> None:
    made = bench()
    made.plant.dq[:, 0] = 1.0
    made.robot._body.put(made.plant.q[0], made.plant.dq[0], (servos.JAW_OPEN,), made.robot._body.bias + known.DAMPING * made.plant.dq[0])
    assert made.robot._body.outer == pytest.approx(np.zeros(5), abs=0.05)


def test_an_isaac_lab_that_is_slower_than_the_clock_is_told_of_once(bench: Callable[..., Bench]) -> None:
    made = bench()
    here = made.read()
    for late in (15_000_000, 15_000_000, 0):
        for _ in range(400):
            made.now += late
            made.tick(stand(here))
    words = [text for _, text in made.told if "real time" in text]
    assert len(words) == 2
    assert words[0].startswith("Isaac Lab runs at 0.40 of real time")
    assert "keeps up" in words[1]


def test_a_run_may_be_so_many_steps_long(bench: Callable[..., Bench]) -> None:
    made = bench(max_steps=20)
    here = made.read()
    made.robot.resume()
    for _ in range(25):
        made.tick(stand(here))
    assert made.ends == ["20 environment steps are over"]
    assert made.plant.resets == 0


def test_a_picture_comes_with_what_was_observed_when_it_was_taken(bench: Callable[..., Bench]) -> None:
    made = bench(camera_every=3)
    here = made.read()
    for _ in range(5):
        made.tick(stand(here))
    newest = made.read()
    frames = made.rig.capture(newest, 1, made.now)
    assert frames.observation.plant[0] == pytest.approx(0.03)  # the third step's
    assert frames.exposed_ns == frames.observation.t_ns < newest.t_ns
    assert {name: image.shape for name, image in frames.images.items()} == dict.fromkeys(known.VIEWS, (128, 128, 3))
    assert newest.plant[0] == pytest.approx(0.05)


def test_a_camera_that_shows_nothing_new_is_told_of(bench: Callable[..., Bench]) -> None:
    made = bench(camera_every=1)
    seen = made.read()
    made.rig.capture(seen, 1, made.now)
    with pytest.raises(AdapterError, match=r"cameras have shown nothing new for 0\.5 s"):
        made.rig.capture(seen, 2, made.now)


def test_nothing_is_read_before_it_is_connected_or_after_it_is_closed(bench: Callable[..., Bench]) -> None:
    robot, _ = entry.build(settings())
    robot.stop(0)
    with pytest.raises(AdapterError, match="connect it first"):
        robot.read(1)
    robot.close()
    made = bench()
    made.robot.close()
    made.robot.close()
    made.robot.stop(1)
    with pytest.raises(AdapterError, match="connect it first"):
        made.read()


def test_a_link_of_a_name_that_is_in_use_is_refused() -> None:
    given = settings()
    first = shared.create(given.isaaclab.link, {"environments": 1, "joints": [], "cameras": {}})
    robot, _ = entry.build(given)
    with pytest.raises(AdapterError, match="Another console uses the Isaac Lab link"):
        robot.connect()
    robot.close()
    first.close()


# --- a worker in a process of its own ---


class Other:
    """The worker's process."""

    def __init__(self, name: str, what: str = "steps") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", plant_side.__name__, name, what], stdin=subprocess.PIPE, cwd=Path(__file__).parents[3]
        )

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def other() -> Iterator[Callable[..., Other]]:
    made: list[Other] = []

    def make(*given: str) -> Other:
        made.append(Other(*given))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize(("what", "words"), [("refuses", "the moon is full"), ("differs", r"differ in joints: \['a', 'b'\] here")])
def test_a_worker_that_cannot_serve_says_why(other: Callable[..., Other], what: str, words: str) -> None:
    given = settings()
    robot, _ = entry.build(given)
    other(given.isaaclab.link, what)
    with pytest.raises(AdapterError, match=words):
        robot.connect()
    robot.close()


def test_a_link_that_the_robot_lacks_cannot_be_its_end_effector(other: Callable[..., Other]) -> None:
    given = settings(ee_link_name="foot_link")
    robot, _ = entry.build(given)
    other(given.isaaclab.link)
    with pytest.raises(AdapterError, match="no link 'foot_link'; choose one of base_link"):
        robot.connect()
    robot.close()


def test_a_connection_that_failed_is_none(other: Callable[..., Other]) -> None:
    given = settings(ee_link_name="foot_link")
    robot, _ = entry.build(given)
    other(given.isaaclab.link)
    with pytest.raises(AdapterError, match="foot_link"):
        robot.connect()
    with pytest.raises(AdapterError, match="connect it first"):
        robot.read(1)


def test_a_start_is_broken_off_when_the_run_shall_end() -> None:
    robot, _ = entry.build(settings())
    robot.over = lambda: True
    with pytest.raises(AdapterError, match="cancelled"):
        robot.connect()
    robot.close()


class Run(Operated):
    """On a worker in a process of its own."""

    def __init__(self, folder: Path, task: str, other: Callable[..., Other]) -> None:
        given = settings(task)
        self.other = other(given.isaaclab.link)
        super().__init__(folder, given, WITHIN)

    def go(self) -> None:
        self.arm()
        if not self.engine.control.last.decision.going:
            self.engine.post(Go())


@pytest.fixture
def run(tmp_path: Path, other: Callable[..., Other]) -> Iterator[Callable[[str], Run]]:
    made: list[Run] = []

    def make(task: str) -> Run:
        made.append(Run(tmp_path, task, other))
        return made[-1]

    yield make
    for one in made:
        one.engine.close("over")


def test_the_scripted_policy_does_the_task_and_pictures_and_progress_reach_the_engine(run: Callable[[str], Run]) -> None:
    made = run(REACH)
    made.wait(made.engine.ready)
    made.wait(made.robot.task_done, made.go)
    assert "the task is done" in made.told
    exposure = made.engine._newest_frames()
    assert set(exposure.images) == set(known.VIEWS)
    snapshot = made.engine.snapshot()
    assert snapshot is not None
    assert (snapshot.run.simulated, snapshot.run.pushed, snapshot.run.badges) == (True, True, ())


def test_the_partner_s_keys_push_it_by_the_force_that_is_set(run: Callable[[str], Run]) -> None:
    made = run(LIFT)
    made.wait(made.engine.ready)
    made.wait(made.engine.armed, made.arm)
    q = made.engine.control.last.inputs.q[1]
    made.engine.post(AdjustForce(delta=-7.0))

    def pull() -> None:
        made.arm()
        if made.engine.control.last.command.hand_force == 0.0:
            made.key("pull", True)

    made.wait(lambda: made.engine.control.last.inputs.q[1] - q > 0.02, pull)
    assert made.engine.control.last.operator.hand_force_set == 8.0
    made.key("pull", False)
    made.wait(lambda: abs(made.engine.control.last.inputs.q[1] - q) < 0.01, made.arm)
    made.key("press", True)
    made.wait(lambda: made.engine.control.last.operator.refused, made.arm)
    assert made.engine.control.last.command.hand_press == 0.0


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_worker_that_dies_or_hangs_stops_the_robot_and_is_told_of(run: Callable[[str], Run], how: signal.Signals) -> None:
    made = run(REACH)
    made.wait(made.engine.ready)
    made.wait(made.engine.armed, made.arm)
    made.other.process.send_signal(how)
    made.wait(lambda: not made.engine.armed())
    made.wait(lambda: any("has shown nothing new" in event.text for event in made.engine._events))
    assert made.engine.stops


def test_the_rig_knows_its_cameras_before_they_are_there() -> None:
    robot, rig = entry.build(settings())
    assert isinstance(robot, Isaac)
    assert isinstance(rig, IsaacRig)
    assert set(rig.geometry()) == set(rig.names) == set(known.VIEWS)
    assert rig.geometry()["top"]["fovy_deg"] == known.VIEWS["top"][3]
