"""The SO-101 at the table: five joints and a jaw, and a small red cube in the patch that it reaches well."""

import math
from typing import Final

from adapters.mujoco.body import Body
from adapters.mujoco.tabletop import servos, so101_model
from adapters.mujoco.tabletop.arm import Area, Arm, Motors
from adapters.mujoco.tabletop.kinematics import Kinematics
from engine.limits import Limits

PAN_X: Final = 0.0388  #: m, of the axis that turns the arm


def _motors(body: Body, _limits: Limits) -> Motors:
    return servos.Servos(body, Kinematics(SO101))


SO101: Final = Arm(
    name="so101",
    spec=so101_model.arm,
    motors=_motors,
    tasks=("lift", "reach"),
    joints=5,
    fingers=1,
    home=(-0.036, -0.177, 0.188, 1.538, -1.558),
    joint_limits=((-1.9198, 1.9198), (-1.7453, 1.7453), (-1.69, 1.69), (-1.6580, 1.6580), (-2.7438, 2.8412)),
    joint_velocity_limits=(servos.FREE_SPEED,) * 5,
    joint_torque_limits=(servos.TORQUE,) * 5,
    links=("upper_arm", "lower_arm", "wrist", "gripper"),
    guard=((0.032, 0.026, 0.030), (-0.003, 0.0, -0.030)),
    closed=lambda fingers: servos.closedness(float(fingers[0])),
    placed=lambda closed: (servos.jaw_at(closed),),
    aside=servos.aside,
    facing=lambda x, y: math.atan2(y, x - PAN_X),
    upright=0.01,
    table=0.0,
    cube_half=so101_model.CUBE_HALF,
    cube_mass=0.025,
    cube_turn=0.3,
    holding=servos.closedness(0.156),
    film=0.0052,
    cubes=Area(x=(0.18, 0.27), y=(-0.09, 0.09)),
    zones=None,
    starts=((0.17, -0.10, 0.06), (0.27, 0.10, 0.11)),
    lift=0.06,
    rise=0.09,
    views={
        "front": ((0.50, 0.0, 0.22), (0.215, 0.0, 0.045), (0.0, 0.0, 1.0), 44.0),
        "side": ((0.37, -0.34, 0.17), (0.215, 0.0, 0.045), (0.0, 0.0, 1.0), 42.0),
        "top": ((0.38, 0.0, 0.48), (0.225, 0.0, 0.02), (-1.0, 0.0, 0.0), 40.0),
    },
)
