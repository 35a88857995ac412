"""How long whole inferences of a policy take on this machine, and what it could run on."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch

from engine.policy.ensemble import Ensemble
from engine.types import F64, Frames, Observation

THREADS = 1  #: as in the engine's process, where the other core belongs to the pictures and the control loop


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Torch computes with so many threads inside."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def inference_ms(ensemble: Ensemble, instruction: str, observation: Observation, pixels: int, rounds: int = 10) -> F64:
    """(rounds,) ms of whole warm inferences of a policy, on square pictures of noise: what they show takes no time. Raises PolicyError."""
    spent: list[float] = []
    with threads(THREADS):
        ensemble.warm_up(lambda note: None, instruction)
        noise = np.random.default_rng(0)
        images = {name: noise.integers(0, 256, (pixels, pixels, 3), dtype=np.uint8) for name in ensemble.mapping.cameras.values()}
        t_ns = observation.t_ns
        frames = Frames(seq=1, t_ns=t_ns, exposed_ns=t_ns, observation=observation, images=images)
        for id in range(1, rounds + 1):
            timed(spent, lambda id=id: ensemble.infer(frames, instruction, id, None, time.monotonic_ns), ensemble.device)  # type: ignore[misc]
    return np.array(spent)


def cuda_devices() -> list[str]:
    """Names of the CUDA devices torch can use."""
    return [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]


def timed[Result](spent: list[float], work: Callable[[], Result], device: torch.device) -> Result:
    """What ``work`` returns, its milliseconds put beside the others ``spent``."""
    begun = time.perf_counter()
    result = work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    spent.append((time.perf_counter() - begun) * 1e3)
    return result
