"""The SO-100 at the table: links of the SO-101's lengths, and the SO-101's servos, jaws, cube and tasks."""

from dataclasses import replace
from typing import Any, Final

import mujoco

from adapters.base import AdapterError
from adapters.mujoco.body import Body
from adapters.mujoco.tabletop import servos, so100_model, so101_model
from adapters.mujoco.tabletop.arm import TOOL_SITE, Arm, Motors
from adapters.mujoco.tabletop.kinematics import Kinematics
from adapters.mujoco.tabletop.so101 import SO101
from engine.limits import Limits

_JAWS: Final = {so101_model.HAND: so100_model.HAND, so101_model.MOVING: so100_model.MOVING}
_PAD: Final = ("name", "type", "size", "pos", "quat", "mass", "condim", "friction", "priority", "solref", "solimp")


def _arm(drawn: bool) -> Any:
    """MjSpec of the arm, as ``Arm.spec`` has it. Raises AdapterError where its package, or the SO-101's, is absent."""
    try:
        spec = so100_model.arm()
    except FileNotFoundError as error:
        raise AdapterError(str(error)) from error
    twin = so101_model.arm(False)
    tool = twin.site(TOOL_SITE)
    spec.body(so100_model.HAND).add_site(name=TOOL_SITE, pos=tool.pos, quat=tool.quat)
    if drawn:
        return spec
    for thing in [*spec.geoms, *spec.meshes]:
        spec.delete(thing)
    for pad in twin.geoms:
        spec.body(_JAWS[pad.parent.name]).add_geom(**{name: getattr(pad, name) for name in _PAD})
    for joint, other, servo in zip(spec.joints, twin.joints, twin.actuators, strict=True):
        joint.damping, joint.frictionloss, joint.armature = other.damping, other.frictionloss, other.armature
        spec.add_actuator(
            name=joint.name,
            target=joint.name,
            trntype=mujoco.mjtTrn.mjTRN_JOINT,
            forcerange=servo.forcerange,
            ctrlrange=joint.range,
        ).set_to_position(kp=servos.KP)
    return spec


def _motors(body: Body, _limits: Limits) -> Motors:
    return servos.Servos(body, Kinematics(SO100))


SO100: Final[Arm] = replace(
    SO101,
    name="so100",
    spec=_arm,
    motors=_motors,
    joint_limits=tuple((low, high) for _, _, low, high in list(so100_model.JOINTS.values())[: SO101.joints]),
)
