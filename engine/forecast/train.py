"""Fits the forecast: the same network by likelihood and by focal loss, on whole episodes; then temperature, thresholds and the card."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from engine.forecast import calibration, card, labels, metrics, streaming
from engine.forecast.card import ANY, Card
from engine.forecast.dataset import CALIBRATE, TEST, TRAIN, Dataset, lot, split
from engine.forecast.errors import ForecastError
from engine.forecast.labels import CAUSES, targets
from engine.forecast.material import Batch, Material
from engine.forecast.network import FOCUS, Network, begun, loss
from engine.forecast.work import Work
from engine.types import F32, F64, HORIZONS

STEPS = 1500
MEMBERS = 1  #: networks whose hazards are averaged
BATCH = 64  #: sequences
RATE, DECAY, CLIP = 2e-3, 3e-2, 1.0
WARM_UP = 0.05  #: of the steps
DROPPED = 0.3  #: of the memory's units, where they are read
TELL_EVERY = 5.0  #: s between two lines of progress, at most
LOOK_EVERY = 100  #: steps between two looks at the episodes that choose when to stop
CHOOSING = 0.15  #: of the training part: not fitted to, but looked at to keep the best step
LOSSES = {"likelihood": 0.0, "focal": FOCUS}
RARE = 1e-4  #: probability below which no threshold lies

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Parts:
    """A data set as training takes it apart."""

    fit: Dataset
    choose: Dataset
    calibrate: Dataset
    test: Dataset


def train(
    data: Dataset,
    out: Path,
    *,
    steps: int = STEPS,
    device: str = "cpu",
    seed: int = 0,
    without: str = "",
    resume: bool = False,
    progress: Tell = print,
) -> Card:
    """Fit a forecast to ``data`` and write it to the folder ``out``. Raises ForecastError.

    ``without`` leaves one task out of everything but the test. Until it is done the folder ``out`` + ".work" holds the state of the
    training; with ``resume`` it goes on from there to the very same result, as long as data and settings are the same.
    """
    card.check(out)
    parts = apart(data, without)
    work = Work(card.work(out), {"data": data.hash, "steps": steps, "seed": seed, "without": without}, resume)
    told_by = {name: [fit(parts, name, seed + n, steps, torch.device(device), work, progress) for n in range(MEMBERS)] for name in LOSSES}
    fitted = {name: streaming.stacked(members) for name, members in told_by.items()}
    figures = {name: judged(parts, weights) for name, weights in fitted.items()}
    best = min(figures, key=lambda name: figures[name]["choosing_nll"])
    soft = figures[best]["temperature"]
    for name, told in figures.items():
        progress(f"{name}: " + ", ".join(f"{key} {value:.3f}" for key, value in told.items()))
    made = Card(
        tasks={data.tasks[number]: data.policies[number] for number in np.unique(parts.fit.task).tolist()},
        without=without,
        thresholds=alarms_from(parts, fitted[best], soft),
        alpha=calibration.ALPHA,
        temperature=soft,
        loss=best,
        members=MEMBERS,
        seed=seed,
        steps=steps,
        sizes={f"{part} {what}": getattr(of, what) for part, of in vars(parts).items() for what in ("episodes", "rows")},
        figures=figures,
        data=data.hash,
    )
    written = card.write(out, made, told_by[best], data)
    work.remove()
    return written


def apart(data: Dataset, without: str = "") -> Parts:
    """The parts of a data set. Raises ForecastError where one has too little to learn from."""
    if without and without not in data.tasks:
        raise ForecastError(f"The data have no task {without}; they have {', '.join(data.tasks)}.")
    part, other = split(data), ~data.of(without) if without else np.ones(data.episodes, np.bool_)
    keys = zip(data.task.tolist(), data.seed.tolist(), strict=True)
    choosing = np.array([lot(data.tasks[task], number, "choose") < CHOOSING for task, number in keys])
    chosen = {
        "fit": (part == TRAIN) & ~choosing & other,
        "choose": (part == TRAIN) & choosing & other,
        "calibrate": (part == CALIBRATE) & other,
        "test": part == TEST,
    }
    for name, which in chosen.items():
        failing = int((data.failure[which] >= 0).sum())
        if name != "test" and not 0 < failing < int(which.sum()):
            raise ForecastError(
                f"Of {int(which.sum())} episodes to {name} on {failing} fail; collect more, until some fail and some do not in each part."
            )
    return Parts(**{name: data.take(which) for name, which in chosen.items()})


def fit(parts: Parts, name: str, seed: int, steps: int, device: torch.device, work: Work, progress: Tell) -> dict[str, F32]:
    """The weights, by torch's names, at the step that the choosing episodes liked best."""
    material, choosing = Material(parts.fit), Material(parts.choose)
    network = begun(seed, torch.from_numpy(material.shares())).to(device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, betas=(0.9, 0.98), weight_decay=DECAY)
    of = f"{name} {seed}"
    start, least, best = work.read(of, network, optimizer)
    focus, told = LOSSES[name], time.monotonic()
    for step in range(start, steps):
        rng = np.random.default_rng([seed, 5, step])
        batch = material.varied(BATCH, rng)
        kept = torch.from_numpy((rng.random((BATCH, 1, streaming.HIDDEN)) >= DROPPED) / np.float32(1.0 - DROPPED)).float().to(device)
        optimizer.param_groups[0]["lr"] = _rate(step, steps)
        optimizer.zero_grad(set_to_none=True)
        _loss(network, batch, device, focus, kept).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimizer.step()
        if (step + 1) % LOOK_EVERY == 0 or step + 1 == steps:
            with torch.no_grad():
                now = float(_loss(network, choosing.whole(choosing.episodes), device, focus, None))
            if now < least:
                least, best = now, {key: value.detach().clone() for key, value in network.state_dict().items()}
            work.write(of, step + 1, least, best, network, optimizer)
            told = time.monotonic()
            progress(f"{of}, {step + 1}/{steps}: loss {now:.4f}, best {least:.4f}")
        elif time.monotonic() - told >= TELL_EVERY:
            told = time.monotonic()
            progress(f"{of}, {step + 1}/{steps}")
    return {key: value.detach().cpu().numpy().copy() for key, value in best.items()}


def _loss(network: Network, batch: Batch, device: torch.device, focus: float, kept: Tensor | None) -> Tensor:
    logits = network(torch.from_numpy(batch.seen).to(device), kept)
    return loss(logits, torch.from_numpy(batch.ends).to(device), torch.from_numpy(batch.counted).to(device), focus)


def _rate(step: int, steps: int) -> float:
    """Linear warm-up, then a half cosine to zero."""
    return RATE * min(1.0, (step + 1) / max(1.0, WARM_UP * steps)) * 0.5 * (1.0 + float(np.cos(np.pi * step / steps)))


def judged(parts: Parts, stack: streaming.Weights) -> dict[str, float]:
    """The temperature, and what the weights come to with it: on the choosing episodes, by which the loss is chosen, and on the test's.

    ``nll`` an inference; ``ece`` and ``brier_skill`` are means over the failures by the last horizon, ``raw`` without the temperature.
    """
    soft = calibration.temperature(card.logits(stack, parts.calibrate), targets(parts.calibrate))
    told = {"temperature": soft, "choosing_nll": calibration.unlikely(card.logits(stack, parts.choose), targets(parts.choose), soft)}
    if parts.test.rows:
        said, after = card.logits(stack, parts.test), targets(parts.test)
        told |= {"nll": calibration.unlikely(said, after, soft), "nll_raw": calibration.unlikely(said, after, 1.0)}
        for suffix, value in (("", soft), ("_raw", 1.0)):
            told |= {f"{key}{suffix}": number for key, number in reliable(labels.mean_hazards(said, value), parts.test).items()}
    return told


def reliable(hazards: F64, data: Dataset) -> dict[str, float]:
    """Means over the failures that came at all, by the last horizon: expected calibration error, Brier skill, AUROC."""
    truth, known = labels.within(targets(data), HORIZONS[-1])
    chance, group = labels.incidence(hazards)[known, :, -1], data.task[data.episode][known]
    came = [k for k in range(CAUSES) if truth[known, k].any()]
    figures = {
        "ece": [metrics.ece(chance[:, k], truth[known, k]) for k in came],
        "brier_skill": [metrics.brier_skill(chance[:, k], truth[known, k], group) for k in came],
        "auroc": [metrics.auroc(chance[:, k], truth[known, k]) for k in came],
    }
    return {name: float(np.mean(values)) if values else float("nan") for name, values in figures.items()}


def alarms_from(parts: Parts, stack: streaming.Weights, soft: float) -> dict[str, tuple[float | None, ...]]:
    """Thresholds by task, and for any task, from the calibration's episodes that did not fail; their shape from the fitted ones.

    A task with too few of them for a threshold that keeps the promise has none of its own.
    """
    learnt, held = (peaks(stack, data, soft) for data in (parts.fit, parts.calibrate))
    calm, failed = parts.calibrate.failure < 0, parts.fit.failure
    found = {}
    for task in (ANY, *parts.fit.tasks):
        mine = np.ones(len(failed), np.bool_) if task == ANY else parts.fit.of(task)
        own = held[calm] if task == ANY else held[calm & parts.calibrate.of(task)]
        if task != ANY and (len(own) < calibration.FEWEST or not (mine & (failed < 0)).any()):
            continue
        can = np.array([(failed[mine] == k).any() for k in range(CAUSES)])
        usual = np.quantile(learnt[mine & (failed < 0)], 1.0 - calibration.ALPHA, axis=0)
        limits = calibration.thresholds(own, np.where(can, np.maximum(usual, RARE), np.inf))
        found[task] = tuple(float(limit) if np.isfinite(limit) else None for limit in limits)
    return found


def peaks(stack: streaming.Weights, data: Dataset, soft: float) -> F64:
    """(N, CAUSES) the highest probability of each failure by the last horizon that an episode's inferences have."""
    chance = labels.incidence(labels.mean_hazards(card.logits(stack, data), soft))[..., -1] * data.gone[:, None]
    return np.maximum(np.stack([metrics.highest(chance[:, k], data.episode, data.episodes) for k in range(CAUSES)], axis=1), 0.0)
