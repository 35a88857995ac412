"""A placeholder policy for the simulated robots: the scripted expert, which reads the simulator's truth. It is shown as PLACEHOLDER."""

from collections.abc import Callable
from functools import partial

import numpy as np

from engine.policy import compact
from engine.tasks import KINDS
from engine.types import F32, F64, SIGNALS, Frames, Inference, PolicyInfo

MAGNITUDE = SIGNALS.index("magnitude")
SCALE = 0.1  #: m, an action of unit magnitude


def expert_of(robot: str, task: str) -> Callable[[F64], F32]:
    """What turns a plant vector (P,) of a simulated robot into the chunk (16, 7) of its expert."""
    kind = KINDS[robot]
    if kind.arm:
        from adapters.mujoco.tabletop.expert import expert_chunk

        return partial(expert_chunk, *kind.does.get(task, (kind.arm, task)))
    from adapters.mujoco import expert

    return expert.expert_chunk


class Scripted:
    """Keeps the ``Policy`` protocol. One member and no ensemble: only the magnitude of its action is a valid signal."""

    def __init__(self, robot: str = "cosaw", task: str = "saw", fallback: str = "") -> None:
        """``fallback``: why it stands in for the policy that was asked for."""
        self._expert = expert_of(robot, task)
        self.info = PolicyInfo(
            name="scripted",
            action_space=compact.ACTION_SPACE,
            members=1,
            parameters_m=0.0,
            device="cpu",
            hash="",
            placeholder=True,
            path="scripted",
            fallback=fallback,
        )

    def warm_up(self, progress: Callable[[str], None], instruction: str | None = None) -> None:
        pass

    def infer(self, frames: Frames, instruction: str, id: int, previous: Inference | None, now_ns: Callable[[], int]) -> Inference:
        start = now_ns()
        chunk = self._expert(frames.observation.plant)
        unknown = np.full(len(SIGNALS), np.nan)
        signals, valid = unknown.copy(), np.zeros(len(SIGNALS), dtype=np.bool_)
        signals[MAGNITUDE] = np.linalg.norm(chunk[0, :6]) / SCALE
        valid[MAGNITUDE] = True
        return Inference(
            id=id,
            exposed_ns=frames.exposed_ns,
            start_ns=start,
            end_ns=now_ns(),
            base_pose=frames.observation.pose,
            chunks=chunk[None, None],
            step_s=compact.STEP_S,
            signals=signals,
            valid=valid,
            signal_ns=np.where(valid, frames.exposed_ns, 0),
            ratio=unknown,
            quantile=unknown,
            heads={},
            stage_ms={},
            members=1,
            finite=bool(np.isfinite(chunk).all()),
        )
