"""The expert's episodes as training data: collected by many processes, drawn in batches, kept on the training device."""

import time
import zlib
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine import workers as processes
from engine.policy.course import Course
from engine.policy.errors import PolicyError
from engine.policy.practice import Samples
from engine.types import F32

DRAWN = 2048  #: pictures between two signs of progress


@dataclass(frozen=True)
class Demonstrations:
    """Samples of all episodes, without pictures."""

    poses: F32  #: (N, G) what a painter draws from
    states: F32  #: (N, S)
    chunks: F32  #: (N, H, A)
    labels: F32  #: (N, len(Sights.labels))
    episode: NDArray[np.int64]  #: (N,) index of the episode
    task: NDArray[np.int64]  #: (N,) index of the task in the course
    succeeded: NDArray[np.bool_]  #: (episodes,)


def mapped(work: Callable[[Any], Any], given: Sequence[Any], workers: int) -> Generator[Any, None, None]:
    """``work`` of each of ``given``, in order: in this process with fewer than two workers, else spread over new processes.

    Raises PolicyError if one of them dies.
    """
    if workers < 2:
        yield from map(work, given)
        return
    try:
        with processes.pool(workers) as pool:
            yield from pool.map(work, given)
    except BrokenProcessPool as error:
        raise PolicyError("a worker process has ended, perhaps for want of memory; use fewer workers") from error


def paced(done: int, whole: int, since: float) -> str:
    """How far something is, how fast it goes and how long it will take; ``since`` by ``time.monotonic()``, s."""
    rate = done / max(1e-6, time.monotonic() - since)
    return f"{done} of {whole}, {rate:.3g} a second, {(whole - done) / rate:.0f} s left"


def joined(course: Course, tasks: Sequence[str], episodes: Iterable[Samples], progress: Callable[[str], None]) -> Demonstrations:
    """The samples of one episode for each task of ``tasks``."""
    names = [task.name for task in course.tasks]
    began = time.monotonic()
    kept: list[Samples] = []
    for samples in episodes:
        kept.append(samples)
        if len(kept) % max(1, len(tasks) // 20) == 0:
            good = sum(one.succeeded for one in kept)
            progress(f"episodes {paced(len(kept), len(tasks), began)}; {good} succeeded")
    lengths = [len(one.states) for one in kept]
    return Demonstrations(
        poses=np.concatenate([one.poses for one in kept]),
        states=np.concatenate([one.states for one in kept]),
        chunks=np.concatenate([one.chunks for one in kept]),
        labels=np.concatenate([one.labels for one in kept]),
        episode=np.repeat(np.arange(len(kept)), lengths),
        task=np.repeat([names.index(task) for task in tasks], lengths),
        succeeded=np.array([one.succeeded for one in kept]),
    )


def save(path: Path, data: Demonstrations) -> None:
    """Write to one npz file, whole or not at all."""
    part = path.with_suffix(".part.npz")
    np.savez(part, **data.__dict__)
    part.replace(path)


def load(path: Path) -> Demonstrations:
    """Read back what ``save`` wrote. Raises PolicyError."""
    try:
        with np.load(path) as file:
            return Demonstrations(**{name: file[name] for name in Demonstrations.__dataclass_fields__})
    except (BadZipFile, zlib.error, EOFError, KeyError, ValueError, OSError) as error:
        raise PolicyError(f"{path} is damaged ({error}); remove it, and its episodes are played again") from error


def spreads(data: Demonstrations, course: Course) -> dict[str, dict[str, Tensor]]:
    """Mean and spread of states and actions in LeRobot's form; a spread is never below its floor."""
    states, actions = torch.from_numpy(data.states).double(), torch.from_numpy(data.chunks).double().flatten(0, 1)
    found = {"observation.state": (states, course.state_floor), "action": (actions, course.action_floor)}
    return {
        name: {"mean": values.mean(0).float(), "std": torch.maximum(values.std(0), torch.tensor(floor, dtype=torch.float64)).float()}
        for name, (values, floor) in found.items()
    }


def draw_pictures(draw: Callable[[F32, F32], Tensor], poses: F32, looks: F32, device: str, progress: Callable[[str], None]) -> Tensor:
    """Pictures of all poses as uint8 (N, C, h, w, 3) on ``device``."""
    pictures: Tensor | None = None
    began = time.monotonic()
    for start in range(0, len(poses), DRAWN):
        part = draw(poses[start : start + DRAWN], looks[start : start + DRAWN])
        if pictures is None:
            pictures = torch.empty((len(poses), *part.shape[1:]), dtype=torch.uint8, device=device)
        pictures[start : start + len(part)] = part
        if start // DRAWN % 10 == 0:
            progress(f"pictures {paced(start + len(part), len(poses), began)}")
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
