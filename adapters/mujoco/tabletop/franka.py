"""The Franka at the table: seven joints and two fingers, a red cube of 4 cm and a blue zone beside it."""

from typing import Final

from adapters.mujoco import layout, world
from adapters.mujoco.tabletop import franka_model
from adapters.mujoco.tabletop.arm import Area, Arm
from adapters.mujoco.tabletop.franka_motors import FrankaMotors

FRANKA: Final = Arm(
    name="franka",
    spec=franka_model.arm,
    motors=FrankaMotors,
    tasks=("pickplace", "lift", "reach"),
    joints=7,
    fingers=2,
    home=franka_model.HOME,
    joint_limits=layout.JOINT_LIMITS,
    joint_velocity_limits=layout.JOINT_VELOCITY_LIMITS,
    joint_torque_limits=layout.JOINT_TORQUE_LIMITS,
    links=world.LINKS,
    guard=((0.028, 0.100, 0.026), (0.0, 0.0, 0.074)),
    closed=franka_model.closed,
    placed=franka_model.placed,
    aside=lambda closed: 0.0,
    facing=lambda x, y: 0.0,
    upright=1.0,
    table=0.03,
    cube_half=0.02,
    cube_mass=0.05,
    cube_turn=0.25,
    holding=0.5,
    film=0.0145,
    cubes=Area(x=(0.42, 0.56), y=(-0.18, 0.04)),
    zones=Area(x=(0.42, 0.56), y=(0.13, 0.21)),
    starts=((0.40, -0.10, 0.16), (0.52, 0.12, 0.28)),
    lift=0.08,
    rise=0.12,
    # Farther out along its line of sight, the front camera sees past the wrist, which stands at (0.6, 0, 0.4) while the hand works.
    views={
        "front": ((0.92, 0.03, 0.42), (0.48, 0.03, 0.08), (0.0, 0.0, 1.0), 54.0),
        "side": ((0.50, -0.66, 0.38), (0.48, 0.0, 0.09), (0.0, 0.0, 1.0), 42.0),
        "top": ((0.66, 0.03, 0.84), (0.50, 0.03, 0.03), (-1.0, 0.0, 0.0), 42.0),
    },
)
