"""A placeholder policy for the simulated cell: the scripted expert, which reads the simulator's truth. It is shown as PLACEHOLDER."""

from collections.abc import Callable

import numpy as np

from engine.policy import compact
from engine.types import SIGNALS, Frames, Inference, PolicyInfo

MAGNITUDE = SIGNALS.index("magnitude")
SCALE = 0.1  #: m, an action of unit magnitude


class Scripted:
    """Keeps the ``Policy`` protocol. One member and no ensemble: only the magnitude of its action is a valid signal."""

    info = PolicyInfo(
        name="scripted",
        action_space=compact.ACTION_SPACE,
        members=1,
        parameters_m=0.0,
        device="cpu",
        hash="",
        placeholder=True,
        path="scripted",
    )

    def warm_up(self, progress: Callable[[str], None], instruction: str | None = None) -> None:
        pass

    def infer(self, frames: Frames, instruction: str, id: int, previous: Inference | None, now_ns: Callable[[], int]) -> Inference:
        from adapters.mujoco.expert import STEP_S, expert_chunk

        start = now_ns()
        chunk = expert_chunk(frames.observation.plant)
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
            step_s=STEP_S,
            signals=signals,
            valid=valid,
            ratio=unknown,
            quantile=unknown,
            heads={},
            stage_ms={},
            members=1,
            finite=bool(np.isfinite(chunk).all()),
        )
