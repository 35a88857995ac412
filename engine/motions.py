"""The motions that a robot has by name: its poses, then its macros."""

from engine.config import Settings
from engine.control.playing import Motion, Step
from engine.so101_settings import ROBOT


def motions(settings: Settings) -> tuple[Motion, ...]:
    """In the order of the settings; none where the robot knows no poses."""
    if settings.robot != ROBOT:
        return ()
    arm = settings.so101
    poses = (Motion(name, (Step(*arm.target(name), seconds=0.0),)) for name in arm.poses)
    macros = (
        Motion(name, tuple(Step(*target, seconds=seconds) for target, seconds in arm.motion(name)), macro.clearance)
        for name, macro in arm.macros.items()
    )
    return (*poses, *macros)
