"""An environment of this project alone, stepped as standard input says: what a step through the link is measured against.

``python bare.py TASK``: each line is JSON, actions (n, 6) of joints in rad and a gripper 0 open .. 1 closed, and is answered by (n,) ms.
"""

import json
import os
import sys
import time

from main import only_this_package  # type: ignore[import-not-found]


def main(id: str) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever else is printed
    only_this_package()
    import torch

    from adapters.isaaclab.worker import serve, tasks

    torch.set_num_threads(1)
    with serve.app():
        env = tasks.TableEnv(tasks.cfg(id))
        env.reset(seed=0)
        for line in sys.stdin:
            actions = torch.tensor(json.loads(line))
            actions[:, -1] = serve.jaw(actions[:, -1])
            spent = []
            for action in actions:
                begun = time.perf_counter()
                env.step(action[None])
                spent.append((time.perf_counter() - begun) * 1e3)
            print(json.dumps(spent), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
