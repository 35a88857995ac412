"""In Isaac Lab's Python, without a link: the end effector's wrapper, and when a stop is read. ``wrapper_side.py MAIN`` prints JSON."""

import importlib.util
import json
import sys
from typing import Any

spec = importlib.util.spec_from_file_location("worker_main", sys.argv[1])
assert spec is not None
assert spec.loader is not None
worker_main = importlib.util.module_from_spec(spec)
spec.loader.exec_module(worker_main)
worker_main.only_this_package()

import gymnasium  # noqa: E402
import torch  # noqa: E402

torch.set_num_threads(1)

from adapters.isaaclab.worker import tasks  # noqa: E402
from adapters.isaaclab.worker.ee import IsaacEEWrapper  # noqa: E402

TASK = "Isaac-SO-ARM101-Reach-Play-v0"
STOPS_IN = 2  #: of the physics steps of a step


def refused(env: Any, **given: str) -> str:
    try:
        IsaacEEWrapper(env, **given)
    except ValueError as error:
        return str(error)
    return ""


def stopped(env: Any) -> dict[str, Any]:
    """Where the joints, the jaw's last, are told to stay when a stop comes within a step."""
    base = env.unwrapped
    robot = base.scene["robot"]
    asked, stood, told = 0, [], []

    def held() -> bool:
        nonlocal asked
        asked += 1
        if asked > 1:
            told.append(robot.data.joint_pos_target.torch.clone())
        if asked == STOPS_IN:
            stood.append(robot.data.joint_pos.torch.clone())
        return asked >= STOPS_IN

    action = robot.data.joint_pos.torch.clone() + 0.1
    base.held = held
    env.step(action)
    base.held = lambda: False
    told.append(robot.data.joint_pos_target.torch.clone())
    return {
        "asked": asked,
        "moved": (told[0] - stood[0]).abs().max().item(),
        "stays": [(one - stood[0])[:, :-1].abs().max().item() for one in told[1:]],
        "jaw": [(one - action)[:, -1].abs().max().item() for one in told],
    }


def main() -> None:
    env = gymnasium.make(TASK, cfg=tasks.cfg(TASK))
    plain, full = IsaacEEWrapper(env, add_ee_to_obs=False), IsaacEEWrapper(env)
    observed, info = plain.reset(seed=1)
    more, _ = full.reset(seed=1)
    named = IsaacEEWrapper(env, ee_link_name="gripper")
    named.reset(seed=1)
    found = {
        "without": sorted(observed),
        "with": sorted(more),
        "shape": list(more["ee"].shape),
        "state": {key: value.tolist() for key, value in info["ee_state"].items()},
        "asked": {key: value.tolist() for key, value in full.get_ee_state().items()},
        "named": {key: value.tolist() for key, value in named.get_ee_state().items()},
        "no_robot": refused(env, robot_name="arm"),
        "no_link": refused(env, ee_link_name="finger"),
        "decimation": env.unwrapped.cfg.decimation,
        "stop": stopped(full),
    }
    print(json.dumps(found))
    env.close()


main()
