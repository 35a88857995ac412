"""LeRobot's own evaluation of the policy that ships, in a real Isaac Lab: one environment, and two beside each other."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.isaaclab import known, vector
from engine.policy import building, checkpoint

pytestmark = pytest.mark.usefixtures("isaac_python")
LIFT = "Isaac-SO-ARM101-Lift-Cube-Play-v0"


@pytest.fixture(autouse=True)
def _own_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector, "LOG", tmp_path / "isaaclab.log")


def differing(one: Any, other: Any) -> float:
    """The share of two pictures' numbers that are far apart."""
    return float((np.abs(one.astype(int) - other.astype(int)) > 20).mean())


def evaluated(env: vector.IsaacVectorEnv, episodes: int) -> Any:
    """What LeRobot's evaluation finds of the compact policy."""
    from lerobot.processor import PolicyProcessorPipeline
    from lerobot.scripts.lerobot_eval import eval_policy

    folder = checkpoint.shipped("so101-sim")
    config = building.read_config(folder)
    policy = building.whole(folder / checkpoint.MODEL, building.blank(config))
    before, after = building.processors(folder, config)
    nothing = PolicyProcessorPipeline(steps=[])
    return eval_policy(env, policy, nothing, nothing, before, after, n_episodes=episodes, start_seed=5)


def test_one_environment_steps_and_is_evaluated() -> None:
    env = vector.make_env(1, cfg={"task": LIFT, "table": "radians", "max_steps": 6})
    try:
        first, info = env.reset(seed=11)
        assert env.observation_space.contains(first)
        np.testing.assert_allclose(first["agent_pos"][0, :5], known.HOME, atol=0.02)
        for picture in first["pixels"].values():
            assert picture.std() > 20.0
        goal = first["agent_pos"].copy()
        goal[0, 0] += 0.2
        for _ in range(5):
            seen, _, terminated, truncated, info = env.step(goal)
        np.testing.assert_allclose(seen["agent_pos"][0, 0], goal[0, 0], atol=0.03)
        assert differing(seen["pixels"]["top"], first["pixels"]["top"]) > 0.05
        assert np.linalg.norm(info["ee_state"]["ee_pos"] - first["ee_pos"]) > 0.02
        assert not (terminated | truncated).any()
        assert env.step(goal)[3].all()  # its time is over
        again, *_ = env.step(goal)
        np.testing.assert_allclose(again["agent_pos"][0, :5], known.HOME, atol=0.02)
        assert differing(env.reset(seed=11)[0]["pixels"]["front"], first["pixels"]["front"]) < 0.001
        assert differing(env.reset(seed=12)[0]["pixels"]["front"], first["pixels"]["front"]) > 0.005
    finally:
        env.close()


def test_lerobot_evaluates_two_environments_beside_each_other() -> None:
    env = vector.make_env(2, use_async_envs=True, cfg={"task": LIFT, "table": "compact", "max_steps": 4})
    try:
        seen, _ = env.reset(seed=[21, 22])
        assert differing(*seen["pixels"]["front"]) > 0.005  # the cubes lie elsewhere
        found = evaluated(env, 2)
        assert [one["seed"] for one in found["per_episode"]] == [5, 6]
        assert all(np.isfinite(one["sum_reward"]) and one["sum_reward"] > 0.0 for one in found["per_episode"])
    finally:
        env.close()
