"""The account of the strokes: where one ends, what it gained, and the work of either end in it."""

from typing import Final

from adapters.mujoco.plant import Meter

TURN_TRAVEL: Final = 0.02  #: m, way back that makes a turn of the stroke
STARTING_SPEED: Final = 0.05  #: m/s, that begins the first stroke


def account(meter: Meter, x: float, vx: float, robot: float, hand: float, depth: float) -> None:
    """Add one step to the running stroke: the saw at x (m) with vx (m/s), work of robot and hand in the step (J), depth of the kerf (m).

    A full stroke goes from one turn at the robot's end to the next; there its figures become those of the last stroke.
    """
    meter.robot_sum += robot
    meter.partner_sum += hand
    if meter.heading == 0:
        if abs(vx) > STARTING_SPEED:
            meter.heading, meter.turn_x = (1 if vx > 0.0 else -1), x
    elif meter.heading > 0:
        meter.turn_x = max(meter.turn_x, x)
        if x < meter.turn_x - TURN_TRAVEL:
            meter.heading, meter.turn_x = -1, x
    else:
        meter.turn_x = min(meter.turn_x, x)
        if x > meter.turn_x + TURN_TRAVEL:
            meter.heading, meter.turn_x = 1, x
            meter.strokes += 1
            meter.stroke_depth, meter.robot_work, meter.partner_work = depth - meter.depth_before, meter.robot_sum, meter.partner_sum
            meter.depth_before, meter.robot_sum, meter.partner_sum = depth, 0.0, 0.0
