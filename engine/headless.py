"""A run without a screen: a scripted operator arms and grants, one line an inference, a summary at the end."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, TextIO, runtime_checkable

import msgspec
import numpy as np
from numpy.typing import NDArray

from adapters.base import AdapterError
from engine.config import Settings
from engine.engine import Engine
from engine.host import Host, alone
from engine.loops.control import DT
from engine.messages import Arm, Go, Hold, KeyTiming
from engine.operator import RUN
from engine.types import Action, Snapshot

START_LIMIT = 180.0  #: s for kernels to compile and the policy to load, the first time on a slow machine
ARM_LIMIT = 15.0  #: s the scripted operator goes on asking


@runtime_checkable
class Tasked(Protocol):
    """A simulated robot that knows when its task is done."""

    def task_done(self) -> bool: ...


def line(snapshot: Snapshot, count: int, mean_hz: float) -> str:
    """What one inference led to: frame, age, ms, score, action, impedances, force, magnitude, model, count, mean rate."""
    inference = snapshot.inference
    assert inference is not None
    decision = snapshot.decision
    policy = snapshot.run.policy
    return (
        f"frame {snapshot.inputs.frame_seq:5d}  age {inference.age * 1e3:4.0f} ms  {inference.latency_ms:5.1f} ms  "
        f"score {decision.score:.2f} {Action(decision.action).name:8s} K xy {decision.impedance_xy:.2f} z {decision.impedance_z:.2f}  "
        f"F {decision.force:.2f} = {decision.force_limit:4.1f} N  |a| {snapshot.inputs.action_magnitude:.2f}  "
        f"{policy.name if policy else '-'} x{policy.members if policy else 0}  n {count:4d}  {mean_hz:.1f}/s"
    )


@dataclass
class Measured:
    """A span of a run: from the moment the operator says go."""

    engine: Engine
    began: float = 0.0  #: monotonic s
    ended: float = 0.0
    first_tick: int = 0
    ticks: int = 0
    spent: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))  #: ms, lateness + work by tick
    latencies: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))  #: ms, by inference

    def begin(self) -> None:
        self.engine.control.spent_ms.clear()
        self.engine.inference.latencies_ms.clear()
        self.first_tick, self.began = self._tick, time.monotonic()

    def end(self) -> None:
        self.ticks, self.ended = self._tick - self.first_tick, time.monotonic()
        self.spent = np.array(self.engine.control.spent_ms)
        self.latencies = np.array(self.engine.inference.latencies_ms)

    @property
    def _tick(self) -> int:
        return self.engine.control.last.inputs.tick if self.engine.control.last else 0


def run(settings: Settings, duration: float, out: TextIO = sys.stderr) -> tuple[dict[str, Any], int]:
    """Drive for ``duration`` s from the moment the policy is ready. Returns the summary and the exit code.

    Raises AdapterError, SessionError, OSError where the engine cannot be built.
    """
    host = alone(settings)
    engine = host.engine
    try:
        with _telling(engine, out):
            engine.start()
    except (AdapterError, OSError) as error:
        engine.failure = str(error)  # which ends the waiting below, in good order
    print(f"run {host.run.name}: loading", file=out)
    measured = Measured(engine)
    if _until(host, engine.ready, START_LIMIT, out):
        _operate(host, duration, measured, out)
    elif not engine.failure and not host.ending:
        engine.failure = f"the policy and cameras were not ready within {START_LIMIT:.0f} s ({engine.inference.note})"
    reason, code = host.close("duration reached")
    return summary(host, measured, reason), code


@contextmanager
def _telling(engine: Engine, out: TextIO) -> Iterator[None]:
    """Meanwhile each word of what it does is printed."""
    over = threading.Event()

    def tell() -> None:
        before = ""
        while not over.wait(0.1):
            if (now := engine.starting()) != before:
                before = now
                print(f"  {now}", file=out)

    teller = threading.Thread(target=tell, name="starting", daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()


def _until(host: Host, condition: Callable[[], bool], limit: float, out: TextIO) -> bool:
    deadline = time.monotonic() + limit
    note = ""
    while not condition():
        if host.wait(0.02) or time.monotonic() > deadline:
            return False
        if host.engine.inference.note != note:
            note = host.engine.inference.note
            print(f"  {note}", file=out)
    return True


def _operate(host: Host, duration: float, measured: Measured, out: TextIO) -> None:
    engine = host.engine
    deadline = time.monotonic() + ARM_LIMIT
    while not engine.armed():
        if host.ending or time.monotonic() > deadline:
            engine.failure = engine.failure or f"the engine refused to arm: {engine.binding_sentence()}"
            return
        engine.post(Arm(robot=host.settings.robot))
        _until(host, engine.armed, 0.5, out)
    held = host.settings.limits.hold_to_run
    if held:
        engine.heard(0.0)
        engine.post(KeyTiming(key_mode="HOLD", repeat_interval=0.0))
    engine.post(Hold(axis=RUN, down=True, repeat=False, seq=0) if held else Go())
    measured.begin()
    seen = 0
    while not host.wait(0.005) and time.monotonic() - measured.began < duration:
        engine.heard(0.0)
        count = len(engine.inference.latencies_ms)
        snapshot = engine.snapshot() if count > seen else None
        if snapshot is not None and snapshot.inference is not None:
            seen = count
            print(line(snapshot, seen, seen / (time.monotonic() - measured.began)), file=out)
    measured.end()


def summary(host: Host, measured: Measured, reason: str) -> dict[str, Any]:
    """The object other programs read; its keys are stable. Times are NaN-free: 0 where nothing was measured, None without saw or task."""
    engine = host.engine
    policy = engine.inference.info
    last = engine.control.last
    seconds = measured.ended - measured.began
    spent, latencies = measured.spent, measured.latencies
    return {
        "ticks": measured.ticks,
        "tick_hz": round(measured.ticks / seconds, 2) if seconds else 0.0,
        "jitter_p50_ms": _percentile(spent, 50),
        "jitter_p99_ms": _percentile(spent, 99),
        "jitter_max_ms": _percentile(spent, 100),
        "inferences": len(latencies),
        "inference_hz": round(len(latencies) / seconds, 2) if seconds else 0.0,
        "inference_p50_ms": _percentile(latencies, 50),
        "inference_p99_ms": _percentile(latencies, 99),
        "members": policy.members if policy else 0,
        "policy": policy.name if policy else host.settings.policy,
        "device": policy.device if policy else host.settings.device,
        "parameters_m": policy.parameters_m if policy else 0.0,
        "placeholder": policy.placeholder if policy else True,
        "real_time_factor": round(measured.ticks * DT / seconds, 3) if seconds else 0.0,
        "stops": [msgspec.to_builtins(stop) for stop in engine.stops],
        "cut_depth_mm": round(last.saw.kerf_depth * 1e3, 2) if last and last.saw.present else None,
        "task_done": host.robot.task_done() if isinstance(host.robot, Tasked) else None,
        "session": engine.recorder_state().session,
        "exit_reason": reason,
    }


def _percentile(values: NDArray[np.float64], q: float) -> float:
    return round(float(np.percentile(values, q)), 3) if len(values) else 0.0
