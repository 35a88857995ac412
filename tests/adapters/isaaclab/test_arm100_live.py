"""The SO-100 in the real Isaac Lab: it stands where its model says, follows joint targets softly, and takes the cube off the table."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest

from adapters.isaaclab import vector
from adapters.mujoco.tabletop import servos, truth
from adapters.mujoco.tabletop.kinematics import Kinematics
from adapters.mujoco.tabletop.so100 import SO100
from adapters.mujoco.tabletop.table import turned

pytestmark = pytest.mark.usefixtures("isaac_python")
TASK = "Isaac-SO-ARM100-Lift-Cube-Play-v0"
SETTLED = 24  #: actions of 50 ms


@pytest.fixture
def env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[vector.IsaacVectorEnv]:
    monkeypatch.setattr(vector, "LOG", tmp_path / "isaaclab.log")
    made = vector.make_env(1, cfg={"task": TASK, "table": "radians", "cameras": "top", "max_steps": 1000})
    yield made
    made.close()


class Twin:
    """The model on the program's side, put where Isaac Lab's arm is."""

    def __init__(self) -> None:
        self._model: Any = SO100.spec(False).compile()
        self._data: Any = mujoco.MjData(self._model)

    def hand(self, seen: dict[str, Any]) -> Any:
        """The place (3,) and attitude (4,) of the gripper's link, as the arm has been observed."""
        self._data.qpos[:5], self._data.qpos[5] = seen["agent_pos"][0, :5], servos.jaw_at(float(seen["agent_pos"][0, 5]))
        mujoco.mj_forward(self._model, self._data)
        return np.concatenate([self._data.body("gripper").xpos, self._data.body("gripper").xquat])

    def sag(self, q: Any) -> Any:
        """(5,) rad, what carries the weight at joints (5,) rad."""
        self._data.qpos[:5], self._data.qvel[:] = q, 0.0
        mujoco.mj_forward(self._model, self._data)
        return self._data.qfrc_bias[:5] / servos.KP


def test_it_takes_the_cube_off_the_table(env: vector.IsaacVectorEnv) -> None:
    twin, kinematics = Twin(), Kinematics(SO100)
    seen, _ = env.reset(seed=4)
    cube = env._link.state["object"][0, :3].tolist()
    facing = turned(SO100.facing(*cube[:2]))
    q, grip, success, speeds = np.array(SO100.home), 0.0, False, []
    for up, closed in ((0.06, 0.0), (0.0, 0.0), (0.0, SO100.holding + 0.1), (SO100.rise, SO100.holding + 0.1)):
        x, y, _ = truth.about(SO100, (cube[0], cube[1], cube[2]), min(closed, SO100.holding))
        goal = kinematics.reach((x, y, cube[2] + up, *facing), q)
        for part in np.linspace(0.0, 1.0, SETTLED).tolist() + [1.0] * 8:
            told = q + part * (goal - q)
            action = np.array([[*(told + twin.sag(told)), grip + part * (closed - grip)]])
            before = seen
            seen, _, terminated, truncated, info = env.step(action)
            assert np.isfinite(seen["agent_pos"]).all()
            assert not truncated.any()
            speeds.append(np.abs(seen["agent_pos"] - before["agent_pos"])[0, :5].max() / 0.05)
            success = success or bool(info["is_success"][0])
            if terminated.any():
                break
        else:
            np.testing.assert_allclose(seen["agent_pos"][0, :5], goal, atol=0.02)
            hand = twin.hand(seen)
            np.testing.assert_allclose(info["ee_state"]["ee_pos"][0], hand[:3], atol=1e-4)
            assert abs(float(info["ee_state"]["ee_quat"][0] @ hand[3:])) == pytest.approx(1.0, abs=1e-5)
        q, grip = goal, closed
    assert success
    assert max(speeds) < servos.FREE_SPEED
    assert seen["pixels"]["top"].std() > 20.0
