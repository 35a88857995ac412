"""Sessions to record: ticks, inferences, pictures and events made from a seed, with the arbiter's own decisions."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec
import numpy as np

from engine.limits import Limits
from engine.safety import arbiter
from engine.safety.cell import UNSENSED
from engine.safety.limits import RobotLimits
from engine.session.commit import COMMIT, Commit, sealed
from engine.session.layout import encode, read_blocks, row_bytes
from engine.session.reader import Session
from engine.session.schema import SCHEMA_VERSION, UNITS, Header, software_versions
from engine.session.table import Shard, chain_start
from engine.types import (
    Command,
    Energy,
    Event,
    Frames,
    Inference,
    Inputs,
    ModelState,
    Observation,
    OperatorState,
    PolicyInfo,
    SawState,
    Spring,
    Tick,
)

ROBOT = RobotLimits(position=((-2.9, 2.9),) * 7, velocity=(2.6,) * 7, torque=(87.0,) * 7)
POLICY = PolicyInfo(
    name="compact",
    action_space="cartesian_delta",
    members=5,
    parameters_m=5.5,
    device="cpu",
    hash="ab12",
    placeholder=False,
    path="shared prefix",
)
PLANT = 90
DT_NS = 10_000_000
STROKE = 259  #: ticks
AXES = ("", "pull", "push", "+x")
REFUSED = ("", "The cut line is locked: the blade is in the kerf.", "grün")


def header(name: str = "20260101-120000-abcd", **changes: Any) -> Header:
    """A header such as the engine writes."""
    whole = Header(
        schema=SCHEMA_VERSION,
        id=name,
        started="2026-01-01T12:00:00.000+00:00",
        started_wall=1767268800.0,
        robot="cosaw",
        task="saw",
        instruction="Saw through the log at the line with your partner.",
        simulated=True,
        seed=3,
        policy=None,
        settings={"robot": "cosaw", "limits": {"force_max": 60.0}},
        versions=software_versions(),
        cameras={"front": {"size": [32, 32], "fovy_deg": 50.0}},
        units=UNITS,
        limits=Limits(),
        robot_limits=msgspec.json.decode(msgspec.json.encode(ROBOT)),
        cell=msgspec.json.decode(msgspec.json.encode(UNSENSED)),
    )
    return msgspec.structs.replace(whole, **changes)


def same(one: object, other: object) -> bool:
    """Equal to the last bit: the sign of a zero counts, and NaN equals NaN."""
    return msgspec.msgpack.encode(one, enc_hook=np.ndarray.tobytes) == msgspec.msgpack.encode(other, enc_hook=np.ndarray.tobytes)


def _random_fields(struct: type, rng: np.random.Generator) -> dict[str, Any]:
    """Any value of each field's type; texts are left to the caller."""
    draw = {float: lambda: float(rng.normal()), int: lambda: int(rng.integers(0, 4)), bool: lambda: bool(rng.integers(2)), str: lambda: ""}
    values: dict[str, Any] = {}
    for name, hint in get_type_hints(struct, include_extras=True).items():
        if get_origin(hint) is Annotated:
            vector, meta = get_args(hint)[:2]
            values[name] = tuple(draw[get_args(vector)[0]]() for _ in range(meta.max_length))
        else:
            values[name] = draw[hint]()
    return values


def ticks(seed: int, *, odd_values: bool = True) -> Iterator[Tick]:
    """Ticks without end: random readings around rest, an operator who arms and goes, and decisions folded by the arbiter.

    With ``odd_values`` some of what is only recorded is NaN, infinite or minus zero.
    """
    rng = np.random.default_rng(seed)
    state = arbiter.initial(Limits(), ROBOT)
    tick = 0
    while True:
        t_ns = 1_000_000_000 + tick * DT_NS
        inputs = Inputs(
            **_random_fields(Inputs, rng)
            | {
                "tick": tick,
                "t_ns": t_ns,
                "obs_t_ns": t_ns - 1000,
                "obs_seq": tick + 1,
                "q": tuple(rng.normal(0, 0.3, 7).tolist()),
                "dq": tuple(rng.normal(0, 1e-4, 7).tolist()),
                "pose": (0.5, 0.0, 0.6, 1.0, 0.0, 0.0, 0.0),
                "twist": tuple(rng.normal(0, 1e-4, 6).tolist()),
                "manipulability": 0.1,
                "gripper": float(rng.uniform(0, 1)),
                "vision_state": 0,
                "forecast_state": 0,
                "frame_seq": tick // 16 + 1,
                "frame_t_ns": t_ns - 50_000_000,
                "frame_fault": 0,
                "model_state": ModelState.READY,
                "inference_id": tick // 16,
                "inference_exposed_ns": t_ns - 80_000_000,
                "inference_finite": True,
                "members": 5,
                "signal_ratio": tuple(abs(rng.normal(0.4, 0.3, 18)).tolist()),
                "signal_valid": (True,) * 18,
                "action_magnitude": float(rng.uniform(0, 1)),
                "ensemble_spread": float(rng.uniform(0, 1)),
                "arm_request": int(tick > 40),
                "disarm_request": 0,
                "go_request": int(tick > 60),
                "pause_request": 0,
                "clear_request": 0,
                "jogging": False,
                "console_t_ns": t_ns - 5_000_000,
                "stop_page": (0,) * 8 if tick < 1800 else (1,) + (0,) * 7,
                "stop_latch": (0,) * 8,
                "watchdog": 0,
                "recorder_fault": 0,
                "engine_fault": False,
                "inference_fault": 0,
                "mode": 0,
                "running": True,
                "robot_fault": 0,
                "robot_fault_part": 0,
            }
        )
        state, decision = arbiter.step(state, inputs)
        saw = _random_fields(SawState, rng) | {"stroke_count": tick // STROKE}
        plant = rng.normal(size=PLANT)
        if odd_values and tick % 7 == 3:
            saw |= {"phase_error": float("nan"), "press_force": float("inf"), "cut_force": -0.0, "stroke_count": -(2**62)}
            plant[:3] = np.nan, -np.inf, 5e-324
        operator = _random_fields(OperatorState, rng) | {
            "key_mode": "HOLD",
            "recovering": "",
            "grant_axis": AXES[tick % len(AXES)],
            "refused": REFUSED[tick // 50 % len(REFUSED)],
        }
        command = Command(**_random_fields(Command, rng) | {"command_tick": tick})
        spring = Spring(**_random_fields(Spring, rng))
        yield Tick(inputs, decision, command, SawState(**saw), spring, energy(tick), OperatorState(**operator), plant)
        tick += 1


def energy(tick: int) -> Energy:
    """An account that closes: what goes in goes out again, but for what swings between tank and spring."""
    swing = 0.5 * math.sin(0.1 * tick)
    return Energy(
        tank=5.0 + swing,
        share=1.0,
        partner=0.02 * tick,
        grant=0.03 * tick,
        wood=0.04 * tick,
        damping=0.01 * tick,
        stored=1.0 - swing,
        paid=0.05 * tick,
        refill=0.02 * tick,
    )


def inference(number: int, end_ns: int, *, noise: int = 1) -> Inference:
    """One inference; the first has no value for most of its signals."""
    rng = np.random.default_rng(number)
    signals = rng.normal(size=18)
    signals[number % 18] = np.nan
    return Inference(
        id=number,
        exposed_ns=end_ns - 90_000_000,
        start_ns=end_ns - 80_000_000,
        end_ns=end_ns,
        base_pose=rng.normal(size=7),
        chunks=rng.normal(size=(5, noise, 16, 7)).astype(np.float32),
        step_s=0.05,
        signals=signals,
        valid=np.isfinite(signals),
        signal_ns=np.where(np.isfinite(signals), end_ns - 90_000_000 * rng.integers(1, 5, 18), 0),
        ratio=rng.normal(size=18),
        quantile=np.full(18, np.nan),
        heads={"hand distance": float(rng.normal()), "zone": 1.0},
        stage_ms={"render": 10.0, "model": 55.5},
        members=5,
        finite=True,
    )


def frames(number: int, t_ns: int, reading: Tick, *, side: int = 32) -> Frames:
    """One exposure of two cameras."""
    rng = np.random.default_rng(number)
    inputs = reading.inputs
    observation = Observation(
        t_ns=inputs.obs_t_ns,
        seq=inputs.obs_seq,
        q=np.array(inputs.q),
        dq=np.array(inputs.dq),
        tau=np.array(inputs.tau),
        pose=np.array(inputs.pose),
        twist=np.array(inputs.twist),
        wrench=np.array(inputs.wrench),
        manipulability=inputs.manipulability,
        saw=reading.saw,
        plant=reading.plant,
        links=np.array(inputs.links).reshape(4, 3),
        grip=np.array(inputs.grip),
        holds=inputs.holds,
        person=None,
        spring=reading.spring,
        energy=reading.energy,
    )
    pictures = {name: rng.integers(0, 256, (side, side, 3)).astype(np.uint8) for name in ("front", "top")}
    return Frames(seq=number, t_ns=t_ns, exposed_ns=t_ns - 30_000_000, observation=observation, images=pictures)


def event(number: int, tick: int, kind: str = "system", text: str = "begun") -> Event:
    """Of a run that takes twice its own time, as one in lock-step may."""
    return Event(seq=number, tick=tick, t_ns=1_000_000_000 + tick * DT_NS, wall=1767268800.0 + tick / 50, kind=kind, text=text)


def edit(session: Path, name: str, row: int, value: object, *, reseal: bool = False) -> None:
    """Change one row of an array in its shard; with ``reseal`` also mend the hash chain and the digest, as a forger would."""
    column = Session.open(session).describe(name)
    block, at = divmod(row, column.block_rows)
    rows = read_blocks(session, column, block, block)[0].copy()
    rows[at] = value
    shard = Shard(session, column)
    shard.put(block, encode(column, rows))
    shard.close()
    if reseal:
        chain = chain_start(column)
        chain.update(row_bytes(column, Session.open(session).rows(name)))
        commit = msgspec.json.decode((session / COMMIT).read_bytes(), type=Commit)
        arrays = commit.arrays | {name: msgspec.structs.replace(commit.arrays[name], sha256=chain.hexdigest())}
        (session / COMMIT).write_bytes(msgspec.json.encode(sealed(msgspec.structs.replace(commit, arrays=arrays))))
