"""The cell's process sensors: what they read in each physics step, and the ``SawState`` they report."""

import math
from typing import Final

from adapters.mujoco import distance, layout, partner, person
from adapters.mujoco.cutting import Bite
from adapters.mujoco.plant import Cell, Meter
from engine.types import F64, PARTS, SawState

FILTER_TIME: Final = 0.02  #: s, low-pass of the force sensors
LINE_REACH: Final = 0.01  #: m, a kerf this near to the line counts as the line's
SAWING: Final = 0.2  #: size of a stroke below which there is no phase to compare


def sense(meter: Meter, wood: Bite, wrench: tuple[float, ...], dt: float) -> None:
    """Let the sensors read one step: the wood's answer, and the external wrench (6,) on the tool."""
    share = dt / FILTER_TIME
    meter.wrench = [old + (new - old) * share for old, new in zip(meter.wrench, wrench, strict=True)]
    meter.press += (wood.press - meter.press) * share
    meter.cut_force += (-wood.fx - meter.cut_force) * share
    meter.zone, meter.height, meter.in_kerf = int(wood.zone), wood.height, wood.in_kerf


def kerf_depth(cell: Cell) -> float:
    """m, of the kerf the blade is at, or else of the deepest one at the line."""
    wood = cell.wood
    if wood.active >= 0:
        return wood.kerf_depth[wood.active]
    line = cell.drives.line_y
    return max((d for y, d in zip(wood.kerf_y, wood.kerf_depth, strict=True) if abs(y - line) <= LINE_REACH), default=0.0)


def saw_state(cell: Cell, time: float, pose: F64, twist: F64) -> SawState:
    """The report for a tool pose (7,) and twist (6,) at a time (s, the cell's own)."""
    meter, control = cell.meter, cell.control
    tool = (float(pose[0]), float(pose[1]), float(pose[2]))
    phase, size = partner.felt_phase(tool[0] - layout.STROKE_X, float(twist[0]))
    grip = (tool[0] + layout.HANDLE_AHEAD, tool[1], tool[2] + layout.HANDLE_UP)
    held = meter.holding
    return SawState(
        kerf_depth=kerf_depth(cell),
        cut_line_y=cell.drives.line_y,
        log_top_z=cell.drives.log_top,
        blade_y=tool[1],
        blade_height=meter.height,
        zone=meter.zone,
        in_kerf=meter.in_kerf,
        stuck=cell.wood.stuck,
        press_force=meter.press,
        cut_force=meter.cut_force,
        partner_force=cell.hand.fx + control.hand_force if held else 0.0,
        partner_press=control.hand_press - cell.hand.fz if held else 0.0,
        partner_holding=held,
        phase_error=math.remainder(phase - cell.hand.phase, 2.0 * math.pi) if size > SAWING else 0.0,
        stroke_count=meter.strokes,
        stroke_depth=meter.stroke_depth,
        robot_work=meter.robot_work,
        partner_work=meter.partner_work,
        handle_gap=layout.handle_gap(tool[0]),
        free_hand_distance=distance.level(person.body(cell, time, grip), tool, PARTS.index("free hand")),
    )
