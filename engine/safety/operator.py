"""Layer 9, the operator: nothing moves unless armed and either going or jogging, and then only up the ramp.

It scales speed and never the score: that stays live while the robot stands.
"""

from engine.limits import Limits
from engine.safety.layer import Layer, clip
from engine.types import Reason

JOG_SPEED = 0.10  #: m/s; jogging needs neither model nor camera, so it stays well under the reduced speed


def ramp(t_ns: int, armed_ns: int, limits: Limits) -> float:
    """0 at the moment of arming, 1 after ``Limits.arm_ramp``."""
    return clip((t_ns - armed_ns) / 1e9 / limits.arm_ramp, 0.0, 1.0)


def layer(*, armed: bool, going: bool, paused: bool, jogging: bool, risen: float, limits: Limits) -> Layer:
    """``risen`` is the ramp."""
    if not armed:
        return Layer(scale=0.0, reason=Reason.NOT_ARMED)
    if not (going or jogging):
        waiting = Reason.LET_GO if limits.hold_to_run else Reason.PAUSED if paused else Reason.NOT_GOING
        return Layer(scale=0.0, reason=waiting)
    cap = clip(JOG_SPEED / limits.speed_max, 0.0, 1.0) if jogging else 1.0
    left = (1.0 - risen) * limits.arm_ramp
    return Layer(scale=cap * risen, reason=Reason.RAMPING if risen < 1.0 else Reason.OK, margin=left)
