"""The table's two MuJoCo models: what is stepped, and the whole scene, which is only drawn. Both have the same joints in the same order."""

import math
from typing import Any, Final

import mujoco

from adapters.mujoco import layout
from adapters.mujoco.looks import Looks
from adapters.mujoco.tabletop.arm import CAMERAS, TOOL_SITE, Arm
from adapters.mujoco.world import camera_quat

CUBE: Final = "cube"
ZONE: Final = "zone"
ZONE_RADIUS: Final = 0.07  #: m
ZONE_THICKNESS: Final = 0.0006  #: m, half of it over the table
PAINTS: Final = {
    "cube": (0.85, 0.08, 0.07),
    "zone": (0.08, 0.20, 0.85),
    "table": (0.42, 0.39, 0.35),
    "frame": (0.22, 0.24, 0.27),
    "pad": (0.10, 0.10, 0.11),
    "floor": (0.42, 0.44, 0.46),
    "wall": (0.60, 0.62, 0.63),
}  #: geoms are named "<paint>:<what>", so that a look can tint a paint
#: The cube stays red and the zone blue under every look.
LOOKS: Final = Looks((*PAINTS, "robot"), len(CAMERAS), {"cube": 0.12, "zone": 0.12, "robot": 0.1})

TABLE_X: Final = (-0.25, 1.0)  #: m, of the table's top, for an arm that reaches 0.8 m; smaller arms have smaller tables
TABLE_Y: Final = 0.7  #: m, half
THICK: Final = 0.02  #: m, half the table top's thickness
FRICTION: Final = (0.9, 0.01, 0.0002)
SOLREF: Final = (0.008, 1.0)  #: s and damping ratio of contacts
DECOY: Final = "decoy"  #: a fixed block that looks like the cube
POST: Final = "post"  #: an upright one that is in the way
DECOY_RGBA: Final = (0.85, 0.22, 0.07, 1.0)
POST_TALL: Final = 3.5  #: cube sizes, half the post's height: as high as a hand that takes the cube
POST_WIDE: Final = 0.6  #: of the cube's half, the post's radius
AWAY: Final = (0.3, 0.0, -0.4)  #: m, of what is not there: under the table, where no camera looks
STRANGE: Final = 2  #: the bit by which decoy and post collide with hand and cube, and with nothing else
#: whose contact forces (len, 3) N on the tool, on the cube or on what they touch the plant model senses; "one" and "other" are the pads
TOUCHES: Final = ("one cube", "other cube", "hand table", "hand post", "hand decoy", "cube table", "cube post", "one decoy", "other decoy")
NET_FORCE: Final = 3  #: of MuJoCo's ways to make one force of many contacts: their sum
GUARD: Final = "guard"  #: the hand's outline, which only they touch
_GEOM, _TREE = mujoco.mjtObj.mjOBJ_GEOM, mujoco.mjtObj.mjOBJ_XBODY
_BOX, _CYLINDER, _PLANE = mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_CYLINDER, mujoco.mjtGeom.mjGEOM_PLANE


def add_geom(body: Any, paint: str, what: str, kind: Any, size: Any, pos: Any = (0.0, 0.0, 0.0), **more: Any) -> Any:
    """A drawn geom that neither collides nor weighs, unless ``more`` says so."""
    settings = {"contype": 0, "conaffinity": 0, "mass": 0.0, "group": 2, "rgba": [*PAINTS.get(paint, (1.0, 1.0, 1.0)), 1.0]} | more
    return body.add_geom(name=f"{paint}:{what}", type=kind, size=[*size, *[0.0] * (3 - len(size))], pos=pos, **settings)


def plant_model(arm: Arm) -> Any:
    """MjModel of the arm, the table's top and the cube, as they push each other."""
    spec = arm.spec(False)
    touch = {"contype": 1, "conaffinity": 1, "friction": FRICTION, "solref": SOLREF, "condim": 4}
    pads, hand = list(spec.geoms), spec.site(TOOL_SITE).parent
    for pad in pads:
        pad.conaffinity |= STRANGE
    add_geom(hand, GUARD, "hand", _BOX, *arm.guard, conaffinity=STRANGE, friction=FRICTION, solref=SOLREF)
    add_geom(spec.worldbody, "table", "top", _PLANE, (2.0, 2.0, 0.1), (0.0, 0.0, arm.table), **touch)
    cube = _cube(spec.worldbody, arm)
    add_geom(cube, "cube", "cube", _BOX, (arm.cube_half,) * 3, **touch | {"conaffinity": 1 | STRANGE, "mass": arm.cube_mass})
    _strangers(spec.worldbody, arm, contype=STRANGE, friction=FRICTION, solref=SOLREF, condim=4)
    parts = {"one": (_GEOM, pads[0].name), "other": (_GEOM, pads[1].name), "hand": (_TREE, hand.name), "cube": (_TREE, CUBE)}
    for name in TOUCHES:
        (kind, part), thing = parts[name.split()[0]], name.split()[1]
        spec.add_sensor(
            name=name,
            type=mujoco.mjtSensor.mjSENS_CONTACT,
            objtype=kind,
            objname=part,
            reftype=_GEOM if thing == "table" else _TREE,
            refname="table:top" if thing == "table" else thing,
            intprm=[1 << int(mujoco.mjtConDataField.mjCONDATA_FORCE), NET_FORCE, 1],
        )
    spec.option.timestep = layout.PHYSICS_S
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio = 10.0
    spec.option.noslip_iterations = 0
    return spec.compile()


def scene_model(arm: Arm) -> Any:
    """MjModel of everything a camera sees."""
    spec = arm.spec(True)
    world = spec.worldbody
    add_geom(_cube(world, arm), "cube", "cube", _BOX, (arm.cube_half,) * 3, mass=arm.cube_mass)
    zone = world.add_body(name=ZONE, mocap=True)
    add_geom(zone, "zone", "zone", _CYLINDER, (ZONE_RADIUS, ZONE_THICKNESS))
    _strangers(world, arm)
    low, high = TABLE_X
    add_geom(world, "table", "top", _BOX, (0.5 * (high - low), TABLE_Y, THICK), (0.5 * (low + high), 0.0, arm.table - THICK))
    add_geom(world, "floor", "floor", _PLANE, (4.0, 4.0, 0.1), (0.0, 0.0, arm.table - 0.75))
    add_geom(world, "wall", "behind", _BOX, (0.05, 4.0, 1.6), (-1.3, 0.0, 1.0))
    add_geom(world, "wall", "beside", _BOX, (4.0, 0.05, 1.6), (0.0, 1.9, 1.0))
    for name in CAMERAS:
        place, target, up, fovy = arm.views[name]
        world.add_camera(name=name, pos=place, quat=camera_quat(place, target, up), fovy=fovy)
    for name, direction in (("key", (-0.35, 0.45, -1.0)), ("fill", (0.6, -0.5, -0.55))):
        world.add_light(
            name=name, type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL, pos=[0.6, 0.0, 3.0], dir=direction, castshadow=name == "key"
        )
    return spec.compile()


def _cube(world: Any, arm: Arm) -> Any:
    cube = world.add_body(name=CUBE, pos=[0.0, 0.0, arm.table + arm.cube_half])
    cube.add_freejoint()
    return cube


def _strangers(world: Any, arm: Arm, **touch: Any) -> None:
    """Decoy and post, which are moved at will and add nothing to simulate; out of sight until they are."""
    decoy, post = (world.add_body(name=name, mocap=True, pos=AWAY) for name in (DECOY, POST))
    add_geom(decoy, "cube", DECOY, _BOX, (arm.cube_half,) * 3, rgba=DECOY_RGBA, **touch)
    add_geom(post, "frame", POST, _CYLINDER, (POST_WIDE * arm.cube_half, 2.0 * POST_TALL * arm.cube_half), **touch)


def turned(yaw: float) -> tuple[float, float, float, float]:
    """(4,) quaternion of a turn about the vertical, rad."""
    return math.cos(0.5 * yaw), 0.0, 0.0, math.sin(0.5 * yaw)
