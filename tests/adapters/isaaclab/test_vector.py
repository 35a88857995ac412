"""Environments in lock-step over the real link, a process of this test's own at its other end, and LeRobot's own loop around them."""

import gc
import itertools
import json
import math
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from pydantic import ValidationError

from adapters.base import AdapterError
from adapters.isaaclab import known, shared, vector
from adapters.isaaclab.mapping import LEROBOT, MappingError, Present, state_of
from adapters.mujoco.tabletop import servos
from adapters.mujoco.tabletop.kinematics import Kinematics
from adapters.mujoco.tabletop.so101 import SO101
from engine.isaaclab_settings import IsaacLabSettings
from engine.policy import building, checkpoint
from tests.adapters.isaaclab import sim_side, vector_side
from tests.adapters.isaaclab.vector_side import HOME, WITHIN

ROOT = Path(__file__).parents[3]
COUNT = itertools.count()
SMALL = {"camera_height": 16, "camera_width": 24, "start_within": WITHIN}
HOMES = np.tile(HOME, (2, 1))


@pytest.fixture(autouse=True)
def _own_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector, "LOG", tmp_path / "logs" / "isaaclab.log")


@contextmanager
def served(*what: str, side: ModuleType = vector_side) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """(the link's name, its other side), that ends with the context at the latest; what it prints lies in ``commands``."""
    name = f"test-vector-{os.getpid()}-{next(COUNT)}"
    command = [sys.executable, str(side.__file__), name, *what]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as process:
        said: list[str] = []
        SAID[name] = said
        assert process.stdout is not None
        reading = threading.Thread(target=said.extend, args=(process.stdout,), daemon=True)
        reading.start()
        try:
            yield name, process
        finally:
            process.kill()
            reading.join()
            (shared.FOLDER / f"{shared.PREFIX}{name}").unlink(missing_ok=True)


SAID: dict[str, list[str]] = {}


def commands(name: str) -> list[dict[str, Any]]:
    """The handshake, then every command that the other side has followed; complete once it has ended."""
    return [json.loads(line) for line in SAID[name]]


@contextmanager
def environments(count: int, *what: str, side: ModuleType = vector_side, **cfg: Any) -> Iterator[vector.IsaacVectorEnv]:
    with served(*what, side=side) as (name, process):
        env = vector.make_env(count, cfg={"link": name, **SMALL, **cfg})
        try:
            yield env
        finally:
            env.close()
            process.kill()
            process.wait(WITHIN)


def staying(env: vector.IsaacVectorEnv) -> Any:
    """(E, 6) the action that leaves every arm where it is."""
    return state_of(LEROBOT, Present(env._link.state["q"], env._link.state["gripper"]))


def towards(env: vector.IsaacVectorEnv, **pan: float) -> Any:
    """(E, 6) so, but for the first joints of environments, deg."""
    action = staying(env)
    for one, degrees in pan.items():
        action[int(one[1:]), 0] = degrees
    return action


def test_what_is_observed_has_the_shapes_and_types_that_the_spaces_say() -> None:
    with environments(2, table="radians") as env:
        seen, info = env.reset(seed=[3, 4])
        assert env.observation_space.contains(seen)
        assert set(seen["pixels"]) == {"front", "side", "top"}
        assert seen["pixels"]["top"].shape == (2, 16, 24, 3)
        np.testing.assert_allclose(seen["agent_pos"], np.column_stack([HOMES, [0.0, 0.0]]), atol=1e-6)
        np.testing.assert_allclose(seen["ee_pos"], [[*HOME[:2], 0.0]] * 2, atol=1e-6)
        np.testing.assert_allclose(seen["ee_quat_delta"], [[1.0, 0.0, 0.0, 0.0]] * 2)
        for name, value in env.get_ee_state().items():
            np.testing.assert_array_equal(info["ee_state"][name], value)
        assert env.action_space.shape == (2, 6)
        assert env.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP
        assert env.unwrapped.metadata["render_fps"] == 20


def test_without_ee_in_obs_it_is_in_info_alone() -> None:
    with environments(1, ee_in_obs=False, cameras="front") as env:
        seen, info = env.reset()
        assert set(seen) == {"pixels", "agent_pos"}
        assert set(seen["pixels"]) == {"front"}
        assert set(info["ee_state"]) == {"ee_pos", "ee_quat", "ee_pos_delta", "ee_quat_delta"}


def test_an_action_is_five_steps_on_a_straight_way_and_the_pictures_are_of_the_last() -> None:
    with environments(2) as env:
        env.reset()
        name = env._link._link._path.name.removeprefix(shared.PREFIX)
        action = towards(env, _1=2.0 + math.degrees(HOME[0]))
        action[:, 5] = 25.0
        seen, reward, *_ = env.step(action)
        step = int(env._link.state["step"])
        np.testing.assert_array_equal(reward, [5.0, 5.0])
        np.testing.assert_allclose(seen["agent_pos"], action, atol=1e-4)
        for one in range(2):
            assert (seen["pixels"]["front"][one] == (step % 251) + one).all()
    followed = [one for one in commands(name)[1:] if not any(one["reset"])]
    assert [one["step"] for one in followed] == list(range(step - 4, step + 1))
    pan = [one["target"][1][0] - HOME[0] for one in followed]
    np.testing.assert_allclose(np.degrees(pan), [0.4, 0.8, 1.2, 1.6, 2.0], atol=1e-4)
    np.testing.assert_allclose([one["gripper"] for one in followed], 0.75)


def test_a_far_target_is_gone_to_no_faster_than_so101_sim_s_servos_go() -> None:
    with environments(1) as env:
        env.reset()
        env.step(towards(env, _0=90.0))
        np.testing.assert_allclose(env._link.state["q"][0, 0] - HOME[0], servos.SPEED * 0.05)


def test_how_the_link_moved_in_an_action_is_told() -> None:
    with environments(1, table="radians") as env:
        seen, _ = env.reset()
        action = seen["agent_pos"].copy()
        action[0, [0, 2]] += 0.1
        seen, _, _, _, info = env.step(action)
        np.testing.assert_allclose(seen["ee_pos_delta"], [[0.1, 0.0, 0.0]], atol=1e-6)
        np.testing.assert_allclose(info["ee_state"]["ee_quat_delta"], [[math.cos(0.05), 0.0, 0.0, math.sin(0.05)]], atol=1e-6)


def test_an_environment_that_is_done_begins_anew_in_the_next_step_and_the_others_go_on() -> None:
    with environments(2) as env:
        env.reset()
        while True:
            _, _, terminated, _, info = env.step(towards(env, _0=45.0))
            if terminated.any():
                break
            assert "final_info" not in info
        np.testing.assert_array_equal(terminated, [True, False])
        np.testing.assert_array_equal(info["is_success"], [True, False])
        np.testing.assert_array_equal(info["final_info"]["is_success"], [True, False])
        moved = towards(env, _0=45.0, _1=0.0)
        seen, reward, terminated, truncated, info = env.step(moved)
        np.testing.assert_array_equal(env._link.state["episode"], [2, 1])
        np.testing.assert_allclose(env._link.state["q"], [HOME, [0.0, *HOME[1:]]], atol=1e-6)
        np.testing.assert_array_equal(reward, [0.0, 5.0])
        assert not (terminated | truncated | info["is_success"]).any()
        np.testing.assert_allclose(seen["ee_pos_delta"][0], 0.0)
        _, reward, *_ = env.step(staying(env))
        np.testing.assert_array_equal(reward, [5.0, 5.0])


def test_a_lost_cube_ends_an_episode_without_success_and_time_does_too() -> None:
    with environments(2, max_steps=9) as env:
        assert env.call("_max_episode_steps") == (9, 9)
        env.reset()
        steps, lost = 0, 0
        truncated = np.zeros(2, dtype=bool)
        while not truncated.any():
            steps += 1
            _, _, terminated, truncated, info = env.step(staying(env) if lost else towards(env, _1=-45.0))
            assert not info["is_success"].any()
            if terminated.any():
                np.testing.assert_array_equal(terminated, [False, True])
                lost = steps
        assert (steps, 0 < lost < 9) == (9, True)
        np.testing.assert_array_equal(truncated, [True, False])
        np.testing.assert_array_equal(info["_final_info"], [True, False])


def test_each_environment_has_the_seed_it_is_given() -> None:
    with environments(2) as env:
        for seed, wanted in (([7, 9], [7, 9]), (5, [5, 6]), ([None, 3], [-1, 3]), (None, [-1, -1])):
            env.reset(seed=seed, options={"lerobot_new_rollout": True})
            np.testing.assert_array_equal(env._link.state["object"][:, 0], wanted)
        with pytest.raises(AdapterError, match="There are 3 seeds for 2 environments"):
            env.reset(seed=[1, 2, 3])


def test_what_lerobot_asks_of_each_environment_is_told() -> None:
    with environments(2) as env:
        env.reset()
        assert env.call("task_description") == ("Lift the red cube.",) * 2
        assert env.get_attr("task") == ("Isaac-SO-ARM101-Lift-Cube-v0",) * 2
        assert env.spec.id == "Isaac-SO-ARM101-Lift-Cube-v0"
        shown = env.call("render")
        assert [picture.shape for picture in shown] == [(16, 24, 3)] * 2
        with pytest.raises(AttributeError):
            env.call("no_such_thing")


def test_the_compact_policy_s_displacements_count_from_where_its_chunk_began() -> None:
    with environments(1, table="compact", cameras=()) as env:
        seen, _ = env.reset()
        assert seen["pixels"] == {}
        assert env.render() is None
        kinematics = Kinematics(SO101)
        base = np.array(kinematics.pose(HOME))
        for step in range(1, 17):
            env.step(np.array([[0.0, 0.0, 0.001 * step, 0.0, 0.0, 0.0, 0.0]]))
        at = np.array(kinematics.pose(env._link.state["q"][0]))
        np.testing.assert_allclose(at[:3] - base[:3], [0.0, 0.0, 0.016], atol=1e-3)
        env.step(np.zeros((1, 7)))  # a new chunk
        np.testing.assert_allclose(kinematics.pose(env._link.state["q"][0])[:3], at[:3], atol=1e-4)
        name = env._link._link._path.name.removeprefix(shared.PREFIX)
    sag = np.array([one["sag"] for one in commands(name)[1:] if not any(one["reset"])])
    assert (np.abs(sag).max(axis=(1, 2)) > 0.005).all()  # rad: its weight is carried


def test_an_action_that_does_not_fit_moves_nothing() -> None:
    with environments(2) as env:
        env.reset()
        before = env._link.state
        with pytest.raises(MappingError, match=r"gripper\.pos"):
            env.step(np.zeros((2, 7)))
        with pytest.raises(MappingError, match=r"elbow_flex\.pos = nan"):
            env.step(np.where(np.arange(6) == 2, np.nan, staying(env)))
        assert env._link.state is before


@pytest.mark.parametrize(
    ("what", "words"), [("dies", "ended: the servos melted"), ("hangs", "Isaac Lab has not answered for 2 s: see its log, ")]
)
def test_a_worker_that_answers_no_more_ends_the_environments_with_a_sentence(what: str, words: str) -> None:
    with served(what) as (name, _):
        env = vector.make_env(1, cfg={"link": name, **SMALL, "step_within": 2.0})
        env.reset()
        while int(env._link.state["step"]) + 5 < vector_side.FAULT:
            env.step(staying(env))
        with pytest.raises(AdapterError, match=words):
            env.step(staying(env))
        with pytest.raises(AdapterError, match="are closed: make new ones"):
            env.step(np.zeros((1, 6)))
        assert not (shared.FOLDER / f"{shared.PREFIX}{name}").exists()
        env.close()
        assert env.closed


def test_a_worker_that_cannot_start_says_why_and_leaves_nothing() -> None:
    with served("refuses") as (name, _):
        with pytest.raises(AdapterError, match="the moon is full"):
            vector.make_env(1, cfg={"link": name, **SMALL})
        assert not (shared.FOLDER / f"{shared.PREFIX}{name}").exists()


def test_environments_that_are_forgotten_let_their_link_go() -> None:
    with served() as (name, _):
        env = vector.make_env(1, cfg={"link": name, **SMALL})
        env.reset()
        assert (shared.FOLDER / f"{shared.PREFIX}{name}").exists()
        del env
        gc.collect()
        assert not (shared.FOLDER / f"{shared.PREFIX}{name}").exists()


def test_a_program_that_ends_without_closing_leaves_no_link() -> None:
    script = "import sys\nfrom adapters.isaaclab import vector\nenv = vector.make_env(1, cfg={'link': sys.argv[1]})\nenv.reset()\n"
    with served() as (name, _):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(vector.LOG.parent)}
        ended = subprocess.run([sys.executable, "-c", script, name], env=environment, capture_output=True, text=True, timeout=4 * WITHIN)
        assert ended.returncode == 0, ended.stderr
        assert not (shared.FOLDER / f"{shared.PREFIX}{name}").exists()


def test_the_worker_sees_a_heartbeat_while_it_starts_and_while_the_policy_thinks() -> None:
    with environments(1, "listens") as env:
        env.reset()
        beats = env._link._link._words[shared.Word.ADAPTER_BEATS]
        until = time.monotonic() + WITHIN
        while env._link._link._words[shared.Word.ADAPTER_BEATS] < beats + 3:
            assert time.monotonic() < until
            time.sleep(0.01)


@dataclass
class Given:
    """As LeRobot's ``EnvConfig`` is, which has more than is of use here."""

    task: str | None = None
    fps: int = 30
    episode_length: int = 7
    camera_names: str = "front, top"
    seed: int | None = None


def test_a_configuration_may_be_an_object_of_lerobot_s_or_a_mapping_without_mistakes() -> None:
    found = vector.configured(Given())
    assert (found.task, found.max_steps, found.cameras, found.seed) == ("Isaac-SO-ARM101-Lift-Cube-v0", 7, ("front", "top"), 0)
    assert vector.configured(None) == vector.Config()
    for cfg, words in (
        ({"tsak": "x"}, "there is no setting 'tsak'"),
        ({"task": "x"}, "no task 'x' of this program; there are Isaac-SO-ARM101-Lift-Cube-v0"),
        ({"cameras": "rear"}, "no camera 'rear'; it has front, side, top"),
        ({"task": "Isaac-SO-ARM100-Lift-Cube-v0", "table": "compact"}, "moves the tool, as is known of the so101 alone"),
        ({"table": "x"}, "no table 'x' of what a policy's numbers mean; there are lerobot, radians, compact"),
    ):
        with pytest.raises(AdapterError, match=words):
            vector.make_env(1, cfg=cfg)


@pytest.mark.parametrize("count", [0, -1, 1.5, "2", True, vector.MOST + 1, None])
def test_so_many_environments_cannot_be(count: Any, nothing_starts: None) -> None:
    with pytest.raises(AdapterError, match=rf"There cannot be {count!r} environments: give a whole number from 1 to {vector.MOST}\."):
        vector.make_env(count)
    with pytest.raises(ValidationError, match="64"):
        IsaacLabSettings(num_envs=vector.MOST + 1)


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("steps", 0, "a whole number from 1 to 1000"),
        ("steps", -5, "a whole number from 1 to 1000"),
        ("steps", 2.0, "a whole number from 1 to 1000"),
        ("max_steps", -1, "a whole number from 0 to 1000000000"),
        ("seed", -1, "a whole number from 0 to 2147483647"),
        ("camera_width", 10**6, "a whole number from 1 to 2048"),
        ("device", 3, "'cpu' or such as 'cuda:0'"),
        ("device", "gpu", "'cpu' or such as 'cuda:0'"),
        ("start_within", 0.0, "a number of s over 0"),
        ("step_within", math.nan, "a number of s over 0"),
        ("step_within", "60", "a number of s over 0"),
        ("ee_in_obs", 1, "True or False"),
        ("task", ["x"], "a text"),
        ("link", 5, "a text"),
        ("table", 5, "a Table or the name of one"),
        ("cameras", 5, "the names of cameras"),
        ("cameras", [5], "the names of cameras"),
    ],
)
def test_a_setting_that_cannot_be_so_is_refused_before_anything_starts(name: str, value: Any, wanted: str, nothing_starts: None) -> None:
    with pytest.raises(AdapterError, match=rf"^Of Isaac Lab the setting {name} cannot be .*: give {re.escape(wanted)}\.$"):
        vector.make_env(1, cfg={name: value})


@pytest.mark.parametrize("cfg", [5, "cuda:0", ["steps"], object()])
def test_what_is_no_configuration_is_refused(cfg: Any, nothing_starts: None) -> None:
    with pytest.raises(AdapterError, match=r"cannot be configured by .*: give a dict, or an object with settings as attributes\.$"):
        vector.make_env(1, cfg=cfg)


@pytest.fixture
def nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector, "Lockstep", lambda *_, **__: pytest.fail("started"))


def test_an_arm_without_a_gripper_has_the_numbers_of_its_joints_alone() -> None:
    task = "Isaac-Franka-Co-Saw-v0"
    with environments(2, "without gripper", task=task, table="radians", ee_in_obs=False) as env:
        seen, _ = env.reset()
        assert seen["agent_pos"].shape == env.action_space.shape == (2, 7)
        action = seen["agent_pos"] + np.float32(0.05)
        seen, *_ = env.step(action)
        np.testing.assert_allclose(seen["agent_pos"], action, atol=1e-6)
        assert env._link._link.handshake["ee_link_name"] == known.SAW
        assert env.call("task_description") == ("Monitor human proximity and adjust robot stiffness for safe collaboration",) * 2
    with pytest.raises(MappingError, match=r"moves shoulder_pan .* \(5,\), and the environment has joint1 .* \(7,\): choose another"):
        vector.make_env(1, cfg={"task": task})


@pytest.fixture(scope="module")
def compact() -> tuple[Any, Any, Any]:
    """LeRobot's own policy and processors, from the checkpoint that ships for the SO-101."""
    folder = checkpoint.shipped("so101-sim")
    config = building.read_config(folder)
    policy = building.whole(folder / checkpoint.MODEL, building.blank(config))
    return policy, *building.processors(folder, config)


@pytest.mark.parametrize("count", [1, 2])
def test_lerobot_evaluates_the_compact_policy(compact: tuple[Any, Any, Any], count: int, tmp_path: Path) -> None:
    from lerobot.processor import PolicyProcessorPipeline
    from lerobot.scripts.lerobot_eval import eval_policy

    policy, before, after = compact
    nothing = PolicyProcessorPipeline(steps=[])
    with environments(count, "endless", table="compact", camera_height=128, camera_width=128, max_steps=18) as env:
        found = eval_policy(
            env, policy, nothing, nothing, before, after, n_episodes=2, start_seed=40, max_episodes_rendered=1, videos_dir=tmp_path
        )
    assert [one["seed"] for one in found["per_episode"]] == [40, 41]
    assert [one["sum_reward"] for one in found["per_episode"]] == [18 * 5.0] * 2
    assert found["aggregated"]["pc_success"] == 0.0
    assert Path(found["video_paths"][0]).stat().st_size > 0


def test_lerobot_lifts_the_cube_of_so101_sim_with_the_compact_policy(compact: tuple[Any, Any, Any]) -> None:
    """Where the policy was trained, so that the table, the chunks and the weight's share must be what it knows."""
    import torch
    from lerobot.processor import PolicyProcessorPipeline
    from lerobot.scripts.lerobot_eval import eval_policy

    policy, before, after = compact
    nothing = PolicyProcessorPipeline(steps=[])
    torch.manual_seed(0)
    with environments(1, side=sim_side, table="compact", camera_height=128, camera_width=128) as env:
        found = eval_policy(env, policy, nothing, nothing, before, after, n_episodes=3, start_seed=100)
    assert found["aggregated"]["pc_success"] == 100.0


def test_lerobot_counts_a_success() -> None:
    import torch
    from lerobot.processor import PolicyProcessorPipeline
    from lerobot.scripts.lerobot_eval import rollout

    class Turning(torch.nn.Module):
        """Turns the first joint until the task is done."""

        def reset(self) -> None:
            pass

        def select_action(self, observed: dict[str, Any]) -> Any:
            assert observed["task"] == ["Lift the red cube."] * 2
            assert observed["observation.images.front"].shape == (2, 3, 16, 24)
            action = observed["observation.state"].clone()
            action[0, 0] = 45.0
            return action

    class As(PolicyProcessorPipeline):  # type: ignore[misc, type-arg]
        def __call__(self, data: Any) -> Any:
            return data

    same = As(steps=[])
    with environments(2, max_steps=20) as env:
        found = rollout(env, Turning(), same, same, same, same, seeds=[1, 2])
    assert found["success"].any(dim=1).tolist() == [True, False]
    assert found["done"][:, -1].tolist() == [True, True]
    assert known.KNOWN[env.task].does == "lift"
