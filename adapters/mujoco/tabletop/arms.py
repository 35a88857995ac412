"""The arms that stand at the table, by name; each is imported when it is asked for."""

from typing import Final

from adapters.mujoco.tabletop.arm import Arm

NAMES: Final = ("franka", "so101")


def arm(name: str) -> Arm:
    """The arm of NAMES. Raises ValueError for another name, AdapterError where its model is not installed once it is used."""
    if name == "franka":
        from adapters.mujoco.tabletop.franka import FRANKA

        return FRANKA
    if name == "so101":
        from adapters.mujoco.tabletop.so101 import SO101

        return SO101
    raise ValueError(f"there is no arm {name} at the table; choose one of {', '.join(NAMES)}")
