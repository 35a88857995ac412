"""The SO-100 at the table in Isaac Lab: the packaged MuJoCo model written into the stage, with the SO-101's jaws and servos."""

from collections.abc import Callable
from typing import Any

import isaaclab.sim as sim_utils
from isaaclab.assets import ArticulationCfg
from isaaclab.sim.utils import clone
from isaaclab.utils import configclass
from pxr import Usd

from adapters.isaaclab.worker import authoring, scene
from adapters.mujoco.tabletop import so100_model


@clone
def spawn(prim_path: str, cfg: "Arm100Cfg", translation: Any = None, orientation: Any = None, **_: Any) -> Usd.Prim:
    """Author the arm as an articulation at that path. Returns its prim. Raises FileNotFoundError where its package is absent."""
    prim = authoring.articulation(prim_path, so100_model.arm().compile(), translation, orientation)
    scene.add_pads(prim)
    return prim


@configclass
class Arm100Cfg(sim_utils.SpawnerCfg):
    func: Callable[..., Usd.Prim] = spawn


def arm() -> ArticulationCfg:
    """The arm on its base, where the model has it, with the servos of the SO-101, which are its own."""
    return scene.standing(ArticulationCfg(prim_path=scene.ROBOT_PATH, spawn=Arm100Cfg()))
