"""A Franka that saws a clamped block with a person: gym-hil's model written into the stage, a saw on its flange, and the block's answer.

The model is read with MuJoCo, which Newton brings along, and authored as USD; nothing is fetched or kept on disk. Newton has no bodies
that can be cut, so in every physics step the block acts on the saw as an outside force, by the law of ``adapters.isaaclab.cutting``. The
saw's frame is the tool: on the tooth line, x along the blade. Lengths in m, the floor at z = 0, the arm on its pedestal at the origin.
"""

import importlib.util
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import isaaclab.envs.mdp as mdp
import isaaclab.sim as sim_utils
import mujoco
import torch
from isaaclab.actuators import ImplicitActuatorCfg
from isaaclab.assets import ArticulationCfg, AssetBaseCfg
from isaaclab.envs import ManagerBasedRLEnv
from isaaclab.managers import (
    ActionTerm,
    ActionTermCfg,
    EventTermCfg,
    ObservationGroupCfg,
    ObservationTermCfg,
    RewardTermCfg,
    TerminationTermCfg,
)
from isaaclab.scene import InteractiveSceneCfg
from isaaclab.sim.utils import clone
from isaaclab.utils import configclass
from isaaclab.utils.math import quat_apply
from pxr import Gf, Usd

from adapters.isaaclab import cutting, known
from adapters.isaaclab.worker import authoring, scene, tasks

TASK: Final = "Isaac-Franka-Co-Saw-v0"
JOINTS: Final = known.FRANKA_JOINTS
SAW: Final = known.SAW
HANDLE: Final = known.HANDLE

PEDESTAL: Final = 0.16
BLOCK: Final = (0.62, 0.0, 0.53)  #: the middle of its top
BLOCK_LENGTH: Final = 0.60
HOME: Final = (0.0, -0.6341, 0.0, -2.4151, 0.0, 1.7810, 0.7854)  #: rad, the teeth level, 20 mm over the block at mid-stroke
BACK: Final = 0.26  #: from the flange's axis forward to the tool
UP: Final = 0.14  #: from the tooth line up to the flange
HANDLE_AT: Final = (0.36, 0.0, 0.055)  #: in the tool's frame
HANDLE_SIZE: Final = (0.032, 0.032, 0.10)
HANDLE_MASS: Final = 0.1  #: kg
SAW_MASS: Final = 1.2  #: kg
BLADE: Final = (cutting.BLADE_BACK + cutting.BLADE_AHEAD, 0.0016, 0.075)

# Between libfranka's default joint impedance (3000 .. 2000) and its compliant examples' (600 .. 50): a hand can push it, a saw guide it.
STIFFNESS: Final = (1000.0, 1000.0, 1000.0, 1000.0, 500.0, 500.0, 500.0)  #: N m/rad
DAMPING: Final = tuple(0.08 * stiffness for stiffness in STIFFNESS)  #: N m s/rad; all joints lag alike, so the saw stays level
ARMATURE: Final = 0.1  #: kg m^2, as the packaged model has it
TORQUE: Final = (87.0, 87.0, 87.0, 87.0, 12.0, 12.0, 12.0)  #: N m, Franka Emika Panda datasheet (R02212)
SPEED: Final = (2.175, 2.175, 2.175, 2.175, 2.61, 2.61, 2.61)  #: rad/s, likewise

WHITE: Final = (0.90, 0.91, 0.93)
STEEL: Final = (0.62, 0.65, 0.68)
WOOD: Final = (0.66, 0.47, 0.28)
GRIP: Final = (0.55, 0.27, 0.12)
FRAME: Final = (0.20, 0.27, 0.36)
FLOOR: Final = (0.42, 0.44, 0.46)


# --- the arm ---


def model() -> Any:
    """MjModel of the packaged arm with the saw for a hand and the hulls of its links, which weigh nothing on its joints.

    Raises ValueError where its package is not installed.
    """
    package = importlib.util.find_spec("gym_hil")
    if package is None or not package.submodule_search_locations:
        raise ValueError("The Franka's model is not there: install gym-hil, which ships it, without what it depends on.")
    spec = mujoco.MjSpec.from_file(str(Path(package.submodule_search_locations[0]) / "assets" / "panda.xml"))
    spec.delete(spec.body("base_mount"))
    for other in [*spec.sensors, *spec.cameras]:
        spec.delete(other)
    for geom in list(spec.geoms):
        if geom.classname.name == "panda/collision":
            geom.rgba = [*WHITE, 1.0]
        else:
            spec.delete(geom)
    used = {geom.meshname for geom in spec.geoms}
    for mesh in list(spec.meshes):
        if (mesh.name or Path(mesh.file).stem) not in used:
            spec.delete(mesh)
    # The flange points down and its x axis is turned by half a turn about z from the saw's.
    saw = spec.body("attachment").add_body(name=SAW, pos=[-BACK, 0.0, UP], quat=[0.0, 0.0, 1.0, 0.0])
    saw.mass, saw.ipos, saw.inertia, saw.explicitinertial = SAW_MASS, [-0.05, 0.0, 0.045], [0.002, 0.035, 0.034], True
    handle = saw.add_body(name=HANDLE, pos=list(HANDLE_AT))
    handle.mass, handle.inertia, handle.explicitinertial = HANDLE_MASS, [1e-4, 1e-4, 2e-5], True
    for body in spec.worldbody.find_all("body"):
        body.gravcomp = 1.0
    return spec.compile()


@clone
def spawn(
    prim_path: str,
    cfg: "PandaCfg",
    translation: tuple[float, float, float] | None = None,
    orientation: tuple[float, float, float, float] | None = None,
    **_: Any,
) -> Usd.Prim:
    """Author the arm of ``model`` as an articulation at that path, every weight carried as a Franka's controller does. Returns its prim."""
    root = authoring.articulation(prim_path, model(), translation, orientation)
    stage = root.GetStage()
    saw = f"{prim_path}/{SAW}"
    _box(stage, f"{saw}/blade", BLADE, (0.5 * BLADE[0] - cutting.BLADE_BACK, 0.0, 0.5 * BLADE[2]), STEEL)
    _box(stage, f"{saw}/mount", (0.05, 0.05, UP - BLADE[2]), (-BACK + 0.03, 0.0, 0.5 * (UP + BLADE[2])), FRAME)
    _box(stage, f"{saw}/back", (0.13, 0.01, 0.02), (HANDLE_AT[0] - 0.065, 0.0, HANDLE_AT[2]), FRAME)
    _box(stage, f"{prim_path}/{HANDLE}/grip", HANDLE_SIZE, (0.0, 0.0, 0.0), GRIP)
    return root


@configclass
class PandaCfg(sim_utils.SpawnerCfg):
    func: Callable[..., Usd.Prim] = spawn


def _box(stage: Usd.Stage, path: str, size: Any, place: Any, colour: Any) -> None:
    """Drawn, and nothing else."""
    authoring.box(stage, path, size, place).CreateDisplayColorAttr([Gf.Vec3f(*colour)])


# --- the cell ---


def _furniture(
    name: str, size: tuple[float, float, float], place: tuple[float, float, float], colour: tuple[float, float, float]
) -> AssetBaseCfg:
    return AssetBaseCfg(
        prim_path=f"{{ENV_REGEX_NS}}/{name}",
        spawn=sim_utils.CuboidCfg(size=size, collision_props=scene.FLAT, visual_material=sim_utils.PreviewSurfaceCfg(diffuse_color=colour)),
        init_state=AssetBaseCfg.InitialStateCfg(pos=place),
    )


def _motor(numbers: tuple[float, ...]) -> dict[str, float]:
    return dict(zip(JOINTS, numbers, strict=True))


@configclass
class CoSawSceneCfg(InteractiveSceneCfg):
    """The arm on its pedestal and the block on its stand; cameras are added to it."""

    robot = ArticulationCfg(
        prim_path="{ENV_REGEX_NS}/Robot",
        spawn=PandaCfg(),
        init_state=ArticulationCfg.InitialStateCfg(pos=(0.0, 0.0, PEDESTAL), joint_pos=_motor(HOME)),
        actuators={
            "arm": ImplicitActuatorCfg(
                joint_names_expr=list(JOINTS),
                stiffness=_motor(STIFFNESS),
                damping=_motor(DAMPING),
                armature=ARMATURE,
                effort_limit_sim=_motor(TORQUE),
                velocity_limit_sim=_motor(SPEED),
            )
        },
    )
    floor = _furniture("Floor", (3.0, 3.0, 0.04), (0.5, 0.0, -0.02), FLOOR)
    pedestal = _furniture("Pedestal", (0.24, 0.24, PEDESTAL), (-0.05, 0.0, 0.5 * PEDESTAL), FRAME)
    stand = _furniture("Stand", (0.10, 0.24, BLOCK[2] - cutting.HEIGHT), (BLOCK[0], -0.16, 0.5 * (BLOCK[2] - cutting.HEIGHT)), FRAME)
    block = _furniture("Block", (cutting.BREADTH, BLOCK_LENGTH, cutting.HEIGHT), (*BLOCK[:2], BLOCK[2] - 0.5 * cutting.HEIGHT), WOOD)
    light = AssetBaseCfg(prim_path="/World/light", spawn=sim_utils.DomeLightCfg(color=(0.75, 0.75, 0.75), intensity=3000.0))


# --- the block ---


class Block(ActionTerm):
    """The clamped block: takes no action, and answers the blade in every physics step, beside whatever else presses on the saw."""

    cfg: "BlockCfg"

    def __init__(self, cfg: "BlockCfg", env: ManagerBasedRLEnv) -> None:
        super().__init__(cfg, env)
        self._nothing = torch.zeros(env.num_envs, 0, device=env.device)
        self._saw = self._asset.body_names.index(SAW)
        self._middle = env.scene.env_origins + torch.tensor(BLOCK, device=env.device)
        self.cut = cutting.uncut(torch.zeros(env.num_envs, device=env.device))
        self.force = torch.zeros(env.num_envs, 3, device=env.device)  #: (E, 3) N, on the saw, world axes

    @property
    def action_dim(self) -> int:
        return 0

    @property
    def raw_actions(self) -> torch.Tensor:
        return self._nothing

    @property
    def processed_actions(self) -> torch.Tensor:
        return self._nothing

    def process_actions(self, actions: torch.Tensor) -> None:
        pass

    def apply_actions(self) -> None:
        data, saw = self._asset.data, self._saw
        place = data.body_link_pos_w.torch[:, saw] - self._middle
        turn, spin = data.body_link_quat_w.torch[:, saw], data.body_link_ang_vel_w.torch[:, saw]
        ahead = quat_apply(turn, torch.tensor((1.0, 0.0, 0.0), device=self.device).expand_as(place))
        along = -place[:, 0] / ahead[:, 0].clip(min=0.1)
        arm = along[:, None] * ahead
        teeth, speed = place + arm, data.body_link_lin_vel_w.torch[:, saw] + torch.linalg.cross(spin, arm)
        blade = cutting.Blade(along, teeth[:, 1], teeth[:, 2], speed[:, 0], speed[:, 1], speed[:, 2])
        self.cut, bite = cutting.meet(self.cut, blade, self._env.physics_dt)
        self.force = torch.stack([bite.fx, bite.fy, bite.fz], dim=-1)
        self._asset.instantaneous_wrench_composer.add_forces_and_torques_index(
            forces=self.force[:, None], positions=(teeth + self._middle)[:, None], body_ids=[saw], is_global=True
        )

    def reset(self, env_ids: Any = None) -> None:
        fresh = cutting.uncut(torch.zeros_like(self.cut.depth))
        these = torch.zeros_like(self.cut.depth, dtype=torch.bool)
        these[slice(None) if env_ids is None else env_ids] = True
        one = {field.name: torch.where(these, getattr(fresh, field.name), getattr(self.cut, field.name)) for field in fields(cutting.Cut)}
        self.cut = cutting.Cut(**one)
        self.force = torch.where(these[:, None], 0.0, self.force)


@configclass
class BlockCfg(ActionTermCfg):
    class_type: type[ActionTerm] = Block
    asset_name: str = known.ROBOT


def block(env: ManagerBasedRLEnv) -> Block:
    """The block that the environment's saw meets."""
    found: Block = env.action_manager.get_term("block")
    return found


def kerf(env: ManagerBasedRLEnv) -> torch.Tensor:
    """(E, 3): depth m, strokes, press N."""
    found = block(env)
    return torch.stack([found.cut.depth, found.cut.strokes, found.force[:, 2]], dim=-1)


def bottom(env: ManagerBasedRLEnv) -> torch.Tensor:
    """(E, 3) m, the middle of the kerf's bottom, or of the block's top where there is none, each in its own environment."""
    cut = block(env).cut
    place = torch.tensor(BLOCK, device=env.device).repeat(env.num_envs, 1)
    place[:, 1], place[:, 2] = cut.line, BLOCK[2] - cut.depth
    return place


def kerf_state(env: ManagerBasedRLEnv) -> tuple[torch.Tensor, torch.Tensor]:
    """(E, 7) m and w, x, y, z, of ``bottom``, and (E, 6) that it does not move."""
    level = torch.tensor([[1.0, 0.0, 0.0, 0.0]], device=env.device).expand(env.num_envs, 4)
    return torch.cat([bottom(env), level], dim=-1), torch.zeros(env.num_envs, 6, device=env.device)


def through(env: ManagerBasedRLEnv) -> torch.Tensor:
    """(E,) bool, the block is cut through."""
    cut: torch.Tensor = cutting.through(block(env).cut)
    return cut


def saw(env: ManagerBasedRLEnv) -> torch.Tensor:
    """(E, 3) m, the tool, each in its own environment."""
    robot = env.scene[known.ROBOT]
    place: torch.Tensor = robot.data.body_link_pos_w.torch[:, robot.body_names.index(SAW)] - env.scene.env_origins
    return place


def deepened(env: ManagerBasedRLEnv) -> torch.Tensor:
    """(E,) 0..1, how far through the block the kerf is."""
    share: torch.Tensor = block(env).cut.depth / cutting.HEIGHT
    return share


# --- the task ---


@configclass
class ActionsCfg:
    """Seven joint targets, rad; the block takes none."""

    joints = tasks.TargetsCfg(
        asset_name=known.ROBOT, joint_names=list(JOINTS), preserve_order=True, scale=1.0, use_default_offset=False, fingers=0
    )
    block = BlockCfg()


@configclass
class ObservationsCfg:
    @configclass
    class PolicyCfg(ObservationGroupCfg):
        joint_pos = ObservationTermCfg(func=mdp.joint_pos_rel)
        joint_vel = ObservationTermCfg(func=mdp.joint_vel_rel)
        saw = ObservationTermCfg(func=saw)
        kerf = ObservationTermCfg(func=kerf)
        actions = ObservationTermCfg(func=mdp.last_action)

        def __post_init__(self) -> None:
            self.enable_corruption = False
            self.concatenate_terms = True

    policy: PolicyCfg = PolicyCfg()


@configclass
class EventsCfg:
    everything = EventTermCfg(func=mdp.reset_scene_to_default, mode="reset")


@configclass
class RewardsCfg:
    deepened = RewardTermCfg(func=deepened, weight=1.0)
    rate = RewardTermCfg(func=mdp.action_rate_l2, weight=-1e-3)


@configclass
class TerminationsCfg:
    time = TerminationTermCfg(func=mdp.time_out, time_out=True)
    done = TerminationTermCfg(func=tasks.is_done)


@configclass
class CoSawEnvCfg(tasks.TableEnvCfg):
    """What is worked on is the kerf: its bottom."""

    scene: CoSawSceneCfg = CoSawSceneCfg(num_envs=1, env_spacing=3.0)
    observations: ObservationsCfg = ObservationsCfg()
    actions: ActionsCfg = ActionsCfg()
    events: EventsCfg = EventsCfg()
    rewards: RewardsCfg = RewardsCfg()
    terminations: TerminationsCfg = TerminationsCfg()
    holds: Callable[[ManagerBasedRLEnv], torch.Tensor] = through
    thing: Callable[[ManagerBasedRLEnv], tuple[torch.Tensor, torch.Tensor]] = kerf_state
    episode_length_s: float = known.KNOWN[TASK].seconds
