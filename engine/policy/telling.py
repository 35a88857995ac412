"""From what a pass says of one observation to the inference that the engine takes: its signals, and how far they are from nominal.

Numpy only, so that it also runs in a process that never loads a policy.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from engine.policy import mapping
from engine.signals import CARTESIAN, Pass, Tracker, joints
from engine.signals.familiarity import Familiarity
from engine.signals.nominal import Nominal
from engine.types import F32, F64, Frames, Inference


@dataclass(frozen=True)
class Said:
    """What one pass says of one observation. E members, B noise samples, H horizon, A action."""

    chunks: F32  #: (E, B, H, A) in SI units, components in the order of ``mapping.canonical``
    velocity: F32  #: (E, B, H, A) at the first flow step, normalised, components in the policy's own order
    features: F64  #: (F,)
    perturbed: Mapping[int, F32]  #: by number of the perturbation (E, H, A), from pictures that it changed


@dataclass(frozen=True)
class Measures:
    """What an ensemble's answers are measured by; it may be handed to another process."""

    nominal: Nominal | None
    familiarity: Familiarity | None
    mapping: mapping.Mapping
    scale: F64  #: (A,) of the policy's actions in SI units
    joint_limits: tuple[tuple[float, float], ...] | None  #: rad
    members: int


class Asked(NamedTuple):
    """One exposure of one of several runs, for ``engine.policy.crowd``."""

    place: int  #: of the run
    instruction: str
    id: int  #: of the inference
    exposed_ns: int
    anew: bool  #: it follows on no other
    wanted: bool = True  #: there is to be an inference


class Teller:
    """One run's inferences, in the order of their exposures; one thread calls it."""

    def __init__(self, measures: Measures) -> None:
        self.measures = measures
        self._tracker = Tracker(measures.familiarity, measures.joint_limits)
        self._last: tuple[int, str, tuple[tuple[int, ...], ...]] = (0, "", ())  # id, instruction and sizes of the pass before

    def inference(
        self,
        said: Said,
        frames: Frames,
        instruction: str,
        id: int,
        previous: Inference | None,
        times: tuple[int, int],
        now_ns: Callable[[], int],
        heads: Callable[[bool], dict[str, float]],
    ) -> Inference:
        """``times`` are those of the pass's begin and end; ``heads`` what the pictures tell, asked whether they follow on no others."""
        start, modelled = times
        sizes = tuple(image.shape for image in frames.images.values())
        if self._last[1:] != (instruction, sizes):
            self._tracker.forget()
        follows = previous is not None and previous.id == self._last[0]
        found = self._tracker.signals(self.passed(said, frames), frames.observation.q, said.perturbed, follows)
        self._last = (id, instruction, sizes)
        told = heads(not follows)
        nominal, unknown = self.measures.nominal, np.full(len(found.values), np.nan)
        end = now_ns()
        return Inference(
            id=id,
            exposed_ns=frames.exposed_ns,
            start_ns=start,
            end_ns=end,
            base_pose=frames.observation.pose,
            chunks=said.chunks,
            step_s=self.measures.mapping.step_s,
            signals=found.values,
            valid=found.valid,
            signal_ns=found.exposed_ns,
            ratio=unknown if nominal is None else nominal.ratio(found.values, found.valid),
            quantile=unknown if nominal is None else nominal.quantile(found.values, found.valid),
            heads=told,
            stage_ms={"model": (modelled - start) * 1e-6, "signals": (end - modelled) * 1e-6},
            members=self.measures.members,
            finite=bool(np.isfinite(said.chunks).all()),
        )

    def passed(self, said: Said, frames: Frames) -> Pass:
        """What the signals are computed from."""
        seen, measures = frames.observation, self.measures
        tool = measures.mapping.action_space == "cartesian_delta"
        return Pass(
            said.chunks,
            frames.exposed_ns,
            seen.pose[:3] if tool else seen.q,
            measures.mapping.step_s,
            measures.scale,
            CARTESIAN if tool else joints(len(seen.q)),
            said.velocity,
            said.features,
        )
