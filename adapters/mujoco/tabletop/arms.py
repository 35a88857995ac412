"""The arms that stand at the table, by name; each is imported when it is asked for."""

from adapters.mujoco.tabletop.arm import Arm


def arm(name: str) -> Arm:
    """The arm of a name. Raises ValueError where there is none, AdapterError where its model is not installed once it is used."""
    if name == "franka":
        from adapters.mujoco.tabletop.franka import FRANKA

        return FRANKA
    if name == "so101":
        from adapters.mujoco.tabletop.so101 import SO101

        return SO101
    if name == "so100":
        from adapters.mujoco.tabletop.so100 import SO100

        return SO100
    raise ValueError(f"there is no arm {name} at the table; choose one of franka, so100, so101")
