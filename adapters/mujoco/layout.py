"""Where everything stands in the cell: lengths in m, base frame (x along the stroke, y along the log, z up, floor at z = 0).

The tool frame sits on the tooth line of the blade, where it crosses the log at mid-stroke, x along the blade. The numbers
were chosen by inverse kinematics over the whole range of line and height: manipulability stays above 0.04 and every joint
keeps 0.2 rad from its stops (``tests/adapters/test_reach.py`` repeats it).
"""

from typing import Final

from engine.safety.cell import Cell

PEDESTAL: Final = 0.16  #: height of the robot's foot; the flange then works at shoulder height
STROKE_X: Final = 0.62  #: the log's axis, and the tool's place at mid-stroke
STROKE_REACH: Final = 0.10  #: each way from STROKE_X
FLANGE_BACK: Final = 0.26  #: from the flange's axis forward to the tool frame
FLANGE_UP: Final = 0.14  #: from the tooth line up to the flange
HANDLE_AHEAD: Final = 0.36  #: from the tool frame forward to the partner's handle
HANDLE_UP: Final = 0.055  #: from the tooth line up to the middle of the partner's grip
HANDLE_RADIUS: Final = 0.016
BLADE_BACK: Final = 0.25  #: from the tool frame back to the blade's near end
BLADE_AHEAD: Final = 0.28  #: from the tool frame forward to the blade's far end; a fist on the handle stays clear of it
BLADE_HEIGHT: Final = 0.075
BLADE_THICKNESS: Final = 0.0016
SAW_MASS: Final = 1.3  #: kg
ARM_MASS: Final = 16.1  #: kg, of the links that move
GRIP_AREA: Final = 0.001  #: m^2, of the handle in a hand

LOG_RADIUS: Final = 0.08
LOG_HALF: Final = 0.52  #: half the log's length
CRADLE_HALF: Final = 0.09  #: half the cradle's width along x
LINE_Y: Final = (-0.40, 0.40)  #: where the cut line can be projected
LOG_TOP: Final = (0.45, 0.70)  #: where the cradle can hold the log's top
LINE_SPEED: Final = 0.20  #: m/s, of the projected line
CRADLE_SPEED: Final = 0.04  #: m/s

PART_RADII: Final = (0.11, 0.17, 0.06, 0.06, 0.06, 0.06)  #: of the capsule of each of the person's PARTS
LINK_RADII: Final = (0.09, 0.08, 0.07)  #: of the capsules between the arm's LINKS

CAMERAS: Final = ("front", "side", "top")

PHYSICS_S: Final = 0.002
TICK_S: Final = 0.01

# Franka Emika Panda datasheet (document R02212): joint position, velocity and torque limits.
JOINT_LIMITS: Final = (
    (-2.8973, 2.8973),
    (-1.7628, 1.7628),
    (-2.8973, 2.8973),
    (-3.0718, -0.0698),
    (-2.8973, 2.8973),
    (-0.0175, 3.7525),
    (-2.8973, 2.8973),
)  #: rad
JOINT_VELOCITY_LIMITS: Final = (2.1750, 2.1750, 2.1750, 2.1750, 2.6100, 2.6100, 2.6100)  #: rad/s
JOINT_TORQUE_LIMITS: Final = (87.0, 87.0, 87.0, 87.0, 12.0, 12.0, 12.0)  #: N m
BRAKE_TORQUE: Final = (130.0, 130.0, 130.0, 130.0, 30.0, 30.0, 30.0)  #: N m, of the modelled holding brakes


def cell() -> Cell:
    """The cell's shape for separation and contact; its table of body regions comes with the commissioning."""
    return Cell(
        person_sensor=True,
        part_radii=PART_RADII,
        link_radii=LINK_RADII,
        blade_back=BLADE_BACK,
        blade_ahead=BLADE_AHEAD,
        blade_height=BLADE_HEIGHT,
        handle_ahead=HANDLE_AHEAD,
        handle_radius=HANDLE_RADIUS,
        cradle_front=STROKE_X + CRADLE_HALF,
        moving_mass=ARM_MASS,
        payload=SAW_MASS,
        grip_area=GRIP_AREA,
        regions=(),
    )


def handle_gap(tool_x: float) -> float:
    """m, from the partner's grip to the cradle; the crush clearance, to stay at or above 0.12."""
    return tool_x + HANDLE_AHEAD - HANDLE_RADIUS - (STROKE_X + CRADLE_HALF)
