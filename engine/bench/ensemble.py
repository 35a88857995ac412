"""A fresh pass of all members, clean and perturbed, beside LeRobot's own policy run pass by pass on the same device, threads and noise."""

import time
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from engine.bench.figure import Alternative, BenchError, Figure, Tell, figure
from engine.config import Settings
from engine.types import Frames

if TYPE_CHECKING:
    from engine.policy.contest import Race

SECONDS = 20.0
EXPOSURES = 4
PIXELS = 128  #: what the policies take, so that neither side has to make the pictures smaller
BETWEEN = 0.25  #: s of the cell's time between two exposures
SPEEDS = {("compact", "cpu"): 3.0, ("smolvla", "cuda"): 120.0}  #: times LeRobot's
LIMITS = {("smolvla", "cuda"): (10.0, 20.0)}  #: ms of a clean and of a perturbed pass of five members
WHOLE = 20  #: whole inferences timed


def measure(
    settings: Settings,
    seconds: float,
    tell: Tell,
    model: str | None = None,
    device: str | None = None,
    members: int = 5,
    perturbations: int = 3,
) -> tuple[Figure, ...]:
    """``model`` is compact or smolvla (SmolVLA-450M with random weights); it and ``device`` are the settings' own if None.

    Raises BenchError where the policy has no members to race, AdapterError, PolicyError.
    """
    chosen, device = model or settings.policy, device or settings.device
    if chosen == "scripted":
        raise BenchError("The scripted policy has no members to compare: choose compact or smolvla.")
    from engine.policy import contest, contestants
    from engine.policy.benchmark import THREADS, threads

    contestants.check(chosen, device, members, perturbations)
    with threads(THREADS):
        if chosen == "smolvla":
            tell(f"building {members} members of SmolVLA-450M")
            policies, inputs = contestants.full_size(device, members, perturbations)
            return _figures("smolvla", device, contest.race(policies, inputs, seconds, tell))
        from engine.policy.loading import load

        tell("pictures of the cell")
        shown = exposures(settings)
        ensemble = load("compact", device, tell, robot=settings.robot)
        policies, inputs = contestants.compact(ensemble, shown[0], settings.instruction, members, perturbations)
        found = _figures("compact", device, contest.race(policies, inputs, seconds, tell))
        tell("whole inferences")
        ensemble.warm_up(lambda note: None, settings.instruction)
        spent = []
        for id in range(WHOLE):
            begun = time.perf_counter()
            ensemble.infer(shown[id % len(shown)], settings.instruction, id + 1, None, time.monotonic_ns)
            spent.append(time.perf_counter() - begun)
        passes = f"{ensemble.info.members} members × ({len(ensemble.statistics.noise)} samples + {ensemble.perturbed} perturbed)"
        return (*found, figure(f"inferences of {passes} with all signals, without pictures", 1.0 / median(spent), "1/s", "higher", bar=8.0))


def _figures(model: str, device: str, race: "Race") -> tuple[Figure, ...]:
    kind = (model, device.partition(":")[0])
    speed, limits = SPEEDS.get(kind), LIMITS.get(kind, (None, None)) if race.members == 5 else (None, None)
    own = f"LeRobot's predict_action_chunk one by one, {race.dtype}, {race.threads} thread{'s' * (race.threads > 1)}"
    found: list[Figure] = []
    slow = median(race.perturbed_ms)
    told = [(f"{race.members} × 1", race.clean_ms, race.lerobot_clean_ms, limits[0])]
    if race.perturbations:
        told.append((f"{race.members} × (1 + {race.perturbations})", race.perturbed_ms, race.lerobot_ms, limits[1]))
    for name, ours, theirs, bar in told:
        passes = f"{len(ours)} runs of {name}"
        found += [
            figure(f"{name}, p50", median(ours), "ms", "lower", bar=bar, against=Alternative(own, median(theirs))),
            figure(f"{name}, p99", float(np.percentile(ours, 99)), "ms", "lower"),
            figure(
                f"speed of that, {passes}", median(theirs) / median(ours), "×", "higher", bar=speed, against=Alternative("LeRobot's", 1.0)
            ),
        ]
    passes = f"{race.members} × (1 + {race.perturbations})"
    whole = Alternative(f"{race.members} whole policies", race.lerobot_held / 1e6)
    peak = "peak memory beside LeRobot's policies" if kind[1] == "cuda" else "peak memory of this process"
    return (
        *found,
        figure("largest difference from LeRobot's actions", race.difference, "std", "lower", bar=1e-5 if race.dtype == "float32" else 2e-2),
        figure(f"weights held, {race.path}", race.held / 1e6, "MB", "lower", against=whole),
        figure(peak, race.peak / 1e6, "MB", "lower"),
        figure(f"arithmetic of {passes}, at least", race.flops / 1e9, "GFLOP", "lower"),
        figure(f"weights read for {passes}, at least", race.bytes / 1e6, "MB", "lower"),
        figure(f"a large {race.dtype} matrix product, measured", race.ceilings.flops_s / 1e9, "GFLOP/s", "higher"),
        figure("a large copy, measured", race.ceilings.bytes_s / 1e9, "GB/s", "higher"),
        figure(f"share of the roofline, {passes}: the longer of both times for each stage", 100.0 * race.floor_ms / slow, "%", "higher"),
    )


def exposures(settings: Settings) -> list[Frames]:
    """A few exposures of the cell in its first second. Raises AdapterError."""
    from engine.host import open_robot

    robot, rig = open_robot(settings.model_copy(update={"camera": settings.camera.model_copy(update={"pixels": PIXELS})}))
    robot.connect()
    rig.open()
    found = []
    for number in range(EXPOSURES):
        t_ns = round(number * BETWEEN * 1e9) + 1_000_000_000
        found.append(rig.capture(robot.read(t_ns), number + 1, t_ns))
        robot.advance(BETWEEN)
    rig.close()
    robot.close()
    return found
