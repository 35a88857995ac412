"""Small sessions to export as data sets: an SO-101 that waves, armed for a part of it, with smooth pictures that a video keeps well."""

import itertools
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import session_material as material

from engine.session.recorder import Recorder
from engine.types import U8, Tick

ARMED = range(20, 160)  #: ticks
TICKS = 180
EVERY = 10  #: ticks between two exposures
SIDE = 64
STANDS = -1.5507  #: rad, the wrist, all the time
INSTRUCTION = "Lift the red cube."


def servo_tick(row: Tick) -> Tick:
    """The same tick of an arm with five joints and a gripper, whose servos had been told something else than they measure."""
    tick = row.inputs.tick
    q = (*(1.5 * np.sin(0.03 * tick + np.arange(4))).tolist(), STANDS)
    replace = msgspec.structs.replace
    return row._replace(
        inputs=replace(row.inputs, q=q, dq=row.inputs.dq[:5], tau=row.inputs.tau[:5], gripper=tick / TICKS),
        decision=replace(row.decision, armed=tick in ARMED),
        command=replace(row.command, posture=(float("nan"),) * 5, gripper_d=1.0 - tick / TICKS if tick > 60 else float("nan")),
        spring=replace(row.spring, target=(*(angle + 0.01 * tick for angle in q[:4]), STANDS)),
    )


def picture(number: int, camera: str) -> U8:
    """(SIDE, SIDE, 3) a ramp that grows brighter from one exposure to the next."""
    ramp = np.add.outer(np.arange(SIDE), np.arange(SIDE))
    return np.dstack([ramp + 4 * number, ramp if camera == "front" else 126 - ramp, 0 * ramp + 60]).astype(np.uint8)


def record(
    root: Path,
    name: str,
    *,
    robot: str = "so101-sim",
    cameras: tuple[str, ...] = ("front", "top"),
    ticks: int = TICKS,
    since: int = 0,
    **header: Any,
) -> Path:
    """A session by the real recorder; its cameras give pictures from tick ``since`` on. ``header``: what its header has otherwise."""
    made = material.header(name, robot=robot, task="lift", instruction=INSTRUCTION)
    changed = {"settings": header.get("settings", made.settings), "cameras": header.get("geometry", made.cameras)}
    recorder = Recorder(root, msgspec.structs.replace(made, **changed), at_close=True)
    for row in map(servo_tick if robot.startswith("so101") else _same, itertools.islice(material.ticks(1), ticks)):
        recorder.tick(row)
        if cameras and row.inputs.tick >= since and row.inputs.tick % EVERY == 0:
            number = row.inputs.tick // EVERY
            images = {camera: picture(number, camera) for camera in cameras}
            recorder.frames(msgspec.structs.replace(material.frames(number, row.inputs.t_ns, row), images=images))
    assert recorder.close("done")
    return recorder.path


def _same(row: Tick) -> Tick:
    return row
