"""The co-saw in Isaac Lab's Python: ``cosaw_side.py MAIN`` saws by a table of postures from standard input and tells what it met.

The table is {"x": [...], "z": [...], "q": [x][z][7]}, rad of the level saw at those places. What it tells is JSON, the last line.
"""

import importlib.util
import json
import math
import sys
from dataclasses import replace
from typing import Any

SECONDS = 5.0  #: simulated, of sawing
SWING = 0.08  #: m, each way
RATE = 0.8  #: Hz
FEED = 0.02  #: m, the teeth are sent so far below the kerf's bottom
PULL = 20.0  #: N, of the person


def posture(table: Any, x: float, z: float) -> Any:
    """(7,) rad between the table's places."""
    import numpy as np

    q = np.asarray(table["q"])
    over_x = np.array([[np.interp(z, table["z"], q[i, :, j]) for j in range(7)] for i in range(len(table["x"]))])
    return np.array([np.interp(x, table["x"], over_x[:, j]) for j in range(7)])


def main() -> None:
    spec = importlib.util.spec_from_file_location("worker_main", sys.argv[1])
    assert spec is not None
    assert spec.loader is not None
    worker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(worker)
    worker.only_this_package()
    table = json.load(sys.stdin)

    import numpy as np
    import torch

    torch.set_num_threads(1)
    from adapters.isaaclab import cutting
    from adapters.isaaclab.worker import cosaw, tasks

    cfg = cosaw.CoSawEnvCfg()
    cfg.terminations = tasks.NeverCfg()
    env = tasks.TableEnv(cfg)
    robot, block = env.scene["robot"], cosaw.block(env)
    handle = robot.body_names.index(cosaw.HANDLE)

    def step(q: Any) -> Any:
        """The state after a step: tool (3,), joint speeds (7,), torques (7,), the block's force (3,)."""
        env.step(torch.tensor(np.asarray(q, np.float32))[None])
        env.watch()
        data = robot.data
        return np.concatenate(
            [
                cosaw.saw(env)[0].numpy(),
                data.joint_vel.torch[0].numpy(),
                data.applied_torque.torch[0].numpy(),
                block.force[0].numpy(),
                [block.cut.depth[0].item()],
            ]
        )

    def rest(seconds: float, q: Any) -> Any:
        for _ in range(round(seconds / env.step_dt)):
            seen = step(q)
        return seen

    top = cosaw.BLOCK[2]
    env.reset()
    still = rest(0.5, cosaw.HOME)
    force = torch.tensor([[[PULL, 0.0, 0.0]]])
    robot.permanent_wrench_composer.set_forces_and_torques_index(
        forces=force, torques=torch.zeros_like(force), body_ids=[handle], is_global=True
    )
    pulled = rest(1.0, cosaw.HOME)
    robot.permanent_wrench_composer.reset()
    back = rest(1.0, cosaw.HOME)

    commands, sawn = [], []
    for number in range(round(SECONDS / env.step_dt)):
        t = number * env.step_dt
        x = cosaw.BLOCK[0] + SWING * math.sin(2.0 * math.pi * RATE * t)
        down = min(1.0, t / 0.5)
        commands.append(posture(table, x, top + 0.02 * (1.0 - down) - down * (block.cut.depth[0].item() + FEED)))
        sawn.append(step(commands[-1]))
    kerf = [float(value) for value in cosaw.kerf(env)[0]]
    bottom = [float(value) for value in cosaw.bottom(env)[0]]

    env.reset()
    fresh = [float(value) for value in cosaw.kerf(env)[0]]
    block.cut = replace(block.cut, depth=torch.full_like(block.cut.depth, cutting.HEIGHT))
    rest(0.5, cosaw.HOME)
    free = [step(q) for q in commands]
    print(
        json.dumps(
            {
                "home": cosaw.HOME,
                "joints": robot.joint_names,
                "bodies": robot.body_names,
                "still": still[:3].tolist(),
                "pulled": pulled[:3].tolist(),
                "back": back[:3].tolist(),
                "sawn": np.array(sawn).tolist(),
                "free": np.array(free).tolist(),
                "kerf": kerf,
                "bottom": bottom,
                "fresh": fresh,
                "through": bool(cosaw.through(env)[0]),
                "done": bool(env.done[0]),
            }
        )
    )


if __name__ == "__main__":
    main()
