"""The Franka's model: gym_hil's arm, found as files, with a parallel hand of boxes to the datasheet's sizes.

gym_hil ships it with a Robotiq 2F-85, whose linkages, tendon and equalities are eight joints more to simulate and 90,000 triangles to
draw; the Franka's own hand is two sliding fingers. Lengths in the tool's frame: z up, fingers sliding along y, origin between the tips.
"""

from typing import Any, Final

import mujoco

from adapters.mujoco import world
from adapters.mujoco.tabletop.arm import TOOL_SITE
from adapters.mujoco.tabletop.table import FRICTION, SOLREF, add_geom
from engine.types import F64

# Franka Hand datasheet (R50010): 0.73 kg, fingers 0..40 mm each, 30..70 N; the tool centre is 103.4 mm from the flange.
FLANGE_UP: Final = 0.1034  #: m
STROKE: Final = 0.04  #: m, of each finger
HAND_MASS: Final = 0.67  #: kg, without the fingers
FINGER_MASS: Final = 0.03  #: kg
FINGER_ARMATURE: Final = 0.05  #: kg, of the drive, as a finger feels it
GRIP_FORCE: Final = 40.0  #: N, at most
GRIP_STIFFNESS: Final = 1000.0  #: N/m, of each finger's drive
GRIP_DAMPING: Final = 30.0  #: N s/m
TIP: Final = 0.009  #: m, the tips reach so far below the tool's origin
HOME: Final = (0.0, -0.2, 0.0, -2.4, 0.0, 2.2, 0.785)  #: rad, the hand pointing down over the table
_BOX = mujoco.mjtGeom.mjGEOM_BOX


def arm(drawn: bool) -> Any:
    """MjSpec of arm and hand. Raises AdapterError where gym-hil is not installed."""
    made = world.franka(drawn)
    # The flange's z axis points down and its x axis back.
    hand = made.body("attachment").add_body(name="hand", pos=[0.0, 0.0, FLANGE_UP], quat=[0.0, 0.0, 1.0, 0.0])
    hand.mass, hand.ipos, hand.inertia, hand.explicitinertial = HAND_MASS, [0.0, 0.0, 0.068], [0.0025, 0.001, 0.0026], True
    hand.add_site(name=TOOL_SITE)
    if drawn:
        add_geom(hand, "robot", "hand", _BOX, (0.028, 0.100, 0.026), (0.0, 0.0, 0.074), rgba=[0.92, 0.92, 0.92, 1.0])
        add_geom(hand, "robot", "wrist", _BOX, (0.030, 0.045, 0.010), (0.0, 0.0, 0.095), rgba=[0.30, 0.30, 0.32, 1.0])
    for side, name in ((1.0, "left"), (-1.0, "right")):
        finger = hand.add_body(name=f"finger_{name}")
        finger.add_joint(
            name=f"finger_{name}", type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[0.0, side, 0.0], range=[0.0, STROKE], armature=FINGER_ARMATURE
        )
        finger.mass, finger.ipos, finger.explicitinertial = FINGER_MASS, [0.0, 0.012 * side, 0.02], True
        finger.inertia = [2e-5, 2e-5, 1e-5]
        pad = (0.009, 0.004, 0.5 * (0.022 + TIP)), (0.0, 0.004 * side, 0.5 * (0.022 - TIP))
        if drawn:
            add_geom(
                finger, "robot", f"finger_{name}", _BOX, (0.010, 0.006, 0.022), (0.0, 0.013 * side, 0.028), rgba=[0.75, 0.75, 0.77, 1.0]
            )
            add_geom(finger, "pad", name, _BOX, *pad)
        else:
            add_geom(finger, "pad", name, _BOX, *pad, contype=1, conaffinity=1, friction=FRICTION, solref=SOLREF, condim=4)
            made.add_actuator(
                name=f"finger_{name}",
                target=f"finger_{name}",
                trntype=mujoco.mjtTrn.mjTRN_JOINT,
                gainprm=[GRIP_STIFFNESS, *[0.0] * 9],
                biastype=mujoco.mjtBias.mjBIAS_AFFINE,
                biasprm=[0.0, -GRIP_STIFFNESS, -GRIP_DAMPING, *[0.0] * 7],
                forcerange=[-GRIP_FORCE, GRIP_FORCE],
                ctrlrange=[0.0, STROKE],
            )
    return made


def closed(fingers: F64) -> float:
    """0 open .. 1 closed; the drive of a real hand couples its fingers and reads their mean."""
    return 1.0 - 0.5 * float(fingers[0] + fingers[1]) / STROKE


def placed(share: float) -> tuple[float, float]:
    """(2,) m of fingers closed so far."""
    return (STROKE * (1.0 - share),) * 2
