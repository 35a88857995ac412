"""The scripted expert in the policy's action space: Markov, from the plant's truth to the next 16 poses relative to the present one.

It aligns the saw over the projected line, lowers it, then strokes and presses. The stroke is a limit cycle in (place, speed): the
next references come from the present phase, ahead by ``LEAD`` so that the spring pulls the saw along. What to do is a function of
the present state only, so a policy that sees the state can learn it.
"""

import math
from typing import Final

import numpy as np

from adapters.mujoco import layout, reach
from adapters.mujoco.cutting import kerf_at
from adapters.mujoco.plant import Plant, unpack
from adapters.mujoco.zones import zone_at
from engine.control import pose as poses
from engine.types import F32, F64, Zone

HORIZON: Final = 16
STEP_S: Final = 0.05
AMPLITUDE: Final = 0.085  #: m, of the saw
REFERENCE: Final = 0.112  #: m, of the reference, which must overcome the wood's friction at the ends too
RATE: Final = 2.4  #: rad/s
LEAD: Final = 0.6  #: rad
CLEAR_SPEED: Final = 0.20  #: m/s, of a full stroke in the middle
PRESS: Final = {Zone.AIR: 21.0, Zone.SOFT: 21.0, Zone.CRACKED: 20.0, Zone.KNOT: 17.0}  #: N
K_Z: Final = 557.0  #: N/m, vertical stiffness the press is meant for
RELEASE: Final = 0.012  #: m, above the wood, while the saw is stuck
CLEAR: Final = 0.045  #: m over the log while moving along it
ALIGNED: Final = 0.003  #: m, lateral error at which lowering is free
MISALIGNED: Final = 0.010  #: m, at which the saw stays clear of the log
ACROSS_SPEED: Final = 0.16  #: m/s
DOWN_SPEED: Final = 0.10  #: m/s


def stroke_phase(x: float, vx: float) -> float:
    """rad, phase of the stroke at a place and speed about mid-stroke: 0 in the middle on the way to the partner, pi/2 at that end.

    The place gives the phase up to direction; the direction is that of the motion, but only where it is clearly fast: a slow saw
    goes back through the middle. So friction cannot hold it anywhere, and plans that arrive late cannot rock it on the spot, which
    a rule of the sign of the speed alone does at any latency.
    """
    share = min(1.0, max(-1.0, x / AMPLITUDE))
    onward = math.tanh(2.0 * (vx / CLEAR_SPEED - share) + 0.6 * (1.0 - abs(share)))
    quarter = math.acos(abs(share))
    return math.pi / 2.0 - onward * quarter if share >= 0.0 else -math.pi / 2.0 + onward * quarter


def expert_chunk(vector: F64) -> F32:
    """(16, 7) actions from a plant vector (P,): displacement m, rotation vector rad, grip 1, relative to the tool pose of that plant."""
    held = unpack(vector)
    pose, twist = reach.tool(held.q, held.dq)
    return chunk_from(held, pose, twist)


def chunk_from(held: Plant, pose: F64, twist: F64) -> F32:
    """The same from an unpacked plant with its tool pose (7,) and twist (6,)."""
    x0, y0, z0 = (float(v) for v in pose[:3])
    vx = float(twist[0])
    cell = held.cell
    wood, line, top = cell.wood, cell.drives.line_y, cell.drives.log_top
    kerf = kerf_at(wood, y0)
    depth = wood.kerf_depth[kerf] if kerf >= 0 else 0.0
    surface = top - depth
    inside = depth > 0.001 and z0 < top - 0.0005
    height = z0 - surface
    off = abs(line - y0)
    aligned = 1.0 if inside and off <= MISALIGNED else min(1.0, max(0.0, (MISALIGNED - off) / (MISALIGNED - ALIGNED)))
    contact = aligned * min(1.0, max(0.0, (0.006 - height) / 0.004))
    press = PRESS[zone_at(cell.grain, y0, depth)] * (1.0 - 0.7 * wood.bind)
    low = surface + RELEASE if wood.stuck else surface - press / K_Z
    phase = stroke_phase(x0 - layout.STROKE_X, vx)
    level = poses.error((0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0), pose)[3:]

    chunk = np.ones((HORIZON, 7), np.float32)
    y, z, x = y0, z0, x0
    for i in range(HORIZON):
        time = (i + 1) * STEP_S
        if z0 > top + 0.4 * CLEAR or off < MISALIGNED:
            y += _step(line - y, ACROSS_SPEED, 3.0)
        beyond = abs(line - y)
        ready = 1.0 if inside and beyond <= MISALIGNED else min(1.0, max(0.0, (MISALIGNED - beyond) / (MISALIGNED - ALIGNED)))
        wanted = ready * low + (1.0 - ready) * (top + CLEAR)
        z += _step(wanted - z, DOWN_SPEED, 8.0)
        x += _step(layout.STROKE_X - x, ACROSS_SPEED, 3.0)
        stroke = layout.STROKE_X + REFERENCE * math.sin(phase + RATE * time + LEAD)
        if wood.stuck:
            stroke = x0
        chunk[i, 0] = contact * stroke + (1.0 - contact) * x - x0
        chunk[i, 1] = y - y0
        chunk[i, 2] = contact * low + (1.0 - contact) * z - z0
        chunk[i, 3:6] = level
    return chunk


def _step(error: float, speed: float, rate: float) -> float:
    """m, of one step towards a goal: proportional near it, no faster than ``speed`` far from it."""
    wish = rate * error
    return min(speed, max(-speed, wish)) * STEP_S
