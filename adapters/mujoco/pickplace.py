"""The Franka at the table: a robot and its cameras, as the engine asks for them."""

from functools import partial
from typing import Final

from adapters.base import CameraRig, Robot
from adapters.mujoco.cameras import StageRig
from adapters.mujoco.tabletop.franka import FRANKA
from adapters.mujoco.tabletop.robot import NORMAL, Tabletop
from adapters.mujoco.tabletop.stage import TableStage
from engine.limits import Limits

NAME: Final = "pickplace"


def build(seed: int, px: int = 128, task: str = FRANKA.tasks[0], limits: Limits = NORMAL) -> tuple[Robot, CameraRig]:
    """(robot, cameras) of the table that a seed sets.

    Raises AdapterError when the Franka's model is not installed, or for a task of another robot.
    """
    return Tabletop(FRANKA, NAME, seed, task, limits), StageRig(partial(TableStage, FRANKA.name), FRANKA.views, px)
