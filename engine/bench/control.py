"""The control loop's lateness with everything running, beside the same loop at Python's default switch interval.

Each run has a process of its own, set up as the engine's, and records into the store's own file system.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Literal

from engine.bench.figure import Alternative, BenchError, Figure, Tell, figure
from engine.config import Settings

SECONDS = 20.0
OWN, DEFAULT = 0.0, 5e-3  #: s, switch intervals: 0 for the engine's own, and Python's
SHORTER = 0.5  #: share of the time that the alternative runs
ALTERNATIVE = "the same loop at Python's switch interval of 5 ms"


def measure(settings: Settings, seconds: float, tell: Tell) -> tuple[Figure, ...]:
    """Raises BenchError when the engine does not arm or does not run to the end; the alternative may have been stopped."""
    tell(f"the engine for {seconds:g} s, policy {settings.policy}, loading included about 15 s more")
    own = run(settings, seconds, OWN)
    if own["refused"]:
        raise BenchError(f"The engine refused to arm: {own['refused']}.")
    tell(f"the same at a switch interval of 5 ms for {seconds * SHORTER:g} s")
    return figures(own, run(settings, seconds * SHORTER, DEFAULT))


def run(settings: Settings, seconds: float, interval: float) -> dict[str, Any]:
    """The summary of one run. Raises BenchError with the engine's own sentence."""
    settings.store.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=settings.store, ignore_cleanup_errors=True) as folder:
        chosen = Path(folder) / "settings.json"
        chosen.write_text(settings.model_copy(update={"store": Path(folder) / "sessions", "demo": False}).model_dump_json())
        done = subprocess.run(
            [sys.executable, "-m", "engine.bench.driven", str(chosen), str(seconds), str(interval)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env={"OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": "1", **os.environ},
        )
    if done.returncode:
        raise BenchError(
            f"The engine's process ended with code {done.returncode}: {(done.stderr.strip() or 'it said nothing').splitlines()[-1]}."
        )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if "ticks" not in found:
        raise BenchError(found["refused"])
    return found


def figures(own: dict[str, Any], other: dict[str, Any]) -> tuple[Figure, ...]:
    """From the summaries of two runs. The real-time factor is counted to whole ticks at both ends, so it is judged to 1 %."""

    def compared(name: str, key: str, unit: str, better: Literal["lower", "higher"], bar: float | None = None) -> Figure:
        digits = 2 if key == "real_time_factor" else 6
        against = Alternative(ALTERNATIVE, round(other[key], digits))
        return figure(name, round(own[key], digits), unit, better, bar=bar, against=against)

    return (
        compared("tick p50, lateness + work", "jitter_p50_ms", "ms", "lower"),
        compared("tick p99, lateness + work", "jitter_p99_ms", "ms", "lower", 5.0),
        compared("tick max, lateness + work", "jitter_max_ms", "ms", "lower"),
        compared("fresh inferences, pictures included", "inference_hz", "1/s", "higher", 4.0),
        compared("one inference p50", "inference_p50_ms", "ms", "lower"),
        compared("real-time factor", "real_time_factor", "×", "higher", 1.0),
        figure(
            "arbiter step, median",
            own["decision_us"],
            "µs",
            "lower",
            bar=300.0,
            against=Alternative("the same inputs, nothing following the person", own["decision_unsensed_us"]),
        ),
        figure("stops while measured", len(own["stops"]), "", "lower", against=Alternative(ALTERNATIVE, len(other["stops"]))),
    )
