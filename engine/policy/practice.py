"""What runs in the worker processes: the cell's episodes, with the expert shaken for its demonstrations, or led by a policy elsewhere.

The one place of training that knows the simulated cell, which it imports when an episode begins: who only loads a policy never does.
"""

from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import torch
import torch.utils.dlpack
from torch import Tensor

from engine.policy.compact import IMAGE_SIZE
from engine.policy.demonstrations import Samples
from engine.policy.heads import LABELS
from engine.types import F32, F64

LATENCY_S = 0.20  #: s from exposure to the chunk's first use, as in a live run on two cores
REPLAN_STEPS = 5  #: of 50 ms between two inferences
SHAKE_CHANCE = 0.03  #: that a quiet step begins a push
SHAKE_STEPS = (4, 14)  #: how many 50 ms steps a push lasts
SHAKE_SPREAD = (0.04, 0.03, 0.02)  #: m, of the reference's shift along x, y and z
DISTINCT_LOOKS = 4000
SHORT_S, LONG_S = 9.0, 25.0  #: s; short episodes hold more of the approach, long ones deeper kerfs


def demonstrate(seed: int) -> Samples:
    """One expert episode, its executed reference pushed aside now and then, every label the clean expert's.

    Some episodes replan as late and as seldom as a live run, the others at 10 Hz.
    """
    from adapters.mujoco.episode import Episode

    rng = np.random.default_rng([seed, 11])
    steps, latency = (REPLAN_STEPS, LATENCY_S) if rng.random() < 0.4 else (2, float(rng.uniform(0.0, 0.1)))
    episode = Episode(seed, latency, steps, LONG_S if rng.random() < 0.3 else SHORT_S)
    plants, states, chunks, labels = [], [], [], []
    left = 0
    shift: F64 = np.zeros(3)
    while not episode.done:
        chunk = episode.expert()
        plants.append(episode.plant())
        states.append(episode.state())
        chunks.append(chunk)
        labels.append(label_row(episode.labels()))
        left -= steps
        if left <= 0:
            shift = np.zeros(3)
            if rng.random() < SHAKE_CHANCE * steps:
                left, shift = int(rng.integers(*SHAKE_STEPS)), rng.normal(0.0, SHAKE_SPREAD)
        executed = chunk.copy()
        executed[:, :3] += shift
        episode.follow(executed, steps)
    return Samples(np.stack(plants), np.stack(states), np.stack(chunks), np.stack(labels), bool(episode.outcome().success))


def label_row(labels: dict[str, float]) -> F32:
    """The cell's labels in the order of ``LABELS``."""
    return np.array([labels[name] for name in LABELS], dtype=np.float32)


def expert_outcome(seed: int, duration: float) -> Any:
    """A whole undisturbed episode of the expert, under the same latency and replanning as a policy."""
    from adapters.mujoco.episode import run

    return run(seed, None, duration, LATENCY_S, REPLAN_STEPS)


def serve(connection: Connection, seeds: Sequence[int], duration: float) -> None:
    """Hold one episode a seed; answer ``None`` with what each shows, chunks (episodes, 16, 7) by playing them, ``"end"`` with outcomes."""
    from adapters.mujoco.episode import Episode

    episodes = [Episode(seed, LATENCY_S, REPLAN_STEPS, duration) for seed in seeds]
    while True:
        message = connection.recv()
        if message is None:
            connection.send([(e.plant(), e.state(), e.expert(), label_row(e.labels())) for e in episodes])
        elif isinstance(message, str):
            connection.send([e.outcome() for e in episodes])
            return
        else:
            for episode, chunk in zip(episodes, message, strict=True):
                episode.follow(chunk)


def looks(count: int, seed: int, nominal_share: float = 0.2) -> F32:
    """(count, L) colours, light and camera placement drawn at random; a share of them nominal."""
    from adapters.mujoco import looks as cell_looks

    rng = np.random.default_rng([seed, 12])
    drawn = np.stack([cell_looks.draw(seed + i) for i in range(min(count, DISTINCT_LOOKS))])
    rows = drawn[rng.integers(len(drawn), size=count)]
    rows[rng.random(count) < nominal_share] = cell_looks.nominal()
    return rows


def painter(worlds: int, device: str) -> Callable[[F64, F32 | None], Tensor]:
    """The cell's renderer as a function: plants (N, P) and looks (N, L) -> uint8 pictures (N, C, h, w, 3), left on ``device``."""
    from adapters.mujoco.render import Renderer

    renderer = Renderer(worlds, IMAGE_SIZE, device)
    order = renderer._order

    def draw(plants: F64, looks: F32 | None) -> Tensor:
        packed = torch.utils.dlpack.from_dlpack(renderer.draw_device(plants, looks))
        whole = packed.view(torch.uint8).reshape(worlds, len(order), IMAGE_SIZE, IMAGE_SIZE, 4)
        return whole[: len(plants), order][..., [2, 1, 0]]

    return draw


def joint_limits() -> tuple[tuple[float, float], ...]:
    """rad, of the cell's arm."""
    from adapters.mujoco import layout

    return layout.JOINT_LIMITS


def joint_positions(plant: F64) -> F64:
    """(7,) rad, out of a plant vector."""
    from adapters.mujoco.plant import unpack

    return np.asarray(unpack(plant).q, dtype=np.float64)
