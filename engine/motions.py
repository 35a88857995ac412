"""The motions that a robot has by name, its poses and then its macros, and what is logged of playing them."""

from engine.config import Settings
from engine.control.playing import PLAY, Motion, Step
from engine.so101_settings import ROBOT
from engine.types import OperatorState


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


def told(before: OperatorState, now: OperatorState, who: str) -> list[tuple[str, str]]:
    """What ``who`` has confirmed and played from one tick to the next, and how that ended: events, as (kind, text)."""
    found = []
    if now.clearance_left > before.clearance_left:
        found.append(f"CONFIRMED {now.motion} by {who}: {now.clearance}")
    was, plays, same = _under_way(before), _under_way(now), before.motion == now.motion
    if was and not (plays and same):
        found.append(f"PLAYED {before.motion}" if same and _done(now) else f"STANDS {before.motion}, {_step(before)}")
    if plays and not (was and same):
        begins = before.motion_step == 0 or _done(before) or not same
        found.append(f"PLAYS {now.motion} by {who}" if begins else f"GOES ON {now.motion} by {who}, {_step(now)}")
    return [("motion", text) for text in found]


def _under_way(state: OperatorState) -> bool:
    return PLAY in state.grant_axis.split("+") and not _done(state)


def _done(state: OperatorState) -> bool:
    return state.motion_step == state.motion_steps > 0 and state.motion_share == 1.0


def _step(state: OperatorState) -> str:
    return f"step {state.motion_step} of {state.motion_steps}"
