"""The co-sawing cell's entry: a robot and its cameras, as the engine asks for them."""

from adapters.base import CameraRig, Robot
from adapters.mujoco.cameras import CosawRig
from adapters.mujoco.robot import Cosaw


def build(seed: int, px: int = 128) -> tuple[Robot, CameraRig]:
    """(robot, cameras) of the cell that a seed draws. Raises AdapterError when the Franka's model is not installed."""
    return Cosaw(seed), CosawRig(px)
