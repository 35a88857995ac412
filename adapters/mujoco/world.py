"""The cell's two MuJoCo models: the arm with its saw, which is stepped, and the whole scene, which is only drawn.

The Franka comes from gym_hil's packaged model, found as files and never imported. Nothing collides in MuJoCo: wood and hands
act through ``cutting`` and ``partner``, so the stepped model needs no meshes and the drawn one no physics. The scene's
moving parts are mocap bodies, posed by ``scene``.
"""

import importlib.util
import math
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import mujoco
import numpy as np

from adapters.base import AdapterError
from adapters.mujoco import layout, person
from adapters.mujoco.cutting import KERFS
from adapters.mujoco.zones import CRACKS, KNOTS

TOOL_SITE: Final = "tool"
SAW_BODY: Final = "saw"
LINKS: Final = ("link2", "link4", "link6", "attachment")  #: bodies that stand for the points of LINKS
LIMBS: Final = ("upper_right", "fore_right", "upper_left", "fore_left")

# Fixed cameras: where they stand, what they look at, which way is up, vertical field of view in degrees.
VIEWS: Final = {
    "front": ((1.12, 0.0, 1.46), (0.62, 0.0, 0.58), (-1.0, 0.0, 0.0), 64.0),
    "side": ((0.95, -1.60, 1.26), (0.95, 0.0, 0.62), (0.0, 0.0, 1.0), 50.0),
    "top": ((0.76, 0.0, 1.88), (0.76, 0.0, 0.5), (-1.0, 0.0, 0.0), 52.0),
}

STEEL: Final = (0.62, 0.65, 0.68)
WOOD: Final = (0.66, 0.47, 0.28)
KNOT: Final = (0.24, 0.13, 0.07)
CRACK: Final = (0.93, 0.85, 0.66)
END_GRAIN: Final = (0.80, 0.63, 0.42)
LINE: Final = (0.25, 3.0, 0.45)
KERF: Final = (0.10, 0.06, 0.03)
FRAME: Final = (0.20, 0.27, 0.36)
GRIP: Final = (0.55, 0.27, 0.12)
SHIRT: Final = (0.75, 0.24, 0.16)
SKIN: Final = (0.83, 0.61, 0.48)
HAIR: Final = (0.16, 0.11, 0.08)
TROUSERS: Final = (0.17, 0.22, 0.38)
FLOOR: Final = (0.42, 0.44, 0.46)
WALL: Final = (0.60, 0.62, 0.63)
PAINTS: Final = {
    "wood": WOOD,
    "knot": KNOT,
    "crack": CRACK,
    "end": END_GRAIN,
    "line": LINE,
    "kerf": KERF,
    "frame": FRAME,
    "grip": GRIP,
    "steel": STEEL,
    "shirt": SHIRT,
    "skin": SKIN,
    "hair": HAIR,
    "trousers": TROUSERS,
    "floor": FLOOR,
    "wall": WALL,
}  #: geoms are named "<paint>:<what>", so that a look can tint a paint


def _assets() -> Path:
    spec = importlib.util.find_spec("gym_hil")
    if spec is None or not spec.submodule_search_locations:
        raise AdapterError("gym-hil, which ships the Franka's model, is not installed; install the project's dependencies again")
    path = Path(spec.submodule_search_locations[0]) / "assets" / "panda.xml"
    if not path.is_file():
        raise AdapterError(f"gym-hil is installed without {path.name}; install the project's dependencies again")
    return path


def franka(drawn: bool) -> Any:
    """MjSpec of the bare arm at the origin, its flange the body "attachment"; with its visual meshes only if drawn.

    Raises AdapterError where the package that ships it is not installed.
    """
    spec = mujoco.MjSpec.from_file(str(_assets()))
    spec.delete(spec.body("base_mount"))
    for sensor in list(spec.sensors):
        spec.delete(sensor)
    for camera in list(spec.cameras):
        spec.delete(camera)
    for geom in list(spec.geoms):
        if drawn and geom.classname.name == "panda/visual":
            geom.rgba = spec.material(geom.material).rgba
            geom.material = ""
            geom.name = f"robot:{geom.meshname}"
        else:
            spec.delete(geom)
    used = {geom.meshname for geom in spec.geoms}
    for mesh in list(spec.meshes):
        if (mesh.name or Path(mesh.file).stem) not in used:
            spec.delete(mesh)
    return spec


def _arm(drawn: bool) -> Any:
    """The Franka on its pedestal with the saw's body and tool frame on its flange."""
    spec = franka(drawn)
    spec.body("link0").pos = [0.0, 0.0, layout.PEDESTAL]
    flange = spec.body("attachment")
    # The flange points down and its x axis is turned by half a turn about z from the saw's.
    saw = flange.add_body(name=SAW_BODY, pos=[-layout.FLANGE_BACK, 0.0, layout.FLANGE_UP], quat=[0.0, 0.0, 1.0, 0.0])
    saw.mass = layout.SAW_MASS
    saw.ipos = [-0.02, 0.0, 0.045]
    saw.inertia = [0.002, 0.045, 0.044]
    saw.explicitinertial = True
    saw.add_site(name=TOOL_SITE, pos=[0.0, 0.0, 0.0])
    spec.option.timestep = layout.PHYSICS_S
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.noslip_iterations = 0
    return spec


def plant_model() -> Any:
    """MjModel of the arm and saw alone: seven joints, seven torque motors, no geometry."""
    return _arm(drawn=False).compile()


def scene_model() -> Any:
    """MjModel of everything a camera sees, with the arm's joints first in qpos."""
    spec = _arm(drawn=True)
    _paint_saw(spec.body(SAW_BODY), spec)
    world = spec.worldbody
    _room(world)
    _log(world)
    _person(world)
    for name, (place, target, up, fovy) in VIEWS.items():
        world.add_camera(name=name, pos=place, quat=camera_quat(place, target, up), fovy=fovy)
    for name, direction in (("key", (-0.35, 0.45, -1.0)), ("fill", (0.6, -0.5, -0.55))):
        world.add_light(
            name=name, type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL, pos=[0.6, 0.0, 3.0], dir=direction, castshadow=name == "key"
        )
    return spec.compile()


def _geom(body: Any, paint: str, what: str, kind: Any, size: Any, pos: Any = (0.0, 0.0, 0.0), **more: Any) -> None:
    body.add_geom(
        name=f"{paint}:{what}",
        type=kind,
        size=[*size, *[0.0] * (3 - len(size))],
        pos=pos,
        rgba=[*PAINTS[paint], 1.0],
        contype=0,
        conaffinity=0,
        group=2,
        mass=0.0,
        **more,
    )


_BOX, _CAPSULE, _CYLINDER = mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_CAPSULE, mujoco.mjtGeom.mjGEOM_CYLINDER
_ELLIPSOID, _PLANE, _MESH = mujoco.mjtGeom.mjGEOM_ELLIPSOID, mujoco.mjtGeom.mjGEOM_PLANE, mujoco.mjtGeom.mjGEOM_MESH
_HALF_TURN: Final = 0.7071067811865476
_ALONG_Y: Final = (_HALF_TURN, _HALF_TURN, 0.0, 0.0)
_ALONG_X: Final = (_HALF_TURN, 0.0, _HALF_TURN, 0.0)


def _paint_saw(saw: Any, spec: Any) -> None:
    vertices, faces = _toothed_blade()
    spec.add_mesh(name="blade", uservert=vertices.ravel(), userface=faces.ravel(), inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL)
    saw.add_geom(name="steel:blade", type=_MESH, meshname="blade", rgba=[*STEEL, 1.0], contype=0, conaffinity=0, group=2, mass=0.0)
    _geom(
        saw,
        "frame",
        "spine",
        _BOX,
        (0.5 * (layout.HANDLE_AHEAD + layout.BLADE_BACK), 0.006, 0.008),
        (0.5 * (layout.HANDLE_AHEAD - layout.BLADE_BACK), 0.0, layout.BLADE_HEIGHT),
    )
    _geom(
        saw,
        "frame",
        "column",
        _BOX,
        (0.022, 0.022, 0.5 * (layout.FLANGE_UP - 0.04)),
        (-layout.FLANGE_BACK, 0.0, 0.04 + 0.5 * (layout.FLANGE_UP - 0.04)),
    )
    _geom(saw, "frame", "flange", _CYLINDER, (0.036, 0.008), (-layout.FLANGE_BACK, 0.0, layout.FLANGE_UP - 0.008))
    _geom(saw, "grip", "far", _CAPSULE, (layout.HANDLE_RADIUS, 0.055), (layout.HANDLE_AHEAD, 0.0, layout.HANDLE_UP))


def _toothed_blade() -> tuple[Any, Any]:
    """Vertices (N, 3) and faces (M, 3) of a thin plate with triangular teeth along its lower edge, tips on z = 0."""
    pitch, bite = 0.018, 0.010
    count = round((layout.BLADE_AHEAD + layout.BLADE_BACK) / pitch)
    xs = np.linspace(-layout.BLADE_BACK, layout.BLADE_AHEAD, count + 1)
    half = 0.5 * layout.BLADE_THICKNESS
    vertices: list[tuple[float, float, float]] = []
    faces: list[tuple[int, int, int]] = []

    def prism(corners: list[tuple[float, float]]) -> None:
        first, n = len(vertices), len(corners)
        for y in (-half, half):
            vertices.extend((x, y, z) for x, z in corners)
        for i in range(1, n - 1):
            faces.append((first, first + i, first + i + 1))
            faces.append((first + n, first + n + i + 1, first + n + i))
        for i in range(n):
            j = (i + 1) % n
            faces.append((first + i, first + n + i, first + n + j))
            faces.append((first + i, first + n + j, first + j))

    prism([(xs[0], bite), (xs[-1], bite), (xs[-1], layout.BLADE_HEIGHT), (xs[0], layout.BLADE_HEIGHT)])
    for left, right in pairwise(xs):
        prism([(left, bite), (0.5 * (left + right), 0.0), (right, bite)])
    return np.array(vertices), np.array(faces)


def _room(world: Any) -> None:
    _geom(world, "floor", "floor", _PLANE, (4.0, 4.0, 0.1))
    _geom(world, "wall", "behind", _BOX, (0.05, 4.0, 1.6), (-1.3, 0.0, 1.6))
    _geom(world, "wall", "beside", _BOX, (4.0, 0.05, 1.6), (0.0, 1.9, 1.6))
    _geom(world, "frame", "pedestal", _BOX, (0.14, 0.14, 0.5 * layout.PEDESTAL), (-0.02, 0.0, 0.5 * layout.PEDESTAL))


def _log(world: Any) -> None:
    """A body whose origin is the middle of the log's top, and one each for what is drawn on it."""
    r = layout.LOG_RADIUS
    log = world.add_body(name="log", mocap=True)
    _geom(log, "wood", "log", _CYLINDER, (r, layout.LOG_HALF), (0.0, 0.0, -r), quat=_ALONG_Y)
    for side in (-1, 1):
        _geom(log, "end", f"end{side}", _CYLINDER, (r * 0.93, 0.003), (0.0, side * layout.LOG_HALF, -r), quat=_ALONG_Y)
        y = side * 0.46
        _geom(log, "frame", f"saddle{side}", _BOX, (layout.CRADLE_HALF, 0.03, 0.035), (0.0, y, -2.0 * r))
        _geom(log, "frame", f"cheek{side}a", _BOX, (0.012, 0.03, 0.05), (layout.CRADLE_HALF - 0.012, y, -2.0 * r + 0.05))
        _geom(log, "frame", f"cheek{side}b", _BOX, (0.012, 0.03, 0.05), (-layout.CRADLE_HALF + 0.012, y, -2.0 * r + 0.05))
        _geom(log, "steel", f"column{side}", _CYLINDER, (0.03, 0.35), (0.0, y, -2.0 * r - 0.38))
    for i in range(KNOTS):
        knot = world.add_body(name=f"knot{i}", mocap=True)
        _geom(knot, "knot", f"knot{i}", _ELLIPSOID, (0.0745, 0.1, r + 0.0016))
    for i in range(CRACKS):
        crack = world.add_body(name=f"crack{i}", mocap=True)
        for j, x in enumerate((-0.028, 0.004, 0.034)):
            _geom(
                crack,
                "crack",
                f"crack{i}{j}",
                _CAPSULE,
                (0.0035, 0.03),
                (x, 0.004 * (j - 1), math.sqrt(r * r - x * x) - 0.0012),
                quat=_ALONG_Y,
            )
    for i in range(KERFS):
        kerf = world.add_body(name=f"kerf{i}", mocap=True)
        _geom(kerf, "kerf", f"kerf{i}", _CYLINDER, (0.05, 0.0022), quat=_ALONG_Y)
    line = world.add_body(name="line", mocap=True)
    _geom(line, "line", "line", _CYLINDER, (r + 0.0022, 0.009), (0.0, 0.0, -r), quat=_ALONG_Y)
    floor = world.add_body(name="line_floor", mocap=True)
    _geom(floor, "line", "floor", _BOX, (0.42, 0.011, 0.002), (0.05, 0.0, 0.0))


def _person(world: Any) -> None:
    """Trunk (origin between the shoulders, z along the spine), legs (origin at the hips), head, and four limbs with x from their joint."""
    trunk = world.add_body(name="trunk", mocap=True)
    _geom(trunk, "shirt", "chest", _ELLIPSOID, (0.115, 0.175, 0.20), (0.01, 0.0, -0.14))
    _geom(trunk, "shirt", "shoulders", _CAPSULE, (0.062, 0.14), (0.0, 0.0, -0.01), quat=_ALONG_Y)
    _geom(trunk, "shirt", "belly", _ELLIPSOID, (0.115, 0.15, 0.18), (0.01, 0.0, -0.33))
    _geom(trunk, "skin", "neck", _CAPSULE, (0.045, 0.05), (-0.01, 0.0, 0.08))
    legs = world.add_body(name="legs", mocap=True)
    _geom(legs, "trousers", "hips", _ELLIPSOID, (0.14, 0.18, 0.12), (0.0, 0.0, 0.0))
    for side in (-1, 1):
        _geom(legs, "trousers", f"thigh{side}", _CAPSULE, (0.080, 0.20), (0.01, side * 0.095, -0.22))
        _geom(legs, "trousers", f"shin{side}", _CAPSULE, (0.058, 0.30), (0.03, side * 0.10, -0.60))
    head = world.add_body(name="head", mocap=True)
    _geom(head, "skin", "head", _ELLIPSOID, (0.092, 0.076, 0.112))
    _geom(head, "hair", "hair", _ELLIPSOID, (0.092, 0.082, 0.10), (0.023, 0.0, 0.03))
    for limb in LIMBS:
        body = world.add_body(name=limb, mocap=True)
        long = person.UPPER_ARM if limb.startswith("upper") else person.FOREARM
        if limb.startswith("upper"):
            _geom(body, "shirt", limb, _CAPSULE, (0.047, 0.5 * long), (0.5 * long, 0.0, 0.0), quat=_ALONG_X)
        else:
            _geom(body, "skin", limb, _CAPSULE, (0.034, 0.5 * long), (0.5 * long, 0.0, 0.0), quat=_ALONG_X)
            if limb == "fore_left":
                _geom(body, "skin", "palm", _ELLIPSOID, (0.055, 0.042, 0.02), (long + 0.02, 0.0, 0.0))
            else:
                _geom(body, "skin", "fist", _ELLIPSOID, (0.042, 0.036, 0.044), (long, 0.0, 0.0))


def camera_quat(place: Any, target: Any, up: Any) -> list[float]:
    """(4,) of a camera at ``place`` that looks at ``target``: its -z axis points there, its y axis up."""
    back = np.asarray(place, float) - np.asarray(target, float)
    back /= np.linalg.norm(back)
    right = np.cross(np.asarray(up, float), back)
    right /= np.linalg.norm(right)
    matrix = np.stack([right, np.cross(back, right), back], axis=1)
    quat = np.empty(4)
    mujoco.mju_mat2Quat(quat, matrix.ravel())
    return [float(value) for value in quat]
