"""The co-sawing cell's entry: a robot and its cameras, as the engine asks for them."""

from adapters.base import CameraRig, Robot
from adapters.mujoco.cameras import CosawRig
from adapters.mujoco.robot import NORMAL, Cosaw
from engine.limits import Limits
from engine.safety.cell import Cell


def build(seed: int, px: int = 128, cell: Cell | None = None, limits: Limits = NORMAL) -> tuple[Robot, CameraRig]:
    """(robot, cameras) of the cell that a seed draws; ``cell`` as commissioned, or the layout's own without body regions.

    Raises AdapterError when the Franka's model is not installed.
    """
    return Cosaw(seed, cell, limits), CosawRig(px)
