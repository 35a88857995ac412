"""What failures are told from: the truth of the cell as it stands after a tick."""

import math

from adapters.mujoco import failing, layout
from adapters.mujoco.body import Body
from adapters.mujoco.failing import Seen
from adapters.mujoco.plant import Cell


def seen(cell: Cell, arm: Body) -> Seen:
    """Of a cell and its arm. The wall's force is what the wrist feels sideways beyond the hand; both sensors have the same low pass."""
    (x, y, z), pitch = arm.place.tolist(), float(arm.turn[6])
    c, wood, meter, line = cell.control, cell.wood, cell.meter, cell.drives.line_y
    at_kerf, top = wood.active >= 0, cell.drives.log_top
    return Seen(
        may_move=not (c.yielding or c.own_hold or c.braked) and c.own_stop < 0,
        held=meter.holding,
        grip=math.hypot(*cell.sight.grip),
        gap=layout.handle_gap(x),
        jam=abs(meter.wrench[1] - cell.sight.grip[1]),
        out=z + pitch * (layout.STROKE_X - x) - top,
        wanted=c.spring.pose[2] - top,
        tilt=pitch,
        off=y - line,
        kerf_off=wood.kerf_y[wood.active] - line if at_kerf else 0.0,
        in_kerf=meter.in_kerf,
        depth=wood.kerf_depth[wood.active] if at_kerf else 0.0,
        cut=sum(wood.kerf_depth),
        deepest=failing.deepest(wood.kerf_y, wood.kerf_depth, line),
        height=meter.height,
        stuck=wood.stuck,
        bind=wood.bind,
    )
