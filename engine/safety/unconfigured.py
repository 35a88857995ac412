"""Layers 5, 7 and 8 while nothing feeds them: each says "not configured" and holds the cap documented for that case.

Forecast and vision: nothing foresees a failure and nothing judges the pictures, so the tool keeps to the reduced speed
(ISO 10218-1: 250 mm/s, hold-to-run). The forecast keeps to it in force too, as ``engine.safety.forecast`` says.
Contact without a body table: not knowing what may be touched, the lowest quasi-static force that the table permits anywhere, the
face's 65 N (ISO/TS 15066:2016, table A.2), bounds the force.
"""

from engine.limits import Limits
from engine.safety.layer import Layer, clip
from engine.types import Reason

FORCE_ANYWHERE = 65.0  #: N


def reduced_speed(limits: Limits, reason: Reason = Reason.NOT_CONFIGURED) -> Layer:
    """Forecast, vision, and separation where nothing follows the person; the margin holds the cap in m/s."""
    return Layer(scale=clip(limits.speed_unsensed / limits.speed_max, 0.0, 1.0), reason=reason, margin=limits.speed_unsensed)


def reduced_force() -> Layer:
    """Contact; the margin holds the cap in N."""
    return Layer(force=FORCE_ANYWHERE, reason=Reason.NOT_CONFIGURED, margin=FORCE_ANYWHERE)
