"""This project's tasks, registered with Gymnasium under their usual ids when this module is imported."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import gymnasium
import isaaclab.envs.mdp as mdp
import numpy as np
import torch
from isaaclab.envs import ManagerBasedRLEnv, ManagerBasedRLEnvCfg
from isaaclab.managers import (
    ActionTerm,
    EventTermCfg,
    ObservationGroupCfg,
    ObservationTermCfg,
    RewardTermCfg,
    TerminationTermCfg,
)
from isaaclab.utils import configclass
from isaaclab.utils.math import quat_apply
from isaaclab.utils.noise import UniformNoiseCfg

from adapters.isaaclab import known
from adapters.isaaclab.worker import arm100, scene
from adapters.isaaclab.worker.scene import SPACING, TableSceneCfg, simulation

EVERY: Final = slice(None)
TOOL_BODY: Final = known.BODIES[known.LINK]
CUBE_AT: Final = 0.5 * known.CUBE


class Targets(mdp.JointPositionAction):
    """Joint targets in rad, the fingers' last. While ``TableEnv.held`` says so each joint stays where it was when that began, whatever is
    acted; fingers go on pressing as they did, or what they hold would fall."""

    def __init__(self, cfg: "TargetsCfg", env: "TableEnv") -> None:
        super().__init__(cfg, env)
        self._env = env
        self._stands: torch.Tensor | None = None
        self._told: torch.Tensor | None = None

    def reset(self, env_ids: Sequence[int] | None = None) -> None:
        """An episode begins, maybe elsewhere: where it stands is found anew."""
        super().reset(env_ids)
        self._stands = self._told = None

    def apply_actions(self) -> None:
        """Called in every physics step."""
        if not self._env.held():
            self._stands = None
        elif self._stands is None:
            self._stands = self._asset.data.joint_pos.torch[:, self._joint_ids] + self._env.sag
            if self._told is not None and self.cfg.fingers:
                self._stands[:, -self.cfg.fingers :] = self._told[:, -self.cfg.fingers :]
        self._told = self.processed_actions.clone() if self._stands is None else self._stands
        self._asset.set_joint_position_target_index(target=self._told, joint_ids=self._joint_ids)


@configclass
class TargetsCfg(mdp.JointPositionActionCfg):
    class_type: type[ActionTerm] = Targets
    fingers: int = 1


@configclass
class ActionsCfg:
    """Six joint targets, rad: LeRobot's five, then the jaw's."""

    joints = TargetsCfg(
        asset_name=known.ROBOT, joint_names=[*known.USD_JOINTS, known.USD_JAW], preserve_order=True, scale=1.0, use_default_offset=False
    )


def cube(env: ManagerBasedRLEnv) -> torch.Tensor:
    """(E, 3) m, the cube's middle, each in its own environment."""
    found: torch.Tensor = env.scene["object"].data.root_pos_w.torch - env.scene.env_origins
    return found


def cube_state(env: ManagerBasedRLEnv) -> tuple[torch.Tensor, torch.Tensor]:
    """(E, 7) m and w, x, y, z, where the cube is, and (E, 6) m/s and rad/s, how it moves."""
    data = env.scene["object"].data
    pose = torch.cat([cube(env), data.root_quat_w.torch[:, [3, 0, 1, 2]]], dim=-1)
    return pose, torch.cat([data.root_lin_vel_w.torch, data.root_ang_vel_w.torch], dim=-1)


def tool(env: ManagerBasedRLEnv) -> torch.Tensor:
    """(E, 3) m, between the jaws' tips, each in its own environment."""
    robot = env.scene[known.ROBOT]
    body = robot.body_names.index(TOOL_BODY)
    tip = torch.tensor(known.TIP, device=env.device).expand(env.num_envs, 3)
    place: torch.Tensor = robot.data.body_pos_w.torch[:, body] + quat_apply(robot.data.body_quat_w.torch[:, body], tip)
    place -= env.scene.env_origins
    return place


def goal(env: ManagerBasedRLEnv) -> torch.Tensor:
    """(E, 3) m, where the tool shall be to have reached the cube."""
    place: torch.Tensor = cube(env).clone()
    place[:, 2] += known.ABOVE
    return place


def near(env: ManagerBasedRLEnv, at: Callable[[ManagerBasedRLEnv], torch.Tensor], scale: float) -> torch.Tensor:
    """(E,) 0..1, the nearer the tool is to a place; ``scale`` m away it is 0.24."""
    return 1.0 - torch.tanh(torch.linalg.norm(tool(env) - at(env), dim=-1) / scale)


def lifted(env: ManagerBasedRLEnv) -> torch.Tensor:
    """(E,) the cube is so far over where it lay."""
    return cube(env)[:, 2] - CUBE_AT >= known.LIFTED


def reached(env: ManagerBasedRLEnv) -> torch.Tensor:
    """(E,) the tool is just over the cube."""
    near: torch.Tensor = torch.linalg.norm(tool(env) - goal(env), dim=-1) <= known.WITHIN
    return near


def lost(env: ManagerBasedRLEnv) -> torch.Tensor:
    """(E,) the cube fell off the table."""
    return cube(env)[:, 2] < known.LOST


def is_done(env: "TableEnv") -> torch.Tensor:
    """(E,) the task has been so for long enough, this step counted."""
    env.watch()
    return env.done


def place_cube(env: "TableEnv", env_ids: torch.Tensor | slice) -> None:
    """Lay the cube somewhere in the patch that the arm reaches well, turned a little against how the gripper faces it there."""
    ids = torch.arange(env.num_envs, device=env.device, dtype=torch.int32)[env_ids]
    unit = env.draws(ids, 3)
    pose = torch.zeros(len(ids), 7, device=env.device)
    for axis, (low, high) in enumerate((known.CUBES_X, known.CUBES_Y)):
        pose[:, axis] = low + (high - low) * unit[:, axis]
    pose[:, 2] = CUBE_AT
    facing = torch.atan2(pose[:, 1], pose[:, 0] - known.PAN_X)
    half = 0.5 * (facing + known.CUBE_TURN * (2.0 * unit[:, 2] - 1.0))
    pose[:, 5], pose[:, 6] = torch.sin(half), torch.cos(half)
    pose[:, :3] += env.scene.env_origins[ids]
    put(env, ids, pose)


def put(env: ManagerBasedRLEnv, env_ids: torch.Tensor, pose: torch.Tensor) -> None:
    """Lay the cube at poses (n, 7), world axes, x, y, z, w, at rest."""
    thing = env.scene["object"]
    thing.write_root_pose_to_sim_index(root_pose=pose, env_ids=env_ids)
    thing.write_root_velocity_to_sim_index(root_velocity=torch.zeros(len(env_ids), 6, device=env.device), env_ids=env_ids)


@configclass
class EventsCfg:
    everything = EventTermCfg(func=mdp.reset_scene_to_default, mode="reset")
    cube = EventTermCfg(func=place_cube, mode="reset")


@configclass
class ObservationsCfg:
    """What a policy that learns here sees; pictures are the cameras' own."""

    @configclass
    class PolicyCfg(ObservationGroupCfg):
        joint_pos = ObservationTermCfg(func=mdp.joint_pos_rel, noise=UniformNoiseCfg(n_min=-0.005, n_max=0.005))
        joint_vel = ObservationTermCfg(func=mdp.joint_vel_rel, noise=UniformNoiseCfg(n_min=-0.02, n_max=0.02))
        tool = ObservationTermCfg(func=tool)
        cube = ObservationTermCfg(func=cube)
        actions = ObservationTermCfg(func=mdp.last_action)

        def __post_init__(self) -> None:
            self.enable_corruption = True
            self.concatenate_terms = True

    policy: PolicyCfg = PolicyCfg()


@configclass
class LiftRewardsCfg:
    near = RewardTermCfg(func=near, params={"at": cube, "scale": 0.05}, weight=1.0)
    lifted = RewardTermCfg(func=lifted, weight=10.0)
    rate = RewardTermCfg(func=mdp.action_rate_l2, weight=-1e-3)


@configclass
class ReachRewardsCfg:
    near = RewardTermCfg(func=near, params={"at": goal, "scale": 0.05}, weight=1.0)
    reached = RewardTermCfg(func=reached, weight=5.0)
    rate = RewardTermCfg(func=mdp.action_rate_l2, weight=-1e-3)


@configclass
class TerminationsCfg:
    time = TerminationTermCfg(func=mdp.time_out, time_out=True)
    lost = TerminationTermCfg(func=lost)
    done = TerminationTermCfg(func=is_done)


@configclass
class NeverCfg:
    """No episode ends by itself."""


@configclass
class TableEnvCfg(ManagerBasedRLEnvCfg):
    """Common to all; ``holds`` (E,) says whether the task is so at this moment, ``thing`` where what is worked on is and how it moves."""

    scene: TableSceneCfg = TableSceneCfg(num_envs=1, env_spacing=SPACING)
    observations: Any = ObservationsCfg()
    actions: Any = ActionsCfg()
    events: Any = EventsCfg()
    terminations: Any = TerminationsCfg()
    holds: Callable[[ManagerBasedRLEnv], torch.Tensor] = lifted
    thing: Callable[[ManagerBasedRLEnv], tuple[torch.Tensor, torch.Tensor]] = cube_state

    def __post_init__(self) -> None:
        self.set_environments(self.scene.num_envs, "cpu")

    def set_environments(self, count: int, device: str, steps: int = 0) -> None:
        """So many, there, with so many physics steps a step; 0: as many as usual. The physics follows from count and device."""
        self.scene.num_envs = count
        self.decimation = steps or known.DECIMATION
        self.sim = simulation(count, device, self.decimation)


@configclass
class LiftEnvCfg(TableEnvCfg):
    rewards: LiftRewardsCfg = LiftRewardsCfg()
    episode_length_s: float = known.KNOWN["Isaac-SO-ARM101-Lift-Cube-v0"].seconds


@configclass
class ReachEnvCfg(TableEnvCfg):
    rewards: ReachRewardsCfg = ReachRewardsCfg()
    holds: Callable[[ManagerBasedRLEnv], torch.Tensor] = reached
    episode_length_s: float = known.KNOWN["Isaac-SO-ARM101-Reach-v0"].seconds


@configclass
class LiftPlayEnvCfg(LiftEnvCfg):
    def __post_init__(self) -> None:
        super().__post_init__()
        self.observations.policy.enable_corruption = False


@configclass
class ReachPlayEnvCfg(ReachEnvCfg):
    def __post_init__(self) -> None:
        super().__post_init__()
        self.observations.policy.enable_corruption = False


class TableEnv(ManagerBasedRLEnv):
    """An environment that can be told to hold, and knows when its task is done."""

    def __init__(self, cfg: TableEnvCfg, **more: Any) -> None:
        self.held: Callable[[], bool] = lambda: False  #: asked in every physics step
        self.sag: torch.Tensor | float = 0.0  #: (E, 6) rad, what of the targets carries the arm's weight
        self.done = torch.zeros(cfg.scene.num_envs, dtype=torch.bool, device=cfg.sim.device)
        self.episodes = torch.full((cfg.scene.num_envs,), -1, dtype=torch.int64, device=cfg.sim.device)
        self._since = torch.zeros(cfg.scene.num_envs, device=cfg.sim.device)
        self._drawn = [np.random.default_rng([cfg.seed or 0, one]) for one in range(cfg.scene.num_envs)]
        super().__init__(cfg=cfg, **more)
        if self._physics_handles_decimation:
            raise RuntimeError("This physics steps more than once at a time, so a stop would be read too seldom: choose another.")

    def sow(self, environment: int, seed: int) -> None:
        """From here on that environment draws as any other does that was given this seed."""
        self._drawn[environment] = np.random.default_rng(seed)

    def draws(self, ids: torch.Tensor, count: int) -> torch.Tensor:
        """(n, count) within [0, 1), each environment from its own numbers."""
        found = np.array([self._drawn[environment].random(count) for environment in ids.tolist()])
        return torch.tensor(found, dtype=torch.float32, device=self.device).reshape(len(ids), count)

    def watch(self) -> None:
        """One step has passed: is the task done?"""
        self._since = torch.where(self.cfg.holds(self), self._since + self.step_dt, torch.zeros_like(self._since))
        self.done |= self._since >= known.HELD_S - 1e-6

    def _reset_idx(self, env_ids: Sequence[int]) -> None:
        self.done[env_ids], self._since[env_ids] = False, 0.0
        self.episodes[env_ids] += 1
        super()._reset_idx(env_ids)


CFGS: Final = {
    ("lift", False): LiftEnvCfg,
    ("lift", True): LiftPlayEnvCfg,
    ("reach", False): ReachEnvCfg,
    ("reach", True): ReachPlayEnvCfg,
}

ARMS: Final = {"so101": scene.arm, "so100": arm100.arm}


def cfg(id: str) -> TableEnvCfg:
    """What the task of that id is made of, anew; one of ``known.KNOWN``."""
    task = known.KNOWN[id]
    if task.does == "saw":
        from adapters.isaaclab.worker.cosaw import CoSawEnvCfg

        return CoSawEnvCfg()
    found = CFGS[task.does, task.play]()
    found.scene.robot = ARMS[task.arm]()
    return found


for id in known.KNOWN:
    gymnasium.register(
        id=id,
        entry_point=f"{__name__}:TableEnv",
        disable_env_checker=True,
        kwargs={"env_cfg_entry_point": lambda id=id: cfg(id)},
    )
