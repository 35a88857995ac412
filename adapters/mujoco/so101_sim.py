"""The SO-101 at the table: a robot and its cameras, as the engine asks for them."""

from functools import partial
from typing import Final

from adapters.base import CameraRig, Robot
from adapters.mujoco.cameras import StageRig
from adapters.mujoco.tabletop.robot import NORMAL, Tabletop
from adapters.mujoco.tabletop.so101 import SO101
from adapters.mujoco.tabletop.stage import TableStage
from engine.limits import Limits

NAME: Final = "so101-sim"


def build(seed: int, px: int = 128, task: str = SO101.tasks[0], limits: Limits = NORMAL) -> tuple[Robot, CameraRig]:
    """(robot, cameras) of the table that a seed sets.

    Raises AdapterError when the SO-101's model is not installed, or for a task of another robot.
    """
    return Tabletop(SO101, NAME, seed, task, limits), StageRig(partial(TableStage, SO101.name), SO101.views, px)
