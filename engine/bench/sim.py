"""The simulated cell's speed: physics under the impedance law, and the three pictures."""

import time
from statistics import median

import numpy as np

from adapters.mujoco.cameras import CosawRig
from adapters.mujoco.robot import Cosaw
from engine.bench.figure import Alternative, Figure, Tell, figure
from engine.config import Settings
from engine.loops.control import DT
from engine.types import F64, Command, Observation

SECONDS = 10.0
SUBSTEPS = 5  #: physics steps a tick
ROUND = 50  #: ticks
REAL_TIME = 500.0  #: physics steps/s


def measure(settings: Settings, seconds: float, tell: Tell) -> tuple[Figure, ...]:
    """Half of the time for physics, half for pictures. Raises AdapterError."""
    tell("physics, with the impedance law and on closed brakes by turns")
    cell = Cosaw(settings.seed)
    cell.connect()
    driven, braked = ticks(cell, seconds / 2)
    tell("pictures; the first run on a machine compiles the ray tracer, which takes minutes")
    plain, shaded = pictures(cell.read(0), seconds / 2)
    lit = Alternative("the same with shadows", median(shaded))
    rate = Alternative("the same cell on closed brakes, no impedance law", SUBSTEPS * 1e3 / float(braked.mean()))
    still = Alternative("the same cell on closed brakes", float(np.percentile(braked, 50)))
    return (
        figure(
            "physics steps under the impedance law", SUBSTEPS * 1e3 / float(driven.mean()), "1/s", "higher", bar=REAL_TIME, against=rate
        ),
        figure("a tick of 5 steps p50", float(np.percentile(driven, 50)), "ms", "lower", against=still),
        figure("a tick of 5 steps p99", float(np.percentile(driven, 99)), "ms", "lower"),
        figure("three pictures of 128×128", median(plain), "ms", "lower", against=lit),
        figure("three pictures of 128×128 with shadows", median(shaded), "ms", "lower"),
    )


def ticks(cell: Cosaw, seconds: float) -> tuple[F64, F64]:
    """ms of each tick, driven and on the brakes: rounds by turns until ``seconds`` have passed."""
    spent: tuple[list[float], list[float]] = ([], [])
    end = time.monotonic() + seconds
    while not spent[1] or time.monotonic() < end:
        for brakes in (False, True):
            start = cell.read(0)
            for number in range(ROUND):
                begun = time.perf_counter()
                cell.command(stroke(start, number, brakes))
                cell.advance(DT)
                spent[brakes].append((time.perf_counter() - begun) * 1e3)
    return np.array(spent[0]), np.array(spent[1])


def stroke(start: Observation, number: int, brakes: bool) -> Command:
    """A slow stroke from where the tool was, so that wood, partner and arm all have work."""
    x, *rest = start.pose.tolist()
    return Command(
        command_tick=number,
        pose_d=(x + 0.02 * float(np.sin(2.4 * number * DT)), *rest),
        twist_d=(0.0,) * 6,
        stiffness_d=(600.0, 600.0, 500.0, 60.0, 60.0, 60.0),
        force_max=40.0,
        torque_max=8.0,
        hold=False,
        brakes=brakes,
        hand_force=0.0,
        hand_press=0.0,
        line_y_d=0.0,
        log_top_d=0.55,
        task_power=8.0,
    )


def pictures(seen: Observation, seconds: float) -> tuple[list[float], list[float]]:
    """ms of each exposure of all cameras, without and with shadows, by turns. Raises AdapterError."""
    rigs = (CosawRig(128), CosawRig(128, shadows=True))
    for rig in rigs:
        rig.open()
        rig.capture(seen, 0, 0)
    spent: tuple[list[float], list[float]] = ([], [])
    end = time.monotonic() + seconds
    while not spent[1] or time.monotonic() < end:
        for rig, times in zip(rigs, spent, strict=True):
            begun = time.perf_counter()
            rig.capture(seen, 1, 0)
            times.append((time.perf_counter() - begun) * 1e3)
    for rig in rigs:
        rig.close()
    return spent
