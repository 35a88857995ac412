"""From the engine's parts to the one frozen structure a screen shows."""

import math
from collections.abc import Mapping
from typing import Any

from engine.types import Event, Inference, InferenceBrief, LoopStats, PolicyInfo, RecorderState, RunInfo, Snapshot, Tick


def brief(inference: Inference, now_ns: int, rate_hz: float) -> InferenceBrief:
    """What of an inference a screen shows, aged at ``now_ns``."""
    return InferenceBrief(
        id=inference.id,
        age=(now_ns - inference.exposed_ns) / 1e9,
        latency_ms=(inference.end_ns - inference.start_ns) / 1e6,
        rate_hz=rate_hz,
        signals=tuple(inference.signals.tolist()),
        valid=tuple(inference.valid.tolist()),
        quantile=tuple(inference.quantile.tolist()),
        signal_age=tuple((now_ns - exposed) / 1e9 if exposed else math.nan for exposed in inference.signal_ns.tolist()),
        heads=inference.heads,
        stage_ms=inference.stage_ms,
        forecast=tuple(inference.forecast.ravel().tolist()),
        forecast_alarm=tuple(inference.forecast_alarm.tolist()),
        forecast_because=tuple(inference.forecast_because.tolist()),
        due=(now_ns - inference.exposed_ns) / 1e9 / inference.step_s,
        horizon=inference.chunks.shape[2],
    )


def badges(section: Mapping[str, Any], policy: PolicyInfo | None) -> tuple[str, ...]:
    """What of a run is not what its robot's name says; ``section`` are the settings that are called as the robot is, if any."""
    shown = {"EMULATED": "emulated", "DRY RUN": "dry_run", "TEST PICTURE": "synthetic_camera"}
    found = tuple(badge for badge, setting in shown.items() if section.get(setting))
    if (environments := section.get("num_envs", 1)) > 1:
        found = (f"1 OF {environments} ENVIRONMENTS", *found)
    return (*found, "FALLBACK") if policy is not None and policy.fallback else found


def snapshot(
    *,
    wall: float,
    tick: Tick,
    inference: Inference | None,
    inference_hz: float,
    recorder: RecorderState,
    run: RunInfo,
    loop: LoopStats,
    events: tuple[Event, ...],
) -> Snapshot:
    inputs = tick.inputs
    return Snapshot(
        wall=wall,
        inputs=inputs,
        decision=tick.decision,
        command=tick.command,
        saw=tick.saw,
        spring=tick.spring,
        energy=tick.energy,
        operator=tick.operator,
        inference=brief(inference, inputs.t_ns, inference_hz) if inference else None,
        recorder=recorder,
        run=run,
        loop=loop,
        events=events[-50:],
        frame_age=(inputs.t_ns - inputs.frame_t_ns) / 1e9 if inputs.frame_t_ns else math.nan,
    )
