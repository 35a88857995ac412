"""A short recorded session made of the console's scenes, written by the real recorder."""

import math
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import scenes

from engine.limits import Limits
from engine.safety.cell import UNSENSED
from engine.session.recorder import Recorder
from engine.session.schema import SCHEMA_VERSION, UNITS, Header, software_versions
from engine.types import Event, Frames, Inference, Observation, Snapshot, Tick

TICKS = 600
STOP_AT = 300  #: tick
EVERY = 12  #: ticks between inferences
MARKS = (120, 420)  #: ticks


def _header() -> Header:
    return Header(
        schema=SCHEMA_VERSION,
        id="20251124-160231-0c41",
        started="2025-11-24T16:02:31.000+00:00",
        started_wall=scenes.WALL,
        robot="cosaw",
        task="saw",
        instruction="Saw through the log at the line with your partner.",
        simulated=True,
        seed=0,
        policy=scenes.policy(),
        settings={"robot": "cosaw"},
        versions=software_versions(),
        cameras={"front": {"size": [32, 32], "fovy_deg": 50.0}},
        units=UNITS,
        limits=Limits(),
        cell=msgspec.to_builtins(UNSENSED),
        robot_limits={"position": [[-2.9, 2.9]] * 7, "velocity": [2.6] * 7, "torque": [87.0] * 7},
    )


def _at(tick: int) -> Snapshot:
    return scenes.stopped() if tick >= STOP_AT else scenes.scene(tick=tick)


def _observation(snapshot: Snapshot) -> Observation:
    i = snapshot.inputs
    vectors = {name: np.array(getattr(i, name)) for name in ("q", "dq", "tau", "pose", "twist", "wrench")}
    return Observation(
        t_ns=i.obs_t_ns,
        seq=i.obs_seq,
        manipulability=i.manipulability,
        saw=snapshot.saw,
        plant=np.zeros(3),
        links=np.array(i.links).reshape(4, 3),
        grip=np.array(i.grip),
        holds=i.holds,
        person=None,
        spring=snapshot.spring,
        energy=snapshot.energy,
        **vectors,
    )


def recorded(store: Path, at: Callable[[int], Snapshot] = _at) -> Path:
    """600 ticks, by default running, then a latched stop at tick 300; an inference and a picture every 12 ticks."""
    recorder = Recorder(store, _header(), wait=True)
    for tick in range(TICKS):
        snapshot = at(tick)
        t_ns = scenes.scene(tick=tick).inputs.t_ns
        inputs = msgspec.structs.replace(snapshot.inputs, tick=tick, t_ns=t_ns, inference_id=tick // EVERY, frame_t_ns=t_ns - 61_000_000)
        command = msgspec.structs.replace(snapshot.command, command_tick=tick)
        recorder.tick(
            Tick(inputs, snapshot.decision, command, snapshot.saw, snapshot.spring, snapshot.energy, snapshot.operator, np.zeros(3))
        )
        if tick % EVERY == 0:
            brief = scenes.scene(tick=tick).inference
            assert brief is not None
            assert snapshot.inference is not None
            foreseen = snapshot.inference
            recorder.inference(
                Inference(
                    id=tick // EVERY,
                    exposed_ns=t_ns - 143_000_000,
                    start_ns=t_ns - 82_000_000,
                    end_ns=t_ns,
                    base_pose=np.array(inputs.pose),
                    chunks=np.zeros((5, 1, 16, 7), np.float32),
                    step_s=0.05,
                    signals=np.array(brief.signals),
                    valid=np.array(brief.valid),
                    signal_ns=np.array([0 if math.isnan(age) else t_ns - round(age * 1e9) for age in brief.signal_age]),
                    ratio=np.full(18, 0.5),
                    quantile=np.array(brief.quantile),
                    heads=brief.heads,
                    stage_ms=brief.stage_ms,
                    members=5,
                    finite=True,
                    forecast=np.reshape(foreseen.forecast, (4, 4)),
                    forecast_alarm=np.array(foreseen.forecast_alarm),
                    forecast_because=np.array(foreseen.forecast_because),
                )
            )
            image = np.full((32, 32, 3), 40 + tick // 4, np.uint8)
            recorder.frames(
                Frames(
                    seq=tick // EVERY,
                    t_ns=t_ns,
                    exposed_ns=t_ns - 61_000_000,
                    observation=_observation(snapshot),
                    images={"front": image, "top": image[::-1].copy()},
                )
            )
        if tick in MARKS:
            text = f"mark at tick {tick}"
            recorder.event(Event(seq=tick, tick=tick, t_ns=t_ns, wall=scenes.WALL + tick / 100, kind="mark", text=text))
        if tick in (0, STOP_AT):
            kind, text = ("stop", "STOP 12 category 1 latched: stop key, power off") if tick else ("go", "GO")
            recorder.event(Event(seq=tick, tick=tick, t_ns=t_ns, wall=scenes.WALL + tick / 100, kind=kind, text=text))
    assert recorder.close("ended by the operator")
    return recorder.path
