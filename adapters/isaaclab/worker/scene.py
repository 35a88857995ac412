"""The table in Isaac Lab: the packaged SO-101 with so101-sim's servos, the cube, the cameras, and the physics that steps them."""

import math
from collections.abc import Sequence
from typing import Any, Final

import isaaclab.sim as sim_utils
import isaaclab.utils.assets
import numpy as np
import torch
from isaaclab.actuators import ImplicitActuatorCfg
from isaaclab.assets import ArticulationCfg, AssetBaseCfg, RigidObjectCfg
from isaaclab.scene import InteractiveSceneCfg
from isaaclab.sensors import CameraCfg
from isaaclab.sim import SimulationCfg
from isaaclab.sim.utils import clone
from isaaclab.utils import configclass
from isaaclab.utils.math import quat_from_matrix
from isaaclab_newton.physics import MJWarpSolverCfg, NewtonCfg
from isaaclab_newton.physics.mjwarp_manager import NewtonMJWarpManager
from isaaclab_newton.renderers import NewtonWarpRendererCfg
from isaaclab_so101.assets import SO101_CFG
from pxr import Gf, Sdf, Usd, UsdPhysics, Vt

from adapters.isaaclab import known
from adapters.isaaclab.worker import authoring

isaaclab.utils.assets._remote_fingerprint = lambda url: None  # without a network, a material's address is waited for in vain

ROBOT_PATH: Final = "{ENV_REGEX_NS}/Robot"
SPACING: Final = 2.0  #: m, between two environments
FOCAL: Final = 24.0  #: mm; with the aperture it makes the field of view
AHEAD: Final = (0.0, 0.0, math.sqrt(0.5), math.sqrt(0.5))  #: x, y, z, w, for the packaged arm to look along x
#: so101-sim's paints, as bright as its two lights make them: here there is one
RED: Final = (1.0, 0.15, 0.13)
TOP: Final = (0.78, 0.72, 0.65)
WALL: Final = (0.34, 0.36, 0.39)
YELLOW: Final = (1.0, 0.90, 0.15)
MOTOR: Final = (0.15, 0.15, 0.15)
FLAT: Final = sim_utils.CollisionPropertiesCfg()


class NewtonMujocoManager(NewtonMJWarpManager):
    """MuJoCo's own C solver, for one environment on a CPU: ten times as fast there as Warp's. It keeps its contacts to itself."""

    @classmethod
    def _initialize_contacts(cls) -> None:
        pass


def physics(environments: int, device: str) -> NewtonCfg:
    """MuJoCo in C for one environment on a CPU, else in Warp."""
    plain = device == "cpu" and environments == 1
    solver = MJWarpSolverCfg(integrator="implicitfast", cone="elliptic", impratio=10.0, nconmax=100, use_mujoco_cpu=plain)
    if plain:
        solver.class_type = NewtonMujocoManager
    return NewtonCfg(solver_cfg=solver, use_cuda_graph=device != "cpu")


def simulation(environments: int, device: str, steps: int) -> SimulationCfg:
    """So many physics steps an environment step."""
    return SimulationCfg(dt=known.STEP_S / steps, render_interval=steps, device=device, physics=physics(environments, device))


def touching(prim: Usd.Prim, *, friction: float, torsional: float, rolling: float, **more: Any) -> None:
    """Let a collider touch so; ``more`` are MuJoCo's solref, solimp and priority."""
    path, stage = prim.GetPath(), prim.GetStage()
    sim_utils.spawn_rigid_body_material(
        f"{path}_surface", sim_utils.RigidBodyMaterialCfg(static_friction=friction, dynamic_friction=friction)
    )
    surface = stage.GetPrimAtPath(f"{path}_surface")
    surface.CreateAttribute("newton:torsionalFriction", Sdf.ValueTypeNames.Float).Set(torsional)
    surface.CreateAttribute("newton:rollingFriction", Sdf.ValueTypeNames.Float).Set(rolling)
    sim_utils.bind_physics_material(str(path), f"{path}_surface")
    for name, value in {"condim": known.CONDIM, **more}.items():
        if isinstance(value, int):
            prim.CreateAttribute(f"mjc:{name}", Sdf.ValueTypeNames.Int).Set(value)
        else:
            prim.CreateAttribute(f"mjc:{name}", Sdf.ValueTypeNames.FloatArray).Set(Vt.FloatArray(value))


@clone
def spawn_arm(prim_path: str, cfg: sim_utils.UsdFileCfg, *place: Any, **more: Any) -> Usd.Prim:
    """The packaged arm, mended: it stands in the physics as it is shown, rolls its wrist as so101-sim does, and has what it touches with.

    The package's colliders are instances that Newton leaves out, and its joint to the world is turned, which Newton shows and MuJoCo
    does not know: pushes and touches would come from aside.
    """
    prim = sim_utils.spawn_from_usd(prim_path, cfg, *place, **more)
    stage = prim.GetStage()
    UsdPhysics.Joint(stage.GetPrimAtPath(f"{prim_path}/root_joint")).GetLocalRot1Attr().Set(Gf.Quatf(1.0))
    UsdPhysics.Joint(stage.GetPrimAtPath(f"{prim_path}/joints/Wrist_Roll")).GetLocalRot0Attr().Set(Gf.Quatf(*known.ROLL_ZERO))
    for name, (low, high) in known.LIMITS.items():
        joint = UsdPhysics.RevoluteJoint(stage.GetPrimAtPath(f"{prim_path}/joints/{name}"))
        joint.GetLowerLimitAttr().Set(math.degrees(low))
        joint.GetUpperLimitAttr().Set(math.degrees(high))
    for name in (*known.USD_JOINTS, known.USD_JAW):
        stop = stage.GetPrimAtPath(f"{prim_path}/joints/{name}").CreateAttribute("mjc:solreflimit", Sdf.ValueTypeNames.DoubleArray)
        stop.Set(Vt.DoubleArray(known.STOPS))
    visuals = stage.GetPrimAtPath(f"{prim_path}/gripper/visuals")
    visuals.SetInstanceable(False)
    stage.GetPrimAtPath(f"{visuals.GetPath()}/camera_mount").SetActive(False)  # of a camera that the table has not
    for material, colour in {"material_a_3d_printed": YELLOW, "material_sts3215": MOTOR}.items():
        shader = stage.GetPrimAtPath(f"{prim_path}/Looks/{material}/Shader")
        shader.GetAttribute("inputs:diffuse_color_constant").Set(Gf.Vec3f(*linear(colour)))
    add_pads(prim)
    return prim


def linear(colour: Sequence[float]) -> tuple[float, ...]:
    """(3,) as USD has it of one as a screen has it (IEC 61966-2-1)."""
    return tuple(one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in colour)


def add_pads(arm: Usd.Prim) -> None:
    """Give the arm's jaws ``known.PADS``, which nobody sees."""
    for body, (half, at, turn) in known.PADS.items():
        pad = authoring.box(arm.GetStage(), f"{arm.GetPath()}/{body}/pad", [2.0 * one for one in half], at, turn)
        pad.MakeInvisible()
        UsdPhysics.CollisionAPI.Apply(pad.GetPrim())
        touching(pad.GetPrim(), **known.PADS_TOUCH)


@clone
def spawn_thing(prim_path: str, cfg: sim_utils.CuboidCfg, *place: Any, **more: Any) -> Usd.Prim:
    """A block that touches as so101-sim's table and cube do."""
    prim = sim_utils.spawn_cuboid(prim_path, cfg, *place, **more)
    touching(prim.GetStage().GetPrimAtPath(f"{prim_path}/geometry/mesh"), **known.THINGS_TOUCH)
    return prim


def arm() -> ArticulationCfg:
    """The packaged arm on its base, with the servos that so101-sim has."""
    found = SO101_CFG.replace(prim_path=ROBOT_PATH)
    found.spawn.func = spawn_arm
    found.spawn.articulation_props.fix_root_link = None  # it has its own joint to the world
    return standing(found, pos=known.BASE, rot=AHEAD)


def standing(found: ArticulationCfg, **base: Any) -> ArticulationCfg:
    """That arm at HOME, on its ``base``, with servos."""
    found.init_state = ArticulationCfg.InitialStateCfg(
        joint_pos={**dict(zip(known.USD_JOINTS, known.HOME, strict=True)), known.USD_JAW: known.JAW_OPEN}, **base
    )
    servo = {
        "stiffness": known.STIFFNESS,
        "damping": 0.0,
        "armature": known.ARMATURE,
        "friction": known.FRICTION,
        "viscous_friction": known.DAMPING,  # of the joint, not of what its servo may give
        "velocity_limit_sim": 10.0,
    }
    found.actuators = {
        "arm": ImplicitActuatorCfg(joint_names_expr=list(known.USD_JOINTS), effort_limit_sim=known.TORQUE, **servo),
        "jaw": ImplicitActuatorCfg(joint_names_expr=[known.USD_JAW], effort_limit_sim=known.JAW_TORQUE, **servo),
    }
    return found


def camera(name: str, view: tuple[known.Point, known.Point, known.Point, float], height: int, width: int) -> CameraCfg:
    """One of a task's views, drawn by a ray tracer that needs no OpenGL."""
    place, target, up, fovy = view
    aperture = 2.0 * FOCAL * math.tan(math.radians(0.5 * fovy)) * width / height
    return CameraCfg(
        prim_path=f"{{ENV_REGEX_NS}}/{name}",
        height=height,
        width=width,
        data_types=["rgb"],
        renderer_cfg=NewtonWarpRendererCfg(use_cuda_graph=False),
        spawn=sim_utils.PinholeCameraCfg(focal_length=FOCAL, horizontal_aperture=aperture, clipping_range=(0.01, 10.0)),
        offset=CameraCfg.OffsetCfg(pos=place, rot=_looking(place, target, up), convention="opengl"),
    )


def _looking(place: Sequence[float], target: Sequence[float], up: Sequence[float]) -> tuple[float, ...]:
    """(4,) x, y, z, w of a camera that looks along its own -z with its y upwards."""
    back = np.subtract(place, target) / np.linalg.norm(np.subtract(place, target))
    right = np.cross(up, back) / np.linalg.norm(np.cross(up, back))
    turn = torch.tensor(np.stack([right, np.cross(back, right), back], axis=1), dtype=torch.float32)
    return tuple(quat_from_matrix(turn[None])[0].tolist())


def _block(size: tuple[float, float, float], colour: tuple[float, float, float], **more: Any) -> sim_utils.CuboidCfg:
    return sim_utils.CuboidCfg(
        func=spawn_thing,
        size=size,
        collision_props=FLAT,
        visual_material=sim_utils.PreviewSurfaceCfg(diffuse_color=linear(colour)),
        **more,
    )


def _wall(name: str, size: tuple[float, float, float], place: tuple[float, float, float]) -> AssetBaseCfg:
    """Something to look at, which nothing touches."""
    return AssetBaseCfg(
        prim_path=f"{{ENV_REGEX_NS}}/{name}",
        spawn=sim_utils.CuboidCfg(size=size, visual_material=sim_utils.PreviewSurfaceCfg(diffuse_color=linear(WALL))),
        init_state=AssetBaseCfg.InitialStateCfg(pos=place),
    )


@configclass
class TableSceneCfg(InteractiveSceneCfg):
    """An arm, a table and a cube; cameras are added to it."""

    robot: ArticulationCfg = arm()
    table = AssetBaseCfg(
        prim_path="{ENV_REGEX_NS}/Table",
        spawn=_block((1.25, 1.4, 0.04), TOP),
        init_state=AssetBaseCfg.InitialStateCfg(pos=(0.375, 0.0, -0.02)),
    )
    object = RigidObjectCfg(
        prim_path="{ENV_REGEX_NS}/Object",
        spawn=_block(
            (known.CUBE,) * 3,
            RED,
            rigid_props=sim_utils.RigidBodyPropertiesCfg(),
            mass_props=sim_utils.MassPropertiesCfg(mass=known.CUBE_MASS),
        ),
        init_state=RigidObjectCfg.InitialStateCfg(pos=(0.225, 0.0, 0.5 * known.CUBE)),
    )
    behind = _wall("Behind", (0.1, 4.0, 3.2), (-1.3, 0.0, 1.0))
    beside = _wall("Beside", (4.0, 0.1, 3.2), (0.0, 1.9, 1.0))
    light = AssetBaseCfg(prim_path="/World/light", spawn=sim_utils.DomeLightCfg(color=(0.75, 0.75, 0.75), intensity=3000.0))
