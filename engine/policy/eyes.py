"""A finished policy's frozen prefix as eyes: watched episodes in, features or the heads' outputs out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from engine.policy import checkpoint, courses, demonstrations, studio
from engine.policy.building import features_shape
from engine.policy.course import Course
from engine.policy.errors import PolicyError
from engine.policy.heads import Heads
from engine.policy.loading import load
from engine.policy.prefix import Prefix
from engine.policy.watching import Watch, Watched, watch
from engine.types import F32, F64

NOMINAL_SHARE = 0.2  #: of the episodes


@dataclass(frozen=True)
class Eyes:
    """What looks at pictures, on one device. C cameras, T tokens, W features each."""

    course: Course
    prefix: nn.Module
    instruction: Tensor  #: (L,) tokens
    shape: tuple[int, int]  #: (T, W)
    state: int  #: S, of the policy; the features do not depend on it
    heads: Heads | None  #: its own
    draw: studio.Draw
    device: str

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """Of images (N, C, 3, h, w) in [0, 1]: (N, T, W)."""
        nothing = torch.zeros(len(images), self.state, device=images.device)
        return self.prefix(images, self.instruction, nothing)[2]  # type: ignore[no-any-return]


def opened(folder: Path, device: str) -> tuple[Eyes, dict[str, Any]]:
    """The eyes of the policy in a folder, and its manifest. Raises PolicyError."""
    ensemble = load(str(folder), device)
    manifest = checkpoint.read_json(folder / checkpoint.MANIFEST)
    robot = str(manifest.get("robot", "cosaw"))
    if robot != "cosaw":
        raise PolicyError(f"{folder / checkpoint.MANIFEST} is a policy for '{robot}', where no person is to be seen; expected 'cosaw'")
    course = courses.course(robot)
    images = {name: torch.zeros(1, h, w, c, dtype=torch.uint8) for name, (c, h, w) in ensemble.sizes.items()}
    batch = ensemble.prepare(images, torch.zeros(1, course.state_size), ensemble.instruction)
    tokens = batch["observation.language.tokens"][0][batch["observation.language.attention_mask"][0]]
    policy = ensemble.member(0)
    found = Eyes(
        course=course,
        prefix=Prefix(policy).to(device).eval().requires_grad_(False),
        instruction=tokens.to(device),
        shape=features_shape(policy),
        state=course.state_size,
        heads=ensemble.heads,
        draw=studio.drawer(course, device),
        device=device,
    )
    return found, manifest


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


def painted(eyes: Eyes, count: int, seed: int, strength: float | None = None) -> F32:
    """(count, L) a look for each episode: all of one strength, or of any, some of them nominal."""
    rng = np.random.default_rng([seed, 14])
    strengths = np.full(count, strength) if strength is not None else rng.random(count) * (rng.random(count) >= NOMINAL_SHARE)
    return np.stack([eyes.course.look(seed + i, float(each)) for i, each in enumerate(strengths)])


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
