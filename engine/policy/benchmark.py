"""Times an ensemble against LeRobot's own policy on the same pictures, and holds their outputs against each other."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.policy.ensemble import Ensemble, policy_state
from engine.policy.loading import load
from engine.types import F32, F64, Frames, Observation

ROUNDS_MIN = 3
THREADS = 1  #: as in the engine's process, where the other core belongs to the pictures and the control loop


@dataclass
class Race:
    """Milliseconds of each round, the contestants taking turns; every time includes LeRobot's pre- and post-processing."""

    members: int
    samples: int  #: noise samples a member
    threads: int
    difference: float = 0.0  #: largest between the outputs, in the action's units
    fresh_ms: list[float] = field(default_factory=list)  #: the ensemble's prediction
    whole_ms: list[float] = field(default_factory=list)  #: the whole inference, signals included
    singly_ms: list[float] = field(default_factory=list)  #: LeRobot, one pass after another
    batched_ms: list[float] = field(default_factory=list)  #: LeRobot, one batch a member


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Torch computes with so many threads inside."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def race(policy: str, device: str, instruction: str, shown: Sequence[Frames], seconds: float, tell: Callable[[str], None]) -> Race:
    """Rounds over the exposures ``shown`` until ``seconds`` have passed, at least ``ROUNDS_MIN``. Raises PolicyError."""
    with threads(THREADS):
        ensemble = load(policy, device, tell)
        ensemble.warm_up(lambda note: None, instruction)
        lerobot = LeRobot(ensemble, instruction)
        found = Race(members=ensemble.info.members, samples=lerobot.samples, threads=THREADS)
        tell(f"racing for {seconds:g} s")
        end = time.monotonic() + seconds
        for number, frames in enumerate(cycle(shown)):
            if number >= ROUNDS_MIN and time.monotonic() > end:
                break
            _round(found, ensemble, lerobot, frames)
    return found


def _round(found: Race, ensemble: Ensemble, lerobot: "LeRobot", frames: Frames) -> None:
    """Every contestant once on the same exposure."""
    instruction, device = lerobot.instruction, ensemble.info.device
    ours = _timed(found.fresh_ms, lambda: predicted(ensemble, frames, instruction), device)
    _timed(found.whole_ms, lambda: ensemble.infer(frames, instruction, 1, None, time.monotonic_ns), device)
    singly = _timed(found.singly_ms, lambda: lerobot.singly(frames), device)
    batched = _timed(found.batched_ms, lambda: lerobot.batched(frames), device)
    found.difference = max(found.difference, *(float(np.abs(ours - theirs).max()) for theirs in (singly, batched)))


def inference_ms(policy: str, device: str, instruction: str, observation: Observation, pixels: int, rounds: int = 10) -> F64:
    """(rounds,) ms of whole warm inferences of a policy, on square pictures of noise: what they show takes no time. Raises PolicyError."""
    spent: list[float] = []
    with threads(THREADS):
        ensemble = load(policy, device)
        ensemble.warm_up(lambda note: None, instruction)
        noise = np.random.default_rng(0)
        images = {name: noise.integers(0, 256, (pixels, pixels, 3), dtype=np.uint8) for name in ensemble.cameras}
        t_ns = observation.t_ns
        frames = Frames(seq=1, t_ns=t_ns, exposed_ns=t_ns, observation=observation, images=images)
        for _ in range(rounds):
            _timed(spent, lambda: ensemble.infer(frames, instruction, 1, None, time.monotonic_ns), device)
    return np.array(spent)


def cuda_devices() -> list[str]:
    """Names of the CUDA devices torch can use."""
    return [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]


def observed(frames: Frames) -> tuple[dict[str, Tensor], Tensor]:
    """One exposure as a batch of one: pictures by camera (1, h, w, 3) and the policy's state (1, S)."""
    images = {name: torch.from_numpy(image)[None] for name, image in frames.images.items()}
    return images, torch.from_numpy(policy_state(frames.observation))[None]


def predicted(ensemble: Ensemble, frames: Frames, instruction: str) -> F32:
    """(E, B, H, A) by the engine's own path, without signals."""
    chunks: F32 = ensemble.predict(*observed(frames), instruction).chunks[0]
    return chunks


class LeRobot:
    """The members of an ensemble as LeRobot's policies, on the ensemble's noise."""

    def __init__(self, ensemble: Ensemble, instruction: str) -> None:
        self._ensemble = ensemble
        self.instruction = instruction
        self._members = [ensemble.member(number) for number in range(ensemble.info.members)]
        self._noise = ensemble.statistics.noise.to(ensemble.device)
        self.samples = len(self._noise)

    def singly(self, frames: Frames) -> F32:
        """(E, B, H, A), one ``predict_action_chunk`` a member and noise sample."""
        batch = self._ensemble.prepare(*observed(frames), self.instruction)
        return self._chunks(lambda policy: torch.cat([self._chunk(policy, batch, noise[None]) for noise in self._noise]))

    def batched(self, frames: Frames) -> F32:
        """(E, B, H, A), one ``predict_action_chunk`` a member on a batch of all its noise samples."""
        images, state = observed(frames)
        many = {name: image.repeat(self.samples, 1, 1, 1) for name, image in images.items()}
        batch = self._ensemble.prepare(many, state.repeat(self.samples, 1), self.instruction)
        return self._chunks(lambda policy: self._chunk(policy, batch, self._noise))

    @torch.inference_mode()
    def _chunks(self, of: Callable[[Any], Tensor]) -> F32:
        return torch.stack([self._ensemble.restore(of(policy)) for policy in self._members]).numpy()

    @staticmethod
    def _chunk(policy: Any, batch: dict[str, Any], noise: Tensor) -> Tensor:
        chunk: Tensor = policy.predict_action_chunk(dict(batch), noise=noise.clone())
        return chunk


def _timed[Result](spent: list[float], work: Callable[[], Result], device: str) -> Result:
    begun = time.perf_counter()
    result = work()
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    spent.append((time.perf_counter() - begun) * 1e3)
    return result
