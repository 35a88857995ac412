"""Teaches a finished policy to say what it sees: heads on its frozen prefix, their calibration, and the smoother over time.

Heads learn from moments that follow from nothing but the picture; the smoother from other episodes as they went; calibration is set on
a third set and judged on a fourth, whose figures are what the policy's folder keeps and what may disable sight.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from torch import Tensor

from engine.policy import calibration, checkpoint, eyes, judging, smoothing, studio
from engine.policy.checkpoint import Calibrated, Manifest
from engine.policy.demonstrations import draw_pictures, varied
from engine.policy.eyes import Eyes
from engine.policy.fitting import Fit, descend
from engine.policy.heads import Heads
from engine.policy.judging import Sequences
from engine.policy.readings import Sights
from engine.policy.smoothing import NEEDED, Smoother
from engine.policy.watching import Watch

HEADS_SEED, SMOOTHER_SEED, CALIBRATION_SEED, JUDGING_SEED = 5_000_000, 5_200_000, 5_400_000, 5_600_000
ABSENT = 0.15  #: of moments and episodes with nobody there
DANGER = 0.5  #: of the episodes
SHORTEST = 0.3  #: share of the full length, of the episodes for the heads: the more of them, the more different logs and lines
SMOOTHER_BATCH = 64  #: episodes a step
STRIDES = 3  #: moments from look to look, at most: a live policy looks every 0.1 to 0.3 s


@dataclass(frozen=True)
class Plan:
    """How much of everything."""

    device: str = "cpu"
    workers: int = 2
    episodes: int = 1600  #: whose moments the heads learn from
    sequences: int = 256  #: that the smoother learns from; half as many set the calibration, and as many judge it
    steps: int = 8000  #: of the heads
    turns: int = 1200  #: steps of the smoother
    batch: int = 256
    seconds: float = 12.0  #: of an episode; those of the heads are of any length up to that


def train(folder: Path, plan: Plan, progress: Callable[[str], None]) -> dict[str, Any]:
    """Train heads and smoother on the policy in ``folder``, and write them there. Returns what was judged. Raises PolicyError."""
    looking, manifest = eyes.opened(folder, plan.device)
    heads = eyes.new_heads(looking)
    _fit_heads(looking, heads, plan, progress)
    half = max(2, plan.sequences // 2)
    settle = _sequences(looking, heads, CALIBRATION_SEED, half, plan, progress, "calibration")
    heads.cpu()
    _calibrate_heads(heads, settle)
    settle = replace(settle, outputs=heads.calibrated(settle.outputs.flatten(0, 1)).reshape(settle.outputs.shape))
    heads.to(plan.device)
    learned = _sequences(looking, heads, SMOOTHER_SEED, plan.sequences, plan, progress, "smoother")
    smoother = Smoother(heads)
    _fit_smoother(smoother, learned, plan, progress)
    _calibrate_smoother(smoother, settle)
    judged = _sequences(looking, heads, JUDGING_SEED, half, plan, progress, "judging")
    figures = judging.bounded(judged, smoother)
    _write(folder, manifest, heads, smoother, figures, plan)
    wanting = calibration.found_wanting(figures)
    progress(f"judged: {json.dumps(figures)}")
    return {"figures": figures, "bounds": calibration.BOUNDS, "in_force": not wanting, "wanting": wanting}


def _sequences(looking: Eyes, heads: Heads, seed: int, count: int, plan: Plan, progress: Callable[[str], None], what: str) -> Sequences:
    watches = [Watch(seed + i, plan.seconds, danger=i < DANGER * count, absent=ABSENT, shaken=i % 2 == 0) for i in range(count)]
    found = eyes.watched(looking, watches, plan.workers, progress, what)
    return judging.sequences(looking, heads, found, studio.looks(looking.course, count, seed))


def _fit_heads(looking: Eyes, heads: Heads, plan: Plan, progress: Callable[[str], None]) -> None:
    lengths = plan.seconds * np.random.default_rng(HEADS_SEED).uniform(SHORTEST, 1.0, plan.episodes)
    watches = [
        Watch(HEADS_SEED + i, float(length), danger=i % 2 == 0, absent=ABSENT, scattered=True, shaken=True)
        for i, length in enumerate(lengths)
    ]
    found = eyes.watched(looking, watches, plan.workers, progress, "heads")
    poses = np.concatenate([one.poses for one in found])
    labels = torch.from_numpy(np.concatenate([one.labels for one in found])).to(plan.device)
    pictures = draw_pictures(looking.draw, poses, studio.looks(looking.course, len(poses), HEADS_SEED), plan.device, progress)
    generator = torch.Generator(device=plan.device).manual_seed(4)
    half = torch.autocast(plan.device.split(":")[0], dtype=torch.bfloat16, enabled=plan.device.startswith("cuda"), cache_enabled=False)

    def losses() -> tuple[Tensor, Tensor]:
        rows = torch.randint(len(pictures), (plan.batch,), generator=generator, device=plan.device)
        with half:
            loss = heads.loss(looking.features(varied(pictures[rows], generator)), labels[rows])
        return loss, loss

    fit = Fit(plan.steps, plan.batch, rate=1.5e-3, decay=1e-2)
    descend(fit, list(heads.parameters()), losses, generator, lambda n, told: progress(f"heads {n} of {plan.steps}: {told[0]:.4f}"))
    heads.eval().requires_grad_(False)


def _calibrate_heads(heads: Heads, settle: Sequences) -> None:
    """Set what makes the heads' doubt believable; ``settle`` is as they told it before."""
    means, deviations, _, _ = settle.values()
    _, _, zones, flags = (part.double().numpy() for part in heads.parts(settle.outputs.flatten(0, 1)))
    names = [reading.name for reading in heads.sights.readings]
    stretches = [calibration.stretch(means[:, i], deviations[:, i], settle.truth(name)) for i, name in enumerate(names)]
    hand, truth = names.index("hand_distance"), settle.truth("hand_distance")
    stretches[hand] = max(stretches[hand], calibration.stretch(means[:, hand], deviations[:, hand], calibration.near(truth)))
    heads.stretch.copy_(torch.tensor(stretches))
    heads.soften.fill_(calibration.temperature(zones, settle.truth("zone")))
    lines = [calibration.platt(flags[:, i], settle.truth(name)) for i, name in enumerate(heads.sights.flags)]
    heads.slope.copy_(torch.tensor([slope for slope, _ in lines]))
    heads.shift.copy_(torch.tensor([shift for _, shift in lines]))


def _fit_smoother(smoother: Smoother, learned: Sequences, plan: Plan, progress: Callable[[str], None]) -> None:
    generator = torch.Generator().manual_seed(5)
    rng = np.random.default_rng(6)
    hand = next(reading for reading in learned.heads.sights.readings if reading.name == "hand_distance")
    known = [learned.truth(name).reshape(learned.t.shape) for name in NEEDED]
    truth = torch.from_numpy(np.stack([(known[0] - hand.centre) / hand.scale, *known[1:]], axis=2)).to(torch.float32)
    times = torch.from_numpy(learned.t).to(torch.float32)
    episodes, length = times.shape

    def losses() -> tuple[Tensor, Tensor]:
        stride, first = int(rng.integers(1, STRIDES + 1)), int(rng.integers(0, length // 2 + 1))
        rows = torch.randint(episodes, (min(SMOOTHER_BATCH, episodes),), generator=generator)
        when = times[rows, first::stride]
        since = torch.cat((torch.zeros(len(rows), 1), when[:, 1:] - when[:, :-1]), dim=1)
        loss = smoother.loss(learned.outputs[rows, first::stride], since, truth[rows, first::stride])
        return loss, loss

    fit = Fit(plan.turns, SMOOTHER_BATCH, rate=5e-3, decay=1e-3)
    descend(fit, list(smoother.parameters()), losses, generator, lambda n, told: progress(f"smoother {n} of {plan.turns}: {told[0]:.4f}"))
    smoother.eval().requires_grad_(False)


def _calibrate_smoother(smoother: Smoother, settle: Sequences) -> None:
    """Set what makes the smoother's doubt believable; it is new, so nothing is applied yet."""
    seen = judging.smoothed(smoother, settle)
    hand, human, stuck = (settle.truth(name) for name in NEEDED)
    smoother.stretch.fill_(max(calibration.stretch(seen.hand, seen.deviation, truth) for truth in (hand, calibration.near(hand))))
    lines = [calibration.platt(judging.logit(seen.human), human), calibration.platt(judging.logit(seen.stuck), stuck)]
    smoother.slope.copy_(torch.tensor([slope for slope, _ in lines]))
    smoother.shift.copy_(torch.tensor([shift for _, shift in lines]))


def _write(folder: Path, manifest: Manifest, heads: Heads, smoother: Smoother, figures: dict[str, float], plan: Plan) -> None:
    """Heads and smoother in place of what the folder had, the manifest last."""
    part = folder / f"{checkpoint.HEADS}.part"
    checkpoint.write_tensors(part, heads.state_dict(), half=False)
    part.replace(folder / checkpoint.HEADS)
    smoothing.write(folder, smoother)
    checkpoint.write_manifest(folder, described(manifest, heads.sights, figures, plan))


def described(manifest: Manifest, sights: Sights, figures: dict[str, float], plan: Plan) -> Manifest:
    """The manifest of a policy with other heads and sight, without what it told of those before."""
    trained_on = {"episodes": plan.episodes, "sequences": plan.sequences, "steps": plan.steps, "turns": plan.turns}
    training = {name: value for name, value in manifest.training.items() if name != "head_errors"}
    return msgspec.structs.replace(manifest, heads=sights.described(), sight=Calibrated(figures, trained_on), training=training)
