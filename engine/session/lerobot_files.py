"""LeRobot's own classes for its data sets: the one place of a session's code that imports them, and only when asked."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from engine.session.layout import Rows, SessionError

DECODER = "pyav"  #: comes with its own FFmpeg; torchcodec needs the system's
NEEDED = "pip install 'lerobot[dataset]==0.6.1'"


def create(folder: Path, robot_type: str, fps: int, features: Mapping[str, Mapping[str, Any]]) -> Any:
    """A new ``LeRobotDataset`` in ``folder``, which must not be there yet. Raises SessionError where LeRobot's packages are lacking."""
    return _dataset_class().create(
        f"local/{folder.name}",
        fps,
        {name: dict(one) for name, one in features.items()},
        root=folder,
        robot_type=robot_type,
        video_backend=DECODER,
    )


def mend_statistics(dataset: Any, columns: Mapping[str, Rows]) -> None:
    """Write mean and spread of ``columns`` (n, size) anew into a finished data set, summed in float64.

    LeRobot sums squares in float32: of a joint that stands at 90 degrees it then knows a mean that is off and a spread of 0, and its
    normalised value is some ten thousand.
    """
    from lerobot.datasets import write_stats

    for name, values in columns.items():
        dataset.meta.stats[name] |= {"mean": values.mean(0, dtype=np.float64), "std": values.std(0, dtype=np.float64)}
    write_stats(dataset.meta.stats, dataset.root)


def opened(folder: Path, episode: int, scratch: Path) -> Any:
    """The ``LeRobotDataset`` in ``folder`` with one of its episodes; what is unpacked lies in ``scratch``, and nothing is fetched.

    Raises SessionError where LeRobot's packages are lacking, and whatever LeRobot raises where the files are not what they should be.
    """
    found = _dataset_class()
    with _staying_here(scratch):
        return found(f"local/{folder.name}", root=folder, episodes=[episode], video_backend=DECODER)


def video_frames(path: Path, times: list[float], tolerance: float) -> Any:
    """(n, 3, H, W) uint8 tensor of the pictures at ``times`` s, which lie in one video."""
    from lerobot.datasets.video_utils import decode_video_frames

    return decode_video_frames(path, times, tolerance, DECODER, return_uint8=True)


@contextmanager
def _staying_here(scratch: Path) -> Iterator[None]:
    """Without the hub, where LeRobot would look for what a data set lacks, and without copies in the user's cache."""
    import datasets
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE, datasets.config.HF_DATASETS_CACHE
    constants.HF_HUB_OFFLINE, datasets.config.HF_DATASETS_CACHE = True, scratch
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE, datasets.config.HF_DATASETS_CACHE = before


def _dataset_class() -> Any:
    try:
        import av
        import datasets
        from lerobot.datasets import LeRobotDataset
    except ImportError as error:
        raise SessionError(
            f"LeRobot's data sets need packages that are not here ({error.name or error}): install them with {NEEDED}"
        ) from error
    os.environ.setdefault("SVT_LOG", "1")  # of the video encoder: errors only
    av.logging.set_libav_level(av.logging.WARNING)
    datasets.disable_progress_bars()
    return LeRobotDataset
