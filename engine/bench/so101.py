"""The SO-101's bus beside LeRobot's own teleoperation loop, and how soon a key moves the arm and a lost cable stops it.

Both drive emulated servos that keep the time of a 1 Mbaud bus and note when each goal arrives; nothing here is measured on a real arm.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np

from engine.bench.figure import Alternative, BenchError, Figure, Tell, figure
from engine.bench.so101_sides import KINDS, LONGEST, RATE
from engine.config import Settings

SECONDS: Final = 20.0
LEROBOT: Final = "LeRobot's teleoperation loop"
ALONE: Final = "LeRobot's get_observation + send_action, which read positions alone"
PERIODS: Final = 2.0  #: on the bus, until a fault beyond the limit for an answer stops the robot
WORDS: Final = dict(zip(KINDS, ("a servo falls silent", "the cable is pulled out"), strict=True))


def measure(settings: Settings, seconds: float, tell: Tell) -> tuple[Figure, ...]:
    """Raises BenchError when one side could not be measured."""
    from adapters.so101.examination import LIMIT

    seconds, given = min(seconds, LONGEST), chosen(settings)
    tell(f"LeRobot's loop at {RATE:g} Hz for {seconds:g} s, importing it takes longer")
    other = run(given, "lerobot", seconds)
    tell(f"the engine at {RATE:g} Hz for {seconds:g} s, then {' and '.join(WORDS.values())}, again and again")
    return figures(run(given, "ours", seconds), other, LIMIT)


def chosen(settings: Settings) -> Settings:
    """For an emulated arm at its table, by the same seed and into the same store."""
    arm = settings.so101.model_copy(update={"emulated": True, "synthetic_camera": True, "dry_run": False, "port": ""})
    return Settings(robot="so101", policy="scripted", seed=settings.seed, store=settings.store, so101=arm)


def run(settings: Settings, side: str, seconds: float) -> dict[str, Any]:
    """What one side has measured. Raises BenchError with its own sentence."""
    settings.store.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=settings.store, ignore_cleanup_errors=True) as folder:
        chosen = Path(folder) / "settings.json"
        chosen.write_text(settings.model_copy(update={"store": Path(folder) / "sessions"}).model_dump_json())
        done = subprocess.run(
            [sys.executable, "-m", "engine.bench.so101_sides", side, str(chosen), str(seconds)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env={"OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": "1", **os.environ},
        )
    if done.returncode:
        raise BenchError(f"The process of {side} ended with code {done.returncode}: {(done.stderr.strip() or 'silently').splitlines()[-1]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if "refused" in found:
        raise BenchError(found["refused"])
    return found


def figures(own: dict[str, Any], other: dict[str, Any], limit: float) -> tuple[Figure, ...]:
    """From what both sides have measured; ``limit`` is s that an answer of the servos may take. Rates are judged as whole numbers."""

    def percentile(side: dict[str, Any], key: str, q: float) -> float:
        return float(np.percentile(side[key], q))

    def beside(name: str, key: str, q: float, what: str, bar: float | None = None) -> Figure:
        return figure(name, percentile(own, key, q), "ms", "lower", bar=bar, against=Alternative(what, percentile(other, key, q)))

    rate = round(other["rate"])
    bound = 1e3 * (limit + PERIODS / RATE)
    return (
        beside("reading and writing six servos p50", "trips_ms", 50, ALONE),
        beside("reading and writing six servos p99", "trips_ms", 99, ALONE),
        figure(f"goals at {RATE:g} Hz", round(own["rate"]), "1/s", "higher", bar=rate, against=Alternative(LEROBOT, rate)),
        beside("a period's begin off its time p50", "late_ms", 50, LEROBOT),
        beside("a period's begin off its time p99", "late_ms", 99, LEROBOT, 2.0),
        beside("a goal's arrival off its time p50", "off_ms", 50, LEROBOT),
        beside("a goal's arrival off its time p99", "off_ms", 99, LEROBOT, 2.0),
        figure("key to goal write p50", percentile(own, "key_ms", 50), "ms", "lower"),
        figure("key to goal write p99", percentile(own, "key_ms", 99), "ms", "lower", bar=25.0),
        *(
            figure(f"{words}, to the stop, worst of {len(own[kind])}", max(own[kind]), "ms", "lower", bar=bound)
            for kind, words in WORDS.items()
        ),
        figure("stops while goals and keys were measured", own["stops"], "", "lower"),
    )
