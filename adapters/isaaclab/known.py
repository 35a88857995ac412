"""What is known of this project's Isaac Lab tasks before Isaac Lab runs: their ids, joints and cameras, and how their table is set.

Both Pythons read it, so it stands on the standard library alone. The table is so101-sim's: the same arm at the same place, the same cube,
the same views.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Point = tuple[float, float, float]

LINK: Final = "gripper_link"  #: the URDF's name of the body that carries the fixed jaw
ROBOT: Final = "robot"
STEP_S: Final = 0.01  #: s, of an environment
DECIMATION: Final = 2  #: physics steps of it, unless it is asked for otherwise; so101-sim has 5

JOINTS: Final = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll")  #: as LeRobot names them
#: what the packaged model calls them, in that order, and the jaw; zeros and senses are the same, but that of the wrist's roll
USD_JOINTS: Final = ("Rotation", "Pitch", "Elbow", "Wrist_Pitch", "Wrist_Roll")
USD_JAW: Final = "Jaw"
#: bodies of the packaged model, base first, by the names that the URDF gives them
BODIES: Final[Mapping[str, str]] = {
    "base_link": "base",
    "shoulder_link": "shoulder",
    "upper_arm_link": "upper_arm",
    "lower_arm_link": "lower_arm",
    "wrist_link": "wrist",
    LINK: "gripper",
    "jaw_link": "jaw",
}
BASE: Final[Point] = (
    0.0157608,
    -0.0207909,
    -0.0324817,
)  #: m, where the packaged model's origin lies for its joints to be where so101-sim's are
ROLL_ZERO: Final = (0.0172091, -0.0172091, 0.706897, 0.706897)  #: w, x, y, z, of its joint's frame in the wrist, as so101-sim has it
LIMITS: Final[Mapping[str, tuple[float, float]]] = {
    "Elbow": (-1.69, 1.69),
    "Wrist_Roll": (-2.74385, 2.84121),
}  #: rad, where so101-sim's differ
HOME: Final = (-0.036, -0.177, 0.188, 1.538, -1.558)  #: rad, the gripper pointing down over the table
JAW_OPEN: Final = 0.70  #: rad
JAW_CLOSED: Final = -0.10  #: rad
STIFFNESS: Final = 17.8  #: N m/rad, of each servo
DAMPING: Final = 0.6  #: N m s/rad
FRICTION: Final = 0.052  #: N m
ARMATURE: Final = 0.028  #: kg m^2
TORQUE: Final = 3.35  #: N m
JAW_TORQUE: Final = 1.67  #: N m

CUBE: Final = 0.028  #: m, its edge
CUBE_MASS: Final = 0.025  #: kg
CUBES_X: Final = (0.18, 0.27)  #: m, where its middle is drawn
CUBES_Y: Final = (-0.09, 0.09)
CUBE_TURN: Final = 0.3  #: rad, at most, of the cube against how the gripper faces it
PAN_X: Final = 0.0388  #: m, of the axis that turns the arm
LIFTED: Final = 0.06  #: m, how far up it counts as lifted
ABOVE: Final = 0.5 * CUBE + 0.015  #: m, over the cube's middle, of the place to reach
WITHIN: Final = 0.015  #: m, of that place
LOST: Final = -0.05  #: m, a cube that is lower fell off the table
HELD_S: Final = 0.5  #: s, for which a task must be so to be done
#: the jaws' inner faces near the tips, as boxes in the frames of their bodies, as so101-sim has them: m, half sizes and place, and the
#: turn w, x, y, z
PADS: Final[Mapping[str, tuple[Point, Point, tuple[float, float, float, float]]]] = {
    "gripper": ((0.006, 0.0065, 0.0197), (-0.0139, -0.0002, -0.0847), (1.0, 0.0, 0.0, 0.0)),
    "jaw": ((0.004, 0.0065, 0.017), (-0.00639, -0.06437, 0.019), (0.70512, -0.70512, 0.05298, -0.05298)),
}
#: how things touch, in MuJoCo's words, as so101-sim has it
PADS_TOUCH: Final[Mapping[str, Any]] = {
    "friction": 1.2,
    "torsional": 0.02,
    "rolling": 0.001,
    "solref": (0.004, 1.0),
    "solimp": (0.98, 0.995, 0.0005, 0.5, 2.0),
    "priority": 1,
}
THINGS_TOUCH: Final[Mapping[str, Any]] = {"friction": 0.9, "torsional": 0.01, "rolling": 0.0002, "solref": (0.008, 1.0)}
STOPS: Final = (0.02, 1.0)  #: solref of the joints' own ends
CONDIM: Final = 4  #: sliding and turning on the spot
TIP: Final[Point] = (-0.0079 + 0.5 * CUBE, -0.0002, -0.095)  #: m, of the tool in the gripper's frame: between the jaws' tips

VIEWS: Final[Mapping[str, tuple[Point, Point, Point, float]]] = {
    "front": ((0.50, 0.0, 0.22), (0.215, 0.0, 0.045), (0.0, 0.0, 1.0), 44.0),
    "side": ((0.37, -0.34, 0.17), (0.215, 0.0, 0.045), (0.0, 0.0, 1.0), 42.0),
    "top": ((0.38, 0.0, 0.48), (0.225, 0.0, 0.02), (-1.0, 0.0, 0.0), 40.0),
}  #: place, what is looked at, up, and the vertical field of view in degrees


#: of the cell where a Franka saws: its joints and bodies, as the packaged model has them, and the co-saw cell's views
FRANKA_JOINTS: Final = tuple(f"joint{number}" for number in range(1, 8))
SAW: Final = "saw"
HANDLE: Final = "handle"  #: where the person holds it
FRANKA_BODIES: Final = {name: name for name in (*(f"link{number}" for number in range(8)), SAW, HANDLE)}
SAW_VIEWS: Final[Mapping[str, tuple[Point, Point, Point, float]]] = {
    "front": ((1.12, 0.0, 1.46), (0.62, 0.0, 0.58), (-1.0, 0.0, 0.0), 64.0),
    "side": ((0.90, -1.0, 0.80), (0.50, 0.0, 0.55), (0.0, 0.0, 1.0), 55.0),
    "top": ((0.76, 0.0, 1.88), (0.76, 0.0, 0.5), (-1.0, 0.0, 0.0), 52.0),
}


@dataclass(frozen=True)
class Known:
    """One task."""

    does: str  #: "lift", "reach" or "saw"
    seconds: float  #: of an episode
    play: bool = False  #: to look at what was learnt: no noise on what is observed
    arm: str = "so101"  #: or "so100", which adapters.mujoco.tabletop.so100_model tells in the SO-101's terms
    joints: tuple[str, ...] = JOINTS
    model_joints: tuple[str, ...] = USD_JOINTS  #: what the model calls them
    jaw: str = USD_JAW  #: empty where there is none
    bodies: Mapping[str, str] = field(default_factory=lambda: BODIES)
    link: str = LINK  #: the end effector's
    views: Mapping[str, tuple[Point, Point, Point, float]] = field(default_factory=lambda: VIEWS)

    instruction: str = ""  #: that a policy is told; "" is the usual one of what it does

    @property
    def cameras(self) -> tuple[str, ...]:
        return tuple(self.views)


KNOWN: Final[Mapping[str, Known]] = {
    f"Isaac-SO-{name}-{task}{play}-v0": Known(does, seconds, bool(play), arm)
    for name, arm in (("ARM101", "so101"), ("ARM100", "so100"))
    for task, does, seconds in (("Lift-Cube", "lift", 8.0), ("Reach", "reach", 6.0))
    for play in ("", "-Play")
} | {
    "Isaac-Franka-Co-Saw-v0": Known(
        "saw",
        60.0,
        arm="franka",
        joints=FRANKA_JOINTS,
        model_joints=FRANKA_JOINTS,
        jaw="",
        bodies=FRANKA_BODIES,
        link=SAW,
        views=SAW_VIEWS,
        instruction="Monitor human proximity and adjust robot stiffness for safe collaboration",
    )
}
