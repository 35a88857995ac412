"""The table's entry: a robot and its cameras, as the engine asks for them."""

from functools import partial

from adapters.base import CameraRig, Robot
from adapters.mujoco.cameras import StageRig
from adapters.mujoco.tabletop.arms import arm as named
from adapters.mujoco.tabletop.robot import NORMAL, Tabletop
from adapters.mujoco.tabletop.stage import TableStage
from engine.limits import Limits


def build(name: str, arm: str, seed: int, px: int, task: str, limits: Limits = NORMAL) -> tuple[Robot, CameraRig]:
    """(the robot of a name, cameras) of the table that a seed sets for an arm of ``arms``.

    Raises AdapterError when the arm's model is not installed, or for a task of another robot.
    """
    found = named(arm)
    return Tabletop(found, name, seed, task, limits), StageRig(partial(TableStage, arm), found.views, px)
