"""The expert's episodes as training data: collected by many processes, drawn in batches, kept on the training device."""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.policy.practice import Samples
from engine.types import F32, F64

STATE_FLOOR = (0.01,) * 3 + (0.02,) * 3 + (2.0,) * 3  #: m, m/s, N: spreads below these are not blown up to one
ACTION_FLOOR = (0.01,) * 3 + (0.05,) * 3 + (0.1,)  #: m, rad, grip


@dataclass(frozen=True)
class Demonstrations:
    """Samples of all episodes, without pictures."""

    plants: F64  #: (N, P) the cell's full state, from which pictures are drawn
    states: F32  #: (N, 9)
    chunks: F32  #: (N, 16, 7)
    labels: F32  #: (N, len(engine.policy.readings.LABELS))
    episode: NDArray[np.int64]  #: (N,) index of the episode
    succeeded: NDArray[np.bool_]  #: (episodes,)


def mapped(work: Callable[[int], Any], seeds: Sequence[int], workers: int) -> Iterator[Any]:
    """``work(seed)`` for every seed, in order: in this process with fewer than two workers, else spread over new processes."""
    if workers < 2:
        yield from map(work, seeds)
        return
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        yield from pool.imap(work, seeds, chunksize=1)


def collect(work: Callable[[int], Samples], seeds: Sequence[int], workers: int, progress: Callable[[str], None]) -> Demonstrations:
    """The samples of all seeds, one episode each, joined."""
    plants, states, chunks, labels, index, succeeded = [], [], [], [], [], []
    for number, samples in enumerate(mapped(work, seeds, workers)):
        plants.append(samples.plants)
        states.append(samples.states)
        chunks.append(samples.chunks)
        labels.append(samples.labels)
        index.append(np.full(len(samples.plants), number))
        succeeded.append(samples.succeeded)
        if (number + 1) % max(1, len(seeds) // 20) == 0:
            progress(f"episodes {number + 1} of {len(seeds)}, the expert succeeded in {sum(succeeded)}")
    return Demonstrations(
        plants=np.concatenate(plants),
        states=np.concatenate(states),
        chunks=np.concatenate(chunks),
        labels=np.concatenate(labels),
        episode=np.concatenate(index),
        succeeded=np.array(succeeded),
    )


def save(path: Path, data: Demonstrations) -> None:
    """Write to one npz file, whole or not at all."""
    part = path.with_suffix(".part.npz")
    np.savez(part, **data.__dict__)
    part.replace(path)


def load(path: Path) -> Demonstrations:
    """Read back what ``save`` wrote."""
    with np.load(path) as file:
        return Demonstrations(**{name: file[name] for name in Demonstrations.__dataclass_fields__})


def spreads(data: Demonstrations) -> dict[str, dict[str, Tensor]]:
    """Mean and spread of states and actions in LeRobot's form; a spread is never below its floor."""
    states, actions = torch.from_numpy(data.states).double(), torch.from_numpy(data.chunks).double().flatten(0, 1)
    found = {"observation.state": (states, STATE_FLOOR), "action": (actions, ACTION_FLOOR)}
    return {
        name: {"mean": values.mean(0).float(), "std": torch.maximum(values.std(0), torch.tensor(floor, dtype=torch.float64)).float()}
        for name, (values, floor) in found.items()
    }


def draw_pictures(
    draw: Callable[[F64, F32], Any], plants: F64, looks: F32, batch: int, device: str, progress: Callable[[str], None]
) -> Tensor:
    """Pictures of all plant states as uint8 (N, C, h, w, 3) on ``device``; ``draw`` takes at most ``batch`` of them at once."""
    pictures: Tensor | None = None
    for start in range(0, len(plants), batch):
        part = torch.as_tensor(draw(plants[start : start + batch], looks[start : start + batch])).to(device)
        if pictures is None:
            pictures = torch.empty((len(plants), *part.shape[1:]), dtype=torch.uint8, device=device)
        pictures[start : start + len(part)] = part
        if start // batch % 40 == 0:
            progress(f"pictures {start + len(part)} of {len(plants)}")
    assert pictures is not None
    return pictures


def varied(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Pictures (N, C, h, w, 3) as float (N, C, 3, h, w) in [0, 1], each camera with its own exposure, tint and sensor noise."""
    images = pictures.permute(0, 1, 4, 2, 3).to(torch.float32) / 255.0
    shape = (*images.shape[:3], 1, 1)

    def uniform(size: Iterable[int], low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(tuple(size), generator=generator, device=images.device)

    gain = uniform((*shape[:2], 1, 1, 1), 0.8, 1.2) * uniform(shape, 0.93, 1.07)
    offset = uniform((*shape[:2], 1, 1, 1), -0.06, 0.06)
    noise = torch.randn(images.shape, generator=generator, device=images.device) * uniform((shape[0], 1, 1, 1, 1), 0.0, 0.03)
    return (images * gain + offset + noise).clamp(0.0, 1.0)
