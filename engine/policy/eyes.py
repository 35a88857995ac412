"""A finished policy's frozen prefix as eyes: watched episodes in, features or the heads' outputs out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from engine.policy import checkpoint, courses, demonstrations, studio
from engine.policy.course import Course
from engine.policy.heads import Heads
from engine.policy.loading import Options, load
from engine.policy.smoothing import Sight
from engine.policy.watching import Watch, Watched, watch
from engine.types import F32, F64


@dataclass(frozen=True)
class Eyes:
    """What looks at pictures, on one device. C cameras, T tokens, W features each."""

    course: Course
    prefix: nn.Module
    instruction: Tensor  #: (L,) tokens
    shape: tuple[int, int]  #: (T, W)
    state: int  #: S, of the policy; the features do not depend on it
    heads: Heads | None  #: its own
    sight: Sight | None  #: its own, once calibrated
    draw: studio.Draw
    device: str

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """Of images (N, C, 3, h, w) in [0, 1]: (N, T, W)."""
        nothing = torch.zeros(len(images), self.state, device=images.device)
        return self.prefix(images, self.instruction, nothing)[2]  # type: ignore[no-any-return]


def opened(folder: Path, device: str) -> tuple[Eyes, checkpoint.Manifest]:
    """The eyes of the policy in a folder, and its manifest. Raises PolicyError."""
    course = courses.cosaw()
    ensemble = load(str(folder), device, robot=course.robot, options=Options(dtype="float32"))
    images = {name: torch.zeros(1, h, w, c, dtype=torch.uint8) for name, (c, h, w) in ensemble.sizes.items()}
    batch = ensemble.prepare(images, torch.zeros(1, course.state_size), ensemble.instruction)
    tokens = batch["observation.language.tokens"][0][batch["observation.language.attention_mask"][0]].to(device)
    pictures = torch.stack([batch[f"observation.images.{name}"] for name in ensemble.sizes], dim=1)
    prefix = ensemble.members.prefixes[0]
    shape = prefix(pictures, tokens, torch.zeros(1, course.state_size, device=device))[2].shape
    found = Eyes(
        course=course,
        prefix=prefix,
        instruction=tokens,
        shape=(shape[1], shape[2]),
        state=course.state_size,
        heads=ensemble.heads,
        sight=ensemble.sight,
        draw=studio.drawer(course, device),
        device=device,
    )
    return found, checkpoint.read_manifest(folder)


def new_heads(eyes: Eyes) -> Heads:
    """Untrained heads that fit, for the course's sights."""
    return Heads(*eyes.shape, eyes.course.sights).to(eyes.device)


def watched(eyes: Eyes, watches: Sequence[Watch], workers: int, progress: Callable[[str], None], what: str) -> list[Watched]:
    """The episodes, in order, played by so many processes."""
    found = []
    for number, one in enumerate(demonstrations.mapped(partial(watch, eyes.course), list(watches), workers), start=1):
        found.append(one)
        if number % max(1, len(watches) // 5) == 0:
            progress(f"{what}: {number} of {len(watches)} episodes")
    return found


@torch.no_grad()
def looked(eyes: Eyes, heads: Heads, episodes: Sequence[Watched], looks: F32) -> list[F64]:
    """The heads' outputs (T, O) over each episode, seen in its own look (episodes, L)."""
    lengths = [len(one.t) for one in episodes]
    poses, paint = np.concatenate([one.poses for one in episodes]), np.repeat(looks, lengths, axis=0)
    found, some = [], studio.WORLDS[torch.device(eyes.device).type]
    for start in range(0, len(poses), some):
        images = eyes.draw(poses[start : start + some], paint[start : start + some])
        found.append(heads(eyes.features(images.permute(0, 1, 4, 2, 3).to(torch.float32) / 255.0)).cpu().double().numpy())
    return np.split(np.concatenate(found), np.cumsum(lengths)[:-1])
